package attack

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vecgate/vecgate/internal/identity/login"
	"github.com/vecgate/vecgate/test/world"
)

func TestCredentialForOneTargetReleasesNothingOnAnother(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	id, _ := held(t, g, "sam", token(t, g, "sam", login.Ask{}), "UPDATE items SET summary = 'x' WHERE id = 1")
	for name, ask := range map[string]login.Ask{
		"for another target":   {Targets: []string{"elsewhere"}},
		"for reading":          {Scopes: []string{"read"}},
		"for an unknown scope": {Scopes: []string{"nothing"}},
	} {
		status, body := call(t, g, token(t, g, "arno", ask), http.MethodPost, "/api/v1/requests/"+id+"/votes", map[string]any{"approve": true})
		if status == http.StatusOK {
			t.Errorf("a token %s released a request: %s", name, body)
		}
	}
}

// TestRevokedTokenTakesWhatWasMadeOfItAlong: whoever stole a token must not keep what they made of it.
func TestRevokedTokenTakesWhatWasMadeOfItAlong(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	stolen := token(t, g, "sam", login.Ask{})
	gw, err := login.NewGateway(g.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	copied, err := gw.Exchange(t.Context(), stolen, login.Ask{})
	if err != nil {
		t.Fatal(err)
	}
	again, err := gw.Exchange(t.Context(), copied.Token, login.Ask{})
	if err != nil {
		t.Fatal(err)
	}
	secret, err := gw.Exchange(t.Context(), stolen, login.Ask{Secret: true})
	if err != nil {
		t.Fatal(err)
	}
	live := connect(t, g, "sam", copied.Token)
	resp, err := http.PostForm(g.URL+"/revoke", url.Values{"token": {stolen}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if _, err := dial(t, g, "sam", stolen, nil); err == nil {
		t.Error("a revoked token opens a session")
	}
	if _, err := dial(t, g, "sam", copied.Token, nil); err == nil {
		t.Error("a token made of a revoked token opens a session")
	}
	if _, err := dial(t, g, "sam", again.Token, nil); err == nil {
		t.Error("a token made of a token made of a revoked token opens a session")
	}
	if _, err := dial(t, g, secret.Username, secret.Token, nil); err == nil {
		t.Error("a secret made of a revoked token opens a session")
	}
	if _, err := live.Exec(t.Context(), "SELECT 1"); err == nil {
		t.Error("the session of a token made of a revoked token goes on")
	}
}

// TestLeakedSecretIsEndedByWhoeverHasItAndByAnOperator: a secret that was made of a provider's token has no token of ours
// that could be revoked with it.
func TestLeakedSecretIsEndedByWhoeverHasItAndByAnOperator(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	mint := func() *login.Minted {
		id, err := world.SignIn(t.Context(), g.Issuer("sam"), "sam")
		if err != nil {
			t.Fatal(err)
		}
		gw, err := login.NewGateway(g.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		m, err := gw.Exchange(t.Context(), id, login.Ask{Secret: true})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for name, end := range map[string]func(*login.Minted){
		"whoever has it": func(m *login.Minted) {
			gw, err := login.NewGateway(g.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := gw.Revoke(t.Context(), login.Minted{Username: m.Username, Token: m.Token + "x"}); err != nil {
				t.Fatal(err)
			}
			if _, err := dial(t, g, m.Username, m.Token, nil); err != nil {
				t.Errorf("a guess ended a secret: %v", err)
			}
			if err := gw.Revoke(t.Context(), *m); err != nil {
				t.Fatal(err)
			}
			if out, err := as(t, g, "aud", "audit", "show", "--dir", g.AuditDir); err != nil || !strings.Contains(out, "revoked by its holder: the credential "+m.Username) {
				t.Errorf("not on record: %v", err)
			}
		},
		"an operator": func(m *login.Minted) {
			for _, who := range []string{"sam", "arno", "aud"} {
				if out, err := as(t, g, who, "token", "revoke", m.Username, "--reason", "mine now"); err == nil {
					t.Errorf("%s ended a credential: %s", who, out)
				}
			}
			if out, err := as(t, g, "ops", "token", "revoke", m.Username, "--reason", "found in a build log"); err != nil {
				t.Fatal(err, out)
			}
			if out, err := as(t, g, "aud", "audit", "show", "--dir", g.AuditDir); err != nil || !strings.Contains(out, "ended the credential "+m.Username) {
				t.Errorf("not on record: %v", err)
			}
		},
	} {
		leaked, other := mint(), mint()
		live, bystander := connect(t, g, leaked.Username, leaked.Token), connect(t, g, other.Username, other.Token)
		end(leaked)
		if _, err := dial(t, g, leaked.Username, leaked.Token, nil); err == nil {
			t.Errorf("a secret that %s ended opens a session", name)
		}
		if _, err := live.Exec(t.Context(), "SELECT 1"); err == nil {
			t.Errorf("the session of a secret that %s ended goes on", name)
		}
		if _, err := bystander.Exec(t.Context(), "SELECT 1"); err != nil {
			t.Errorf("another secret of the same person ended too: %v", err)
		}
	}
}

func TestSuspendedApproverHearsNothingMore(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	arno := token(t, g, "arno", login.Ask{})
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.URL+"/api/v1/requests/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+arno)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(resp.Body); s.Scan(); {
			lines <- s.Text()
		}
	}()
	if line := <-lines; !strings.HasPrefix(line, "event: alive") {
		t.Fatalf("the stream begins with %q", line)
	}
	out, err := as(t, g, "ops", "whoami")
	if err != nil {
		t.Fatal(err, out)
	}
	status, body := call(t, g, token(t, g, "ops", login.Ask{}), http.MethodPost, "/api/v1/identities/suspend", map[string]string{"who": "corp:arno", "reason": "left"})
	if status != http.StatusNoContent {
		t.Fatalf("suspend: %d %s", status, body)
	}
	held(t, g, "sam", token(t, g, "sam", login.Ask{}), "UPDATE items SET summary = 'secret-words' WHERE id = 1")
	deadline := time.After(5 * time.Second)
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				return
			}
			if strings.Contains(line, "secret-words") {
				t.Error("an approver who was suspended is told what others ask for")
				return
			}
		case <-deadline:
			return
		}
	}
}

func TestOneSubjectCannotHoldStreamsWithoutEnd(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	sam := token(t, g, "sam", login.Ask{})
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	open := 0
	for range 200 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.URL+"/api/v1/requests/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+sam)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			open++
		}
	}
	if open == 200 {
		t.Errorf("%d event streams of one subject are open", open)
	}
}

