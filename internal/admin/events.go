package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// eventsFor is how long one stream of events lasts; the client connects again, and proves anew who it is.
const eventsFor = 30 * time.Minute

// Events streams changes of access requests as Server-Sent Events: "request" with what show makes of it, and "again" when
// the reader fell behind and should read the list anew. It ends when the caller's credential does.
func Events(w http.ResponseWriter, r *http.Request, s *Service, c Caller, show func(Request) any) error {
	if refusal := s.signedIn(c); refusal != nil {
		return refusal
	}
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
	err := s.WatchRequests(r.Context(), c, 15*time.Second, func(v Request) error { return send("request", show(v)) }, func() error {
		if time.Now().After(end) {
			return errEnough
		}
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
