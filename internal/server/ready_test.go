package server

import (
	"context"
	"errors"
	"testing"
)

// The console's page of targets used to show the fault of one beside all.
func TestTheFaultOfATargetIsItsOwn(t *testing.T) {
	down := errors.New("connection refused")
	reaches := func(target string, fault error) front {
		return front{readyFor: func(_ context.Context, asked string) error {
			if asked == target {
				return fault
			}
			return nil
		}}
	}
	s := &Server{fronts: []front{{}, reaches("docs", nil), reaches("products", down), reaches("images", nil)}}
	for target, want := range map[string]error{"docs": nil, "products": down, "images": nil} {
		if err := s.targetReady(t.Context(), target); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", target, err, want)
		}
	}
}
