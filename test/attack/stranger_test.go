package attack

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vecgate/vecgate/internal/identity/login"
	"github.com/vecgate/vecgate/test/world"
)

func TestStrangersMakeNoMetricsAndLeaveNoNames(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	before := strings.Count(fetch(t, g.Ops+"/metrics"), "\n")
	for i := range 40 {
		knock(t, g, [][2]string{{"user", "eve"}, {"database", fmt.Sprintf("stranger-%d", i)}}, "guess")
	}
	metrics := fetch(t, g.Ops+"/metrics")
	if strings.Contains(metrics, "stranger-") {
		t.Errorf("a stranger chooses what the metrics are called: %d lines became %d", before, strings.Count(metrics, "\n"))
	}
}

func TestTokenInTheWrongFieldIsKeptNowhere(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	sam := token(t, g, "sam", login.Ask{})
	secret, err := world.SignIn(t.Context(), g.Issuer("sam"), "sam")
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range []string{sam, secret} {
		mark := raw[strings.LastIndexByte(raw, '.')+1:][:40] // of its signature: it is not in a token that was cut either
		head := raw[:200]
		knock(t, g, [][2]string{{"user", "sam"}, {"database", head}}, "x")
		knock(t, g, [][2]string{{"user", head}, {"database", "products"}}, "x")
		knock(t, g, [][2]string{{"user", head}}, "x")
		knock(t, g, [][2]string{{"user", mark}, {"database", mark}}, "x")
		knock(t, g, [][2]string{{"user", "sam"}, {"database", head}}, sam)
		call(t, g, raw+"x", http.MethodGet, "/api/v1/whoami", nil)
		call(t, g, sam, http.MethodGet, "/api/v1/requests?target="+url.QueryEscape(head), nil)
		for name, text := range written(t, g) {
			if strings.Contains(string(text), head[:120]) {
				t.Errorf("%s holds the beginning of a token", name)
			}
			if strings.Contains(string(text), raw[len(raw)-40:]) {
				t.Errorf("%s holds the end of a token", name)
			}
		}
		if strings.Contains(g.Output(), head[:120]) || strings.Contains(g.Output(), raw[len(raw)-40:]) {
			t.Error("the log holds a token")
		}
		if strings.Contains(fetch(t, g.Ops+"/metrics"), head[:120]) {
			t.Error("the metrics hold a token")
		}
	}
}

func TestPasswordOfTheDatabaseIsShownNowhere(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	password := g.Postgres.AppPassword
	conn := connect(t, g, "sam", token(t, g, "sam", login.Ask{}))
	if _, err := conn.Exec(t.Context(), "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	// And when the database does not take it any more.
	if err := os.WriteFile(filepath.Join(g.Dir, "password"), []byte(password+"-wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the wrong password is used", func() bool {
		c, err := dial(t, g, "sam", token(t, g, "sam", login.Ask{}), nil)
		if err == nil {
			_ = c.Close(t.Context())
			return false
		}
		if strings.Contains(err.Error(), password) || strings.Contains(err.Error(), g.Postgres.AppUser) {
			t.Errorf("the client is told: %v", err)
		}
		return true
	})
	for _, path := range []string{"/readyz", "/metrics", "/version"} {
		if strings.Contains(fetch(t, g.Ops+path), password) {
			t.Errorf("%s tells the password", path)
		}
	}
	if ready := fetch(t, g.Ops+"/readyz"); strings.Contains(ready, g.Postgres.AppUser) {
		t.Errorf("anybody is told the name of the account: %s", ready)
	}
	if strings.Contains(g.Output(), password) {
		t.Error("the log holds the password")
	}
	for _, file := range []string{"cmdline", "environ"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", g.PID(), file))
		if err == nil && strings.Contains(string(text), password) {
			t.Errorf("the %s of the process holds the password", file)
		}
	}
	for name, text := range written(t, g) {
		if name != "password" && strings.Contains(string(text), password) {
			t.Errorf("%s holds the password", name)
		}
	}
}

func TestNobodyElseOfTheMachineReadsWhatTheGatewayWrites(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	conn := connect(t, g, "sam", token(t, g, "sam", login.Ask{}))
	if _, err := conn.Exec(t.Context(), "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	_ = token(t, g, "sam", login.Ask{Secret: true})
	g.Terminate()
	for name := range written(t, g) {
		for path := name; path != "."; path = filepath.Dir(path) {
			info, err := os.Stat(filepath.Join(g.Dir, path))
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode().Perm()&0o077 != 0 && path != "audit/log.pub" {
				t.Errorf("%s has mode %s", path, info.Mode())
			}
		}
	}
}

func TestSpellingOfAParameterDoesNotLiftABound(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	g.Terminate()
	text, err := os.ReadFile(g.Config)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), "    engine: postgres\n", "    engine: postgres\n    statement_timeout: 2s\n", 1)
	if err := os.WriteFile(g.Config, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := g.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	sam := token(t, g, "sam", login.Ask{})
	for _, params := range [][][2]string{
		{{"user", "sam"}, {"database", "products"}, {"statement_timeout", "0"}},
		{{"user", "sam"}, {"Database", "products"}, {"statement_timeout", "0"}},
		{{"user", "products"}, {"statement_timeout", "0"}},
		{{"user", "products"}, {"options", "-c statement_timeout=1h"}},
		{{"user", "products"}, {"database", ""}, {"options", "--Statement-Timeout=1h"}},
	} {
		if said := knock(t, g, params, sam); !strings.Contains(said, "at most") {
			t.Errorf("%v: a bound of the target was lifted: %.200q", params, said)
		}
	}
}
