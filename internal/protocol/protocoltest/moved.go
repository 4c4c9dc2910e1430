package protocoltest

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
)

// moved is where accesses lead once somebody has moved an alias, or given the collection's name to another one.
func moved(accesses []access.Access) []access.Access {
	accesses = slices.Clone(accesses)
	for i := range accesses {
		accesses[i].Resource.Collection += "-of-somebody-else"
	}
	return accesses
}

// moving is a dialect that reads a request as another one after the move.
type moving struct {
	httpwire.Dialect
	now *atomic.Bool
}

// Read implements httpwire.Dialect.
func (m moving) Read(ctx context.Context, r *httpwire.Request) (*httpwire.Call, error) {
	call, err := m.Dialect.Read(ctx, r)
	if err == nil && m.now.Load() {
		call.Accesses = moved(call.Accesses)
	}
	return call, err
}

func holdAndMove(t *testing.T, s *Suite) {
	var now atomic.Bool
	w := Start(t, s, func(_ *httpwire.Config, t *httpwire.Target) { t.Dialect = moving{t.Dialect, &now} })
	w.Rule(held)
	done := make(chan Answer, 1)
	go func() { done <- w.Do(t.Context(), s.Write) }()
	Eventually(t, "an access request", func() bool { return w.Request().State == access.StateOpen })
	now.Store(true)
	w.Release(access.StateApproved)
	if a := <-done; a.Header.Get("X-Vecgate-Code") != string(access.CodeNotReleased) {
		t.Errorf("%v", a)
	}
	if n := len(w.Received(s.Write)); n != 0 {
		t.Errorf("reached the target %d times", n)
	}
}

// resendAfterMove is holdAndMove for who does not wait: what was released is not what the same words mean by now.
func resendAfterMove(t *testing.T, s *Suite) {
	var now atomic.Bool
	w := Start(t, s, func(_ *httpwire.Config, t *httpwire.Target) {
		t.Dialect, t.Gate.Hold = moving{t.Dialect, &now}, time.Millisecond
	})
	w.Rule(held)
	refused(t, w, w.Do(t.Context(), s.Write), s.Write, access.CodeHeld)
	w.Release(access.StateApproved)
	now.Store(true)
	if a := w.Do(t.Context(), s.Write); a.Header.Get("X-Vecgate-Code") != string(access.CodeHeld) {
		t.Errorf("sent again: %v", a)
	}
	if n := len(w.Received(s.Write)); n != 0 {
		t.Errorf("reached the target %d times", n)
	}
}

// movingCalls is moving over gRPC.
type movingCalls struct {
	grpcwire.Dialect
	now *atomic.Bool
}

// Read implements grpcwire.Dialect.
func (m movingCalls) Read(ctx context.Context, r *grpcwire.Request) (*grpcwire.Call, error) {
	call, err := m.Dialect.Read(ctx, r)
	if err == nil && m.now.Load() {
		call.Accesses = moved(call.Accesses)
	}
	return call, err
}

func grpcHoldAndMove(t *testing.T, s *GRPCSuite) {
	var now atomic.Bool
	w := StartGRPC(t, s, func(_ *grpcwire.Config, t *grpcwire.Target) { t.Dialect = movingCalls{t.Dialect, &now} })
	w.Rule(held)
	done := make(chan GRPCAnswer, 1)
	go func() { done <- w.Do(t.Context(), s.Write) }()
	Eventually(t, "an access request", func() bool { return w.Request().State == access.StateOpen })
	now.Store(true)
	w.Release(access.StateApproved)
	if a := <-done; a.Code() != string(access.CodeNotReleased) {
		t.Errorf("answered with the code %q", a.Code())
	}
	if n := len(w.Received(s.Write.Method)); n != 0 {
		t.Errorf("reached the target %d times", n)
	}
}

func grpcResendAfterMove(t *testing.T, s *GRPCSuite) {
	var now atomic.Bool
	w := StartGRPC(t, s, func(_ *grpcwire.Config, t *grpcwire.Target) {
		t.Dialect, t.Gate.Hold = movingCalls{t.Dialect, &now}, time.Millisecond
	})
	w.Rule(held)
	w.says(s, w.Do(t.Context(), s.Write), s.Write, access.CodeHeld)
	w.Release(access.StateApproved)
	now.Store(true)
	if a := w.Do(t.Context(), s.Write); a.Code() != string(access.CodeHeld) {
		t.Errorf("sent again, answered with the code %q", a.Code())
	}
	if n := len(w.Received(s.Write.Method)); n != 0 {
		t.Errorf("reached the target %d times", n)
	}
}
