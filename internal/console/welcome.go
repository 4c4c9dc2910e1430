package console

import (
	"context"
	"net/http"
	"time"

	"github.com/vecgate/vecgate/internal/admin"
)

// whileWelcome returns a context that ends with the request, or soon after its caller signed out or was cut off: a stream
// must not outlive the right to read it.
func (s *Console) whileWelcome(r *http.Request, c admin.Caller) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(r.Context())
	token := tokenOf(r)
	go func() {
		tick := time.NewTicker(2 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if s.sessions.subject(token) == nil || s.Admit(ctx, c.Subject) != nil {
					cancel()
					return
				}
			}
		}
	}()
	return ctx, cancel
}
