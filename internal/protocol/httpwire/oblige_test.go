package httpwire_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/audit"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

// dialect is one route that searches, and obliges as the test says.
type dialect struct {
	oblige func(*httpwire.Request, *access.Obligations) (*httpwire.Obliged, error)
}

func (d dialect) Routes() []httpwire.Route {
	return []httpwire.Route{{Name: "search", Method: "POST", Path: "/search", Body: true, Actions: []access.Action{access.Search}}}
}

func (d dialect) Read(_ context.Context, r *httpwire.Request) (*httpwire.Call, error) {
	c := &httpwire.Call{
		Method: "POST", Path: "/search", Body: r.Body,
		Accesses: []access.Access{{Action: access.Search, Resource: access.Resource{Target: r.Target, Namespace: "n", Collection: "c"}}},
	}
	if d.oblige != nil {
		c.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) { return d.oblige(r, o) }
	}
	return c, nil
}

func (d dialect) Error(r *access.Refusal) (int, []byte) {
	return httpwire.Status(r.Code), jsonstream.AppendString(nil, httpwire.Sentence(r))
}

func (d dialect) Health() string { return "/" }

var search = protocoltest.Request{Method: "POST", Path: "/search", Body: `{"k":1}`}

func world(t *testing.T, answer string, oblige func(*httpwire.Request, *access.Obligations) (*httpwire.Obliged, error)) *protocoltest.World {
	return protocoltest.Start(t, &protocoltest.Suite{
		New: func() httpwire.Dialect { return dialect{oblige} },
		Upstream: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, answer)
		}),
	})
}

var filters = []access.FilterRule{{Pattern: "docs/n/c", Field: "tenant", Values: []string{"acme"}, Rule: "own-tenant"}}

func TestACallUnderAFilterThatNobodyFulfilsIsRefused(t *testing.T) {
	for name, oblige := range map[string]func(*httpwire.Request, *access.Obligations) (*httpwire.Obliged, error){
		"without Oblige": nil,
		"not filtered": func(*httpwire.Request, *access.Obligations) (*httpwire.Obliged, error) {
			return &httpwire.Obliged{}, nil
		},
	} {
		w := world(t, `{}`, oblige)
		if a := w.Do(t.Context(), search); a.Status != http.StatusOK {
			t.Errorf("%s: with nothing to fulfil: %v", name, a)
		}
		w.Oblige(access.Obligations{Filters: filters})
		a := w.Do(t.Context(), search)
		if a.Header.Get("X-Vecgate-Code") != string(access.CodeObligation) || !strings.Contains(a.Body, "own-tenant") || len(w.All()) != 1 {
			t.Errorf("%s: %v, %d requests reached the target", name, a, len(w.All()))
		}
		w.Oblige(access.Obligations{Filters: []access.FilterRule{{Pattern: "docs/n/other", Field: "tenant", Values: []string{"acme"}}}})
		if a := w.Do(t.Context(), search); a.Status != http.StatusOK {
			t.Errorf("%s: with a filter on something else: %v", name, a)
		}
	}
	w := world(t, `{}`, func(*httpwire.Request, *access.Obligations) (*httpwire.Obliged, error) {
		return &httpwire.Obliged{Filtered: true}, nil
	})
	w.Oblige(access.Obligations{Filters: filters})
	if a := w.Do(t.Context(), search); a.Status != http.StatusOK {
		t.Errorf("filtered: %v", a)
	}
}

