package qdranttest

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

func TestANormalDayLooksTheSameThroughTheGatewayBeforeAStandIn(t *testing.T) {
	s := minting(t)
	for _, x := range []struct {
		name string
		run  func(*testing.T, door, string) []string
		what string
		grpc bool
		most int
	}{
		{"Python over REST", s.day, "everything", false, 20},
		{"Python over gRPC", s.day, "everything", true, 20},
		{"JavaScript over REST", s.js, "everything", false, 12},
		{"JavaScript over gRPC", s.jsRPC, "everything", true, 8},
	} {
		direct := x.run(t, s.direct(x.grpc), x.what)
		through := x.run(t, s.through(t, "tess", x.grpc), x.what)
		if d := gocmp.Diff(numbered(direct), numbered(through)); d != "" {
			t.Errorf("what Tess sees in %s through the gateway differs (-direct +gateway):\n%s", x.name, d)
		}
		if len(direct) < x.most {
			t.Errorf("the day in %s ended early: %q", x.name, direct)
		}
	}
	// The gateway never showed the key itself, and no token of everything but for what the server asks that.
	shown := s.engine.Shown()
	if len(shown) < 100 {
		t.Errorf("%d tokens were shown only", len(shown))
	}
	for _, token := range shown {
		if managing.MatchString(token.Method) != (token.Access.Global == "m") || token.Subject == "" {
			t.Errorf("for %s a token of %+v was shown", token.Method, token)
		}
	}
}

// managing are the operations for which Qdrant wants a token of everything.
var managing = regexp.MustCompile(`^((PUT|PATCH|DELETE) /collections/\{name\}|POST /collections/aliases|/qdrant\.Collections/(Create|Update|Delete|UpdateAliases))$`)

var operation = regexp.MustCompile(`"operation_id": ?\d+|"time\\*":[0-9.e-]+`)

// numbered is lines without what the server counts.
func numbered(lines []string) []string {
	for i := range lines {
		lines[i] = operation.ReplaceAllString(lines[i], "N")
	}
	return lines
}

func TestPersonalDataAndVectorsAreHiddenFromAScientistBeforeAStandIn(t *testing.T) {
	s := start(t)
	s.fill(t)
	usual := []string{`"email":"[redacted]"`, `"phone":"[redacted]"`, `"n":3`, `"vector":null`, `"score":1`, "field email of docs/default/customers is hidden", "drops-are-denied"}
	for name, x := range map[string]struct {
		lines []string
		good  []string
	}{
		"Python over REST":     {s.day(t, s.through(t, "sam", false), "look"), append(usual, "403")},
		"Python over gRPC":     {s.day(t, s.through(t, "sam", true), "look"), append(usual, "PERMISSION_DENIED")},
		"JavaScript over REST": {s.js(t, s.through(t, "sam", false), "look"), append(usual, "403")},
		"JavaScript over gRPC": {s.jsRPC(t, s.through(t, "sam", true), "look"), []string{`{"case":"stringValue","value":"[redacted]"}`, `"value":"3"`, "drops-are-denied"}},
	} {
		seen := strings.ReplaceAll(strings.ReplaceAll(strings.Join(x.lines, "\n"), `": `, `":`), `\"`, `"`)
		for _, bad := range []string{"person3@", "+473", "0.999", `"vectors"`, secret} {
			if strings.Contains(seen, bad) {
				t.Errorf("%s: Sam sees %q:\n%s", name, bad, seen)
			}
		}
		for _, good := range x.good {
			if !strings.Contains(seen, good) {
				t.Errorf("%s: Sam does not see %q:\n%s", name, good, seen)
			}
		}
	}
	if n := s.count(t, "{}"); n != 20 {
		t.Errorf("afterwards there are %d", n)
	}
}

func TestAHeldUpsertRunsOnceItIsReleasedBeforeAStandIn(t *testing.T) {
	s := start(t)
	s.fill(t)
	sam, arno := s.through(t, "sam", false), s.As(t, "arno")
	done := make(chan []string, 1)
	go func() { done <- s.day(t, sam, "upsert") }()
	id, err := s.First(t.Context(), arno, "/api/v1/requests?state=open")
	if err != nil {
		t.Fatal(err)
	}
	if n := s.count(t, "{}"); n != 20 {
		t.Errorf("before it was released there are %d", n)
	}
	if err := s.Approve(t.Context(), arno, id); err != nil {
		t.Fatal(err)
	}
	if got := <-done; got[0] != `["upsert", "completed"]` {
		t.Errorf("Sam sees %v", got)
	}
	if n := s.count(t, "{}"); n != 21 {
		t.Errorf("afterwards there are %d", n)
	}
	aud := s.As(t, "aud")
	session, err := s.First(t.Context(), aud, "/api/v1/sessions?live=1&target=docs")
	if err != nil {
		t.Fatal(err)
	}
	if replay, err := s.Call(t.Context(), aud, http.MethodGet, "/api/v1/sessions/"+session+"/replay", ""); err != nil || len(replay) == 0 {
		t.Errorf("the auditor sees %v, %v", replay, err)
	}
}

func TestSomebodyWithATokenOfNobodyGetsNowhereBeforeAStandIn(t *testing.T) {
	s := start(t)
	s.fill(t)
	for _, grpc := range []bool{false, true} {
		d := s.through(t, "sam", grpc)
		d.token = secret // the database's own is none here
		got := s.day(t, d, "count")
		if !strings.Contains(got[0], "401") && !strings.Contains(got[0], "UNAUTHENTICATED") || !strings.Contains(got[0], "token") {
			t.Errorf("gRPC %v: %s", grpc, got)
		}
	}
}

func TestOneTenantReachesItsOwnPointsOnlyBeforeAStandIn(t *testing.T) {
	s := minting(t)
	for _, grpc := range []bool{false, true} {
		s.fill(t)
		seen := strings.Join(s.day(t, s.through(t, "olga", grpc), "own"), "\n")
		for _, good := range []string{
			`["points", ["a", "a", "a", "a", "a", "a", "a", "a", "a", "a"]]`, `["count", 10, 20]`, `["query", ["a"]]`, `["ids", [0, 2]]`, `["new", "completed"]`,
			"a search may not start from a point's id", "some of the points that it would write are others'", `must have one of the values ["a"] in field tenant`,
		} {
			if !strings.Contains(strings.ReplaceAll(seen, `\`, ""), good) {
				t.Errorf("gRPC %v: Olga does not see %s:\n%s", grpc, good, seen)
			}
		}
		// All of her own that she wanted gone is gone, and nothing of others.
		if n, m := s.count(t, `{"must":[{"key":"tenant","match":{"value":"b"}}]}`), s.count(t, `{"must":[{"key":"tenant","match":{"value":"a"}}]}`); n != 10 || m != 6 {
			t.Errorf("gRPC %v: afterwards others have %d, Olga has %d", grpc, n, m)
		}
		s.ask(t, "DELETE", "/collections/customers", "")
	}
}
