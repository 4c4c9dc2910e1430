package httpwire_test

import (
	"strings"
	"testing"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

// The name of the target is no longer known to anybody. It is said to be down; the name and whom the gateway asked stay inside.
func TestATargetWhoseNameIsNoLongerKnownIsDown(t *testing.T) {
	w := protocoltest.Start(t, &protocoltest.Suite{New: func() httpwire.Dialect { return dialect{} }}, func(_ *httpwire.Config, target *httpwire.Target) {
		target.Address = "vectors.invalid:6333" // RFC 6761: never resolves
	})
	a := w.Do(t.Context(), search)
	if a.Header.Get("X-Vecgate-Code") != string(access.CodeUnavailable) || strings.Contains(a.Body, "vectors.invalid") || strings.Contains(a.Body, "lookup") {
		t.Errorf("%+v", a)
	}
}
