// Command verifier checks a vecgate audit log from what the log publishes, without any code of vecgate: the published
// directory (C2SP tlog-tiles) and the public key are all it needs. It is the second opinion on `vecgate audit verify`,
// and the example for whoever writes a third.
//
//	go run ./test/verifier -key var/audit/log.pub var/audit/tiles
//
// It knows nothing of segments, bodies and retention. Start at verify.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

func main() {
	key := flag.String("key", "", "file with the log's public key")
	flag.Parse()
	if err := run(os.Stdout, *key, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "verifier:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, keyFile, dir string) error {
	text, err := os.ReadFile(keyFile)
	if err != nil {
		return err
	}
	size, root, err := verify(os.DirFS(dir), strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%d records, root %s, signed: in order\n", size, base64.StdEncoding.EncodeToString(root[:]))
	return err
}

type hash = [sha256.Size]byte

const width = 256

// verify checks that the signed checkpoint is the root over the published entries, that every tile says the same, and
// that every entry says that it stands where it stands.
func verify(log fs.FS, publicKey string) (size uint64, root hash, err error) {
	// 1. The checkpoint: origin, size, root, signature.
	key, err := note.NewVerifier(publicKey)
	if err != nil {
		return 0, root, fmt.Errorf("public key: %w", err)
	}
	msg, err := fs.ReadFile(log, "checkpoint")
	if err != nil {
		return 0, root, err
	}
	signed, err := note.Open(msg, note.VerifierList(key))
	if err != nil {
		return 0, root, fmt.Errorf("checkpoint: %w", err)
	}
	lines := strings.Split(signed.Text, "\n")
	if len(lines) < 4 || lines[0] != key.Name() {
		return 0, root, errors.New("checkpoint is of another log")
	}
	if size, err = strconv.ParseUint(lines[1], 10, 63); err != nil {
		return 0, root, fmt.Errorf("size of the checkpoint: %w", err)
	}

	// 2. The leaves: SHA-256 of a zero byte and the entry, in bundles of 256.
	var level []hash
	for index := uint64(0); index*width < size; index++ {
		n := min(width, size-index*width)
		bundle, err := fs.ReadFile(log, path("entries", index, n))
		if err != nil {
			return 0, root, err
		}
		for i := range n {
			if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
				return 0, root, fmt.Errorf("bundle %d ends early", index)
			}
			entry := bundle[2 : 2+int(binary.BigEndian.Uint16(bundle))]
			bundle = bundle[2+len(entry):]
			var record struct {
				Seq *uint64 `json:"seq"`
			}
			if err := json.Unmarshal(entry, &record); err != nil || record.Seq == nil || *record.Seq != index*width+i {
				return 0, root, fmt.Errorf("entry %d does not say that it is record %d", index*width+i, index*width+i)
			}
			level = append(level, sha256.Sum256(append([]byte{0}, entry...)))
		}
		if len(bundle) > 0 {
			return 0, root, fmt.Errorf("bundle %d holds more than its entries", index)
		}
	}

	// 3. The tiles: at each level of tiles the hashes of the full subtrees, 256 to a tile.
	root = treeHash(level)
	for l := 0; len(level) > 0; l++ {
		for index := 0; index*width < len(level); index++ {
			hashes := level[index*width : min(len(level), (index+1)*width)]
			tile, err := fs.ReadFile(log, path(strconv.Itoa(l), uint64(index), uint64(len(hashes))))
			if err != nil {
				return 0, root, err
			}
			var want []byte
			for _, h := range hashes {
				want = append(want, h[:]...)
			}
			if !bytes.Equal(tile, want) {
				return 0, root, fmt.Errorf("tile %d of level %d does not follow from the entries", index, l)
			}
		}
		var above []hash
		for i := 0; i+width <= len(level); i += width {
			above = append(above, treeHash(level[i:i+width]))
		}
		level = above
	}

	// 4. What was signed is what is there.
	if base64.StdEncoding.EncodeToString(root[:]) != lines[2] {
		return 0, root, errors.New("the entries are not those that were signed")
	}
	return size, root, nil
}

// treeHash is the Merkle tree hash of RFC 6962, section 2.1, over leaf hashes.
func treeHash(leaves []hash) hash {
	switch len(leaves) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaves[0]
	}
	k := 1
	for k*2 < len(leaves) {
		k *= 2
	}
	left, right := treeHash(leaves[:k]), treeHash(leaves[k:])
	return sha256.Sum256(append(append([]byte{1}, left[:]...), right[:]...))
}

// path is where a tile or a bundle is published.
func path(level string, index, n uint64) string {
	name := fmt.Sprintf("%03d", index%1000)
	for index >= 1000 {
		index /= 1000
		name = fmt.Sprintf("x%03d", index%1000) + "/" + name
	}
	if n < width {
		name += ".p/" + strconv.FormatUint(n, 10)
	}
	return filepath.ToSlash(filepath.Join("tile", level, name))
}
