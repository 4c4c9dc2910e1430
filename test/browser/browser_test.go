// Package browser tests the console in a real browser: what a person does, and what an attacker would.
//
// Every test also insists on: no violation of the Content-Security-Policy or Trusted Types, no error on the console, no
// request to another origin, nothing of the planted payloads run. It knows nothing of how pages are made.
package browser

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/console/consoletest"
	"github.com/vecgate/vecgate/test/browser/stage"
)

func newStage(t *testing.T) *stage.Stage {
	t.Helper()
	s, err := stage.Start("127.0.0.1:0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// tab is one browser with its faults.
type tab struct {
	*testing.T
	ctx context.Context
	url string // of the console

	mu     sync.Mutex
	faults []string
}

// open starts a headless Chromium. When the test ends, everything it complained about is an error.
func open(t *testing.T, console, issuer string) *tab {
	t.Helper()
	b := openQuietly(t, console, issuer)
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, f := range b.faults {
			t.Errorf("the browser reported: %s", f)
		}
	})
	return b
}

func openQuietly(t *testing.T, console, issuer string) *tab {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is needed: apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-quic", true))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	b := &tab{T: t, ctx: ctx, url: console}
	ours := map[string]bool{hostOf(console): true, hostOf(issuer): true}
	err = chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *log.EventEntryAdded:
			b.fault("log: %s %s", e.Entry.Text, e.Entry.URL)
		case *runtime.EventConsoleAPICalled:
			b.fault("console: %s", e.Type)
		case *runtime.EventExceptionThrown:
			b.fault("exception: %s", e.ExceptionDetails.Text)
		case *network.EventRequestWillBeSent:
			if u, err := url.Parse(e.Request.URL); err != nil || u.Scheme != "data" && !ours[u.Host] {
				b.fault("request to %s", e.Request.URL)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	// What the planted payloads would call.
	spy := page.AddScriptToEvaluateOnNewDocumentParams{Source: `window.attacked = () => { window.hit = true }; document.addEventListener('securitypolicyviolation', (e) => console.error('violation', e.violatedDirective))`}
	if _, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, spy); err != nil {
		t.Fatal(err)
	}
	return b
}

func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Host
}

func (b *tab) fault(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append(b.faults, fmt.Sprintf(format, args...))
}

// complaints are what the browser has reported so far.
func (b *tab) complaints() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.faults, "\n")
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		shown, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`location.href + '\n' + document.body.innerText`)) // for the message only
		b.Fatalf("%v\nthe browser reported: %s\nthe page is %s", err, b.complaints(), shown)
	}
}

func (b *tab) visit(path string) {
	b.Helper()
	b.do(chromedp.Navigate(b.url+path), chromedp.WaitVisible(`main`))
}

func (b *tab) text(selector string) string {
	b.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Text(selector))
	if err != nil {
		b.Fatalf("text of %s: %v", selector, err)
	}
	return text
}

// is evaluates a condition in the page.
func (b *tab) is(condition string) bool {
	b.Helper()
	got, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("Boolean("+condition+")"))
	if err != nil {
		b.Fatalf("%s: %v", condition, err)
	}
	return got
}

// until waits for a condition in the page.
func (b *tab) until(condition string) {
	b.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(30 * time.Millisecond) {
		got, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("Boolean("+condition+")"))
		if err == nil && got { // a page that is being replaced cannot answer
			return
		}
	}
	b.Fatalf("%s never came true", condition)
}

// signIn goes through the development identity provider.
func (b *tab) signIn(who, to string) {
	b.Helper()
	b.do(
		chromedp.Navigate(b.url+to), chromedp.WaitVisible(`a.big`), chromedp.Click(`a.big`),
		chromedp.WaitVisible(`ul.users`), chromedp.Click(`button[value=`+who+`]`), chromedp.WaitVisible(`.me-name`),
	)
}

