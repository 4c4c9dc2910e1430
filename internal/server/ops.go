package server

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// ops answers the machines that watch the gateway. It tells states and counts, never names of people or data.
//
//	/healthz  the process is up
//	/readyz   it takes sessions: log writable, targets reachable; 503 with the reasons otherwise
//	/metrics  Prometheus
//	/version  which build this is
func ops(reg prometheus.Gatherer, version string, ready func(context.Context) []error, archived func() (string, error)) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, version) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
		defer cancel()
		faults := ready(ctx)
		if len(faults) > 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		for _, f := range faults {
			fmt.Fprintln(w, f)
		}
		if len(faults) == 0 {
			fmt.Fprintln(w, "ok")
		}
		if line, _ := archived(); line != "" {
			fmt.Fprintln(w, line)
		}
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	return mux
}
