package ticket_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/approval/ticket"
	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/policy"
	"github.com/vecgate/vecgate/test/tickettest/standin"
)

var (
	_ gate.Tickets   = (*ticket.Book)(nil)
	_ policy.Tickets = (*ticket.Book)(nil)
)

const secret = "the-systems-own-token"

// desk is a stand-in for the systems with a book that asks them.
type desk struct {
	*standin.Server
	*ticket.Book

	mu    sync.Mutex
	now   time.Time
	shown []ticket.Shown
	fails error // of the log
	log   strings.Builder
}

func (d *desk) Now() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

func (d *desk) pass(t time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = d.now.Add(t)
}

// Ticket implements ticket.Recorder.
func (d *desk) Ticket(_ context.Context, s ticket.Shown) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shown = append(d.shown, s)
	return d.fails
}

// Write implements io.Writer, for the operator's log.
func (d *desk) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.Write(b)
}

func (d *desk) logged() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.String()
}

func (d *desk) recorded() []ticket.Shown {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.shown
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, configs func(url string) []ticket.Config) *desk {
	t.Helper()
	d := &desk{now: noon, Server: standin.Start(secret)}
	t.Cleanup(d.Server.Close)
	all := configs(d.URL)
	for i := range all {
		c := &all[i]
		if c.Credential == nil {
			c.Credential = func() (string, string, error) { return "", secret, nil }
		}
		if c.Account == nil {
			c.Account = mail
		}
		if c.Wait == 0 {
			c.Wait = 30 * time.Second // nothing here waits for it to pass
		}
	}
	var err error
	d.Book, err = ticket.NewBook(all, ticket.Options{
		Recorder: d, Log: slog.New(slog.NewTextHandler(d, nil)), Now: d.Now,
		Person: func(account string) string {
			return map[string]string{"corp:olga.ops@example.com": "olga"}[account] + map[bool]string{false: account}[account == "corp:olga.ops@example.com"]
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Book.Close)
	return d
}

// mail makes corp:EMAIL, as the template corp:{email} does.
func mail(claims map[string]any) (string, error) {
	if m, _ := claims["email"].(string); m != "" {
		return "corp:" + m, nil
	}
	return "", errors.New("no e-mail")
}

// described is a system of which everything is said.
func described(url string) ticket.Config {
	return ticket.Config{
		Name: "changes", Kind: ticket.KindHTTP, Match: `^CHG-\d+$`, URL: url + "/changes/{ticket}", Link: "https://changes.example.com/{ticket}",
		Approved: `ticket.state == "approved"`, By: `ticket.approvals.filter(a, a.verdict == "yes").map(a, a.by)`, Authors: `[ticket.author]`,
		Opens: `ticket.window.from`, Closes: `ticket.window.to`, At: `ticket.approved_at`, MaxAge: 30 * 24 * time.Hour,
		Covers: `access.resource in ticket.collections`, Fresh: time.Minute, Reviewers: 1,
	}
}

func one(url string) []ticket.Config { return []ticket.Config{described(url)} }

func person(mail string) map[string]any { return map[string]any{"email": mail} }

func yes(mail string) map[string]any { return map[string]any{"verdict": "yes", "by": person(mail)} }

// approved is a ticket that is good enough, with other members in the place of some.
func approved(other ...any) map[string]any {
	document := map[string]any{
		"state": "approved", "author": person("ada@example.com"), "approvals": []any{yes("ben@example.com")}, "approved_at": "2026-11-20T10:00:00Z",
		"window": map[string]any{"from": "2026-11-22T00:00:00Z", "to": "2026-11-23T00:00:00Z"}, "collections": []any{"prod/public/items"},
	}
	for i := 0; i < len(other); i += 2 {
		document[other[i].(string)] = other[i+1]
	}
	return document
}

var (
	olga  = &access.Subject{ID: "corp:olga.ops@example.com", Name: "olga@example.com", Kind: access.Person, Person: "olga"}
	items = &access.Access{Action: access.Upsert, Resource: access.Resource{Target: "prod", Namespace: "public", Collection: "items"}}
)

// judged is what a subject is told of a ticket: "" when it is reviewed.
func (d *desk) judged(t *testing.T, s *access.Subject, name string, a *access.Access) string {
	t.Helper()
	c := d.LookUp(t.Context(), s, name, true)
	err := d.Reviewed(&access.Context{Ticket: name, Change: c, Now: d.Now()}, s, a)
	if err == nil {
		if c.Digest() == "" {
			t.Errorf("%s is reviewed, and nothing says what that rests on", name)
		}
		return ""
	}
	refusal, ok := errors.AsType[*access.Refusal](err)
	if !ok || refusal.Message == "" || refusal.Hint == "" {
		t.Fatalf("%s: %v names no way out", name, err)
	}
	if strings.Contains(refusal.Message+refusal.Hint, secret) || strings.Contains(d.logged(), secret) {
		t.Fatalf("%s: the credential is shown: %v\n%s", name, err, d.logged())
	}
	return refusal.Message
}

func TestATicketIsReviewedByPeersForThisAndNow(t *testing.T) {
	d := open(t, one)
	bot := &access.Subject{ID: "ci:job", Kind: access.Workload, Person: "corp:ben@example.com", Owner: "corp:ben@example.com"}
	acting := &access.Subject{ID: "corp:eve", Kind: access.Person, Person: "corp:eve", Actor: &access.Subject{ID: "corp:ben@example.com", Person: "corp:ben@example.com"}}
	for i, c := range []struct {
		who  *access.Subject
		doc  map[string]any
		says string
	}{
		{olga, approved(), ""},
		{olga, approved("state", "waiting"), "changes does not have it approved"},
		{olga, approved("state", nil), "changes does not have it approved"},
		{olga, approved("state", "Approved"), "changes does not have it approved"},
		{olga, approved("approvals", []any{}), "nobody reviewed it in changes"},
		{olga, approved("approvals", nil), "does not tell who reviewed it"},
		{olga, approved("approvals", "ben@example.com"), "does not tell who reviewed it"},
		{olga, approved("approvals", []any{map[string]any{"verdict": "no", "by": person("ben@example.com")}}), "nobody reviewed it"},
		// Who asks is no peer, by whatever account.
		{olga, approved("approvals", []any{yes("olga.ops@example.com")}), "is who asks"},
		{olga, approved("approvals", []any{yes("OLGA.OPS@EXAMPLE.COM")}), "is who asks"},
		{olga, approved("approvals", []any{yes("olga@example.com")}), "is who asks"},
		{olga, approved("approvals", []any{yes("olga.ops@example.com"), yes("ben@example.com")}), ""},
		// The author is none either, and neither is who answers for a bot or acts for somebody.
		{olga, approved("approvals", []any{yes("ada@example.com")}), "is the change's own author"},
		{bot, approved(), "is who asks, or answers for who asks"},
		{acting, approved(), "is who asks, or answers for who asks"},
		{&access.Subject{ID: "ci:stray", Kind: access.Workload}, approved(), "nobody is known to answer for ci:stray"},
		// Somebody whom nothing maps counts as nobody.
		{olga, approved("approvals", []any{map[string]any{"verdict": "yes", "by": map[string]any{"name": "ben"}}}), "is nobody whom the gateway knows"},
		{olga, approved("approvals", []any{map[string]any{"verdict": "yes", "by": 7}}), "does not tell who reviewed it"},
		// Now, and not too long ago.
		{olga, approved("window", map[string]any{"from": "2026-11-22T12:00:01Z", "to": "2026-11-23T00:00:00Z"}), "opens at 2026-11-22T12:00:01Z"},
		{olga, approved("window", map[string]any{"from": "2026-11-21T00:00:00Z", "to": "2026-11-22T12:00:00Z"}), "closed at 2026-11-22T12:00:00Z"},
		{olga, approved("window", map[string]any{"from": "2026-11-22T12:00:00+00:00", "to": 1795564800}), ""},
		{olga, approved("window", map[string]any{"from": "", "to": nil}), ""},
		{olga, approved("window", map[string]any{"from": "tomorrow", "to": nil}), "does not tell when its window opens"},
		{olga, approved("window", map[string]any{}), "does not tell when its window opens"},
		{olga, approved("approved_at", "2026-10-22T10:00:00Z"), "a review counts for 30d only"},
		{olga, approved("approved_at", nil), "approved it at a time that is not known"},
		// For this.
		{olga, approved("collections", []any{"prod/public/orders"}), "it does not cover upsert on prod/public/items"},
		{olga, approved("collections", 7), "whether it covers upsert on prod/public/items cannot be told"},
		{olga, map[string]any{}, "does not tell whether it is approved"},
	} {
		name := fmt.Sprintf("CHG-%d", i)
		d.Change(name, c.doc)
		if got := d.judged(t, c.who, name, items); (got == "") != (c.says == "") || !strings.Contains(got, c.says) {
			t.Errorf("%s (%v for %s): %q, want %q", name, c.doc, c.who.ID, got, c.says)
		}
	}
}

func TestPersonsAreCountedNotAccounts(t *testing.T) {
	d := open(t, func(url string) []ticket.Config {
		c := described(url)
		c.Reviewers, c.Accounts = 2, map[string]string{"ben-at-work": "corp:ben@example.com", "Olga-at-work": "corp:olga.ops@example.com"}
		return []ticket.Config{c}
	})
	by := func(name string) map[string]any {
		return map[string]any{"verdict": "yes", "by": map[string]any{"name": name}}
	}
	for i, c := range []struct {
		approvals []any
		says      string
	}{
		{[]any{yes("ben@example.com")}, "1 of 2 peers reviewed it"},
		{[]any{yes("ben@example.com"), yes("Ben@Example.com"), by("ben-at-work")}, "1 of 2 peers reviewed it"},
		{[]any{yes("ben@example.com"), by("olga-at-work")}, "is who asks"},
		{[]any{yes("ben@example.com"), yes("cleo@example.com")}, ""},
		{[]any{by("ben-at-work"), yes("cleo@example.com")}, ""},
	} {
		name := fmt.Sprintf("CHG-%d", i)
		d.Change(name, approved("approvals", c.approvals))
		if got := d.judged(t, olga, name, items); (got == "") != (c.says == "") || !strings.Contains(got, c.says) {
			t.Errorf("%v: %q, want %q", c.approvals, got, c.says)
		}
	}
}

func TestANameIsOneOfOneSystemOrNone(t *testing.T) {
	d := open(t, func(url string) []ticket.Config {
		a, b := described(url), described(url)
		b.Name, b.Match = "others", `CHG-[0-9]+|REQ-[0-9]+`
		return []ticket.Config{a, b}
	})
	d.Change("CHG-7", approved())
	d.Change("REQ-7", approved())
	d.Change("REQ-8", approved("collections", []any{"*"}))
	for name, says := range map[string]string{
		"CHG-7": "both changes and others", "REQ-7": "", "REQ-8": "does not cover", "req-7": "no ticket system", "XREQ-7": "no ticket system", "REQ-7 ": "not the name of a ticket", "REQ-7\n": "not the name",
		"REQ-７": "not the name", "REQ‑7": "not the name", "../REQ-7": "not the name", "REQ-7/../REQ-8": "not the name", "REQ-7/./8": "not the name", "REQ-7?x=y": "not the name", "REQ-7%2f..": "not the name",
		"": "not the name", strings.Repeat("7", 129): "not the name", "REQ-7#x": "no ticket system", "http://evil.example.com": "not the name", "REQ-7@evil": "not the name",
	} {
		if got := d.judged(t, olga, name, items); (got == "") != (says == "") || !strings.Contains(got, says) {
			t.Errorf("%q: %q, want %q", name, got, says)
		}
	}
	for _, path := range d.Asked() {
		if path != "/changes/REQ-7" && path != "/changes/REQ-8" {
			t.Errorf("asked for %q", path)
		}
	}
	if got := d.Link("REQ-7"); got != "https://changes.example.com/REQ-7" || d.Link("CHG-7") != "" || d.Link("javascript:alert(1)") != "" {
		t.Errorf("links: %q, %q", got, d.Link("CHG-7"))
	}
}

func TestANameGoesIntoOneSegmentOrOneValue(t *testing.T) {
	d := open(t, func(url string) []ticket.Config {
		c := described(url)
		c.Match, c.URL = `([A-Z]+)([/!#][0-9/]+)`, url+"/changes/{1}/{2}/x?id={ticket}&of={1}"
		return []ticket.Config{c}
	})
	for _, name := range []string{"A/7/8", "B#7", "C!7"} {
		d.judged(t, olga, name, items)
	}
	want := "/changes/A/%2F7%2F8/x?id=A%2F7%2F8&of=A /changes/B/%237/x?id=B%237&of=B /changes/C/%217/x?id=C%217&of=C"
	if got := strings.ReplaceAll(strings.Join(d.Asked(), " "), "/C/!7", "/C/%217"); got != want {
		t.Errorf("asked for %s\nwant      %s", got, want)
	}
}

func TestWhatIsNotAnAnswerIsNotAReview(t *testing.T) {
	d := open(t, one)
	elsewhere := standin.Start(secret)
	defer elsewhere.Close()
	elsewhere.Change("CHG-3", approved())
	good := `{"state":"approved","author":{"email":"ada@example.com"},"approvals":[{"verdict":"yes","by":{"email":"ben@example.com"}}],"approved_at":"2026-11-20T10:00:00Z","window":{"from":"","to":""},"collections":["prod/public/items"]`
	for i, c := range []struct {
		status int
		header [2]string
		body   string
		says   string
	}{
		{200, [2]string{}, good + `}`, ""},
		{404, [2]string{}, good + `}`, "has no such ticket"},
		{302, [2]string{"Location", "/changes/CHG-0"}, "", "redirects"},
		{307, [2]string{"Location", elsewhere.URL + "/changes/CHG-3"}, "", "redirects"},
		{401, [2]string{}, "{}", "does not let the gateway in"},
		{403, [2]string{}, "{}", "does not let the gateway in"},
		{500, [2]string{}, good + `}`, "cannot answer now"},
		{429, [2]string{}, "{}", "cannot answer now"},
		{204, [2]string{}, "", "does not take the question"},
		{206, [2]string{}, good + `}`, "does not take the question"},
		{200, [2]string{}, "", "cannot be read"},
		{200, [2]string{}, `[` + good + `}]`, "is not an object"},
		{200, [2]string{}, `"approved"`, "is not an object"},
		{200, [2]string{}, good + `,"state":"waiting"}`, "cannot be read"},
		{200, [2]string{}, good + `,"\u0073tate":"waiting"}`, "cannot be read"},
		{200, [2]string{}, good + `} {}`, "cannot be read"},
		{200, [2]string{}, good, "cannot be read"},
		{200, [2]string{}, good + `,"x":"` + "\xff" + `"}`, "cannot be read"},
		{200, [2]string{}, "\ufeff" + good + `}`, "cannot be read"},
		{200, [2]string{}, good + `,"x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, "cannot be read"},
		{200, [2]string{}, good + `,"x":1e999}`, "cannot be read"},
		{200, [2]string{}, good + `,"x":"` + strings.Repeat("x", 300<<10) + `"}`, "longer than 262144 bytes"},
		{200, [2]string{}, good + `,"x":"` + strings.Repeat("x", 2<<20) + `"}`, "longer than 1048576 bytes"},
		{200, [2]string{}, good + `,"you said":"` + secret + `"}`, "repeats the gateway's credential"},
		{200, [2]string{"Content-Encoding", "br"}, good + `}x`, "cannot be read"},
	} {
		d.Answer(func(w http.ResponseWriter, _ *http.Request) bool {
			if c.header[0] != "" {
				w.Header().Set(c.header[0], c.header[1])
			}
			w.WriteHeader(c.status)
			if c.status != http.StatusNoContent {
				_, _ = w.Write([]byte(c.body))
			}
			return true
		})
		if got := d.judged(t, olga, fmt.Sprintf("CHG-%d", i), items); (got == "") != (c.says == "") || !strings.Contains(got, c.says) {
			t.Errorf("%d %.200s: %q, want %q", c.status, c.body, got, c.says)
		}
	}
	if asked := elsewhere.Asked(); len(asked) > 0 {
		t.Errorf("the credential went to another host: %s", asked)
	}
}

func TestAnAnswerServesForAWhileAndAWriteForAShorterOne(t *testing.T) {
	d := open(t, func(url string) []ticket.Config {
		c := described(url)
		c.Keep, c.Fresh = 10*time.Minute, time.Minute
		return []ticket.Config{c}
	})
	d.Change("CHG-7", approved())
	look := func(write bool, want int) {
		t.Helper()
		c := d.LookUp(t.Context(), olga, "CHG-7", write)
		if got := len(d.Asked()); got != want {
			t.Errorf("asked %d times, want %d (%v)", got, want, c)
		}
	}
	look(false, 1)
	look(true, 1)
	d.pass(time.Minute)
	look(false, 1)
	look(true, 2)
	d.pass(10 * time.Minute)
	look(false, 3)

	// What does not satisfy is asked for again sooner: somebody may be reviewing it.
	d.Change("CHG-7", approved("approvals", []any{}))
	d.pass(10 * time.Minute)
	look(true, 4)
	d.pass(4 * time.Second)
	look(true, 4)
	d.Change("CHG-7", approved())
	d.pass(time.Second)
	if says := d.judged(t, olga, "CHG-7", items); says != "" {
		t.Errorf("the review is not seen: %s", says)
	}

	// A review that is taken back counts no longer once the answer is not fresh.
	d.Change("CHG-7", approved("state", "withdrawn"))
	d.pass(time.Minute)
	if says := d.judged(t, olga, "CHG-7", items); !strings.Contains(says, "does not have it approved") {
		t.Errorf("a review that was taken back: %q", says)
	}
}

func TestWhatADecisionRestsOnIsRecordedFirst(t *testing.T) {
	d := open(t, one)
	d.Change("CHG-7", approved())
	if says := d.judged(t, olga, "CHG-7", items); says != "" {
		t.Fatal(says)
	}
	c := d.LookUp(t.Context(), olga, "CHG-7", true)
	shown := d.recorded()
	if len(shown) != 1 || shown[0].Digest != c.Digest() || shown[0].System != "changes" || shown[0].Ticket != "CHG-7" {
		t.Fatalf("recorded %+v", shown)
	}
	want := `{"approvals":[{"by":{"email":"ben@example.com"},"verdict":"yes"}],"approved_at":"2026-11-20T10:00:00Z","author":{"email":"ada@example.com"},` +
		`"collections":["prod/public/items"],"state":"approved","window":{"from":"2026-11-22T00:00:00Z","to":"2026-11-23T00:00:00Z"}}`
	if got := string(shown[0].Snapshot); got != want {
		t.Errorf("recorded %s", got)
	}

	// The same again is not written down again, for an hour; something else is.
	d.pass(2 * time.Minute)
	d.judged(t, olga, "CHG-7", items)
	if n := len(d.recorded()); n != 1 {
		t.Errorf("recorded %d times", n)
	}
	d.Change("CHG-7", approved("title", "another"))
	d.pass(2 * time.Minute)
	d.judged(t, olga, "CHG-7", items)
	if n := len(d.recorded()); n != 2 {
		t.Errorf("recorded %d times", n)
	}
	d.pass(time.Hour)
	d.judged(t, olga, "CHG-7", items)
	d.pass(time.Hour + time.Second)
	d.judged(t, olga, "CHG-7", items)
	if n := len(d.recorded()); n != 3 {
		t.Errorf("recorded %d times", n)
	}

	// And nothing rests on what could not be written down.
	d.mu.Lock()
	d.fails = errors.New("the disk is full")
	d.mu.Unlock()
	d.Change("CHG-8", approved())
	if says := d.judged(t, olga, "CHG-8", items); !strings.Contains(says, "could not be written to the audit log") {
		t.Errorf("a ticket that is not on record: %q", says)
	}
}

func TestOneRequestAsksForAllThatWait(t *testing.T) {
	d := open(t, one)
	d.Change("CHG-7", approved())
	began, go_on := make(chan struct{}), make(chan struct{})
	d.Answer(func(http.ResponseWriter, *http.Request) bool {
		close(began) // a second request would panic
		<-go_on
		return false
	})
	got := make(chan access.Change, 20)
	look := func(ctx context.Context) { got <- d.LookUp(ctx, olga, "CHG-7", true) }
	// The client that comes first goes away; the others are answered all the same.
	gone, leave := context.WithCancel(t.Context())
	go look(gone)
	<-began
	leave()
	first := <-got
	if err := first.Reviewed(olga, items, noon); err == nil || !strings.Contains(err.Error(), "was not waited for") {
		t.Errorf("who went away: %v", err)
	}
	for range 19 {
		go look(t.Context())
	}
	close(go_on)
	for range 19 {
		if err := (<-got).Reviewed(olga, items, noon); err != nil {
			t.Error(err)
		}
	}
}

func TestNobodyKeepsTheSystemsBusy(t *testing.T) {
	d := open(t, one)
	go_on := make(chan struct{})
	var begun sync.WaitGroup
	begun.Add(4)
	d.Answer(func(http.ResponseWriter, *http.Request) bool {
		begun.Done()
		<-go_on
		return false
	})
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() { d.LookUp(t.Context(), olga, fmt.Sprintf("CHG-%d", i), true) })
	}
	begun.Wait()
	if says := d.judged(t, olga, "CHG-99", items); !strings.Contains(says, "too many tickets") {
		t.Errorf("a fifth at once: %q", says)
	}
	close(go_on)
	all.Wait()
	d.Answer(nil)
	d.Change("CHG-99", approved())
	if says := d.judged(t, olga, "CHG-99", items); says != "" {
		t.Errorf("once there is room: %q", says)
	}
}

func TestASystemThatDoesNotAnswerIsNotWaitedForLong(t *testing.T) {
	d := open(t, func(url string) []ticket.Config {
		c := described(url)
		c.Wait = 50 * time.Millisecond
		return []ticket.Config{c}
	})
	d.Answer(func(_ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done()
		return true
	})
	if says := d.judged(t, olga, "CHG-7", items); !strings.Contains(says, "changes did not answer within 50ms") {
		t.Errorf("a system that is silent: %q", says)
	}
	d.Server.Close()
	if log := d.logged(); !strings.Contains(log, "ticket not read") || !strings.Contains(log, "system=changes") {
		t.Errorf("the operator is told %q", log)
	}
	d = open(t, one)
	d.Server.Close()
	if says := d.judged(t, olga, "CHG-7", items); !strings.Contains(says, "changes could not be asked") {
		t.Errorf("a system that is down: %q", says)
	}
}

func TestOtherSystemsCountAtOnce(t *testing.T) {
	d := open(t, one)
	d.Change("CHG-7", approved())
	if says := d.judged(t, olga, "CHG-7", items); says != "" {
		t.Fatal(says)
	}
	stricter := described(d.URL)
	stricter.Reviewers, stricter.Account = 2, mail
	stricter.Credential = func() (string, string, error) { return "", secret, nil }
	if err := d.Replace([]ticket.Config{stricter}); err != nil {
		t.Fatal(err)
	}
	if says := d.judged(t, olga, "CHG-7", items); !strings.Contains(says, "1 of 2 peers") {
		t.Errorf("after the configuration changed: %q", says)
	}
	if err := d.Replace([]ticket.Config{{Name: "x"}}); err == nil {
		t.Error("a configuration that says nothing is taken")
	}
	if err := d.Replace(nil); err != nil {
		t.Fatal(err)
	}
	if says := d.judged(t, olga, "CHG-7", items); !strings.Contains(says, "no ticket system") {
		t.Errorf("without any: %q", says)
	}
}

func TestMoreTicketsThanAreKeptPushOutTheOldest(t *testing.T) {
	d := open(t, one)
	for i := range 1100 {
		name := fmt.Sprintf("CHG-%d", i)
		d.Change(name, approved())
		d.LookUp(t.Context(), olga, name, false)
		d.pass(time.Millisecond)
	}
	asked := len(d.Asked())
	d.LookUp(t.Context(), olga, "CHG-1099", false)
	if n := len(d.Asked()); n != asked {
		t.Error("the newest is asked for again")
	}
	d.LookUp(t.Context(), olga, "CHG-0", false)
	if n := len(d.Asked()); n != asked+1 {
		t.Error("the oldest is still kept")
	}
}

func TestEveryFaultOfASystemIsFound(t *testing.T) {
	for says, change := range map[string]func(*ticket.Config){
		"match":                   func(c *ticket.Config) { c.Match = "(" },
		"account":                 func(c *ticket.Config) { c.Account = nil },
		"may not choose the host": func(c *ticket.Config) { c.URL = "https://{ticket}.example.com" },
		"is not https":            func(c *ticket.Config) { c.URL = "http://changes.example.com/{ticket}" },
		"where the ticket's name": func(c *ticket.Config) { c.URL = "https://changes.example.com/" },
		"not an address":          func(c *ticket.Config) { c.URL = "https://user:pass@changes.example.com/{ticket}" },
		"fragment":                func(c *ticket.Config) { c.URL = "https://changes.example.com/#{ticket}" },
		"link":                    func(c *ticket.Config) { c.Link = "javascript:alert({ticket})" },
		"covers":                  func(c *ticket.Config) { c.Covers = "access.collection" },
		"undeclared":              func(c *ticket.Config) { c.Approved = "access.action == 'upsert'" },
		"approved: is missing":    func(c *ticket.Config) { c.Approved = "" },
		"reviewed_by: gives bool": func(c *ticket.Config) { c.By = "true" },
		"reviewed_at: is missing": func(c *ticket.Config) { c.At = "" },
		"opens: gives list":       func(c *ticket.Config) { c.Opens = "['now']" },
		`kind: "notes" is not`:    func(c *ticket.Config) { c.Kind, c.URL = "notes", "https://x.example.com" },
		"repository": func(c *ticket.Config) {
			c.Kind, c.URL, c.Repository = ticket.KindGitHub, "https://api.github.com", "acme/.."
		},
		"match: needs one group": func(c *ticket.Config) {
			c.Kind, c.URL, c.Repository = ticket.KindGitHub, "https://api.github.com", "acme/ops"
		},
		"states: one is empty": func(c *ticket.Config) {
			c.Kind, c.URL, c.States = ticket.KindServiceNow, "https://x.service-now.com", []string{""}
		},
		"the address of the system,": func(c *ticket.Config) { c.Kind, c.URL = ticket.KindServiceNow, "https://x.service-now.com/?a={ticket}" },
	} {
		c := described("https://changes.example.com")
		c.Account = mail
		change(&c)
		if err := ticket.Check([]ticket.Config{c}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}
