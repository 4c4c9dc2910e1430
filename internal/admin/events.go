package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

const (
	// eventsFor is how long one stream of events lasts; the client connects again.
	eventsFor = 30 * time.Minute
	// aliveEvery is how often a stream without events says that it lives, and recheckEvery how often it asks whether its
	// reader is still welcome. Before every event it asks anyway.
	aliveEvery   = 15 * time.Second
	recheckEvery = 3 * time.Second
)

// Welcome says who a caller is now: a stream must not outlive the right to read it. It returns an error once the caller
// signed out, was cut off, or the credential was revoked.
type Welcome func(context.Context) (Caller, error)

// Events streams changes of access requests as Server-Sent Events: "request" with what show makes of it, and "again" when
// the reader fell behind and should read the list anew. It ends when the caller is no longer welcome.
func Events(w http.ResponseWriter, r *http.Request, s *Service, c Caller, welcome Welcome, show func(Request) any) error {
	if refusal := s.signedIn(c); refusal != nil {
		return refusal
	}
	if !s.streams.enter(c.Subject.ID) {
		return &access.Refusal{
			Code: access.CodeLimit, Message: fmt.Sprintf("%s follows the requests %d times already", c.Subject.Display(), maxStreams),
			Hint: "close a page of the console, or a stream of the API",
		}
	}
	defer s.streams.leave(c.Subject.ID)
	control := http.NewResponseController(w)
	send := func(event string, v any) error {
		body, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if err := control.SetWriteDeadline(time.Now().Add(20 * time.Second)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, body); err != nil {
			return err
		}
		return control.Flush()
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	end := time.Now().Add(eventsFor)
	var said time.Time
	err := s.WatchRequests(r.Context(), c, recheckEvery, welcome, func(v Request) error { return send("request", show(v)) }, func() error {
		now := time.Now()
		if now.After(end) {
			return errEnough
		}
		if now.Sub(said) < aliveEvery {
			return nil
		}
		said = now
		return send("alive", s.Now().UTC())
	})
	if err == nil {
		err = send("again", nil)
	}
	if err != nil && !errors.Is(err, errEnough) && r.Context().Err() == nil {
		s.Log.DebugContext(r.Context(), "event stream ended", "client", c.Client, "error", err)
	}
	return nil
}
