package admin_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/admin"
	"github.com/vecgate/vecgate/internal/console/consoletest"
)

const session = "0n3zk8v1t5bq2mxy4c"

// office is an API over a made-up world.
type office struct {
	*testing.T
	world   *consoletest.World
	url     string
	refused []string
	log     bytes.Buffer

	mu   sync.Mutex
	gone map[string]bool // tokens that were revoked
}

// revoke makes a token nobody's.
func (o *office) revoke(token string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.gone[token] = true
}

func (o *office) revoked(token string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.gone[token]
}

func newOffice(t *testing.T) *office {
	o := &office{T: t, world: consoletest.New(time.Now), gone: map[string]bool{}}
	agent := consoletest.Ben
	agent.Actor = &consoletest.Train
	expired := consoletest.Ben
	expired.Expires = time.Now().Add(-time.Second)
	who := map[string]access.Subject{
		"ana": consoletest.Ana, "ben": consoletest.Ben, "cho": consoletest.Cho, "dov": consoletest.Dov, "train": consoletest.Train, "agent": agent, "expired": expired,
	}
	api := &admin.API{
		Service: o.world.Service(), Log: slog.New(slog.NewTextHandler(&o.log, nil)),
		Authenticate: func(_ context.Context, token string) (*access.Subject, error) {
			if token == "broken" {
				return nil, errors.New("dial tcp 10.0.0.3: the database password is hunter2")
			}
			if s, ok := who[token]; ok && !o.revoked(token) {
				return &s, nil
			}
			return nil, &access.Refusal{Code: access.CodeIdentity, Message: "token not accepted", Hint: "vecgate login", Err: errors.New("no key signed it")}
		},
		Refused: func(_ context.Context, r *access.Refusal, _ string) { o.refused = append(o.refused, r.Message) },
	}
	server := httptest.NewUnstartedServer(nil)
	server.Config = admin.HTTPServer(api.Handler(), slog.New(slog.DiscardHandler))
	server.Start()
	t.Cleanup(server.Close)
	o.url = server.URL
	return o
}

func (o *office) call(who, method, path, body string, header ...string) (int, string, http.Header) {
	o.Helper()
	r, err := http.NewRequestWithContext(o.Context(), method, o.url+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		o.Fatal(err)
	}
	if who != "" {
		r.Header.Set("Authorization", "Bearer "+who)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		o.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		o.Fatal(err)
	}
	return res.StatusCode, string(b), res.Header
}

var callRow = regexp.MustCompile("(?m)^\\| `((?:GET|POST) (/[^`]*))` \\|")

// documented are the calls that docs/reference/api.md lists.
func documented(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/reference/api.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, m := range callRow.FindAllStringSubmatch(string(text), -1) {
		all = append(all, m[1])
	}
	slices.Sort(all)
	return all
}

func TestTheReferenceListsEveryCall(t *testing.T) {
	if got, want := documented(t), admin.CallsForTest(); !slices.Equal(got, want) {
		t.Errorf("docs/reference/api.md lists\n%q\nthe API has\n%q", got, want)
	}
}

func TestNothingIsAnsweredWithoutAToken(t *testing.T) {
	o := newOffice(t)
	for _, call := range documented(t) {
		method, path, _ := strings.Cut(call, " ")
		path = strings.NewReplacer("{id}", session, "{seq}", "4").Replace(path)
		body := ""
		if method == "POST" {
			body = "{}"
		}
		for _, who := range []string{"", "stranger", "expired", strings.Repeat("x", 21<<10)} {
			status, answer, header := o.call(who, method, path, body, "Cookie", "__Host-vecgate=ben")
			if status != 401 || !strings.Contains(answer, `"hint":`) || header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s as %.20q: %d %s", call, who, status, answer)
			}
			if header.Get("Access-Control-Allow-Origin") != "" || header.Get("Cache-Control") != "no-store" || header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: headers %v", call, header)
			}
		}
	}
	if len(o.refused) == 0 {
		t.Error("refused tokens are not written down")
	}
	if o.log.Len() > 0 {
		t.Errorf("strangers fill the operator's log: %.200s", o.log.String())
	}
	if status, answer, _ := o.call("broken", "GET", "/whoami", ""); status != 500 || strings.Contains(answer, "hunter2") || !strings.Contains(answer, `"ref":`) {
		t.Errorf("an inner fault: %d %s", status, answer)
	}
}

