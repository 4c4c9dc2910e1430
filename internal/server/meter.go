package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/gate"
)

// meter counts what the gate decides, for Prometheus. It implements gate.Meter.
type meter struct {
	served *prometheus.CounterVec
	took   *prometheus.HistogramVec
}

func newMeter(reg prometheus.Registerer, g *gate.Gate) *meter {
	m := &meter{
		served: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vecgate_requests_total", Help: "Requests and sign-ins by target, effect and reason code.",
		}, []string{"target", "effect", "code"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "vecgate_request_duration_seconds", Help: "Time from the decision to the last byte of the answer, of requests that were forwarded.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 10),
		}, []string{"target"}),
	}
	sessions := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "vecgate_sessions", Help: "Live sessions.",
	}, func() float64 { return float64(len(g.Sessions())) })
	reg.MustRegister(m.served, m.took, sessions)
	return m
}

// Served implements gate.Meter.
func (m *meter) Served(target string, effect access.Effect, code access.Code, took time.Duration) {
	m.served.WithLabelValues(target, string(effect), string(code)).Inc()
	if took > 0 {
		m.took.WithLabelValues(target).Observe(took.Seconds())
	}
}
