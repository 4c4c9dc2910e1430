package mask

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"sync"
)

// KeySize is the least number of bytes in a Hider's key.
const KeySize = 32

const (
	// DigestSize is the length of Digest's output: short enough to read, too long to meet an equal one by accident.
	DigestSize = 16
	// HexSize is the length of Hex's output.
	HexSize = 20
)

// A Hider hides values. It is safe for concurrent use.
type Hider struct {
	key  []byte
	pool sync.Pool // of *digester
}

type digester struct {
	mac hash.Hash
	sum [sha256.Size]byte
}

// New makes a Hider whose digests depend on the key, which must be secret: whoever knows it can try values.
func New(key []byte) (*Hider, error) {
	if len(key) < KeySize {
		return nil, errors.New("the masking key is shorter than 32 bytes")
	}
	h := &Hider{key: append([]byte(nil), key...)}
	h.pool.New = func() any { return &digester{mac: hmac.New(sha256.New, h.key)} }
	return h, nil
}

// Digest appends DigestSize bytes that are equal for equal values under one rule, and say nothing else of the value to
// who does not have the key.
func (h *Hider) Digest(dst []byte, rule string, value []byte) []byte {
	d := h.sum(rule, value)
	dst = append(dst, d.sum[:DigestSize]...)
	h.pool.Put(d)
	return dst
}

// Hex appends HexSize characters of the digest in hexadecimal.
func (h *Hider) Hex(dst []byte, rule string, value []byte) []byte {
	d := h.sum(rule, value)
	dst = hex.AppendEncode(dst, d.sum[:HexSize/2])
	h.pool.Put(d)
	return dst
}

// sum digests the rule before the value, so that two rules do not make their fields comparable.
func (h *Hider) sum(rule string, value []byte) *digester {
	d := h.pool.Get().(*digester)
	d.mac.Reset()
	_, _ = io.WriteString(stringWriter{d}, rule) // a hash never fails
	_, _ = d.mac.Write(separator)
	_, _ = d.mac.Write(value)
	d.mac.Sum(d.sum[:0])
	return d
}

// separator ends the rule's name, which contains no zero byte.
var separator = []byte{0}

// stringWriter writes a string to the hash in pieces that fit its scratch space, so that none is allocated.
type stringWriter struct{ d *digester }

func (w stringWriter) Write(p []byte) (int, error) { return w.d.mac.Write(p) }

// WriteString implements io.StringWriter.
func (w stringWriter) WriteString(s string) (int, error) {
	for rest := s; len(rest) > 0; {
		n := copy(w.d.sum[:], rest)
		_, _ = w.d.mac.Write(w.d.sum[:n])
		rest = rest[n:]
	}
	return len(s), nil
}