// cookie is the session's, for sending forged requests in the person's name.
func (b *tab) cookie() *network.Cookie {
	b.Helper()
	got, err := chromedp.Call(b.ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{b.url}})
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range got.Cookies {
		if c.Name == "__Host-vecgate" {
			return c
		}
	}
	b.Fatalf("no session cookie among %d", len(got.Cookies))
	return nil
}

// forge sends a form as the browser would not, with the person's cookie.
func (b *tab) forge(path string, form url.Values) int {
	b.Helper()
	r, err := http.NewRequestWithContext(b.ctx, http.MethodPost, b.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.AddCookie(&http.Cookie{Name: "__Host-vecgate", Value: b.cookie().Value})
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}

func TestAPersonSignsInAndComesBackToWhatTheyWanted(t *testing.T) {
	s := newStage(t)
	b := open(t, s.URL, s.Issuer)
	b.signIn("ben", "/requests/7F3K-92QX")
	if got := b.text(`h1`); !strings.Contains(got, "Ana Petrova") {
		t.Errorf("after the sign-in: %q", got)
	}
	c := b.cookie()
	if !c.HTTPOnly || !c.Secure || c.SameSite != network.CookieSameSiteLax || c.Path != "/" || strings.HasPrefix(c.Domain, ".") {
		t.Errorf("session cookie: %+v", c)
	}
	if b.is(`document.cookie.includes('vecgate')`) {
		t.Error("scripts can read the cookie")
	}
	b.do(chromedp.Click(`form[action="/signout"] button`), chromedp.WaitVisible(`.door`))
	if got := b.text(`h1`); got != "You are signed out" {
		t.Errorf("after signing out: %q", got)
	}
	b.visit("/requests")
	if got := b.text(`h1`); got != "Sign in" {
		t.Errorf("a page after signing out: %q", got)
	}
}

func TestAHeldRequestAppearsByItselfAndIsReleased(t *testing.T) {
	s := newStage(t)
	b := open(t, s.URL, s.Issuer)
	b.signIn("ben", "/requests")
	b.do(chromedp.WaitVisible(`[data-livedot]`))
	b.do(chromedp.Evaluate[chromedp.Void](`window.sameLoad = true`))
	id := s.World.Ask(consoletest.Request(consoletest.Ana, "UPDATE items SET name = '<img src=x onerror=attacked()>' WHERE id = 1", access.Update, "items", 1))
	b.do(chromedp.WaitVisible(`[data-id="` + id + `"]`))
	if !b.is(`window.sameLoad`) {
		t.Error("the page was loaded anew")
	}
	row := b.text(`[data-id="` + id + `"]`)
	for _, want := range []string{"open", "Ana Petrova", "update", "products/public/items", "<img src=x onerror", "your word", "0 of 1"} {
		if !strings.Contains(row, want) {
			t.Errorf("the row lacks %q: %q", want, row)
		}
	}
	b.do(
		chromedp.Click(`[data-id="`+id+`"] a`), chromedp.WaitVisible(`#reason`), chromedp.SendKeys(`#reason`, "looked at it"),
		chromedp.Click(`button[value=approve]`), chromedp.WaitVisible(`.note.good`),
	)
	if r := s.World.Get(id); r.State != access.StateApproved || r.Decisions[0].Reason != "looked at it" {
		t.Errorf("after the approval: %+v", r)
	}
	if got := b.text(`main`); !strings.Contains(got, "Released") || !strings.Contains(got, "looked at it") {
		t.Errorf("the card says %q", got)
	}
	if b.is(`window.hit`) {
		t.Error("a payload ran")
	}
}

func TestARequestThatSomebodyElseDecidesLeavesTheList(t *testing.T) {
	s := newStage(t)
	b := open(t, s.URL, s.Issuer)
	b.signIn("ben", "/requests")
	b.do(chromedp.WaitVisible(`[data-livedot]`), chromedp.WaitVisible(`[data-id="7F3K-92QX"]`))
	if _, err := s.World.Service().Requests.Vote(context.Background(), "7F3K-92QX", &consoletest.Dov, true, ""); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.WaitNotPresent(`[data-id="7F3K-92QX"]`))

	b.visit("/requests/M4TD-08ZR")
	b.do(chromedp.SendKeys(`#reason`, "half a sentence"))
	if _, err := s.World.Service().Requests.Vote(context.Background(), "M4TD-08ZR", &consoletest.Dov, false, "on second thought, no"); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.WaitVisible(`#changed`))
	if !b.is(`document.getElementById('reason').value === 'half a sentence'`) {
		t.Error("what somebody was writing is gone")
	}
}

