package httpwire

import (
	"io"
	"sync"

	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// piece is how much of an answer is carried at once.
const piece = 32 << 10

var pieces = sync.Pool{New: func() any { return new([piece]byte) }}

// maskers keep what they read in memory of their own, and give all of it up with Reset.
var maskers = sync.Pool{New: func() any { return new(jsonstream.Masker) }}

// carry copies an answer in pieces. Memory of one answer is used for another only when nothing went wrong: whoever failed
// to write it might hold on to it.
func carry(to io.Writer, from io.Reader) error {
	buf := pieces.Get().(*[piece]byte)
	_, err := io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, buf[:])
	if err == nil {
		pieces.Put(buf)
	}
	return err
}
