package httpwire

import (
	"fmt"
	"strconv"
	"sync"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/gate"
)

// outlet releases the answer to the client: taken down first, and not begun before there is a good deal of it, so that a
// refusal that comes late can still be said properly.
type outlet struct {
	x      *exchange
	tape   gate.Tape
	status int
	kind   string
	memory *[]byte // of held, for the next answer
	held   []byte  // the status as it is recorded, then the first part of the answer
	line   int     // the length of that status
	sent   int64
}

// holdBack is how much of an answer is held; it is also the most that is recorded in one piece.
const holdBack = 256 << 10

var beginnings = sync.Pool{New: func() any { return new([]byte) }}

func newOutlet(x *exchange, tape gate.Tape, status int, kind string) *outlet {
	o := &outlet{x: x, tape: tape, status: status, kind: kind, memory: beginnings.Get().(*[]byte)}
	o.held = append(strconv.AppendInt((*o.memory)[:0], int64(status), 10), '\n')
	o.line = len(o.held)
	return o
}

// free gives the memory back once everything was written. After an error it is left alone, see carry.
func (o *outlet) free() {
	if cap(o.held) <= 2*holdBack {
		*o.memory = o.held[:0]
		beginnings.Put(o.memory)
	}
	o.memory, o.held = nil, nil
}

// Write implements io.Writer.
func (o *outlet) Write(p []byte) (int, error) {
	if !o.x.begun && len(o.held)+len(p) <= holdBack {
		o.held = append(o.held, p...)
		return len(p), nil
	}
	if err := o.begin(-1); err != nil {
		return 0, err
	}
	return len(p), o.release(p)
}

func (o *outlet) begin(length int) error {
	if o.x.begun {
		return nil
	}
	if err := o.record(o.held); err != nil {
		return err
	}
	h := o.x.writer.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	if isJSON(o.kind) {
		h.Set("Content-Type", "application/json")
	}
	for _, name := range o.x.target.accents.AnswerHeaders {
		if v := o.x.resp.Header.Get(name); v != "" {
			h.Set(name, v)
		}
	}
	if length >= 0 {
		h.Set("Content-Length", strconv.Itoa(length))
	}
	o.x.begun = true
	o.x.writer.WriteHeader(o.status)
	return o.write(o.held[o.line:])
}

func (o *outlet) record(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if err := o.tape.Answered(p); err != nil {
		return &access.Refusal{Code: access.CodeNotRecorded, Message: "the answer could not be recorded", Err: err}
	}
	return nil
}

func (o *outlet) write(p []byte) error {
	n, err := o.x.writer.Write(p)
	o.sent += int64(n)
	if err != nil {
		return fmt.Errorf("write to client: %w", err)
	}
	return nil
}

func (o *outlet) release(p []byte) error {
	if err := o.record(p); err != nil {
		return err
	}
	return o.write(p)
}

func (o *outlet) end() error { return o.begin(len(o.held) - o.line) }