func TestNobodyReleasesTheirOwnRequest(t *testing.T) {
	s := newStage(t)
	b := open(t, s.URL, s.Issuer)
	b.signIn("cho", "/requests/M4TD-08ZR") // hers
	if b.is(`document.querySelector('button[value=approve]')`) {
		t.Error("her own request has a button")
	}
	if got := b.text(`.decide`); !strings.Contains(got, "nobody releases their own work") {
		t.Errorf("the card does not say why: %q", got)
	}
	r := s.World.Get("M4TD-08ZR")
	if status := b.forge("/requests/M4TD-08ZR", url.Values{"word": {"approve"}, "digest": {r.Digest}}); status != 403 {
		t.Errorf("a forged approval: status %d, want 403", status)
	}
	if after := s.World.Get("M4TD-08ZR"); after.State != access.StateOpen || len(after.Decisions) != len(r.Decisions) {
		t.Errorf("after a forged approval: %s, %d votes", after.State, len(after.Decisions))
	}
}

func TestPlantedPayloadsDoNotRunOnAnyPage(t *testing.T) {
	s := newStage(t)
	b := open(t, s.URL, s.Issuer)
	b.signIn("ben", "/")
	session := "0n3zk8v1t5bq2mxy4c"
	for _, path := range []string{
		"/", "/requests?view=all", "/requests/XSS0-0001", "/requests/7F3K-92QX", "/sessions", "/sessions/0n3zkc90p4ta6s5v2b", "/sessions/" + session,
		"/sessions/" + session + "/replay", "/log", "/log/12", "/log?subject=%22%3E%3Cimg+src%3Dx+onerror%3Dattacked()%3E", "/identities",
		"/policy?subject=%3Cscript%3Eattacked()%3C/script%3E&action=search&on=%3Cimg+src%3Dx+onerror%3Dattacked()%3E", "/targets", "/requests?done=%3Cscript%3Eattacked()%3C/script%3E",
	} {
		b.visit(path)
		if b.is(`window.hit`) || b.is(`document.querySelector('main script, main iframe, main svg, main img')`) {
			t.Errorf("%s: a payload became part of the page", path)
		}
		if b.is(`document.documentElement.scrollWidth > document.documentElement.clientWidth`) {
			t.Errorf("%s: the page is wider than the window", path)
		}
	}
	b.visit("/sessions/" + session + "/replay")
	for _, want := range []string{"[redacted]", "libopenblas-dev", "U+202E", "8 refused", "<img src=x onerror=attacked()>"} {
		if !strings.Contains(b.text(`main`), want) {
			t.Errorf("the replay lacks %q", want)
		}
	}
	b.visit("/log")
	for _, want := range []string{"Intact up to record", "Checkpoint at", "replayed the session"} {
		if !strings.Contains(b.text(`main`), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
}

// asThePage makes an evaluation obey the page's policy, which the developer tools are excused from.
func asThePage(p *runtime.EvaluateParams) {
	no := false
	p.AllowUnsafeEvalBlockedByCSP = &no
}

func TestPagesRefuseToMakeHTMLOfStrings(t *testing.T) {
	s := newStage(t)
	b := openQuietly(t, s.URL, s.Issuer)
	b.signIn("ben", "/")
	for name, attempt := range map[string]string{
		"innerHTML":     `document.querySelector('main').innerHTML = '<p>x</p>'`,
		"eval":          `(0, eval)('1')`,
		"inline script": `(() => { const e = document.createElement('script'); e.textContent = 'window.hit = true'; document.head.append(e); })()`,
	} {
		_, err := chromedp.Run(b.ctx, chromedp.Evaluate[chromedp.Void](`window.hit = undefined; `+attempt, asThePage))
		if err == nil || b.is(`window.hit`) {
			t.Errorf("%s: worked", name)
		}
	}
	// An inline handler and a style attribute are made without a string that Trusted Types guard.
	b.do(chromedp.Evaluate[chromedp.Void](`(() => { const i = document.createElement('p'); i.setAttribute('style', 'color: red'); document.body.append(i); })()`))
	b.until(`true`)
	if !strings.Contains(b.complaints(), "Content Security Policy") {
		t.Errorf("the browser did not complain: %s", b.complaints())
	}
}

func TestEverythingIsReachedByKeyboard(t *testing.T) {
	s := newStage(t)
	b := open(t, s.URL, s.Issuer)
	b.signIn("ben", "/requests")
	press := func(keys ...string) {
		t.Helper()
		for _, k := range keys {
			b.do(chromedp.KeyEvent(k))
		}
	}
	press("j")
	b.until(`document.activeElement.closest('[data-id="7F3K-92QX"]')`)
	press("j", "j", "k")
	b.until(`document.activeElement.closest('[data-id="M4TD-08ZR"]')`)
	press("k", kb.Enter)
	b.until(`document.querySelector('#reason')`)
	// Tab leads from the top of the page to the decision.
	for i := 0; !b.is(`document.activeElement.value === 'approve'`); i++ {
		if i > 60 {
			t.Fatal("60 times Tab did not lead to the decision")
		}
		press(kb.Tab)
	}
	if !b.is(`document.activeElement.matches(':focus-visible') && getComputedStyle(document.activeElement).outlineStyle !== 'none'`) {
		t.Error("the focus cannot be seen")
	}
	press(kb.Enter)
	b.do(chromedp.WaitVisible(`.note.good`))
	if s.World.Get("7F3K-92QX").State != access.StateApproved {
		t.Error("Enter on the button did nothing")
	}
	press("?")
	b.until(`document.getElementById('keys').open`)
	press(kb.Escape)
	b.until(`!document.getElementById('keys').open`)
	press("g", "l")
	b.until(`location.pathname === '/log'`)
	b.do(chromedp.WaitVisible(`h1`))
	press("/")
	b.until(`document.activeElement.name === 'subject'`)
	press("j") // typing is not walking; the tools also type the slash, which a keyboard would not
	b.until(`document.activeElement.value.endsWith('j')`)
}

func TestTheConsoleWorksWithoutScripts(t *testing.T) {
	s := newStage(t)
	b := open(t, s.URL, s.Issuer)
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	b.signIn("ben", "/")
	if got := b.text(`main`); !strings.Contains(got, "Waiting for you") || !strings.Contains(got, "2 min ago") {
		t.Errorf("the overview: %q", got)
	}
	b.do(
		chromedp.Click(`[data-id="7F3K-92QX"] a`), chromedp.WaitVisible(`#reason`), chromedp.SendKeys(`#reason`, "no scripts here"),
		chromedp.Click(`button[value=deny]`), chromedp.WaitVisible(`.note.good`),
	)
	if r := s.World.Get("7F3K-92QX"); r.State != access.StateDenied || r.Decisions[0].Reason != "no scripts here" {
		t.Errorf("after the denial: %+v", r)
	}
	b.visit("/sessions/0n3zk8v1t5bq2mxy4c/replay")
	b.do(chromedp.Click(`.jump a:last-child`))
	if got := b.text(`main`); !strings.Contains(got, "libopenblas-dev") {
		t.Error("the replay shows nothing")
	}
	b.visit("/log?type=vote")
	if got := b.text(`table`); !strings.Contains(got, "Same change as in staging.") || strings.Contains(got, "session.open") {
		t.Errorf("the log, filtered: %q", got)
	}
}

func TestAFormOnAnotherSiteDoesNothing(t *testing.T) {
	s := newStage(t)
	b := openQuietly(t, s.URL, s.Issuer)
	b.signIn("ben", "/")
	digest := s.World.Get("7F3K-92QX").Digest
	// Another port of the same host is the same site, so that the cookie is sent along: the attack at its best.
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<form method="post" action="%s/requests/7F3K-92QX"><input name="word" value="approve"><input name="digest" value="%s"><button id="go">win a prize</button></form>`, s.URL, digest)
	}))
	defer evil.Close()
	b.do(chromedp.Navigate(evil.URL), chromedp.Click(`#go`), chromedp.WaitVisible(`.door`))
	if got := b.text(`main`); !strings.Contains(got, "another site sent this form") {
		t.Errorf("the page says %q", got)
	}
	if r := s.World.Get("7F3K-92QX"); r.State != access.StateOpen || len(r.Decisions) != 0 {
		t.Errorf("after the forged form: %s, %d votes", r.State, len(r.Decisions))
	}
}

func TestAnOperatorCutsSomebodyOffAndTheirPagesEnd(t *testing.T) {
	s := newStage(t)
	victim := openQuietly(t, s.URL, s.Issuer) // its event stream is refused in the end, which the browser reports
	victim.signIn("dov", "/requests")
	victim.do(chromedp.WaitVisible(`[data-livedot]`))
	b := open(t, s.URL, s.Issuer)
	b.signIn("cho", "/identities?person=dov")
	b.do(
		chromedp.Click(`.danger-zone.small summary`), chromedp.WaitVisible(`input[name=reason]`), chromedp.SendKeys(`input[name=reason]`, "left the company"),
		chromedp.Click(`button[value=dov]`), chromedp.WaitVisible(`.note.good`),
	)
	if got := b.text(`.cutoff`); !strings.Contains(got, "dov") || !strings.Contains(got, "left the company") {
		t.Errorf("who is cut off: %q", got)
	}
	victim.until(`document.querySelector('[data-livedot]').hidden`)
	victim.do(chromedp.Navigate(s.URL+"/requests"), chromedp.WaitVisible(`.door`))
	if got := victim.text(`main`); !strings.Contains(got, "cut off") && !strings.Contains(got, "Sign in") {
		t.Errorf("the page of somebody who was cut off: %q", got)
	}
}

func TestPagesFitAPhone(t *testing.T) {
	s := newStage(t)
	b := open(t, s.URL, s.Issuer)
	b.signIn("cho", "/")
	b.do(chromedp.EmulateViewport(390, 844))
	for _, path := range []string{
		"/", "/requests", "/requests/7F3K-92QX", "/requests/XSS0-0001", "/sessions", "/sessions/0n3zk8v1t5bq2mxy4c", "/sessions/0n3zk8v1t5bq2mxy4c/replay",
		"/log", "/log/4", "/identities", "/policy?subject=corp:ana&action=upsert&on=products/public/items", "/targets",
	} {
		b.visit(path)
		if b.is(`document.documentElement.scrollWidth > document.documentElement.clientWidth`) {
			t.Errorf("%s scrolls sideways", path)
		}
		// The answer of a database may be wider than a phone; what the console itself lays out is not.
		if b.is(`[...document.querySelectorAll('.rail nav, .scroll:not(:has(.result))')].some((e) => e.scrollWidth > e.clientWidth)`) {
			t.Errorf("%s hides something beyond the edge of a phone", path)
		}
	}
}