func TestACheckThatFailsKeepsTheCallFromBeingSent(t *testing.T) {
	for _, x := range []struct {
		err  error
		code string
		sent int
	}{
		{nil, "", 2},
		{&access.Refusal{Code: access.CodeObligation, Message: "point 7 is not yours"}, string(access.CodeObligation), 1},
		{errors.New("connection reset"), string(access.CodeUnavailable), 1},
	} {
		var decided int
		w := world(t, `{"ids":[7]}`, func(r *httpwire.Request, _ *access.Obligations) (*httpwire.Obliged, error) {
			return &httpwire.Obliged{Check: func(ctx context.Context) error {
				id, err := jsonstream.Read([]byte(`{"id":7}`))
				if err != nil {
					return err
				}
				status, answer, err := r.Post(ctx, "/look", id)
				if err != nil || status != http.StatusOK || answer.Get("ids").Len() != 1 {
					t.Errorf("looked up %d %s: %v", status, answer.Raw(), err)
				}
				return x.err
			}}, nil
		})
		w.Rule(func(*access.Operation, access.Context) access.Decision {
			decided++
			if n := len(w.All()); n > 0 {
				t.Errorf("%d requests reached the target before anything was decided", n)
			}
			return access.Decision{Effect: access.Allow}
		})
		a := w.Do(t.Context(), search)
		if a.Header.Get("X-Vecgate-Code") != x.code || len(w.All()) != x.sent || decided != 1 {
			t.Errorf("%v: %v, %d requests, decided %d times", x.err, a, len(w.All()), decided)
		}
		if look := w.All()[0]; look.URI != "/look" || look.Body != `{"id":7}` || look.Header.Get("Authorization") != "Bearer "+protocoltest.Secret {
			t.Errorf("looked up %+v", look)
		}
		if x.err != nil && strings.Contains(a.Body, "connection reset") {
			t.Errorf("the client is told the cause: %v", a)
		}
		if n := len(w.Records(audit.TypeIntent)); n != 1 {
			t.Errorf("%d intents are recorded", n)
		}
	}
}

func TestAnAnswerIsRewrittenAsAWholeAndThenMasked(t *testing.T) {
	oblige := func(r *httpwire.Request, _ *access.Obligations) (*httpwire.Obliged, error) {
		return &httpwire.Obliged{
			Rewrite: func(v jsonstream.Value) (jsonstream.Value, error) {
				var kept []jsonstream.Value
				for item := range v.Items() {
					name, _ := item.Get("name").Text()
					if r.May(access.Access{Action: access.SchemaRead, Resource: access.Resource{Target: r.Target, Namespace: "n", Collection: name}}) {
						kept = append(kept, item)
					}
				}
				return jsonstream.List(kept...), nil
			},
			Mask: &jsonstream.Node{Items: &jsonstream.Node{Fields: map[string]*jsonstream.Node{"secret": {Treatment: access.Treatment{Mask: access.MaskNull}}}}},
		}, nil
	}
	w := world(t, `[{"name":"a","secret":1},{"name":"b","secret":2}]`, oblige)
	w.Rule(func(op *access.Operation, _ access.Context) access.Decision {
		if op.First().Resource.Collection == "b" {
			return access.Decision{Effect: access.Deny}
		}
		return access.Decision{Effect: access.Allow}
	})
	if a := w.Do(t.Context(), search); a.Body != `[{"name":"a","secret":null}]` {
		t.Errorf("%v", a)
	}
	if n := len(w.Records(audit.TypeRefusal)); n != 0 {
		t.Errorf("%d refusals are recorded: asking whether is not doing", n)
	}
	for answer, code := range map[string]access.Code{
		`[{"name":"a","name":"b"}]`: access.CodeObligation,
		`[`:                         access.CodeObligation,
		`["` + strings.Repeat("x", 17<<20) + `"]`: access.CodeLimit,
	} {
		w := world(t, answer, oblige)
		if a := w.Do(t.Context(), search); a.Header.Get("X-Vecgate-Code") != string(code) {
			t.Errorf("%.30s: %v", answer, a)
		}
	}
}

func TestAnotherOperationIsAskedInTheCallsPlace(t *testing.T) {
	other := func(body jsonstream.Value) func(*httpwire.Request, *access.Obligations) (*httpwire.Obliged, error) {
		return func(*httpwire.Request, *access.Obligations) (*httpwire.Obliged, error) {
			return &httpwire.Obliged{Body: body, Instead: &httpwire.Instead{Method: "POST", Path: "/list", Query: map[string]string{"a": "b"}}}, nil
		}
	}
	for want, body := range map[string]jsonstream.Value{"": {}, `"x"`: jsonstream.String("x")} {
		w := world(t, `{}`, other(body))
		if a := w.Do(t.Context(), search); a.Status != http.StatusOK {
			t.Errorf("%v", a)
		}
		if got := w.All(); len(got) != 1 || got[0].URI != "/list?a=b" || got[0].Body != want {
			t.Errorf("sent %+v, want body %q", got[0], want)
		}
		if !strings.Contains(w.Written(), `POST /search`) {
			t.Error("what the client asked is not what is recorded")
		}
	}
}
