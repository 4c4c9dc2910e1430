package world

import (
	"context"
	"testing"

	"github.com/vecgate/vecgate/internal/identity/login"
)

// Test starts a gateway that ends with the test, which then verifies the whole audit log.
func Test(t *testing.T, o GatewayOptions) *Gateway {
	t.Helper()
	g, err := StartGateway(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		g.Terminate()
		if out, err := g.Vecgate(context.Background(), nil, "audit", "verify", "--dir", g.AuditDir); err != nil {
			t.Errorf("the audit log does not verify: %v\n%s", err, out)
		}
		if t.Failed() {
			t.Logf("%.20000s", g.Output())
		}
		g.Stop()
	})
	return g
}

// TestToken is TokenFor for tests that do not go on without.
func (g *Gateway) TestToken(t *testing.T, who string, ask login.Ask) string {
	t.Helper()
	raw, err := g.TokenFor(t.Context(), who, ask)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
