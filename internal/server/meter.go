package server

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/gate"
)

// meter counts what the gate decides, for Prometheus. It implements gate.Meter.
type meter struct {
	asked   atomic.Uint64 // times that Served was called
	served  *prometheus.CounterVec
	took    *prometheus.HistogramVec
	inForce prometheus.Gauge

	// What was counted before, so that the labels need not be joined, hashed and compared for every request. The gate's
	// vocabulary bounds how many there are.
	mu    sync.RWMutex
	known map[counted]series
}

type counted struct {
	target string
	effect access.Effect
	code   access.Code
}

type series struct {
	served prometheus.Counter
	took   prometheus.Observer
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
		known: make(map[counted]series),
	}
	sessions := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "vecgate_sessions", Help: "Live sessions.",
	}, func() float64 { return float64(len(g.Sessions())) })
	m.inForce = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "vecgate_configuration_current", Help: "1 while what is in force is what the files say, 0 since they changed and have a fault.",
	})
	m.inForce.Set(1)
	reg.MustRegister(m.served, m.took, m.inForce, sessions)
	return m
}

// configured hears whether the files could be taken over.
func (m *meter) configured(ok bool) {
	if ok {
		m.inForce.Set(1)
		return
	}
	m.inForce.Set(0)
}

// Served implements gate.Meter.
func (m *meter) Served(target string, effect access.Effect, code access.Code, took time.Duration) {
	m.asked.Add(1)
	s := m.of(counted{target, effect, code})
	s.served.Inc()
	if took > 0 && s.took != nil {
		s.took.Observe(took.Seconds())
	}
}

func (m *meter) of(c counted) series {
	m.mu.RLock()
	s, ok := m.known[c]
	m.mu.RUnlock()
	if ok {
		return s
	}
	s = series{served: m.served.WithLabelValues(c.target, string(c.effect), string(c.code))}
	if c.target != "" { // a sign-in that failed is none of a target
		s.took = m.took.WithLabelValues(c.target)
	}
	m.mu.Lock()
	m.known[c] = s
	m.mu.Unlock()
	return s
}
