package opensearchtest

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/test/stage"
)

func elastic(t *testing.T) string {
	t.Helper()
	if server.err != nil {
		t.Fatal(server.err)
	}
	to, err := url.Parse(server.url)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(Elasticsearch(to))
	t.Cleanup(s.Close)
	return s.URL
}

func startElastic(t *testing.T) (b *behind, direct string) {
	t.Helper()
	return startElasticUnder(t, policyText)
}

// startElasticUnder is startElastic with another policy.
func startElasticUnder(t *testing.T, policy string) (b *behind, direct string) {
	t.Helper()
	direct = elastic(t)
	t.Cleanup(func() {
		for _, index := range []string{"day", "customers", "chain", "index", "evening"} {
			clean(t, index)
		}
	})
	s := stage.Start(t, stage.Options{
		Listeners: []stage.Listener{{Name: "rest", Protocol: "http"}}, Policy: policy,
		Targets: []stage.Target{{Name: "docs", Engine: "elasticsearch", Address: strings.TrimPrefix(direct, "http://")}},
	})
	return &behind{s, "http://" + s.Address["rest"]}, direct
}

func TestANormalDayOfTheElasticsearchClientWithAStandIn(t *testing.T) {
	b, url := startElastic(t)
	direct := day(t, "elastic.py", url, "", "everything")
	through := day(t, "elastic.py", b.gateway, b.As(t, "tess"), "everything")
	if d := gocmp.Diff(direct, through); d != "" {
		t.Errorf("what Tess sees through the gateway differs (-direct +gateway):\n%s", d)
	}
	if len(direct) < 17 {
		t.Errorf("the day ended early: %q", direct)
	}
}

func TestPersonalDataAndVectorsAreHiddenFromAnElasticsearchClientWithAStandIn(t *testing.T) {
	b, url := startElastic(t)
	day(t, "elastic.py", url, "", "fill")
	for script, refused := range map[string]string{"elastic.py": "AuthorizationException", "elastic.mjs": "ResponseError"} {
		seen := strings.Join(day(t, script, b.gateway, b.As(t, "sam"), "look"), "\n")
		seen = strings.NewReplacer(`": `, `":`, `", `, `",`).Replace(seen)
		for _, bad := range []string{"person3@", "-3", "0.99"} {
			if strings.Contains(seen, bad) {
				t.Errorf("%s: Sam sees %q:\n%s", script, bad, seen)
			}
		}
		for _, good := range []string{
			`"email":"[redacted]"`, `"text":"text number 3"`, `["by email","` + refused + `","field email`, `["esql","` + refused + `"`,
			`["drop","` + refused + `"`, "drops-are-denied",
		} {
			if !strings.Contains(seen, good) {
				t.Errorf("%s: Sam does not see %q:\n%s", script, good, seen)
			}
		}
	}
}

func TestANormalDayOfElasticsearchsJavaScriptClientWithAStandIn(t *testing.T) {
	b, url := startElastic(t)
	direct := day(t, "elastic.mjs", url, "", "everything")
	through := day(t, "elastic.mjs", b.gateway, b.As(t, "tess"), "everything")
	if d := gocmp.Diff(direct, through); d != "" {
		t.Errorf("what Tess sees through the gateway differs (-direct +gateway):\n%s", d)
	}
	if len(direct) < 18 {
		t.Errorf("the day ended early: %q", direct)
	}
}

func TestANormalDayOfOpenSearchsJavaScriptClientLooksTheSameThroughTheGateway(t *testing.T) {
	b := start(t)
	direct := day(t, "day.mjs", server.url, "", "everything")
	through := day(t, "day.mjs", b.gateway, b.As(t, "tess"), "everything")
	if d := gocmp.Diff(direct, through); d != "" {
		t.Errorf("what Tess sees through the gateway differs (-direct +gateway):\n%s", d)
	}
	if len(direct) < 12 {
		t.Errorf("the day ended early: %q", direct)
	}
	day(t, "day.py", server.url, "", "fill")
	seen := strings.Join(day(t, "day.mjs", b.gateway, b.As(t, "sam"), "look"), "\n")
	if strings.Contains(seen, "person3@") || strings.Contains(seen, "-3") || !strings.Contains(seen, `"email":"[redacted]"`) || !strings.Contains(seen, `["drop","ResponseError","not allowed`) {
		t.Errorf("Sam sees:\n%s", seen)
	}
}
