package browser

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/jackc/pgx/v5"

	"github.com/vecgate/vecgate/test/postgrestest"
	"github.com/vecgate/vecgate/test/world"
)

func connect(t *testing.T, g *world.Gateway, who string) *pgx.Conn {
	t.Helper()
	token, err := g.Token(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), g.DSN(who, token))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) }) // it may have been cut off
	return conn
}

// The whole gateway: a client of PostgreSQL waits while a person decides in the browser.
func TestAPersonReleasesAStatementThatPsqlWaitsFor(t *testing.T) {
	g, err := world.StartGateway(t.Context(), world.GatewayOptions{Postgres: postgrestest.Start(t), Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Stop)
	issuer := g.Issuer("arno")
	arno := open(t, g.URL, issuer)
	arno.signIn("arno", "/requests")
	arno.do(chromedp.WaitVisible(`[data-livedot]`))

	sam := connect(t, g, "sam")
	var email string
	if err := sam.QueryRow(t.Context(), "SELECT email FROM customers WHERE id = 7").Scan(&email); err != nil || email != "[redacted]" {
		t.Fatalf("email is %q, %v", email, err)
	}
	type ended struct {
		rows int64
		err  error
	}
	done := make(chan ended, 1)
	go func() {
		tag, err := sam.Exec(t.Context(), "UPDATE items SET summary = 'A better <script>attacked()</script> summary' WHERE id = 42")
		done <- ended{tag.RowsAffected(), err}
	}()
	arno.do(chromedp.WaitVisible(`.list [data-id]`))
	id, err := chromedp.Run(arno.ctx, chromedp.Evaluate[string](`document.querySelector('.list [data-id]').dataset.id`))
	if err != nil {
		t.Fatal(err)
	}
	select {
	case d := <-done:
		t.Fatalf("the statement did not wait: %+v", d)
	default:
	}

	self := open(t, g.URL, issuer)
	self.signIn("sam", "/requests/"+id)
	if self.is(`document.querySelector('button[value=approve]')`) {
		t.Error("the requester is offered the decision")
	}
	digest, err := chromedp.Run(arno.ctx, chromedp.Evaluate[string](`fetch('/requests/`+id+`').then(r => r.text()).then(t => t.match(/name="digest" value="([0-9a-f]+)"/)[1])`, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	if status := self.forge("/requests/"+id, url.Values{"word": {"approve"}, "digest": {digest}}); status != 403 {
		t.Errorf("a forged approval of one's own request: status %d, want 403", status)
	}

	arno.do(
		chromedp.Click(`.list [data-id] a`), chromedp.WaitVisible(`#reason`), chromedp.SendKeys(`#reason`, "reviewed with the team"),
		chromedp.Click(`button[value=approve]`), chromedp.WaitVisible(`.note.good`),
	)
	select {
	case d := <-done:
		if d.err != nil || d.rows != 1 {
			t.Fatalf("the released statement: %d rows, %v", d.rows, d.err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the client still waits after the release")
	}
	arno.visit("/requests/" + id)
	if got := arno.text(`main`); !strings.Contains(got, "it has run, once") || !strings.Contains(got, "reviewed with the team") {
		t.Errorf("the card afterwards: %q", got)
	}

	arno.visit("/sessions")
	arno.do(chromedp.Click(`td a[data-row]`), chromedp.WaitVisible(`a.primary`), chromedp.Click(`a.primary`), chromedp.WaitVisible(`.replay`))
	replayed := arno.text(`main`)
	for _, want := range []string{"sam@example.com", "SELECT email FROM customers", "[redacted]", "A better <script>", "UPDATE 1", "released", id} {
		if !strings.Contains(replayed, want) {
			t.Errorf("the replay lacks %q:\n%s", want, replayed)
		}
	}
	arno.visit("/log")
	if got := arno.text(`main`); !strings.Contains(got, "Intact up to record") || !strings.Contains(got, "replayed the session") {
		t.Errorf("the log: %q", got)
	}
	first := arno.text(`table a[data-row]`)
	for tries := 0; ; tries++ { // the newest record is signed within about a second
		arno.visit("/log/" + first)
		if arno.is(`document.querySelector('.proof')`) {
			break
		}
		if tries > 50 {
			t.Fatalf("record %s has no proof: %s", first, arno.text(`main`))
		}
		time.Sleep(200 * time.Millisecond)
	}
	if arno.is(`window.hit`) {
		t.Error("a payload ran")
	}
	for _, path := range []string{"/", "/identities", "/policy?subject=corp:sam&groups=Vector-Read&action=upsert&on=products/public/items", "/targets"} {
		arno.visit(path)
	}

	oscar := open(t, g.URL, issuer)
	oscar.signIn("ops", "/sessions")
	oscar.do(
		chromedp.Click(`td a[data-row]`), chromedp.WaitVisible(`details.danger-zone`), chromedp.Click(`details.danger-zone summary`),
		chromedp.WaitVisible(`#why`), chromedp.SendKeys(`#why`, "odd traffic"), chromedp.Click(`details button.danger`), chromedp.WaitVisible(`.note.good`),
	)
	if _, err := sam.Exec(t.Context(), "SELECT 1"); err == nil {
		t.Error("the session goes on after it was ended")
	}
	if out, err := g.Vecgate(t.Context(), nil, "audit", "verify", "--live", "--dir", g.AuditDir); err != nil {
		t.Errorf("the log afterwards: %v\n%s", err, out)
	}
}
