package admin

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"
)

// HTTPServer returns a server with the limits that the console, the API and what watches the gateway run under: who reads
// or writes slowly does not keep a connection for ever.
func HTTPServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           survive(h, log),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second, // streams move their own deadline
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// survive says what net/http would say to nobody, in a log where every stranger writes: that a request met a fault of ours.
func survive(next http.Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			fault := recover()
			if fault == nil {
				return
			}
			if fault != http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
				log.ErrorContext(r.Context(), "panic in a request", "client", r.RemoteAddr, "panic", fmt.Sprint(fault), "stack", string(debug.Stack()))
			}
			panic(http.ErrAbortHandler)
		}()
		next.ServeHTTP(w, r)
	})
}
