package conversation

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// Serve answers the clients of a listener with server until ctx ends, and tends the door meanwhile.
func (d *Door) Serve(ctx context.Context, server *http.Server, ln net.Listener) error {
	server.Handler = &patient{server.Handler, cmp.Or(d.Taking, Taking), d.Gate.Log}
	tending := make(chan struct{})
	go func() {
		defer close(tending)
		d.Tend(ctx)
	}()
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if server.Shutdown(end) != nil {
			_ = server.Close()
		}
	})
	err := server.Serve(ln)
	if stop() {
		_ = server.Close()
	} else {
		<-ended
	}
	if errors.Is(err, http.ErrServerClosed) {
		<-tending
		return nil
	}
	return err
}
