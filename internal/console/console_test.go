package console

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/admin"
	"github.com/vecgate/vecgate/internal/console/consoletest"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

const home = "https://gw.example.com"

func stage(t *testing.T) (*Console, *consoletest.World) {
	t.Helper()
	w := consoletest.New(func() time.Time { return noon })
	c, err := New(Config{
		Service: w.Service(), URL: home, Now: w.Now, Admit: w.Admit,
		SignedIn: func(context.Context, *access.Subject, string) error { return nil },
		SignIn: SignIn{
			Provider: "corp", Issuer: "https://idp.example.com", ClientID: "vecgate-console",
			Endpoints: func(context.Context) (string, string, error) {
				return "https://idp.example.com/authorize", "https://idp.example.com/token", nil
			},
			Verify: func(context.Context, string, string) (*access.Subject, error) { return nil, fmt.Errorf("not here") },
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, w
}

// as signs somebody in and returns the cookie.
func as(c *Console, who access.Subject) *http.Cookie {
	who.Expires = noon.Add(8 * time.Hour)
	return &http.Cookie{Name: sessionCookie, Value: c.sessions.begin(&who)}
}

func get(c *Console, cookie *http.Cookie, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", home+path, nil)
	if cookie != nil {
		r.AddCookie(cookie)
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w
}

func post(c *Console, cookie *http.Cookie, path string, form url.Values, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", home+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if cookie != nil {
		r.AddCookie(cookie)
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w
}

const ana = "0n3zk8v1t5bq2mxy4c" // a session of hers

var everyPage = []string{
	"/", "/requests", "/requests?view=open", "/requests?view=mine", "/requests?view=all", "/requests/7F3K-92QX", "/requests/M4TD-08ZR", "/requests/Q0VW-5H2N",
	"/requests/XSS0-0001", "/requests/B8YJ-31CE", "/requests/D2PA-66KM", "/requests/G9RN-T410", "/sessions", "/sessions?subject=corp:ana", "/sessions/" + ana,
	"/sessions/0n3zkc90p4ta6s5v2b", "/sessions/0n3xq5h7d1w8y2k6tp", "/sessions/" + ana + "/replay", "/sessions/" + ana + "/replay?from=4", "/log",
	"/log?type=vote&effect=allow", "/log?subject=%22%3E%3Cscript%3E", "/log/0", "/log/4", "/log/12", "/identities", "/identities?person=ana", "/policy",
	"/policy?subject=corp:ana&groups=Vector-Read&action=upsert&on=products/public/items", "/policy?action=nonsense&on=%3Cscript%3E", "/targets", "/signin", "/nowhere",
	"/log/99999", "/requests/%3Cscript%3E",
}

var (
	quotedValue   = regexp.MustCompile(`"[^"]*"`)
	inlineHandler = regexp.MustCompile(`<[^>]*\son[a-z]+\s*=`)
	inlineStyle   = regexp.MustCompile(`<[^>]*\sstyle\s*=|<style`)
	scriptTag     = regexp.MustCompile(`<script[^>]*>`)
	ourScript     = regexp.MustCompile(`^<script type="module" src="/static/[0-9a-f]{16}/console\.js">$`)
)

func TestEveryPageRendersForEverybodyAndRunsNothingOfTheirs(t *testing.T) {
	for _, who := range []access.Subject{consoletest.Ana, consoletest.Ben, consoletest.Cho, consoletest.Dov, consoletest.Mallory} {
		c, w := stage(t)
		w.Ask(consoletest.Request(consoletest.Cho, consoletest.Attack+strings.Repeat(" x", 40_000), access.DeleteAll, "items", 2))
		cookie := as(c, who)
		for _, path := range everyPage {
			got := get(c, cookie, path)
			body := got.Body.String()
			if got.Code >= 500 || got.Code == 200 && !strings.Contains(body, "</html>") {
				t.Errorf("%s for %s: status %d, %.200s", path, who.Name, got.Code, body)
			}
			if strings.Contains(body, "ZgotmplZ") || strings.Contains(body, "<no value>") {
				t.Errorf("%s for %s: a value that the template does not trust or know", path, who.Name)
			}
			for _, bad := range []string{"<script>attacked", "<img src=x", "<svg onload", "<b>Vector-Read", "\u202e", "\u2066"} {
				if strings.Contains(body, bad) {
					t.Errorf("%s for %s holds %q as it was sent", path, who.Name, bad)
				}
			}
			bare := quotedValue.ReplaceAllString(body, `""`)
			if m := inlineHandler.FindString(bare); m != "" {
				t.Errorf("%s for %s: inline handler %q", path, who.Name, m)
			}
			if m := inlineStyle.FindString(bare); m != "" {
				t.Errorf("%s for %s: inline style %q", path, who.Name, m)
			}
			for _, tag := range scriptTag.FindAllString(body, -1) {
				if !ourScript.MatchString(tag) {
					t.Errorf("%s for %s: script %q", path, who.Name, tag)
				}
			}
			for name, want := range map[string]string{
				"Content-Security-Policy": contentPolicy, "X-Content-Type-Options": "nosniff", "Cross-Origin-Opener-Policy": "same-origin",
				"Cache-Control": "no-store", "Strict-Transport-Security": "max-age=31536000", "Referrer-Policy": "same-origin",
			} {
				if got := got.Header().Get(name); got != want {
					t.Errorf("%s: %s is %q, want %q", path, name, got, want)
				}
			}
		}
	}
}

func TestPagesAnswerWithTheStatusThatFits(t *testing.T) {
	c, _ := stage(t)
	for _, x := range []struct {
		who  access.Subject
		path string
		want int
	}{
		{consoletest.Ben, "/log", 200},
		{consoletest.Ben, "/sessions/" + ana + "/replay", 200},
		{consoletest.Ben, "/identities", 200},
		{consoletest.Ana, "/log", 403},
		{consoletest.Ana, "/log/4", 403},
		{consoletest.Ana, "/log/4/proof", 403},
		{consoletest.Ana, "/identities", 403},
		{consoletest.Ana, "/targets", 403},
		{consoletest.Ana, "/policy", 200},
		{consoletest.Ana, "/sessions/" + ana, 200},
		{consoletest.Ana, "/sessions/" + ana + "/replay", 403},
		{consoletest.Ana, "/sessions/0n3zkc90p4ta6s5v2b", 404},
		{consoletest.Ana, "/requests/M4TD-08ZR", 404},
		{consoletest.Ana, "/requests/7F3K-92QX", 200},
		{consoletest.Dov, "/requests/M4TD-08ZR", 200},
		{consoletest.Dov, "/log", 403},
		{consoletest.Ben, "/nowhere", 404},
		{consoletest.Ben, "/requests?before=yesterday", 404},
	} {
		if got := get(c, as(c, x.who), x.path).Code; got != x.want {
			t.Errorf("%s for %s: status %d, want %d", x.path, x.who.Name, got, x.want)
		}
	}
}

func TestWithoutSessionEveryPageLeadsToTheSignIn(t *testing.T) {
	c, _ := stage(t)
	for _, path := range everyPage {
		if path == "/signin" || path == "/nowhere" || strings.Contains(path, "%3Cscript%3E") {
			continue
		}
		for _, cookie := range []*http.Cookie{nil, {Name: sessionCookie, Value: "made-up"}, {Name: sessionCookie, Value: strings.Repeat("A", 5000)}} {
			got := get(c, cookie, path)
			if got.Code != 303 || !strings.HasPrefix(got.Header().Get("Location"), "/signin?to=") {
				t.Errorf("%s: %d to %q, want the sign-in", path, got.Code, got.Header().Get("Location"))
			}
		}
	}
	if got := post(c, nil, "/requests/7F3K-92QX", url.Values{"word": {"approve"}}); got.Code != 401 {
		t.Errorf("a form without a session: status %d, want 401", got.Code)
	}
}

func decision(w *consoletest.World, id, word, reason string) url.Values {
	return url.Values{"word": {word}, "reason": {reason}, "digest": {w.Get(id).Digest}}
}

func TestAnApproverReleasesWithAWordOnRecord(t *testing.T) {
	c, w := stage(t)
	cookie := as(c, consoletest.Ben)
	page := get(c, cookie, "/requests/7F3K-92QX").Body.String()
	if !strings.Contains(page, `value="approve"`) || !strings.Contains(page, "excluded.name") {
		t.Error("the card shows no button, or not what would run")
	}
	got := post(c, cookie, "/requests/7F3K-92QX", decision(w, "7F3K-92QX", "approve", "looked at it"))
	if got.Code != 303 || got.Header().Get("Location") != "/requests/7F3K-92QX?done=approved" {
		t.Fatalf("approve: %d %s", got.Code, got.Header().Get("Location"))
	}
	r := w.Get("7F3K-92QX")
	if r.State != access.StateApproved || len(r.Decisions) != 1 || r.Decisions[0].Person != "ben" || r.Decisions[0].Reason != "looked at it" {
		t.Errorf("after approval: %+v", r)
	}
	again := post(c, cookie, "/requests/7F3K-92QX", decision(w, "7F3K-92QX", "deny", "changed my mind"))
	if again.Code != 409 || w.Get("7F3K-92QX").State != access.StateApproved {
		t.Errorf("a second word: status %d", again.Code)
	}
}

func TestATicketIsShownWithALinkToItsSystem(t *testing.T) {
	c, w := stage(t)
	const link = `<a class="mono" href="https://changes.example.com/CHG-4127" rel="noreferrer">`
	if page := get(c, as(c, consoletest.Ben), "/requests/7F3K-92QX").Body.String(); !strings.Contains(page, link) {
		t.Error("the card does not lead to its ticket")
	}
	auditor := as(c, consoletest.Ben)
	found := false
	for seq := range 64 {
		got := get(c, auditor, fmt.Sprintf("/log/%d", seq))
		if got.Code != 200 {
			break
		}
		page := got.Body.String()
		found = found || strings.Contains(page, `href="https://changes.example.com/CHG-4127" rel="noreferrer">CHG-4127</a>`) && strings.Contains(page, "as 5f70bf18")
	}
	if !found {
		t.Error("no record leads to its ticket, or none names its digest")
	}
	if page := get(c, auditor, "/sessions/"+ana+"/replay").Body.String(); !strings.Contains(page, `ticket <a class="mono" href="https://changes.example.com/CHG-4127" rel="noreferrer">CHG-4127</a>`) {
		t.Error("the replay does not lead to a ticket")
	}
	odd := consoletest.Request(consoletest.Ana, "INSERT", access.Insert, "items", 1)
	odd.Ticket = `javascript:alert(1)"><script>`
	if page := get(c, as(c, consoletest.Ben), "/requests/"+w.Ask(odd)).Body.String(); strings.Contains(page, `href="javascript`) || strings.Contains(page, "<script>alert") || strings.Contains(page, `"><script>`) {
		t.Error("a ticket's name becomes a part of the page")
	}
}

func TestALongEmbeddingIsShortenedAndNoNumberOfItIsLost(t *testing.T) {
	c, w := stage(t)
	vector := "0.25" + strings.Repeat(",0.5", 300) + ",0.4321"
	id := w.Ask(consoletest.Request(consoletest.Ana, `POST /v1/objects {"vector":[`+vector+`],"class":"Items"}`, access.Insert, "items", 1))
	body := html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(get(c, as(c, consoletest.Ben), "/requests/"+id).Body.String(), ""))
	if !strings.Contains(body, `{"vector":[0.25`+strings.Repeat(",0.5", 7)+`,… 302 in all],"class":"Items"}`) {
		t.Errorf("the embedding is not shortened:\n%s", body)
	}
	_, whole, _ := strings.Cut(body, "show every number")
	if !strings.Contains(whole, vector) {
		t.Errorf("the whole of it is not there:\n%s", whole)
	}
	short := get(c, as(c, consoletest.Ben), "/requests/7F3K-92QX").Body.String()
	if strings.Contains(short, "show every number") {
		t.Error("something is said to be shortened that is not")
	}
}

func TestNobodyDecidesOnTheirOwnRequestEvenWithAForgedForm(t *testing.T) {
	c, w := stage(t)
	boss := consoletest.Ana
	boss.Groups = append(boss.Groups, "Vector-Approve")
	cookie := as(c, boss)
	page := get(c, cookie, "/requests/7F3K-92QX").Body.String()
	if strings.Contains(page, `value="approve"`) || !strings.Contains(page, "nobody releases their own work") {
		t.Error("the card offers a decision on one's own request, or does not say why not")
	}
	got := post(c, cookie, "/requests/7F3K-92QX", decision(w, "7F3K-92QX", "approve", "mine"))
	if got.Code != 403 || w.Get("7F3K-92QX").State != access.StateOpen {
		t.Errorf("forged approval of one's own request: status %d, request is %s", got.Code, w.Get("7F3K-92QX").State)
	}
	bot := w.Ask(consoletest.Request(consoletest.Train, "DELETE FROM items WHERE id = 1", access.Delete, "items", 1)) // she answers for it
	if got := post(c, cookie, "/requests/"+bot, decision(w, bot, "approve", "my bot")); got.Code != 403 || w.Get(bot).State != access.StateOpen {
		t.Errorf("forged approval of one's own bot's request: status %d", got.Code)
	}
}

func TestFormsOfOtherSitesDoNothing(t *testing.T) {
	c, w := stage(t)
	cookie := as(c, consoletest.Ben)
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "same-site"},
		{"Sec-Fetch-Site", "", "Origin", "https://evil.example.com"},
		{"Sec-Fetch-Site", "", "Origin", "null"},
		{"Sec-Fetch-Site", "cross-site", "Origin", home},
	} {
		got := post(c, cookie, "/requests/7F3K-92QX", decision(w, "7F3K-92QX", "approve", "forged"), header...)
		if got.Code != 403 || w.Get("7F3K-92QX").State != access.StateOpen {
			t.Errorf("%v: status %d, request is %s", header, got.Code, w.Get("7F3K-92QX").State)
		}
	}
}

func TestADecisionIsBoundToWhatWasShown(t *testing.T) {
	c, w := stage(t)
	form := decision(w, "7F3K-92QX", "approve", "")
	form.Set("digest", strings.Repeat("0", 64))
	if got := post(c, as(c, consoletest.Ben), "/requests/7F3K-92QX", form); got.Code != 409 || w.Get("7F3K-92QX").State != access.StateOpen {
		t.Errorf("a form for another digest: status %d", got.Code)
	}
}

func TestADenialNeedsAReasonAndKeepsWhatWasTyped(t *testing.T) {
	c, w := stage(t)
	if got := post(c, as(c, consoletest.Ben), "/requests/7F3K-92QX", decision(w, "7F3K-92QX", "deny", "")); got.Code != 422 || w.Get("7F3K-92QX").State != access.StateOpen {
		t.Errorf("a no without a reason: status %d", got.Code)
	}
	long := strings.Repeat("x", 70_000)
	if got := post(c, as(c, consoletest.Ben), "/requests/7F3K-92QX", decision(w, "7F3K-92QX", "deny", long)); got.Code < 400 {
		t.Errorf("a form of 70 kB: status %d", got.Code)
	}
}

func TestOnlyOperatorsEndSessionsAndCutOff(t *testing.T) {
	c, w := stage(t)
	for _, who := range []access.Subject{consoletest.Ana, consoletest.Ben, consoletest.Dov} {
		cookie := as(c, who)
		for path, form := range map[string]url.Values{
			"/sessions/" + ana + "/kill": {"reason": {"x"}}, "/identities/suspend": {"who": {"corp:dov"}, "reason": {"x"}}, "/identities/reinstate": {"who": {"corp:dov"}},
		} {
			if got := post(c, cookie, path, form).Code; got != 403 {
				t.Errorf("%s by %s: status %d, want 403", path, who.Name, got)
			}
		}
	}
	cho := as(c, consoletest.Cho)
	if got := post(c, cho, "/sessions/"+ana+"/kill", url.Values{"reason": {"odd traffic"}}); got.Code != 303 {
		t.Errorf("kill by an operator: status %d", got.Code)
	}
	if got := post(c, cho, "/identities/suspend", url.Values{"who": {"corp:cho"}, "reason": {"x"}}).Code; got != 403 {
		t.Errorf("cutting oneself off: status %d, want 403", got)
	}
	ben := as(c, consoletest.Ben)
	if got := post(c, cho, "/identities/suspend", url.Values{"who": {"ben"}, "reason": {"left the company"}}); got.Code != 303 {
		t.Errorf("suspend by an operator: status %d", got.Code)
	}
	if got := get(c, ben, "/requests"); got.Code != 401 || !strings.Contains(got.Body.String(), "cut off") {
		t.Errorf("a page for somebody who was cut off: status %d", got.Code)
	}
	if got := get(c, ben, "/requests"); got.Code != 303 {
		t.Errorf("the session of somebody who was cut off goes on: status %d", got.Code)
	}
	for _, want := range []string{"ended the session: odd traffic", "suspended ben: left the company"} {
		if !strings.Contains(strings.Join(w.Details(), "\n"), want) {
			t.Errorf("%q is not on record", want)
		}
	}
}

func TestWhoeverReplaysIsOnRecordBeforeAnythingIsShown(t *testing.T) {
	c, w := stage(t)
	before := len(w.Details())
	if get(c, as(c, consoletest.Ana), "/sessions/"+ana+"/replay").Code != 403 || len(w.Details()) != before {
		t.Error("a replay that was refused is on record as if it had been one")
	}
	body := get(c, as(c, consoletest.Ben), "/sessions/"+ana+"/replay").Body.String()
	if got := w.Details(); len(got) != before+1 || got[before] != "replayed the session" {
		t.Errorf("on record: %q", got)
	}
	if !strings.Contains(body, `<span class="masked">[redacted]</span>`) || !strings.Contains(body, "libopenblas-dev") {
		t.Error("the replay does not show what the client got")
	}

	broken := w.Service()
	broken.Journal = brokenJournal{}
	c.Service = broken
	got := get(c, as(c, consoletest.Ben), "/sessions/"+ana+"/replay")
	if got.Code != 503 || strings.Contains(got.Body.String(), "libopenblas-dev") {
		t.Errorf("a replay that could not be written down: status %d", got.Code)
	}
}

type brokenJournal struct{}

func (brokenJournal) Did(context.Context, *access.Subject, string, string, string) error {
	return fmt.Errorf("disk full")
}

func TestOtherHostNamesAreSentHome(t *testing.T) {
	c, _ := stage(t)
	r := httptest.NewRequest("GET", "https://rebound.example.net/requests?view=all", nil)
	r.AddCookie(as(c, consoletest.Ben))
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	if w.Code != 307 || w.Header().Get("Location") != home+"/requests?view=all" {
		t.Errorf("a foreign host name: %d %s", w.Code, w.Header().Get("Location"))
	}
	r = httptest.NewRequest("POST", "https://rebound.example.net/requests/7F3K-92QX", strings.NewReader("word=approve"))
	w = httptest.NewRecorder()
	c.ServeHTTP(w, r)
	if w.Code != 421 {
		t.Errorf("a form under a foreign host name: status %d, want 421", w.Code)
	}
}

func TestTheWayBackStaysInTheConsole(t *testing.T) {
	for to, want := range map[string]string{
		"/requests/7F3K?x=1": "/requests/7F3K?x=1", "": "/", "//evil.example.com": "/", "https://evil.example.com/": "/", "/\\evil.example.com": "/",
		"javascript:alert(1)": "/", "/signin?to=/": "/", "/a\r\nSet-Cookie: x": "/", "\t//evil": "/", "requests": "/", "/" + strings.Repeat("a", 2000): "/",
	} {
		if got := local(to); got != want {
			t.Errorf("local(%q) = %q, want %q", to, got, want)
		}
	}
}

func TestLinksCannotPutWordsIntoOurMouth(t *testing.T) {
	c, _ := stage(t)
	if body := get(c, as(c, consoletest.Ben), "/requests?done="+url.QueryEscape("Call 555-0100 to keep access")).Body.String(); strings.Contains(body, "555-0100") {
		t.Error("a page says what a link told it to")
	}
}

func TestDeceptiveTextIsShownByNumber(t *testing.T) {
	for in, want := range map[string]string{
		"a\u202eb": "a‹U+202E›b", "a\x1b[31m": "a‹ESC›[31m", "zero\u200bwidth": "zero‹U+200B›width", "tag\U000E0041": "tag‹U+E0041›", "plain ä 漢 עברית": "plain ä 漢 עברית",
		"bad\xffbyte": "bad‹U+FFFD›byte",
	} {
		if got := visible(in); got != want {
			t.Errorf("visible(%q) = %q, want %q", in, got, want)
		}
	}
	marks := func(s string) (all []string) {
		for _, sp := range spans(s, "") {
			if sp.Class == "ctl" {
				all = append(all, sp.Text)
			}
		}
		return all
	}
	if got := marks("SELECT 1" + strings.Repeat(" ", 500) + "; DROP TABLE x"); len(got) != 1 || got[0] != "500 spaces" {
		t.Errorf("500 spaces: %q", got)
	}
	if got := marks("SELECT 1" + strings.Repeat("\n", 40) + "; DROP TABLE x"); len(got) != 1 || got[0] != "40 blank lines" {
		t.Errorf("40 lines: %q", got)
	}
	if got := marks("SELECT\n  1,\n\t2"); got != nil {
		t.Errorf("ordinary white space: %q", got)
	}
}

func FuzzTextLosesNothingButWhatItMarks(f *testing.F) {
	f.Add("SELECT 'a''b' -- c\n/* d */ FROM \"e\" WHERE x = 1.5\u202e")
	f.Add("/*")
	f.Add("'")
	f.Fuzz(func(t *testing.T, s string) {
		for _, list := range [][]Span{statement(s), spans(s, ""), yaml(s)} {
			var b strings.Builder
			marked := false
			for _, sp := range list {
				if strings.IndexFunc(sp.Text, deceptive) >= 0 {
					t.Fatalf("%q shows %q as it is", s, sp.Text)
				}
				if sp.Class == "ctl" {
					marked = true
				}
				b.WriteString(sp.Text)
			}
			if !marked && b.String() != s {
				t.Errorf("%q became %q", s, b.String())
			}
		}
		c := cut(10, s)
		if c.Head+c.Rest != s {
			t.Errorf("cut(%q) loses text", s)
		}
	})
}

func TestSessionsEndAndAreBounded(t *testing.T) {
	now := noon
	s := newSessions(func() time.Time { return now })
	who := consoletest.Ana
	who.Expires = noon.Add(time.Hour)
	first := s.begin(&who)
	for range maxPerSubject {
		now = now.Add(time.Second)
		s.begin(&who)
	}
	if s.subject(first) != nil || len(s.live) != maxPerSubject {
		t.Errorf("%d sessions of one person are kept, the first among them: %v", len(s.live), s.subject(first) != nil)
	}
	last := s.begin(&who)
	if s.subject(last) == nil {
		t.Error("a fresh session is not known")
	}
	now = noon.Add(time.Hour)
	if s.subject(last) != nil {
		t.Error("a session outlives its credential")
	}
}

func TestTheServiceRefusesWhatANarrowedOrBorrowedCredentialWouldDo(t *testing.T) {
	_, w := stage(t)
	s := w.Service()
	ben := consoletest.Ben
	for name, change := range map[string]func(*access.Subject){
		"scope":    func(b *access.Subject) { b.Scopes = []string{"read"} },
		"actor":    func(b *access.Subject) { b.Actor = &consoletest.Train },
		"target":   func(b *access.Subject) { b.Targets = []string{"products"} },
		"workload": func(b *access.Subject) { b.Kind = access.Workload },
		"expired":  func(b *access.Subject) { b.Expires = noon },
	} {
		who := ben
		change(&who)
		if _, _, err := s.ListRecords(context.Background(), admin.Caller{Subject: &who}, admin.RecordFilter{}); err == nil {
			t.Errorf("%s: the log can be read", name)
		}
	}
	if _, _, err := s.ListRecords(context.Background(), admin.Caller{Subject: &ben}, admin.RecordFilter{}); err != nil {
		t.Errorf("an auditor: %v", err)
	}
}

func TestTheReplayNamesItsColumns(t *testing.T) {
	c, _ := stage(t)
	body := get(c, as(c, consoletest.Ben), "/sessions/"+ana+"/replay").Body.String()
	for _, want := range []string{`<th dir="auto">distance</th>`, `<th dir="auto">email</th>`, `<span class="null">null</span>`, "240 more rows", `s-approved">released<`, `s-denied">not released<`} {
		if !strings.Contains(body, want) {
			t.Errorf("the replay lacks %q", want)
		}
	}
	if strings.Contains(body, "0xc000") || regexp.MustCompile(`>0x[0-9a-f]{6,}<`).MatchString(body) {
		t.Error("the replay shows an address in memory")
	}
}