// TestProviderThatIsNoLongerBelievedEndsItsSessions: taking a provider out of the configuration off-boards everybody it
// vouched for.
func TestProviderThatIsNoLongerBelievedEndsItsSessions(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	conn := connect(t, g, "nightly", token(t, g, "nightly", login.Ask{}))
	read := func() error {
		_, err := conn.Exec(t.Context(), "SELECT name FROM items WHERE id = 1")
		return err
	}
	if err := read(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(g.Config)
	if err != nil {
		t.Fatal(err)
	}
	var kept []string
	for _, line := range strings.Split(string(text), "\n") {
		if !strings.Contains(line, "name: ci, issuer") {
			kept = append(kept, strings.Replace(line, `, owns: ["ci:1001/2002:*"]`, "", 1))
		}
	}
	if err := os.WriteFile(g.Config, []byte(strings.Join(kept, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	nightly, err := world.SignIn(t.Context(), g.Issuer("nightly"), "nightly")
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the provider is gone", func() bool {
		c, err := dial(t, g, "nightly", nightly, nil)
		if err == nil {
			_ = c.Close(t.Context())
		}
		return err != nil
	})
	for range 20 {
		if read() != nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Error("a session goes on whose provider is no longer believed")
}

func TestOneApprovalRunsOnceAlthoughManySessionsSendIt(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	sam := token(t, g, "sam", login.Ask{})
	const sql = "UPDATE items SET summary = coalesce(summary, '') || '+' WHERE id = 11"
	id, done := held(t, g, "sam", sam, sql)
	var all []<-chan error
	for range 7 {
		other, d := held(t, g, "sam", sam, sql)
		if other != id {
			t.Fatalf("the same thing is asked for twice: %s and %s", id, other)
		}
		all = append(all, d)
	}
	all = append(all, done)
	admin := g.Postgres.Database(databaseOf(t, g)).Connect(t)
	var before, after int
	count := func(n *int) {
		if err := admin.QueryRow(t.Context(), "SELECT length(coalesce(summary, '')) FROM items WHERE id = 11").Scan(n); err != nil {
			t.Fatal(err)
		}
	}
	count(&before)
	if out, err := as(t, g, "arno", "requests", "approve", id); err != nil {
		t.Fatal(err, out)
	}
	ran := 0
	for _, d := range all {
		select {
		case err := <-d:
			if err == nil {
				ran++
			}
		case <-time.After(20 * time.Second):
			t.Fatal("a client waits on although its request is decided")
		}
	}
	count(&after)
	if ran != 1 || after != before+1 {
		t.Errorf("one approval: %d clients were told that it ran, and it ran %d times", ran, after-before)
	}
}

// TestApprovalHoldsForWhatTheApproverSaw: what the statement means must not change between the approval and the run.
func TestApprovalHoldsForWhatTheApproverSaw(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	sam := token(t, g, "sam", login.Ask{})
	const sql = "DELETE FROM orders WHERE id = 5 AND '01/02/2026'::date > '2026-01-15'"
	first, _ := held(t, g, "sam", sam, sql)
	conn, err := dial(t, g, "sam", sam, func(c *pgx.ConnConfig) { c.RuntimeParams["datestyle"] = "ISO, DMY" })
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = conn.Exec(context.Background(), sql) }()
	time.Sleep(time.Second)
	out, err := as(t, g, "arno", "requests", "ls", "--state", "open", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Requests []struct{ ID string } `json:"requests"`
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Requests) == 1 {
		t.Errorf("request %s is the same under DateStyle MDY and DMY: 1 February is approved and 2 January runs", first)
	}
}

func databaseOf(t *testing.T, g *world.Gateway) string {
	t.Helper()
	text, err := os.ReadFile(g.Config)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "database: ")
	name, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(name)
}
