package grpcwire_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/audit"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

func wire(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// echo answers every message of a stream with a book.
func echo(t *testing.T, w *protocoltest.GRPCWorld) {
	one := wire(t, books(1))
	w.Stream(func(_ any, call grpc.ServerStream) error {
		for {
			var b []byte
			if err := call.RecvMsg(&b); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			w.Arrived(call, b)
			if err := call.SendMsg(one); err != nil {
				return err
			}
		}
	})
}

// say sends messages and wants an answer to each.
func say(t *testing.T, call grpc.ClientStream, rooms ...string) (answers []byte) {
	t.Helper()
	for _, room := range rooms {
		if err := call.SendMsg(wire(t, inRoom(room))); err != nil {
			t.Fatalf("say %s: %v", room, err)
		}
		var b []byte
		if err := call.RecvMsg(&b); err != nil {
			t.Fatalf("after %s: %v", room, err)
		}
		answers = append(answers, b...)
	}
	return answers
}

func ended(call grpc.ClientStream) (*status.Status, string) {
	var b []byte
	err := call.RecvMsg(&b)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	code := ""
	if v := call.Trailer().Get("x-vecgate-code"); len(v) > 0 {
		code = v[0]
	}
	return status.Convert(err), code
}

func TestEveryMessageOfAStreamIsJudgedBeforeItIsSentOn(t *testing.T) {
	w := protocoltest.StartGRPC(t, suite())
	echo(t, w)
	w.Rule(func(op *access.Operation, _ access.Context) access.Decision {
		if op.First().Resource.Collection == "secrets" {
			return access.Decision{Effect: access.Deny, Reason: access.Reason{Code: access.CodeDenied, Rule: "no-secrets", Sentence: "alice may not"}}
		}
		return access.Decision{Effect: access.Allow}
	})
	call := w.Call(t.Context(), service+"Fill")
	say(t, call, "opening", "history", "travel")
	if err := call.SendMsg(wire(t, inRoom("secrets"))); err != nil {
		t.Fatal(err)
	}
	if st, code := ended(call); st.Code() != codes.PermissionDenied || code != string(access.CodeDenied) || !strings.Contains(st.Message(), "no-secrets") {
		t.Errorf("%v %s", st, code)
	}
	if got := w.Received(service + "Fill"); len(got) != 3 {
		t.Errorf("%d messages reached the target", len(got))
	}
	if n := len(w.Records(audit.TypeIntent)); n != 3 {
		t.Errorf("%d intents are recorded", n)
	}
	if r := w.Records(audit.TypeRefusal); len(r) != 1 || r[0].Rule != "no-secrets" {
		t.Errorf("refusals %+v", r)
	}

	// A stream that ends well.
	call = w.Call(t.Context(), service+"Fill")
	say(t, call, "opening", "history")
	if err := call.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if st, code := ended(call); st.Code() != codes.OK || code != "" {
		t.Errorf("%v %s", st, code)
	}
}

func TestAMessageOfAStreamThatCannotBeReadEndsIt(t *testing.T) {
	w := protocoltest.StartGRPC(t, suite())
	echo(t, w)
	for name, b := range map[string][]byte{"an unknown field": {0xfa, 0x7f, 0x00}, "no message": {0xff}} {
		call := w.Call(t.Context(), service+"Fill")
		say(t, call, "opening")
		before := len(w.Received(service + "Fill"))
		if err := call.SendMsg(b); err != nil {
			t.Fatal(err)
		}
		if st, code := ended(call); st.Code() != codes.InvalidArgument || code != string(access.CodeUnclear) {
			t.Errorf("%s: %v %s", name, st, code)
		}
		if n := len(w.Received(service + "Fill")); n != before {
			t.Errorf("%s reached the target", name)
		}
	}
}

func TestAMessageInTheMiddleOfAStreamIsNotHeld(t *testing.T) {
	w := protocoltest.StartGRPC(t, suite())
	echo(t, w)
	w.Rule(func(op *access.Operation, c access.Context) access.Decision {
		return access.Decision{
			Effect: access.Hold, Reason: access.Reason{Code: access.CodeHeld, Rule: "writes-are-held", Sentence: "a person must release it"},
			Hold: &access.HoldTerms{Rule: "writes-are-held", Persons: 1},
		}
	})
	call := w.Call(t.Context(), service+"Fill")
	say(t, call, "opening") // free of rules
	if err := call.SendMsg(wire(t, inRoom("history"))); err != nil {
		t.Fatal(err)
	}
	if st, code := ended(call); code != string(access.CodeHeld) || !strings.Contains(st.Message(), "7F3K-92QX") {
		t.Errorf("%v %s", st, code)
	}
}

func TestAllAnswersOfAStreamAreMasked(t *testing.T) {
	w := protocoltest.StartGRPC(t, suite())
	echo(t, w)
	other := *protection
	w.Rule(func(op *access.Operation, _ access.Context) access.Decision {
		p := protection
		if op.First().Resource.Collection == "travel" {
			p = &other // the policy was changed meanwhile
		}
		return access.Decision{Effect: access.Allow, Obligations: access.Obligations{Protection: p}}
	})
	call := w.Call(t.Context(), service+"Fill")
	// The opening is free and under no protection: its answer is what nothing protects.
	if err := call.SendMsg(wire(t, inRoom("opening"))); err != nil {
		t.Fatal(err)
	}
	var first []byte
	if err := call.RecvMsg(&first); err != nil {
		t.Fatal(err)
	}
	if answers := say(t, call, "history", "history", "travel", "history"); bytes.Contains(answers, []byte(protocoltest.Canary)) || len(answers) == 0 {
		t.Error("the canary reached the client")
	}
	// A stream of the target's.
	for _, protected := range []bool{false, true} {
		o := access.Obligations{}
		if protected {
			o.Protection = protection
		}
		w := protocoltest.StartGRPC(t, suite())
		one := wire(t, books(1))
		w.Stream(func(_ any, call grpc.ServerStream) error {
			var b []byte
			if err := call.RecvMsg(&b); err != nil {
				return err
			}
			for range 20 {
				if err := call.SendMsg(one); err != nil {
					return err
				}
			}
			return nil
		})
		w.Oblige(o)
		a := w.Do(t.Context(), protocoltest.GRPCRequest{Method: service + "Walk", Message: inRoom("history")})
		if n := bytes.Count(a.Raw, []byte("a title a title")); a.Status.Code() != codes.OK || n != 20*5 {
			t.Errorf("%d titles, %v", n, a.Status)
		}
		if got := bytes.Contains(a.Raw, []byte(protocoltest.Canary)); got == protected {
			t.Errorf("protected %v, canary %v", protected, got)
		}
		// Rows are counted over all messages.
		o.Rows = 15
		w.Oblige(o)
		a = w.Do(t.Context(), protocoltest.GRPCRequest{Method: service + "Walk", Message: inRoom("history")})
		if n := bytes.Count(a.Raw, []byte("a title a title")); a.Code() != string(access.CodeLimit) || a.Status.Code() != codes.PermissionDenied || n > 15*5 {
			t.Errorf("%d titles, %v", n, a.Status)
		}
	}
}

func TestAStreamThatIsCutOffEnds(t *testing.T) {
	w := protocoltest.StartGRPC(t, suite())
	gone := make(chan struct{})
	one := wire(t, books(1))
	w.Stream(func(_ any, call grpc.ServerStream) error {
		defer close(gone)
		var b []byte
		if err := call.RecvMsg(&b); err != nil {
			return err
		}
		if err := call.SendMsg(one); err != nil {
			return err
		}
		<-call.Context().Done()
		return call.Context().Err()
	})
	call := w.Call(t.Context(), service+"Fill")
	say(t, call, "opening")
	if n := w.Gate.CutOff(func(*access.Subject) bool { return true }, errors.New("off-boarded")); n != 1 {
		t.Fatalf("%d sessions were cut off", n)
	}
	if st, code := ended(call); st.Code() != codes.Unauthenticated || code != string(access.CodeExpired) {
		t.Errorf("%v %s", st, code)
	}
	<-gone
	protocoltest.Eventually(t, "the session is closed", func() bool { return len(w.Gate.Sessions()) == 0 })
}

func TestAStreamThatTheTargetEndsLetsGoOfItsClient(t *testing.T) {
	w := protocoltest.StartGRPC(t, suite())
	w.Stream(func(_ any, call grpc.ServerStream) error {
		var b []byte
		if err := call.RecvMsg(&b); err != nil {
			return err
		}
		return status.Error(codes.FailedPrecondition, "the shelf is full")
	})
	call := w.Call(t.Context(), service+"Fill")
	if err := call.SendMsg(wire(t, inRoom("opening"))); err != nil {
		t.Fatal(err)
	}
	// The client keeps its side open.
	if st, _ := ended(call); st.Code() != codes.FailedPrecondition || st.Message() != "the shelf is full" {
		t.Errorf("%v", st)
	}
}

func TestAFilterThatNobodyFulfilsRefuses(t *testing.T) {
	w := protocoltest.StartGRPC(t, suite())
	w.Oblige(access.Obligations{Filters: []access.FilterRule{{Pattern: "docs/**", Field: "owner", Values: []string{"alice"}, Rule: "own-books"}}})
	for _, r := range []protocoltest.GRPCRequest{suite().Read, suite().Write} {
		if a := w.Do(t.Context(), r); a.Code() != string(access.CodeObligation) || !strings.Contains(a.Status.Message(), "own-books") {
			t.Errorf("%s: %v", r.Method, a)
		}
	}
	if n := len(w.All()); n > 0 {
		t.Errorf("%d calls reached the target", n)
	}
}

func TestASecretInARequestIsNotWrittenDown(t *testing.T) {
	w := protocoltest.StartGRPC(t, suite())
	var ops []*access.Operation
	w.Rule(func(op *access.Operation, _ access.Context) access.Decision {
		ops = append(ops, op)
		return access.Decision{Effect: access.Allow}
	})
	for _, secret := range []string{"hunter2", "correct-horse"} {
		a := w.Do(t.Context(), protocoltest.GRPCRequest{Method: service + "Put", Message: inRoom("history", func(m protoreflect.Message) {
			m.Set(field(m, "key"), protoreflect.ValueOfString(secret))
		})})
		if a.Status.Code() != codes.OK {
			t.Fatalf("%v", a)
		}
		if got := w.Received(service + "Put"); !bytes.Contains(got[len(got)-1].Raw, []byte(secret)) {
			t.Error("the secret did not reach the target")
		}
		if strings.Contains(w.Written(), secret) || strings.Contains(ops[len(ops)-1].Tell(), secret) {
			t.Error("the secret is written down, or shown to approvers")
		}
	}
	if bytes.Equal(ops[0].Canonical, ops[1].Canonical) {
		t.Error("an approval of one secret would be one of another")
	}
}

func TestTheGatewayLooksThingsUpOnItsOwnAccount(t *testing.T) {
	w := protocoltest.StartGRPC(t, suite())
	look := protocoltest.GRPCRequest{Method: service + "Look", Message: inRoom("history")}
	if a := w.Do(t.Context(), look); a.Status.Code() != codes.OK {
		t.Errorf("%v", a)
	}
	for _, r := range w.Received(service + "Find") {
		if got := r.Metadata.Get("authorization"); len(got) != 1 || got[0] != "Bearer "+protocoltest.Secret {
			t.Errorf("looked up with %v", got)
		}
	}
	w.Upstream(func(_ context.Context, method string, _ proto.Message) (proto.Message, error) {
		return nil, status.Error(codes.NotFound, "no room")
	})
	if a := w.Do(t.Context(), look); a.Code() != string(access.CodeUnclear) || !strings.Contains(a.Status.Message(), "NotFound") {
		t.Errorf("%v", a)
	}
}

func TestReadyMeansThatTheTargetAnswers(t *testing.T) {
	w := protocoltest.StartGRPC(t, suite())
	if err := w.Server.Ready(t.Context()); err != nil {
		t.Errorf("an engine without a health check: %v", err)
	}
	w = protocoltest.StartGRPC(t, suite(), func(_ *grpcwire.Config, target *grpcwire.Target) { target.Address = "127.0.0.1:1" })
	if err := w.Server.Ready(t.Context()); err == nil {
		t.Error("nobody answers, and that is ready")
	}
}

func TestACallEndsWhenItsCredentialExpires(t *testing.T) {
	var later atomic.Bool
	now := func() time.Time {
		if later.Load() {
			return time.Now().Add(2 * time.Hour)
		}
		return time.Now()
	}
	w := protocoltest.StartGRPC(t, suite(), func(c *grpcwire.Config, _ *grpcwire.Target) { c.Now, c.Gate.Now = now, now })
	w.Expires = time.Now().Add(time.Hour)
	arrived := make(chan struct{})
	w.Upstream(func(ctx context.Context, _ string, _ proto.Message) (proto.Message, error) {
		close(arrived)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	done := make(chan protocoltest.GRPCAnswer, 1)
	go func() { done <- w.Do(t.Context(), suite().Read) }()
	<-arrived
	later.Store(true)
	if a := <-done; a.Status.Code() != codes.Unauthenticated || a.Code() != string(access.CodeExpired) {
		t.Errorf("%v", a)
	}
	if a := w.Do(t.Context(), suite().Read); a.Code() != string(access.CodeExpired) {
		t.Errorf("afterwards: %v", a)
	}
}

func TestACallThatDrainsIsLetGo(t *testing.T) {
	w := protocoltest.StartGRPC(t, suite())
	arrived, drained := make(chan struct{}), make(chan struct{})
	w.Upstream(func(_ context.Context, method string, _ proto.Message) (proto.Message, error) {
		if method == suite().Read.Method {
			close(arrived)
			<-drained
		}
		return books(1), nil
	})
	done := make(chan protocoltest.GRPCAnswer, 1)
	go func() { done <- w.Do(t.Context(), suite().Read) }()
	<-arrived
	go w.Gate.Drain(t.Context(), time.Second)
	<-w.Gate.Draining()
	protocoltest.Eventually(t, "who comes now is sent away", func() bool {
		a := w.Do(t.Context(), protocoltest.GRPCRequest{Method: service + "Put", Message: inRoom("x")})
		return a.Status.Code() == codes.Unavailable && a.Code() == string(access.CodeShuttingDown)
	})
	close(drained)
	if a := <-done; a.Status.Code() != codes.OK {
		t.Errorf("the call that was under way: %v", a)
	}
}
