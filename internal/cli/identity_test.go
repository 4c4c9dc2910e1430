package cli

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/vecgate/vecgate/internal/identity"
	"github.com/vecgate/vecgate/internal/identity/devidp"
	"github.com/vecgate/vecgate/internal/identity/identitytest"
	"github.com/vecgate/vecgate/internal/identity/oidc"
)

// desk is somebody's machine, a gateway's identity endpoints and a provider.
type desk struct {
	t       *testing.T
	gateway string
	idp     *devidp.Server
	home    string
	environ map[string]string
	stdin   string
	now     func() time.Time
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	config, err := devidp.Parse([]byte(`
issuers:
  corp:
    users: [{sub: alice, name: Alice Ang, groups: [Vector-Read]}]
    clients: [{id: vecgate-cli, redirects: ["http://127.0.0.1/callback"]}]
  ci:
    clients: [{id: train, secret: s1, sub: svc, claims: {job: train}}]
`))
	if err != nil {
		t.Fatal(err)
	}
	idp, err := devidp.Start(config, "127.0.0.1:0", devidp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { idp.Close() })
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	reg, err := identity.New(identity.Options{
		URL: server.URL, Dir: t.TempDir(), Store: identitytest.NewMemory(), Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Sources: identity.Sources{Providers: []oidc.Config{
			{Name: "corp", Issuer: idp.Issuer("corp"), ClientID: "vecgate-cli", Groups: "groups"},
			{Name: "ci", Issuer: idp.Issuer("ci"), Audiences: []string{"vecgate"}, Kind: "workload", ID: "{sub}:{job}"},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	handler = reg.Handler()
	return &desk{t: t, gateway: server.URL, idp: idp, home: t.TempDir(), environ: map[string]string{}, now: time.Now}
}

// run is one command line: what it printed, what it told, and its error as people see it.
func (d *desk) run(args ...string) (stdout, stderr string, err error) {
	d.t.Helper()
	return d.runTelling(nil, args...)
}

// runTelling also hands over what is written to standard error, as it comes.
func (d *desk) runTelling(tell func(string), args ...string) (string, string, error) {
	d.t.Helper()
	var stdout bytes.Buffer
	stderr := &teller{tell: tell}
	env := &Env{
		Stdin: strings.NewReader(d.stdin), Stdout: &stdout, Stderr: stderr, Getenv: func(name string) string { return d.environ[name] },
		Now: d.now, Home: d.home,
	}
	root := &cobra.Command{Use: "vecgate", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(newLoginCommand(env), newLogoutCommand(env), newWhoamiCommand(env), newTokenCommand(env), newDevCommand(env))
	root.SetArgs(args)
	err := root.ExecuteContext(context.Background())
	return stdout.String(), stderr.String(), err
}

type teller struct {
	mu   sync.Mutex
	b    bytes.Buffer
	tell func(string)
}

func (w *teller) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.b.Write(p)
	if w.tell != nil {
		w.tell(string(p))
	}
	return len(p), nil
}

func (w *teller) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

var link = regexp.MustCompile(`http://\S+/authorize\?\S+`)

// login signs alice in through the address that the command prints.
func (d *desk) login(flags ...string) {
	d.t.Helper()
	var once sync.Once
	_, stderr, err := d.runTelling(func(s string) {
		address := link.FindString(s)
		if address == "" {
			return
		}
		once.Do(func() {
			go func() {
				u, _ := url.Parse(address)
				form := u.Query()
				form.Set("user", "alice")
				u.RawQuery = ""
				if r, err := http.PostForm(u.String(), form); err == nil {
					r.Body.Close()
				}
			}()
		})
	}, append([]string{"login", "--gateway", d.gateway, "--timeout", "20s"}, flags...)...)
	if err != nil {
		d.t.Fatalf("login: %v\n%s", err, stderr)
	}
	if !strings.Contains(stderr, "as Alice Ang (corp:alice) until ") {
		d.t.Errorf("login told %q", stderr)
	}
}

func TestLoginWhoamiTokenLogout(t *testing.T) {
	d := newDesk(t)
	_, _, err := d.run("whoami", "--gateway", d.gateway)
	if err == nil || !strings.Contains(err.Error(), "you are not signed in at "+d.gateway) {
		t.Errorf("whoami before login: %v", err)
	}
	d.login()
	// The gateway of the last login is the one that is meant.
	out, _, err := d.run("whoami")
	if err != nil || !strings.Contains(out, "corp:alice") || !strings.Contains(out, "Vector-Read") {
		t.Errorf("whoami: %v\n%s", err, out)
	}
	out, told, err := d.run("token", "--ticket", "CHG-7", "--scope", "read", "--ttl", "2m", "--target", "products")
	if err != nil || told != "" || strings.Count(out, ".") != 2 || strings.Count(out, "\n") != 1 {
		t.Fatalf("token printed %q, told %q, %v", out, told, err)
	}
	d.environ["VECGATE_ID_TOKEN"] = strings.TrimSpace(out)
	out, _, err = d.run("whoami")
	for _, want := range []string{"CHG-7", "read", "products"} {
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("whoami with the token: %v\n%s", err, out)
		}
	}
	delete(d.environ, "VECGATE_ID_TOKEN")
	out, _, err = d.run("token", "--secret")
	if lines := strings.Split(out, "\n"); err != nil || len(lines) != 3 || !strings.HasPrefix(lines[0], "vg_") || len(lines[1]) < 32 {
		t.Errorf("token --secret printed %q, %v", out, err)
	}
	d.stdin = out
	if _, told, err = d.run("token", "revoke"); err != nil || !strings.Contains(told, "opens nothing any more") {
		t.Errorf("token revoke: %q, %v", told, err)
	}
	d.stdin = "one two three"
	if _, _, err = d.run("token", "revoke"); err == nil {
		t.Error("token revoke takes three words")
	}
	if _, _, err = d.run("token", "revoke", "vg_x"); err == nil || !strings.Contains(err.Error(), "needs a reason") {
		t.Errorf("token revoke without a reason: %v", err)
	}
	if _, told, err = d.run("logout"); err != nil || !strings.Contains(told, "Signed out") {
		t.Errorf("logout: %q, %v", told, err)
	}
	if _, _, err = d.run("token"); err == nil {
		t.Error("token after logout")
	}
}

func TestSignInIsKeptInAPrivateFileAndExpires(t *testing.T) {
	d := newDesk(t)
	d.environ["XDG_CONFIG_HOME"] = filepath.Join(d.home, "xdg")
	d.login("--no-browser")
	files, _ := filepath.Glob(filepath.Join(d.home, "xdg", "vecgate", "login-*.json"))
	if len(files) != 1 {
		t.Fatalf("files %v", files)
	}
	if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s: %v, %v", files[0], info.Mode(), err)
	}
	d.now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	_, _, err := d.run("token")
	if err == nil || !strings.Contains(err.Error(), "expired at") {
		t.Errorf("token two hours later: %v", err)
	}
}

func TestBrowserCommandIsUsed(t *testing.T) {
	d := newDesk(t)
	mark := filepath.Join(d.home, "opened")
	script := filepath.Join(d.home, "browser")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nsleep 0.3\nprintf %s \"$1\" > "+mark+".new && mv "+mark+".new "+mark+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	d.environ["BROWSER"] = script
	d.login()
	// Nobody waits for a browser, and it is not closed on whoever has signed in.
	got, err := os.ReadFile(mark)
	for end := time.Now().Add(30 * time.Second); err != nil && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		got, err = os.ReadFile(mark)
	}
	if err != nil || !strings.HasPrefix(string(got), d.idp.Issuer("corp")+"/authorize?") {
		t.Errorf("the browser got %q, %v", got, err)
	}
}

func TestDeviceLogin(t *testing.T) {
	d := newDesk(t)
	code := regexp.MustCompile(`enter the code (\S+)`)
	_, told, err := d.runTelling(func(s string) {
		if m := code.FindStringSubmatch(s); m != nil {
			go func() {
				if r, err := http.PostForm(d.idp.Issuer("corp")+"/device", url.Values{"user_code": {m[1]}, "user": {"alice"}}); err == nil {
					r.Body.Close()
				}
			}()
		}
	}, "login", "--device", "--gateway", d.gateway, "--timeout", "20s")
	if err != nil || !strings.Contains(told, "corp:alice") {
		t.Errorf("login --device: %v\n%s", err, told)
	}
}

func TestPipelineExchangesTheTokenOfItsCI(t *testing.T) {
	d := newDesk(t)
	d.environ["VECGATE_GATEWAY"] = d.gateway
	raw, _, err := d.run("dev", "token", "--issuer", d.idp.Issuer("ci"), "--client", "train", "--secret", "s1")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(d.home, "id-token")
	if err := os.WriteFile(file, []byte(raw), 0o600); err != nil {
		t.Fatal(err)
	}
	check := func(args ...string) {
		t.Helper()
		out, _, err := d.run(args...)
		if err != nil {
			t.Errorf("%v: %v", args, err)
			return
		}
		d := *d
		d.environ = map[string]string{"VECGATE_GATEWAY": d.gateway, "VECGATE_ID_TOKEN": out}
		if who, _, err := d.run("whoami", "--json"); err != nil || !strings.Contains(who, `"id": "ci:svc:train"`) {
			t.Errorf("%v: whoami %v\n%s", args, err, who)
		}
	}
	check("token", "--id-token", file)
	d.stdin = raw
	check("token", "--id-token", "-", "--scope", "read")
	d.stdin = ""
	d.environ["VECGATE_ID_TOKEN_FILE"] = file
	check("token")
	delete(d.environ, "VECGATE_ID_TOKEN_FILE")
	d.environ["VECGATE_ID_TOKEN"] = raw
	check("token")
	// A token that is refused is never repeated.
	d.environ["VECGATE_ID_TOKEN"] = raw[:len(raw)-10] + "AAAAAAAAA"
	_, told, err := d.run("token")
	if err == nil || !strings.Contains(err.Error(), "token of ci not accepted: its signature is wrong") || strings.Contains(told+err.Error(), raw[20:60]) {
		t.Errorf("a forged token: %v %s", err, told)
	}
}

func TestTokenWithoutAGatewaySaysWhatToDo(t *testing.T) {
	d := newDesk(t)
	_, _, err := d.run("token")
	if err == nil || err.Error() != "no gateway is named" {
		t.Errorf("token: %v", err)
	}
	if hint, ok := err.(*HintError); !ok || !strings.Contains(hint.Hint, "VECGATE_GATEWAY") {
		t.Errorf("hint: %v", err)
	}
	if _, _, err = d.run("token", "--gateway", "http://gw.example.com"); err == nil || !strings.Contains(err.Error(), "without TLS") {
		t.Errorf("token over plain http: %v", err)
	}
}
