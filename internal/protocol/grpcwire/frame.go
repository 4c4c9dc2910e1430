package grpcwire

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/conversation"
)

// Messages travel with a prefix of five bytes: whether they are compressed, and how long they are
// (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, Length-Prefixed-Message).
const prefix = 5

// frame puts the prefix before a message.
func frame(message []byte) []byte {
	out := make([]byte, prefix, prefix+len(message))
	binary.BigEndian.PutUint32(out[1:], uint32(len(message)))
	return append(out, message...)
}

// frames reads the messages of one direction of a call.
type frames struct {
	from     io.Reader
	encoding string // grpc-encoding, as it was announced
	most     int64  // the largest message, as it was sent and inflated
	budget   *conversation.Budget
	taken    int64
}

// head reads a prefix. It returns io.EOF where no further message comes.
func (f *frames) head() (compressed bool, n int64, err error) {
	var h [prefix]byte
	switch _, err := io.ReadFull(f.from, h[:]); {
	case errors.Is(err, io.EOF):
		return false, 0, io.EOF
	case errors.Is(err, io.ErrUnexpectedEOF):
		return false, 0, &Unclear{"it ends in the middle of a message"}
	case err != nil:
		return false, 0, err
	}
	n = int64(binary.BigEndian.Uint32(h[1:]))
	switch {
	case h[0] > 1:
		return false, 0, &Unclear{"a message has a flag that is not of this protocol"}
	case h[0] == 1 && f.encoding != "gzip":
		return false, 0, &Unclear{"a message is compressed although no compression was announced"}
	case n > f.most:
		return false, 0, &Unclear{fmt.Sprintf("a message is larger than %d bytes (limits.message)", f.most)}
	}
	return h[0] == 1, n, nil
}

// next returns the next message, or io.EOF. Its memory is taken from the budget until release.
func (f *frames) next() ([]byte, error) {
	compressed, n, err := f.head()
	if err != nil {
		return nil, err
	}
	return f.body(compressed, n)
}

func (f *frames) body(compressed bool, n int64) ([]byte, error) {
	if err := f.take(n); err != nil {
		return nil, err
	}
	message := make([]byte, n)
	if _, err := io.ReadFull(f.from, message); err != nil {
		return nil, fmt.Errorf("%w: %w", &Unclear{"it ends in the middle of a message"}, err)
	}
	if !compressed {
		return message, nil
	}
	return f.inflate(message)
}

// inflate never makes more than a message may have, and takes what it makes from the budget as it grows.
func (f *frames) inflate(message []byte) ([]byte, error) {
	broken := &Unclear{"a message is not properly compressed"}
	z, err := gzip.NewReader(bytes.NewReader(message))
	if err != nil {
		return nil, broken
	}
	var out bytes.Buffer
	for piece := int64(64 << 10); ; piece *= 2 {
		if err := f.take(2 * piece); err != nil { // what the buffer may grow to
			return nil, err
		}
		n, err := io.CopyN(&out, z, piece)
		switch {
		case int64(out.Len()) > f.most:
			return nil, &Unclear{fmt.Sprintf("a message is larger than %d bytes when it is inflated (limits.message)", f.most)}
		case errors.Is(err, io.EOF):
			return out.Bytes(), nil
		case err != nil || n == 0:
			return nil, broken
		}
	}
}

func (f *frames) take(n int64) error {
	if !f.budget.Take(n) {
		return &access.Refusal{Code: access.CodeLimit, Message: "the gateway holds too many messages of this size"}
	}
	f.taken += n
	return nil
}

// release gives back what the messages so far have taken.
func (f *frames) release() {
	f.budget.Give(f.taken)
	f.taken = 0
}
