package server

import (
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/config"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/qdrant"
)

// TestAllListenersOfATargetKnowWhatOneOfThemChanged: what names stand for, and which cursors were begun, is remembered once
// for a target.
func TestAllListenersOfATargetKnowWhatOneOfThemChanged(t *testing.T) {
	s := &Server{
		options: Options{Now: time.Now}, config: &config.Config{},
		names: map[string]*qdrant.Names{}, speaks: map[string]httpwire.Dialect{}, calling: map[string]grpcwire.Dialect{},
	}
	for engine := range dialects {
		target, other := &config.Target{Name: "a-" + engine, Engine: engine}, &config.Target{Name: "b-" + engine, Engine: engine}
		one, err := s.dialect(target)
		if err != nil {
			t.Fatal(err)
		}
		again, err := s.dialect(target)
		if err != nil {
			t.Fatal(err)
		}
		elsewhere, err := s.dialect(other)
		if err != nil {
			t.Fatal(err)
		}
		if one != again || one == elsewhere {
			t.Errorf("%s: two listeners have %p and %p, another target has %p", engine, one, again, elsewhere)
		}
		if grpcDialects[engine] != nil && (s.grpcDialect(target) != s.grpcDialect(target) || s.grpcDialect(target) == s.grpcDialect(other)) {
			t.Errorf("%s: two listeners for gRPC have different dialects, or two targets the same", engine)
		}
	}
	if s.names["a-qdrant"] == nil || s.names["a-qdrant"] == s.names["b-qdrant"] {
		t.Error("the doors of a Qdrant do not go by the same names, or those of two do")
	}
}
