package httpwire_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

// keeper is a dialect that keeps what it reads, or keeps it although it says that it does not.
type keeper struct {
	dialect
	forgets bool
	kept    *[]jsonstream.Value
}

func (k keeper) Read(ctx context.Context, r *httpwire.Request) (*httpwire.Call, error) {
	*k.kept = append(*k.kept, r.Body)
	c, err := k.dialect.Read(ctx, r)
	c.Forgets = k.forgets
	return c, err
}

func TestWhatADialectKeepsStaysAsItWas(t *testing.T) {
	for _, forgets := range []bool{false, true} {
		var kept []jsonstream.Value
		w := protocoltest.Start(t, &protocoltest.Suite{
			New: func() httpwire.Dialect { return keeper{forgets: forgets, kept: &kept} },
			Upstream: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprint(w, `{}`)
			}),
		})
		const most = 200
		said := func(n int) string { return fmt.Sprintf(`{"k":%d}`, 1000+n) }
		changed := 0
		for n := 0; n < most && changed == 0; n++ {
			if a := w.Do(t.Context(), protocoltest.Request{Method: "POST", Path: "/search", Body: said(n)}); a.Status != http.StatusOK {
				t.Fatal(a)
			}
			// Each request was its own, whatever memory it stood in.
			if got := w.All()[n].Body; got != said(n) {
				t.Fatalf("%s was sent, and %s reached the target", said(n), got)
			}
			for i, v := range kept {
				if string(v.Raw()) != said(i) {
					changed++
				}
			}
		}
		if changed > 0 && !forgets {
			t.Errorf("%d of %d documents that a dialect kept have changed", changed, len(kept))
		}
		t.Logf("forgets: %v; after %d requests %d documents had changed", forgets, len(kept), changed)
	}
}