func TestEachCallAsksForItsRole(t *testing.T) {
	o := newOffice(t)
	for _, c := range []struct {
		method, path, body string
		allowed            string // of ana, ben (auditor), cho (auditor and operator), train (workload), agent (ben's)
	}{
		{"GET", "/whoami", "", "ana ben cho train agent"},
		{"GET", "/log", "", "ana ben cho train agent"},
		{"GET", "/log/records", "", "ben cho"},
		{"GET", "/log/records/4", "", "ben cho"},
		{"GET", "/log/records/4/proof", "", "ben cho"},
		{"GET", "/identities", "", "ben cho"},
		{"GET", "/policy", "", "ben cho"},
		{"GET", "/targets", "", "ben cho"},
		{"GET", "/sessions/" + session + "/replay", "", "ben cho"},
		{"POST", "/policy/explain", `{"subject":"corp:dov","action":"search","resource":"products/public/items"}`, "ben cho"},
		{"POST", "/identities/suspend", `{"who":"corp:nobody","reason":"test"}`, "cho"},
		{"POST", "/identities/reinstate", `{"who":"corp:nobody"}`, "cho"},
		{"POST", "/sessions/" + session + "/kill", `{"reason":"test"}`, "cho"},
	} {
		for _, who := range []string{"ana", "ben", "train", "agent", "cho"} {
			status, answer, _ := o.call(who, c.method, c.path, c.body)
			ok := slices.Contains(strings.Fields(c.allowed), who)
			if ok != (status < 300) || !ok && status != 403 && status != 404 {
				t.Errorf("%s %s as %s: %d %s", c.method, c.path, who, status, answer)
			}
		}
	}
}

func TestVotesThroughTheAPI(t *testing.T) {
	o := newOffice(t)
	vote := func(who, id, body string) (int, string) {
		status, answer, _ := o.call(who, "POST", "/requests/"+id+"/votes", body)
		return status, answer
	}
	if status, answer := vote("ana", "7F3K-92QX", `{"approve":true}`); status != 403 || !strings.Contains(answer, "separation") {
		t.Errorf("one's own request: %d %s", status, answer)
	}
	if status, _ := vote("train", "7F3K-92QX", `{"approve":true}`); status != 404 { // a job does not even see what its owner asked for
		t.Errorf("a workload: %d", status)
	}
	for name, body := range map[string]string{
		"no word": `{}`, "no reason": `{"approve":false}`, "unknown field": `{"approve":true,"force":true}`, "two": `{"approve":true}{"approve":true}`,
		"not JSON": `approve`, "wrong type": `{"approve":"yes"}`, "large": `{"approve":true,"reason":"` + strings.Repeat("x", 70_000) + `"}`,
	} {
		if status, answer := vote("ben", "7F3K-92QX", body); status != 422 {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	if status, _, _ := o.call("ben", "POST", "/requests/7F3K-92QX/votes", `{"approve":true}`, "Content-Type", "text/plain"); status != 422 {
		t.Errorf("a form of a web page: %d", status)
	}
	if o.world.Get("7F3K-92QX").State != access.StateOpen {
		t.Fatal("one of these decided the request")
	}
	status, answer := vote("ben", "7F3K-92QX", `{"approve":true,"reason":"fine"}`)
	if status != 200 || !strings.Contains(answer, `"state":"approved"`) || !strings.Contains(answer, `"approvals":1`) {
		t.Errorf("approve: %d %s", status, answer)
	}
	if status, _ := vote("ben", "M4TD-08ZR", `{"approve":true}`); status != 200 {
		t.Errorf("second person: %d", status)
	}
	if status, _ := vote("ben", "0000-0000", `{"approve":true}`); status != 404 {
		t.Errorf("no such request: %d", status)
	}
}

func TestListsArePagedAndShowOnlyWhatIsTheCallers(t *testing.T) {
	o := newOffice(t)
	for i := range 130 {
		r := consoletest.Request(consoletest.Ana, fmt.Sprintf("DELETE FROM items WHERE id = %d", i), access.Delete, "items", 1)
		r.ID, r.Created = fmt.Sprintf("P%03d-PAGE", i), time.Now().Add(-time.Duration(i)*time.Hour)
		r.Expires = time.Now().Add(time.Hour)
		o.world.Ask(r)
	}
	type page struct {
		Requests []admin.Request `json:"requests"`
		Next     string          `json:"next"`
	}
	seen := map[string]int{}
	pages := 0
	for next := ""; ; pages++ {
		var p page
		_, answer, _ := o.call("ana", "GET", "/requests?mine=1&limit=20&before="+next, "")
		if err := json.Unmarshal([]byte(answer), &p); err != nil {
			t.Fatal(err, answer)
		}
		for _, r := range p.Requests {
			seen[r.ID]++
			if !r.Mine {
				t.Errorf("%s is not hers", r.ID)
			}
		}
		if next = strings.ReplaceAll(p.Next, "+", "%2B"); next == "" {
			break
		}
	}
	if len(seen) != 133 || pages != 6 { // two of hers and one of her job's, and these
		t.Errorf("%d requests on %d further pages", len(seen), pages)
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s is listed %d times", id, n)
		}
	}
	if status, answer, _ := o.call("ben", "GET", "/requests?limit=999999", ""); status != 200 || strings.Count(answer, `"digest"`) > 500 {
		t.Errorf("an immodest limit: %d, %d requests", status, strings.Count(answer, `"digest"`))
	}
	for _, bad := range []string{"limit=-1", "limit=x", "before=yesterday", "mine=perhaps", "target=" + strings.Repeat("x", 600)} {
		if status, _, _ := o.call("ben", "GET", "/requests?"+bad, ""); status != 422 {
			t.Errorf("?%.30s: status %d, want 422", bad, status)
		}
	}
}

func TestAReplayIsAStreamAndOnRecord(t *testing.T) {
	o := newOffice(t)
	status, answer, header := o.call("ben", "GET", "/sessions/"+session+"/replay?from=2&limit=2", "")
	lines := strings.Split(strings.TrimSpace(answer), "\n")
	if status != 200 || header.Get("Content-Type") != "application/x-ndjson" || len(lines) != 2 || !strings.Contains(lines[0], `"number":2`) || !strings.Contains(lines[0], "[redacted]") {
		t.Errorf("replay: %d %v %d lines\n%s", status, header, len(lines), answer)
	}
	if all := o.world.Details(); all[len(all)-1] != "replayed the session" {
		t.Errorf("on record: %q", all)
	}
	if status, _, _ := o.call("ben", "GET", "/sessions/nonsense/replay", ""); status != 404 {
		t.Errorf("no such session: %d", status)
	}
}

func TestARecordIsAnsweredByteForByte(t *testing.T) {
	o := newOffice(t)
	leaf, err := o.world.Service().Records.Get(t.Context(), 4)
	if err != nil {
		t.Fatal(err)
	}
	if _, answer, _ := o.call("ben", "GET", "/log/records/4", ""); answer != string(leaf) {
		t.Errorf("record 4 is %s, want %s", answer, leaf)
	}
	if status, _, _ := o.call("ben", "GET", "/log/records/-1", ""); status != 404 {
		t.Errorf("record -1: %d", status)
	}
}

func TestChangesArriveAsEventsForThoseWhoMaySeeThem(t *testing.T) {
	o := newOffice(t)
	_, ben := o.follow("ben")
	_, train := o.follow("train")
	o.world.Ask(consoletest.Request(consoletest.Cho, "DROP TABLE items", access.SchemaDrop, "items", 2)) // nothing of train's
	id := o.world.Ask(consoletest.Request(consoletest.Train, "DELETE FROM items", access.DeleteAll, "items", 1))
	next := func(lines *bufio.Scanner) (r admin.Request) {
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), `data: {`); ok {
				if err := json.Unmarshal([]byte("{"+data), &r); err != nil {
					t.Fatal(err)
				}
				return r
			}
		}
		t.Fatal("the stream ended")
		return r
	}
	if r := next(ben); r.Text != "DROP TABLE items" || !r.May {
		t.Errorf("ben was told of %s", r.Text)
	}
	if r := next(train); r.ID != id || !r.Mine || r.May {
		t.Errorf("train was told of %s", r.Text)
	}
}

