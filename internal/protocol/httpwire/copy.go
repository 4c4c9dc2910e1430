package httpwire

import (
	"io"
	"sync"
)

// piece is how much of an answer is carried at once.
const piece = 32 << 10

var pieces = sync.Pool{New: func() any { return new([piece]byte) }}

// carry copies an answer in pieces.
func carry(to io.Writer, from io.Reader) error {
	buf := pieces.Get().(*[piece]byte)
	defer pieces.Put(buf)
	_, err := io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, buf[:])
	return err
}
