package httpwire_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

// A ticket that was passed over would let the one of the session or of the credential count.
func TestATicketThatCannotBeReadIsRefused(t *testing.T) {
	w := world(t, `{}`, nil)
	for _, tickets := range [][]string{{"CHG-7", "CHG-8"}, {"CHG 7"}, {strings.Repeat("7", 129)}} {
		r := search
		r.Header = http.Header{"Authorization": {"Bearer " + protocoltest.Token}, "Content-Type": {"application/json"}, "X-Vecgate-Ticket": tickets}
		if a := w.Do(t.Context(), r); a.Header.Get("X-Vecgate-Code") != string(access.CodeUnclear) || !strings.Contains(a.Body, "X-Vecgate-Ticket") {
			t.Errorf("%q: %+v", tickets, a)
		}
	}
	r := search
	r.Header = http.Header{"Authorization": {"Bearer " + protocoltest.Token}, "Content-Type": {"application/json"}, "X-Vecgate-Ticket": {"acme/recommender#12"}}
	if a := w.Do(t.Context(), r); a.Status != http.StatusOK {
		t.Errorf("%+v", a)
	}
}
