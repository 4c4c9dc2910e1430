package grpcwire_test

import (
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/audit"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

// down is an engine that cannot serve at the moment, and says so.
func down(context.Context, string, proto.Message) (proto.Message, error) {
	return nil, status.Error(codes.Unavailable, "no leader for shard "+protocoltest.Canary)
}

// An engine that is down says so to clients, who try again as they would without the gateway: each try is a call of its own,
// judged and written down.
func TestAnEnginesOwnOutageIsTheEngines(t *testing.T) {
	for _, under := range []*access.Protection{nil, protection} {
		s := suite()
		s.Upstream = down
		w := protocoltest.StartGRPC(t, s)
		w.Oblige(access.Obligations{Protection: under})
		for range 3 {
			a := w.Do(t.Context(), s.Read)
			if a.Status.Code() != codes.Unavailable || a.Code() != "" {
				t.Errorf("protected %v: %v %q", under != nil, a.Status, a.Code())
			}
			if under != nil && a.Status.Message() == "no leader for shard "+protocoltest.Canary {
				t.Errorf("its words came through: %v", a.Status)
			}
		}
		protocoltest.Eventually(t, "every try is recorded", func() bool { return len(w.Records(audit.TypeOutcome)) == 3 })
		for _, r := range w.Records(audit.TypeOutcome) {
			if r.Error != "UNAVAILABLE" {
				t.Errorf("recorded as %q", r.Error)
			}
		}
		if n := len(w.Received(s.Read.Method)); n != 3 {
			t.Errorf("the engine was asked %d times", n)
		}
	}
}

// What the gateway itself cannot do is no invitation to try again.
func TestATargetThatDoesNotAnswerIsNotTriedAgain(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	s := suite()
	w := protocoltest.StartGRPC(t, s, func(_ *grpcwire.Config, target *grpcwire.Target) { target.Address = ln.Addr().String() })
	if a := w.Do(t.Context(), s.Read); a.Status.Code() != codes.Internal || a.Code() != string(access.CodeUnavailable) {
		t.Errorf("%v %q", a.Status, a.Code())
	}
}

// A call that was released and that the engine could not carry out has used its approval: who tries again asks again.
func TestACallThatIsTriedAgainIsHeldAgain(t *testing.T) {
	s := suite()
	s.Upstream = down
	w := protocoltest.StartGRPC(t, s)
	w.Rule(func(_ *access.Operation, c access.Context) access.Decision {
		if c.Grant != nil {
			return access.Decision{Effect: access.Allow}
		}
		return access.Decision{
			Effect: access.Hold, Reason: access.Reason{Code: access.CodeHeld, Rule: "writes-are-held", Sentence: "a person must release it"},
			Hold: &access.HoldTerms{Rule: "writes-are-held", Persons: 1, Within: time.Hour},
		}
	})
	for _, x := range []struct {
		decided access.State
		code    codes.Code
	}{{access.StateApproved, codes.Unavailable}, {access.StateDenied, codes.PermissionDenied}} {
		answered := make(chan protocoltest.GRPCAnswer, 1)
		go func() { answered <- w.Do(t.Context(), s.Write) }()
		protocoltest.Eventually(t, "the call is held", func() bool { return w.Request().State == access.StateOpen })
		w.Release(x.decided)
		select {
		case a := <-answered:
			if a.Status.Code() != x.code {
				t.Errorf("%s: %v", x.decided, a.Status)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%s: no answer", x.decided)
		}
	}
	if n := len(w.Received(s.Write.Method)); n != 1 {
		t.Errorf("the engine was asked %d times", n)
	}
}