// follow opens a stream of events and returns the response, and its lines once the stream is subscribed.
func (o *office) follow(who string) (*http.Response, *bufio.Scanner) {
	o.Helper()
	r, err := http.NewRequestWithContext(o.Context(), "GET", o.url+"/api/v1/requests/events", nil)
	if err != nil {
		o.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+who)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		o.Fatal(err)
	}
	o.Cleanup(func() { res.Body.Close() })
	lines := bufio.NewScanner(res.Body)
	if res.StatusCode == http.StatusOK {
		for lines.Scan() && lines.Text() != "event: alive" {
		}
	}
	return res, lines
}

func TestAStreamTellsNothingOnceItsTokenIsRevoked(t *testing.T) {
	o := newOffice(t)
	_, lines := o.follow("ben")
	o.revoke("ben")
	o.world.Ask(consoletest.Request(consoletest.Train, "DELETE FROM items", access.DeleteAll, "items", 1))
	for lines.Scan() { // until the stream ends
		if strings.Contains(lines.Text(), "DELETE FROM items") {
			t.Fatal("a revoked token hears of a request")
		}
	}
}

func TestAStreamThatHearsNothingEndsTooOnceItsTokenIsRevoked(t *testing.T) {
	o := newOffice(t)
	_, lines := o.follow("train")
	o.revoke("train")
	for lines.Scan() {
	}
	if err := lines.Err(); err != nil {
		t.Error(err)
	}
}

