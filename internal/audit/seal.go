package audit

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"filippo.io/age"
	"github.com/klauspost/compress/s2"
)

// A body's payload is
//
//	direction u8 | codec u8 | key u32 | index u64 | request length u8 | request | sealed bytes
//
// The sealed bytes are AES-256-GCM under the data key that the key file of that number holds, with index as nonce, and
// with the origin and everything before them as additional data. The digest in the record covers the payloads.
const (
	codecPlain  = 0
	codecS2     = 1 // s2 block: a tenth of the time of zstd, for two thirds of its ratio on the texts that engines answer
	codecDigits = 2 // see packDigits: half the length of what is digits, in a fifth of the time in which s2 takes a quarter off

	bodyHeader = 1 + 1 + 4 + 8 + 1

	// maxPiece is the most that one frame seals; longer bodies are split.
	maxPiece = 256 << 10
	// worthwhile is the length from which compression is tried.
	worthwhile = 512
	// trial is how much of a long piece is tried first.
	trial = 8 << 10
)

// wrappedKey is what a key file holds, encrypted by age to the auditors.
type wrappedKey struct {
	Origin string `json:"origin"`
	Key    uint32 `json:"key"`
	Secret []byte `json:"secret"`
}

// sealer seals the bodies of one data key. Its methods are safe for concurrent use.
type sealer struct {
	key    uint32
	aead   cipher.AEAD
	next   atomic.Uint64 // index of the next body: a nonce is never used twice, because a key lives in one process only
	origin []byte
}

// newSealer draws a data key and returns it with its wrapped form.
func newSealer(origin string, key uint32, recipients []age.Recipient) (*sealer, []byte, error) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails, see crypto/rand
	plainKey, err := json.Marshal(wrappedKey{Origin: origin, Key: key, Secret: secret})
	if err != nil {
		return nil, nil, err
	}
	var wrapped bytes.Buffer
	w, err := age.Encrypt(&wrapped, recipients...)
	if err != nil {
		return nil, nil, fmt.Errorf("wrap data key %d: %w", key, err)
	}
	if _, err := w.Write(plainKey); err != nil {
		return nil, nil, fmt.Errorf("wrap data key %d: %w", key, err)
	}
	if err := w.Close(); err != nil {
		return nil, nil, fmt.Errorf("wrap data key %d: %w", key, err)
	}
	aead, err := newAEAD(secret)
	if err != nil {
		return nil, nil, err
	}
	clear(secret)
	clear(plainKey)
	return &sealer{key: key, aead: aead, origin: []byte(origin)}, wrapped.Bytes(), nil
}

func newAEAD(secret []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// appendBody appends the payload of a body. The additional data are put together in aad, which is returned to be used again.
func (s *sealer) appendBody(b, aad []byte, request string, d Direction, codec byte, p []byte) (body, used []byte) {
	start, index := len(b), s.next.Add(1)-1
	b = append(b, byte(d), codec)
	b = binary.BigEndian.AppendUint32(b, s.key)
	b = binary.BigEndian.AppendUint64(b, index)
	b = append(b, byte(len(request)))
	b = append(b, request...)
	aad = append(append(aad[:0], s.origin...), b[start:]...)
	nonce := bodyNonce(index)
	return s.aead.Seal(b, nonce[:], p, aad), aad
}

func bodyNonce(index uint64) (n [12]byte) {
	binary.BigEndian.PutUint64(n[4:], index)
	return n
}

// body is the payload of a body frame, taken apart.
type body struct {
	direction Direction
	codec     byte
	key       uint32
	index     uint64
	request   string
	header    []byte
	sealed    []byte
}

var errBody = errors.New("body is malformed")

func parseBody(p []byte) (body, error) {
	if len(p) < bodyHeader {
		return body{}, errBody
	}
	end := bodyHeader + int(p[bodyHeader-1])
	if len(p) < end+16 {
		return body{}, errBody
	}
	b := body{
		direction: Direction(p[0]), codec: p[1], key: binary.BigEndian.Uint32(p[2:]), index: binary.BigEndian.Uint64(p[6:]),
		request: string(p[bodyHeader:end]), header: p[:end], sealed: p[end:],
	}
	if b.direction != Asked && b.direction != Answered || b.codec > codecDigits {
		return body{}, errBody
	}
	return b, nil
}

// open returns what was said.
func (b *body) open(origin string, aead cipher.AEAD) ([]byte, error) {
	nonce := bodyNonce(b.index)
	p, err := aead.Open(nil, nonce[:], b.sealed, append([]byte(origin), b.header...))
	if err != nil {
		return nil, fmt.Errorf("unseal body %d of key %d: %w", b.index, b.key, err)
	}
	switch b.codec {
	case codecPlain:
		return p, nil
	case codecDigits:
		if p, err = unpackDigits(nil, p, maxPiece); err != nil {
			return nil, fmt.Errorf("unpack body %d of key %d: %w", b.index, b.key, err)
		}
		return p, nil
	}
	if n, err := s2.DecodedLen(p); err != nil || n > maxPiece {
		return nil, fmt.Errorf("decompress body %d of key %d: %w", b.index, b.key, errBody)
	}
	out, err := s2.Decode(nil, p)
	if err != nil {
		return nil, fmt.Errorf("decompress body %d of key %d: %w", b.index, b.key, err)
	}
	return out, nil
}

// unwrapKey opens a key file.
func unwrapKey(origin string, key uint32, wrapped []byte, identities []age.Identity) (cipher.AEAD, error) {
	r, err := age.Decrypt(bytes.NewReader(wrapped), identities...)
	if err != nil {
		return nil, fmt.Errorf("unwrap data key %d: %w", key, err)
	}
	plainKey, err := io.ReadAll(io.LimitReader(r, 4096))
	if err != nil {
		return nil, fmt.Errorf("unwrap data key %d: %w", key, err)
	}
	defer clear(plainKey)
	var k wrappedKey
	if err := json.Unmarshal(plainKey, &k); err != nil {
		return nil, fmt.Errorf("unwrap data key %d: %w", key, err)
	}
	if k.Origin != origin || k.Key != key {
		return nil, fmt.Errorf("data key %d of %s stands where data key %d of %s should be", k.Key, k.Origin, key, origin)
	}
	return newAEAD(k.Secret)
}
