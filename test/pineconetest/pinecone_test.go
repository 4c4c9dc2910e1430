package pineconetest

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestANormalDayAtTheStandInLooksTheSameThroughTheGateway(t *testing.T) {
	s := start(t, policy)
	for name, c := range s.clients {
		direct := s.day(t, c, s.direct, key, "everything")
		through := s.day(t, c, s.through, s.As(t, "tess"), "everything")
		if d := cmp.Diff(direct, through); d != "" {
			t.Errorf("%s: what Tess sees through the gateway differs (-direct +gateway):\n%s", name, d)
		}
		if len(direct) < 16 {
			t.Errorf("%s: the day ended early: %q", name, direct)
		}
	}
	direct, through := s.nodeDay(t, s.direct, key, "everything"), s.nodeDay(t, s.through, s.As(t, "tess"), "everything")
	if d := cmp.Diff(direct, through); d != "" || len(direct) < 11 {
		t.Errorf("Node: what Tess sees through the gateway differs (-direct +gateway):\n%s\n%q", d, direct)
	}
}

func TestPersonalDataAndVectorsOfTheStandInAreHiddenFromAScientist(t *testing.T) {
	s := start(t, policy)
	one := s.clients["now, REST"]
	s.day(t, one, s.direct, key, "prepare")
	looks := map[string]string{"Node": strings.Join(s.nodeDay(t, s.through, s.As(t, "sam"), "look"), "\n")}
	for name, c := range s.clients {
		looks[name] = strings.Join(s.day(t, c, s.through, s.As(t, "sam"), "look"), "\n")
		for _, good := range []string{`["all", `, "may not scroll"} {
			if !strings.Contains(looks[name], good) {
				t.Errorf("%s: Sam does not see %q:\n%s", name, good, looks[name])
			}
		}
	}
	for name, seen := range looks {
		for _, bad := range []string{"person3@", "person2@", "-3.0", "-2.0", "1.5,"} {
			if strings.Contains(seen, bad) {
				t.Errorf("%s: Sam sees %q:\n%s", name, bad, seen)
			}
		}
		for _, good := range []string{`[redacted]`, "field email of prod-docs/docs/people is hidden", "drops-are-denied"} {
			if !strings.Contains(seen, good) {
				t.Errorf("%s: Sam does not see %q:\n%s", name, good, seen)
			}
		}
	}
	if got := s.day(t, one, s.direct, key, "count"); got[0] != `["count", 20]` {
		t.Errorf("afterwards there are %v", got)
	}
}

func TestAHeldUpsertRunsOnceItIsReleased(t *testing.T) {
	s := start(t, policy)
	s.day(t, s.clients["now, REST"], s.direct, key, "prepare")
	sam, arno := s.As(t, "sam"), s.As(t, "arno")
	for _, name := range []string{"now, REST", "before, gRPC"} {
		done := make(chan []string, 1)
		go func() { done <- s.day(t, s.clients[name], s.through, sam, "upsert") }()
		id, err := s.First(t.Context(), arno, "/api/v1/requests?state=open")
		if err != nil {
			t.Fatal(err)
		}
		if n := len(s.pinecone.Index("docs").Records("people")); n != 20 {
			t.Errorf("%s: before it was released there are %d", name, n)
		}
		if err := s.Approve(t.Context(), arno, id); err != nil {
			t.Fatal(err)
		}
		if got := <-done; got[0] != `["upsert", 1]` {
			t.Errorf("%s: Sam sees %v", name, got)
		}
		if n := len(s.pinecone.Index("docs").Records("people")); n != 21 {
			t.Errorf("%s: afterwards there are %d", name, n)
		}
		s.day(t, s.clients["now, gRPC"], s.direct, key, "clean")
	}
	aud := s.As(t, "aud")
	replayed := ""
	for _, channel := range []string{"rest", "grpc"} {
		answer, err := s.Call(t.Context(), aud, http.MethodGet, "/api/v1/sessions?live=1&target=prod-docs&channel="+channel, "")
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(answer)
		if err != nil {
			t.Fatal(err)
		}
		replayed += string(text)
	}
	if !strings.Contains(replayed, "sam") {
		t.Errorf("the auditor sees %s", replayed)
	}
}

func TestTenantsOfTheStandInAreKeptApart(t *testing.T) {
	s := start(t, policy+`
  - name: own-tenant
    on: ["prod-docs/docs/*"]
    filter: {field: tenant, values: [acme]}
`)
	one := s.clients["now, REST"]
	s.day(t, one, s.direct, key, "prepare")
	for name, c := range s.clients {
		seen := strings.Join(s.day(t, c, s.through, s.As(t, "tess"), "tenant"), "\n")
		for _, good := range []string{`["mine", 1]`, `must have in its field tenant`, `is not yours`, `["delete mine", null]`} {
			if !strings.Contains(seen, good) {
				t.Errorf("%s: Tess does not see %q:\n%s", name, good, seen)
			}
		}
		if strings.Contains(seen, "person") {
			t.Errorf("%s: Tess sees another's:\n%s", name, seen)
		}
	}
	if n := len(s.pinecone.Index("docs").Records("people")); n != 20 {
		t.Errorf("afterwards there are %d", n)
	}
}

func TestSomebodyWithoutATokenGetsNowhere(t *testing.T) {
	s := start(t, policy)
	s.day(t, s.clients["now, REST"], s.direct, key, "prepare")
	for name, c := range s.clients {
		for _, token := range []string{key, "wrong"} {
			out, err := run(t.Context(), s.Dir, []string{c.python, script("day.py"), s.through, token, c.door, "count"})
			if err == nil {
				t.Errorf("%s with %q: %s", name, token, out)
			}
		}
	}
}
