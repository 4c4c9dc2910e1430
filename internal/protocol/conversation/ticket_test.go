package conversation

import (
	"net/http"
	"strings"
	"testing"
)

func TestATicketIsReadOrRefusedAndNeverPassedOver(t *testing.T) {
	for _, name := range []string{"CHG-7", "acme/recommender#12", "group/project!3", strings.Repeat("7", 128)} {
		if got, err := Ticket(http.Header{"X-Vecgate-Ticket": {name}}); got != name || err != nil {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
	if got, err := Ticket(http.Header{}); got != "" || err != nil {
		t.Errorf("none: %q, %v", got, err)
	}
	for _, values := range [][]string{{""}, {"CHG-7", "CHG-8"}, {"CHG-7", "CHG-7"}, {"CHG 7"}, {"CHG-7\t"}, {"CHG-7é"}, {strings.Repeat("7", 129)}} {
		if got, err := Ticket(http.Header{"X-Vecgate-Ticket": values}); got != "" || err == nil {
			t.Errorf("%q: %q, %v", values, got, err)
		}
	}
}
