package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/internal/vault"
)

func env(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

var secrets = map[string]string{"CONSOLE_SECRET": "c0nsole", "PRODUCTS_PASSWORD": "pr0ducts", "CHANGES_PASSWORD": "chang3s"}

func TestAFileWithEverythingSaidIsRead(t *testing.T) {
	c, faults := LoadWith("testdata/vecgate.yaml", env(secrets))
	if len(faults) > 0 {
		t.Fatalf("faults: %v", faults)
	}
	dir, _ := filepath.Abs("testdata")
	if got, want := string(c.Audit.Dir), filepath.Join(dir, "var/audit"); got != want {
		t.Errorf("audit.dir = %s, want %s", got, want)
	}
	if got, want := c.Audit.Retention, 400*24*time.Hour; got != want {
		t.Errorf("audit.retention = %s, want %s", got, want)
	}
	password, err := c.Targets[0].Credential.Password.Read()
	if err != nil || password.Reveal() != "pr0ducts" {
		t.Errorf("password = %q, %v", password.Reveal(), err)
	}
	if diff := cmp.Diff(map[string][]string{"event_name": {"push", "schedule"}}, c.Identity.Providers[1].Require); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{filepath.Join(dir, "policy.yaml"), filepath.Join(dir, "vecgate.yaml")}, c.Files); diff != "" {
		t.Error(diff)
	}
}

// minimal is the least that a gateway needs; %s marks are replaced by the tests.
const minimal = `
gateway: {name: gw}
listeners: [{name: sql, protocol: postgres, address: "127.0.0.1:6432"}]
console: {address: "127.0.0.1:8443"}
identity: {providers: [{name: corp, issuer: "http://127.0.0.1:5556", audiences: [vecgate]}]}
targets: [{name: products, engine: postgres, address: "/run/postgresql:5432", credential: {user: app}}]
policy: policy.yaml
audit: {self: true}
`

func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "vecgate.yaml")
}

func TestWhatTheFileLeavesOutIsMadeExplicit(t *testing.T) {
	path := write(t, map[string]string{"vecgate.yaml": minimal, "policy.yaml": "allow: []\n"})
	c, faults := LoadWith(path, env(nil))
	if len(faults) > 0 {
		t.Fatalf("faults: %v", faults)
	}
	for name, pair := range map[string][2]any{
		"gateway.url":       {c.Gateway.URL, "http://127.0.0.1:8443"},
		"listeners.auth":    {strings.Join(c.Listeners[0].Auth, " "), "token oauthbearer scram"},
		"listeners.targets": {strings.Join(c.Listeners[0].Targets, " "), "*"},
		"console.sign_in":   {c.Console.SignIn, "corp"},
		"algorithms":        {strings.Join(c.Identity.Providers[0].Algorithms, " "), "ES256 RS256"},
		"providers.id":      {c.Identity.Providers[0].ID, "{sub}"},
		"tokens.lifetime":   {c.Identity.Tokens.Lifetime, 15 * time.Minute},
		"targets.database":  {c.Targets[0].Database, "products"},
		"targets.reads":     {c.Targets[0].Reads, "before-forward"},
		"targets.tls.mode":  {c.Targets[0].TLS.Mode, "off"},
		"targets.hold":      {c.Targets[0].Hold, 10 * time.Minute},
		"limits.message":    {c.Limits.Message, Size(64 << 20)},
		"store.sqlite":      {string(c.Store.SQLite), filepath.Join(filepath.Dir(path), "var/state.db")},
		"log.level":         {c.Log.Level, "info"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s = %v, want %v", name, pair[0], pair[1])
		}
	}
	host, port, err := c.Targets[0].HostPort()
	if host != "/run/postgresql" || port != 5432 || err != nil {
		t.Errorf("HostPort = %s, %d, %v", host, port, err)
	}
}

func TestASealedPasswordIsOpenedWithTheIdentityThatTheFileNames(t *testing.T) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := vault.Seal(vault.NewSecret("hunter2"), identity.Recipient().String())
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(minimal, "user: app", "user: app, password: \""+sealed+"\"", 1) + "secrets: {identity: \"${env:KEYS}/key.txt\"}\n"
	path := write(t, map[string]string{"vecgate.yaml": text, "policy.yaml": "allow: []\n", "key.txt": identity.String() + "\n"})
	c, faults := LoadWith(path, env(map[string]string{"KEYS": "."}))
	if c == nil {
		t.Fatal(faults)
	}
	password, err := c.Targets[0].Credential.Password.Read()
	if err != nil || password.Reveal() != "hunter2" {
		t.Errorf("password = %q, %v", password.Reveal(), err)
	}
	if !slices.Contains(c.Files, filepath.Join(filepath.Dir(path), "key.txt")) {
		t.Errorf("the identity is not among the files to follow: %v", c.Files)
	}
	if shown := fmt.Sprintf("%v %+v %#v", *c, *c, *c); strings.Contains(shown, "hunter2") || strings.Contains(shown, "AGE-SECRET") {
		t.Error("printing the configuration shows a secret")
	}
	other, _ := age.GenerateX25519Identity()
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "key.txt"), []byte(other.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, faults := LoadWith(path, env(map[string]string{"KEYS": "."})); c != nil || !strings.Contains(faults[0].Message, "not sealed to the identity") {
		t.Errorf("with somebody else's identity: %v", faults)
	}
}
