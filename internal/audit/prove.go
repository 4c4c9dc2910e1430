package audit

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// proofFormat is the first line of a proof (C2SP tlog-proof).
const proofFormat = "c2sp.org/tlog-proof@v1"

// Prove returns the evidence that a record is in the log: a C2SP tlog-proof, which anyone with the record's bytes and the
// log's public key can check without the log.
func (r *Reader) Prove(ctx context.Context, seq uint64) ([]byte, error) {
	key, err := PublicKey(r.dir)
	if err != nil {
		return nil, fmt.Errorf("prove record %d: %w", seq, err)
	}
	msg, err := readSmall(filepath.Join(r.dir, tilesDir, "checkpoint"), maxCheckpoint)
	if err != nil {
		return nil, fmt.Errorf("prove record %d: %w", seq, err)
	}
	c, err := ParseCheckpoint(msg, key)
	if err != nil {
		return nil, fmt.Errorf("prove record %d: %w", seq, err)
	}
	if seq >= c.Size {
		return nil, fmt.Errorf("prove record %d: only the records before %d are signed yet", seq, c.Size)
	}
	hashes := tlog.TileHashReader(tlog.Tree{N: int64(c.Size), Hash: c.Root}, tiles{filepath.Join(r.dir, tilesDir)})
	proof, err := tlog.ProveRecord(int64(c.Size), int64(seq), hashes)
	if err != nil {
		return nil, fmt.Errorf("prove record %d: %w", seq, err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nindex %d\n", proofFormat, seq)
	for _, h := range proof {
		b.WriteString(base64.StdEncoding.EncodeToString(h[:]) + "\n")
	}
	b.WriteString("\n")
	b.Write(msg)
	return []byte(b.String()), nil
}

var errProof = errors.New("not a proof of format " + proofFormat)

// maxProof bounds the hashes of a proof: a tree has no more levels.
const maxProof = 64

// CheckProof checks that the envelope is the record that a proof is about, and that the key signed a log that holds it.
// It returns the record's sequence number.
func CheckProof(proof, envelope []byte, key note.Verifier) (uint64, error) {
	head, msg, ok := strings.Cut(string(proof), "\n\n")
	if !ok {
		return 0, errProof
	}
	lines := strings.Split(head, "\n")
	if len(lines) < 2 || lines[0] != proofFormat {
		return 0, errProof
	}
	lines = lines[1:]
	if strings.HasPrefix(lines[0], "extra ") {
		lines = lines[1:]
	}
	if len(lines) == 0 || len(lines) > 1+maxProof {
		return 0, errProof
	}
	digits, ok := strings.CutPrefix(lines[0], "index ")
	seq, err := strconv.ParseUint(digits, 10, 63)
	if !ok || err != nil {
		return 0, errProof
	}
	hashes := make(tlog.RecordProof, 0, len(lines))
	for _, line := range lines[1:] {
		h, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(h) != tlog.HashSize {
			return 0, errProof
		}
		hashes = append(hashes, tlog.Hash(h))
	}
	c, err := ParseCheckpoint([]byte(msg), key)
	if err != nil {
		return 0, fmt.Errorf("proof: %w", err)
	}
	if seq >= c.Size {
		return 0, errProof
	}
	leaf := tlog.Hash(sha256.Sum256(append([]byte{0}, envelope...)))
	if err := tlog.CheckRecord(hashes, int64(c.Size), c.Root, int64(seq), leaf); err != nil {
		return 0, fmt.Errorf("record %d is not the one that this proof is about: %w", seq, err)
	}
	return seq, nil
}