func TestStreamsOfOneSubjectAreCounted(t *testing.T) {
	o := newOffice(t)
	open := 0
	var all []*http.Response
	for range 40 {
		res, _ := o.follow("ben")
		if all = append(all, res); res.StatusCode == http.StatusOK {
			open++
		} else if res.StatusCode != http.StatusUnprocessableEntity {
			t.Fatalf("status %d", res.StatusCode)
		}
	}
	if open != 24 {
		t.Errorf("%d streams of one subject are open, want 24", open)
	}
	if res, _ := o.follow("dov"); res.StatusCode != http.StatusOK {
		t.Errorf("somebody else has to wait for ben: %d", res.StatusCode)
	}
	for _, res := range all {
		res.Body.Close()
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if res, _ := o.follow("ben"); res.StatusCode == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("streams that were closed are counted for ever")
		}
	}
}

func TestPagesDoNotEndBetweenThingsOfOneInstant(t *testing.T) {
	o := newOffice(t)
	at := time.Now().Add(-time.Minute).Truncate(time.Microsecond)
	want := 0
	for i := range 700 { // more than one batch of the store
		r := consoletest.Request(consoletest.Dov, "UPDATE items SET name = 'x'", access.Upsert, "items", 1)
		r.ID, r.Created, r.Expires = fmt.Sprintf("T%03d-SAME", i), at.Add(-time.Duration(i/7)*time.Second), time.Now().Add(time.Hour)
		o.world.Ask(r)
		want++
	}
	for _, limit := range []int{1, 10, 500} {
		seen := map[string]int{}
		before := ""
		for range 1000 {
			status, answer, _ := o.call("dov", "GET", fmt.Sprintf("/requests?mine=1&limit=%d&before=%s", limit, before), "")
			var p struct {
				Requests []access.Request
				Next     string
			}
			if err := json.Unmarshal([]byte(answer), &p); err != nil || status != 200 {
				t.Fatal(status, err)
			}
			for _, r := range p.Requests {
				seen[r.ID]++
			}
			if before = strings.ReplaceAll(p.Next, "+", "%2B"); before == "" {
				break
			}
		}
		twice := 0
		for _, n := range seen {
			twice += n - 1
		}
		if len(seen) != want || twice != 0 {
			t.Errorf("pages of %d: %d requests of %d, %d of them again", limit, len(seen), want, twice)
		}
	}
}

func TestOnlyOperatorsEndCredentialsAndSayWhy(t *testing.T) {
	o := newOffice(t)
	body := `{"credential": "` + consoletest.Secret + `", "reason": "found in a build log"}`
	for _, who := range []string{"ana", "ben", "dov", "train", "agent"} {
		if status, answer, _ := o.call(who, "POST", "/credentials/end", body); status != 403 {
			t.Errorf("%s: %d %s", who, status, answer)
		}
	}
	for bad, want := range map[string]int{
		`{"credential": "` + consoletest.Secret + `"}`: 422, `{"credential": "", "reason": "r"}`: 422, `{"credential": "vg_nobody", "reason": "r"}`: 404,
		`{"credential": "vg_\u001b[2J", "reason": "r"}`: 422,
	} {
		if status, answer, _ := o.call("cho", "POST", "/credentials/end", bad); status != want {
			t.Errorf("%s: %d %s, want %d", bad, status, answer, want)
		}
	}
	if ended := o.world.Ended(); len(ended) > 0 {
		t.Fatalf("ended %v", ended)
	}
	if status, answer, _ := o.call("cho", "POST", "/credentials/end", body); status != 204 {
		t.Errorf("an operator: %d %s", status, answer)
	}
	if all := o.world.Details(); !slices.Equal(o.world.Ended(), []string{consoletest.Secret}) || all[len(all)-1] != "ended the credential "+consoletest.Secret+": found in a build log" {
		t.Errorf("ended %v, on record %q", o.world.Ended(), all[len(all)-1])
	}
}

func FuzzBodiesAndParametersNeverPanic(f *testing.F) {
	world := consoletest.New(time.Now)
	api := (&admin.API{Service: world.Service(), Log: slog.New(slog.DiscardHandler), Authenticate: func(context.Context, string) (*access.Subject, error) {
		who := consoletest.Cho
		return &who, nil
	}}).Handler()
	f.Add("POST", "/requests/7F3K-92QX/votes", `{"approve":true}`)
	f.Add("GET", "/log/records?before=3&type=vote&since=2026-01-01T00:00:00Z", "")
	f.Add("POST", "/policy/explain", `{"action":"search","resource":"a/b/c","rows":-1}`)
	f.Add("GET", "/sessions/x/replay?from=9223372036854775807&limit=1", "")
	f.Fuzz(func(t *testing.T, method, path, body string) {
		r, err := http.NewRequest(method, "http://gw/api/v1"+path, strings.NewReader(body))
		if err != nil || strings.Contains(path, "events") {
			return
		}
		r.Header.Set("Authorization", "Bearer x")
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
	})
}
