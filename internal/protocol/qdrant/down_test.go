package qdrant

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

// Where a name cannot be looked up because the server is down, whoever asks is told that, not to write it in a plainer way.
func TestAServerThatIsDownIsSaidToBe(t *testing.T) {
	unclear := func(op *access.Operation, _ access.Context) access.Decision {
		if op.Unclear == "" {
			t.Errorf("%v was read", op.Accesses)
		}
		return access.Decision{Effect: access.Deny, Reason: access.Reason{Code: access.CodeUnclear, Sentence: "may not send what could not be read"}}
	}
	const down = "does not answer"

	rest := suite()
	w := protocoltest.Start(t, rest)
	w.Rule(unclear)
	w.Upstream(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	if a := w.Do(t.Context(), rest.Read); a.Header.Get("X-Vecgate-Code") != string(access.CodeUnavailable) || !strings.Contains(a.Body, down) {
		t.Errorf("REST: %v", a)
	}

	rpc := rpcSuite()
	g := protocoltest.StartGRPC(t, rpc)
	g.Rule(unclear)
	g.Upstream(func(context.Context, string, proto.Message) (proto.Message, error) {
		return nil, status.Error(codes.Unavailable, "down")
	})
	if a := g.Do(t.Context(), rpc.Read); a.Code() != string(access.CodeUnavailable) || strings.Contains(a.Status.Message(), "plainer") {
		t.Errorf("gRPC: %v", a)
	}
}
