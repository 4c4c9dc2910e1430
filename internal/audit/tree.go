package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// tree is the right edge of a Merkle tree (RFC 6962) that leaves are added to.
type tree struct {
	size  uint64
	stack []tlog.Hash   // roots of the full subtrees that the size is made of, largest first
	rows  [][]tlog.Hash // by tile level, the hashes of the tile that is not full yet
}

// A tile holds 256 hashes of one level; the levels of tiles are eight levels of the tree apart (C2SP tlog-tiles).
const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
)

// add adds a leaf. full is called for every tile that is full by it, with its level and index; the hashes are not kept.
func (t *tree) add(leaf tlog.Hash, full func(level int, index uint64, hashes []tlog.Hash) error) error {
	var err error
	row := func(level int, h tlog.Hash) {
		if level == len(t.rows) {
			t.rows = append(t.rows, make([]tlog.Hash, 0, tileWidth))
		}
		t.rows[level] = append(t.rows[level], h)
		if len(t.rows[level]) == tileWidth {
			if full != nil {
				index := t.size >> (tileHeight * (level + 1)) // t.size is still without the leaf
				if ferr := full(level, index, t.rows[level]); err == nil {
					err = ferr
				}
			}
			t.rows[level] = t.rows[level][:0]
		}
	}
	row(0, leaf)
	h := leaf
	for level, n := 1, t.size; n&1 == 1; level, n = level+1, n>>1 {
		h = tlog.NodeHash(t.stack[len(t.stack)-1], h)
		t.stack = t.stack[:len(t.stack)-1]
		if level%tileHeight == 0 {
			row(level/tileHeight, h)
		}
	}
	t.stack = append(t.stack, h)
	t.size++
	return err
}

// root is the root of the tree as it stands.
func (t *tree) root() tlog.Hash {
	if len(t.stack) == 0 {
		return sha256.Sum256(nil)
	}
	h := t.stack[len(t.stack)-1]
	for i := len(t.stack) - 2; i >= 0; i-- {
		h = tlog.NodeHash(t.stack[i], h)
	}
	return h
}

// loadTree returns the tree of a size from its tiles. row returns the first n hashes of a tile.
func loadTree(size uint64, row func(level int, index uint64, n int) ([]tlog.Hash, error)) (*tree, error) {
	t := &tree{size: size}
	for level := 0; size>>(tileHeight*level) > 0; level++ {
		n := int(size >> (tileHeight * level) % tileWidth)
		hashes := make([]tlog.Hash, 0, tileWidth)
		if n > 0 {
			got, err := row(level, size>>(tileHeight*(level+1)), n)
			if err != nil {
				return nil, err
			}
			hashes = append(hashes, got[:n]...)
		}
		t.rows = append(t.rows, hashes)
	}
	for level := len(t.rows) - 1; level >= 0; level-- {
		rest := t.rows[level]
		for bit := tileHeight - 1; bit >= 0; bit-- {
			if width := 1 << bit; len(t.rows[level])&width != 0 {
				t.stack = append(t.stack, rootOf(rest[:width]))
				rest = rest[width:]
			}
		}
	}
	return t, nil
}

// rootOf is the root over hashes whose number is a power of two.
func rootOf(hashes []tlog.Hash) tlog.Hash {
	if len(hashes) == 1 {
		return hashes[0]
	}
	half := len(hashes) / 2
	return tlog.NodeHash(rootOf(hashes[:half]), rootOf(hashes[half:]))
}

// leafHash hashes the envelope that stands in b from start to end; the byte before it is lost.
func leafHash(b []byte, s span) tlog.Hash {
	b[s.start-1] = 0
	return sha256.Sum256(b[s.start-1 : s.end])
}

// appendEntry appends an envelope to an entry bundle.
func appendEntry(b, envelope []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(envelope)))
	return append(b, envelope...)
}

// entriesLevel is the level of entry bundles in tile paths.
const entriesLevel = -1

// tilePath is where a tile is published: tile/<level>/x001/x234/067, with .p/<width> for one that is not full.
func tilePath(level int, index uint64, width int) string {
	name := fmt.Sprintf("%03d", index%1000)
	for index /= 1000; index > 0; index /= 1000 {
		name = fmt.Sprintf("x%03d/%s", index%1000, name)
	}
	if width < tileWidth {
		name = fmt.Sprintf("%s.p/%d", name, width)
	}
	if level == entriesLevel {
		return "tile/entries/" + name
	}
	return fmt.Sprintf("tile/%d/%s", level, name)
}

func joinHashes(b []byte, hashes []tlog.Hash) []byte {
	for i := range hashes {
		b = append(b, hashes[i][:]...)
	}
	return b
}

func splitHashes(b []byte) ([]tlog.Hash, error) {
	if len(b)%tlog.HashSize != 0 || len(b) > tileWidth*tlog.HashSize {
		return nil, fmt.Errorf("tile has %d bytes", len(b))
	}
	hashes := make([]tlog.Hash, len(b)/tlog.HashSize)
	for i := range hashes {
		hashes[i] = tlog.Hash(b[i*tlog.HashSize:])
	}
	return hashes, nil
}
