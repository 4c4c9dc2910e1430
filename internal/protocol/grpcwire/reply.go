package grpcwire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire/transcript"
)

// reply writes an answer to the client: messages, and how it ended.
type reply struct {
	w     http.ResponseWriter
	begun bool
	torn  bool // a message has been begun and not been ended
	ended bool
}

func (r *reply) begin() {
	if r.begun {
		return
	}
	r.begun = true
	h := r.w.Header()
	h["Date"] = nil
	h.Set("Content-Type", "application/grpc")
	h.Set("Grpc-Accept-Encoding", "gzip, identity")
	r.w.WriteHeader(http.StatusOK)
}

func (r *reply) write(p []byte) error {
	r.begin()
	if _, err := r.w.Write(p); err != nil {
		return fmt.Errorf("write to client: %w", err)
	}
	return nil
}

func (r *reply) flush() error { return http.NewResponseController(r.w).Flush() }

// end says how the call ended.
func (r *reply) end(s *status.Status, more http.Header) {
	if r.ended {
		return
	}
	r.ended = true
	r.begin()
	h := r.w.Header()
	for _, t := range []http.Header{trailers(s), more} {
		for name, values := range t {
			h[http.TrailerPrefix+name] = values
		}
	}
}

// refuse says no in the words of the target's dialect. The trailers say the same for clients that do not show a message.
func (s *Server) refuse(r *reply, t *target, m *Method, refusal *access.Refusal) {
	more := http.Header{"X-Vecgate-Code": {string(refusal.Code)}}
	if refusal.Ref != "" {
		more.Set("X-Vecgate-Ref", plainText(refusal.Ref))
	}
	if t == nil {
		r.end(status.New(Code(refusal.Code), plainText(Sentence(refusal))), more)
		return
	}
	message, st := t.errorOf(m, refusal)
	if message != nil {
		b, err := appendFrame(nil, message)
		if err == nil && (!r.begun || m.ServerStreams) {
			_ = r.write(b) // a client that has gone hears nothing
			r.end(st, more)
			return
		}
		st = Status(refusal)
	}
	p := st.Proto()
	p.Message = plainText(p.GetMessage())
	r.end(status.FromProto(p), more)
}

// outlet releases the answer to the client, taken down first.
type outlet struct {
	x    *exchange
	tape gate.Tape
	rows int64
	sent int64
}

// open begins the answer of a stream, which the client may be waiting for before it goes on.
func (o *outlet) open() error {
	o.x.reply.begin()
	return o.x.reply.flush()
}

func (o *outlet) record(p []byte) error {
	if err := o.tape.Answered(p); err != nil {
		return &access.Refusal{Code: access.CodeNotRecorded, Message: "the answer could not be recorded", Err: err}
	}
	return nil
}

func (o *outlet) write(p []byte) error {
	if err := o.record(p); err != nil {
		return err
	}
	if err := o.x.reply.write(p); err != nil {
		return err
	}
	o.sent += int64(len(p))
	return nil
}

// message passes on a message that is there as a whole.
func (o *outlet) message(b []byte) error { return o.write(frame(b)) }

// pieces is how much of a message is held that is passed on as it comes.
const pieces = 64 << 10

// copy passes on n bytes of a message as they come.
func (o *outlet) copy(from io.Reader, n int64) error {
	buf := make([]byte, prefix, prefix+min(n, pieces))
	binary.BigEndian.PutUint32(buf[1:], uint32(n))
	for {
		part := min(n, int64(cap(buf)-len(buf)))
		at := len(buf)
		buf = buf[:at+int(part)]
		if _, err := io.ReadFull(from, buf[at:]); err != nil {
			return fmt.Errorf("read answer: %w", errors.Join(err, io.ErrUnexpectedEOF))
		}
		n -= part
		o.x.reply.torn = true
		if err := o.write(buf); err != nil {
			return err
		}
		if n == 0 {
			o.x.reply.torn = false
			return nil
		}
		buf = buf[:0]
	}
}

// end says how the call ended.
func (o *outlet) end(s *status.Status) error {
	text := codeName(s.Code())
	if s.Code() != codes.OK && s.Message() != "" {
		text += "\n" + strconv.QuoteToASCII(s.Message())
	}
	if err := o.record(transcript.Trailers(text)); err != nil {
		return err
	}
	o.x.reply.end(s, nil)
	return nil
}
