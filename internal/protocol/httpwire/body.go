package httpwire

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// sending is how long a client may take to send a document.
const sending = 2 * time.Minute

// headroom is what stands before a body in memory, so that the canonical form of most requests is made in the same place.
const headroom = 512

// body reads what a route takes, within the limits. It stands after the headroom.
func (s *Server) body(x *exchange, r *http.Request, route *Route) (text []byte, release func(), err error) {
	accents := &x.target.accents
	release = func() {}
	switch {
	case len(r.Header.Values("Content-Encoding")) > 0:
		return nil, release, &Unclear{"its body is compressed"}
	case len(r.Header.Values("Upgrade")) > 0 || len(r.Trailer) > 0:
		return nil, release, &Unclear{"it asks for another protocol, or carries trailers"}
	case !route.Body && !route.Lines:
		if r.ContentLength > 0 || r.ContentLength < 0 && r.Body != http.NoBody {
			return nil, release, &Unclear{route.Name + " takes no body"}
		}
		return nil, release, nil
	case r.ContentLength == 0 && route.Optional:
		return nil, release, nil
	case r.ContentLength == 0:
		return nil, release, &Unclear{route.Name + " takes a JSON document"}
	case r.ContentLength > s.config.Limits.Body:
		return nil, release, s.tooLarge()
	}
	if types := r.Header.Values("Content-Type"); len(types) > 1 || len(types) == 1 && !accents.document(types[0]) && !(route.Lines && accents.lines(types[0])) {
		return nil, release, &Unclear{"its body is not application/json in UTF-8"}
	}
	// Who sends slowly holds a part of the budget: not for ever. The deadline is lifted so that a held request may wait.
	conn := http.NewResponseController(x.writer)
	_ = conn.SetReadDeadline(time.Now().Add(sending)) // every connection of net/http can
	defer func() { _ = conn.SetReadDeadline(time.Time{}) }()
	if r.ContentLength < 0 {
		text, release, err = s.gather(r.Body)
		switch {
		case err != nil:
			return nil, release, err
		case len(r.Trailer) > 0:
			return nil, release, &Unclear{"it carries trailers"}
		case len(text) == headroom && route.Optional:
			return nil, release, nil
		case len(text) == headroom:
			return nil, release, &Unclear{route.Name + " takes a JSON document"}
		}
		return text, release, nil
	}
	n := r.ContentLength
	if !s.bodies.Take(n) {
		return nil, release, tooMany()
	}
	release = func() { s.bodies.Give(n) }
	text = make([]byte, headroom+n)
	if _, err = io.ReadFull(r.Body, text[headroom:]); err != nil {
		return nil, release, &Unclear{"its body ends early"}
	}
	return text, release, nil
}

// little is what a client gets to begin with that does not say how much it will send.
const little = 16 << 10

// gather reads a body whose length nobody announced, which clients send that have not made it yet (Transfer-Encoding: chunked). It
// is sent on with its length. The memory that it takes grows with what has come: an announcement costs a client
// less than the bytes.
func (s *Server) gather(body io.Reader) (text []byte, release func(), err error) {
	var held int64
	release = func() { s.bodies.Give(held) }
	text = make([]byte, headroom)
	for {
		if len(text) == cap(text) {
			size := min(max(little, 2*held), s.config.Limits.Body+1)
			if !s.bodies.Take(size) { // the old memory and the new are there at once
				return nil, release, tooMany()
			}
			text = append(make([]byte, 0, headroom+size), text...)
			s.bodies.Give(held)
			held = size
		}
		n, err := body.Read(text[len(text):cap(text)])
		text = text[:len(text)+n]
		switch {
		case int64(len(text)-headroom) > s.config.Limits.Body:
			return nil, release, s.tooLarge()
		case errors.Is(err, io.EOF):
			return text, release, nil
		case err != nil:
			return nil, release, &Unclear{"its body ends early"}
		}
	}
}

func (s *Server) tooLarge() error {
	return &Unclear{fmt.Sprintf("its body is larger than %d bytes (limits.message)", s.config.Limits.Body)}
}

func tooMany() error {
	return &access.Refusal{Code: access.CodeLimit, Message: "the gateway holds too many requests of this size"}
}
