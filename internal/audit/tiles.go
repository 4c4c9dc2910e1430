package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
)

// tiles is the published tree: a directory in the layout of C2SP tlog-tiles, for anyone to copy or serve.
type tiles struct{ dir string }

func (t tiles) file(level int, index uint64, width int) string {
	return filepath.Join(t.dir, filepath.FromSlash(tilePath(level, index, width)))
}

// write publishes a tile or a bundle. It takes no detour over a temporary file: no checkpoint says yet that the tile is
// there, and after a crash it is made again.
func (t tiles) write(level int, index uint64, width int, data []byte) error {
	name := t.file(level, index, width)
	err := put(name, data)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(name), 0o700); err == nil {
			err = put(name, data)
		}
	}
	if err != nil {
		return fmt.Errorf("write tile %s: %w", tilePath(level, index, width), err)
	}
	return nil
}

// read returns at least the first width entries of a tile or a bundle, and how many there are.
func (t tiles) read(level int, index uint64, width int) ([]byte, int, error) {
	b, err := readSmall(t.file(level, index, tileWidth), maxTile)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return b, tileWidth, err
	}
	widths := t.partial(level, index)
	at := sort.SearchInts(widths, width)
	if at == len(widths) {
		return nil, 0, fmt.Errorf("tile %s: %w", tilePath(level, index, width), fs.ErrNotExist)
	}
	b, err = readSmall(t.file(level, index, widths[at]), maxTile)
	return b, widths[at], err
}

// partial lists the widths at which a tile that is not full was published, in order.
func (t tiles) partial(level int, index uint64) []int {
	entries, err := os.ReadDir(filepath.Dir(t.file(level, index, 1)))
	if err != nil {
		return nil
	}
	var widths []int
	for _, e := range entries {
		if w, err := strconv.Atoi(e.Name()); err == nil && w > 0 && w < tileWidth {
			widths = append(widths, w)
		}
	}
	sort.Ints(widths)
	return widths
}

// row returns the first n hashes of a tile.
func (t tiles) row(level int, index uint64, n int) ([]tlog.Hash, error) {
	b, _, err := t.read(level, index, n)
	if err != nil {
		return nil, err
	}
	hashes, err := splitHashes(b)
	if err == nil && len(hashes) < n {
		err = fmt.Errorf("tile %s has %d hashes", tilePath(level, index, n), len(hashes))
	}
	if err != nil {
		return nil, err
	}
	return hashes[:n], nil
}

// thin removes the partial tiles that no recent checkpoint needs: all but the last two, or all when the tile is full.
func (t tiles) thin(level int, index uint64, isFull bool) {
	dir := filepath.Dir(t.file(level, index, 1))
	if isFull {
		_ = os.RemoveAll(dir)
		return
	}
	if widths := t.partial(level, index); len(widths) > 2 {
		for _, w := range widths[:len(widths)-2] {
			_ = os.Remove(t.file(level, index, w))
		}
	}
}

// bundle returns the envelopes of an entry bundle.
func (t tiles) bundle(index uint64, n int) ([][]byte, error) {
	b, _, err := t.read(entriesLevel, index, n)
	if err != nil {
		return nil, err
	}
	return splitBundle(b, n)
}

func splitBundle(b []byte, n int) ([][]byte, error) {
	var entries [][]byte
	for len(b) > 0 && len(entries) < n {
		if len(b) < 2 || len(b) < 2+int(binary.BigEndian.Uint16(b)) {
			return nil, errors.New("entry bundle is cut off")
		}
		end := 2 + int(binary.BigEndian.Uint16(b))
		entries = append(entries, b[2:end:end])
		b = b[end:]
	}
	if len(entries) < n {
		return nil, fmt.Errorf("entry bundle has %d entries, not %d", len(entries), n)
	}
	return entries, nil
}

// Height implements tlog.TileReader.
func (tiles) Height() int { return tileHeight }

// ReadTiles implements tlog.TileReader.
func (t tiles) ReadTiles(want []tlog.Tile) ([][]byte, error) {
	all := make([][]byte, len(want))
	for i, w := range want {
		hashes, err := t.row(w.L, uint64(w.N), w.W)
		if err != nil {
			return nil, err
		}
		all[i] = joinHashes(nil, hashes)
	}
	return all, nil
}

// SaveTiles implements tlog.TileReader.
func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}
