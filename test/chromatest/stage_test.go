package chromatest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/identity/devidp"
	"github.com/vecgate/vecgate/internal/identity/login"
	"github.com/vecgate/vecgate/test/get/fetch"
	"github.com/vecgate/vecgate/test/ports"
	"github.com/vecgate/vecgate/test/world"
)

const policyText = `
allow:
  - {name: everything, who: {groups: [Everything]}, can: ["*"], on: ["docs/**"]}
  - {name: scientists-read, who: {groups: [Vector-Read]}, can: [search, fetch, count, schema.read], on: ["docs/**"]}
  - name: scientists-look
    who: {groups: [Vector-Read]}
    can: [scroll]
    on: ["docs/**"]
    when: access.rows > 0 && access.rows <= 100
  - name: scientists-write-after-approval
    who: {groups: [Vector-Read]}
    can: [upsert]
    on: ["docs/**"]
    after: {approval: {by: {groups: [Vector-Approve]}, persons: 1, within: 15m}}
deny:
  - {name: drops-are-denied, who: {groups: [Vector-Read]}, can: [schema.drop], on: ["docs/**"]}
protect:
  - name: personal-data
    fields: ["**.email"]
    mask: redact
    except: {groups: [Everything]}
  - name: embeddings-stay-inside
    vectors: withhold
    except: {groups: [Everything]}
`

// stage is a Chroma with nothing in it behind a gateway.
type stage struct {
	python  string
	url     string // of Chroma itself
	gateway string // of the gateway's listener
	api     string // of its console and API
	dir     string
	idp     *devidp.Server
}

// process runs until the test ends.
func process(t *testing.T, dir string, argv ...string) *bytes.Buffer {
	t.Helper()
	out := &bytes.Buffer{}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = dir
	var mu sync.Mutex
	w := writer(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return out.Write(p)
	})
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		ended := make(chan struct{})
		go func() { defer close(ended); _ = cmd.Wait() }()
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			_ = cmd.Process.Kill() // Chroma does not listen
			<-ended
		}
		if t.Failed() {
			mu.Lock()
			defer mu.Unlock()
			text := out.String()
			t.Logf("%s:\n%s", filepath.Base(argv[0]), text[max(0, len(text)-2000):])
		}
	})
	return out
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func ready(t *testing.T, url string) {
	t.Helper()
	client := http.Client{Timeout: 2 * time.Second}
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		resp, err := client.Get(url)
		if err != nil {
			continue
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return
		}
	}
	t.Fatalf("%s does not answer", url)
}

func start(t *testing.T) *stage {
	t.Helper()
	return startUnder(t, policyText)
}

// startUnder is start with another policy.
func startUnder(t *testing.T, policy string) *stage {
	t.Helper()
	f, err := fetch.New(slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	c := &stage{dir: t.TempDir()}
	if c.python, err = f.Chroma(t.Context()); err != nil {
		t.Fatal(err)
	}
	binary, err := world.Build()
	if err != nil {
		t.Fatal(err)
	}
	var port [4]int
	for i := range port {
		if port[i], err = ports.Free(); err != nil {
			t.Fatal(err)
		}
	}
	c.url = fmt.Sprintf("http://127.0.0.1:%d", port[0])
	c.gateway = fmt.Sprintf("http://127.0.0.1:%d", port[1])
	c.api = fmt.Sprintf("http://127.0.0.1:%d", port[2])
	process(t, c.dir, c.python, filepath.Join(filepath.Dir(c.python), "chroma"), "run", "--path", filepath.Join(c.dir, "data"), "--host", "127.0.0.1", "--port", fmt.Sprint(port[0]))
	if c.idp, err = devidp.Start(world.People(), "127.0.0.1:0", devidp.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.idp.Close() })
	config := fmt.Sprintf(`gateway: {name: demo, url: %q, data: var}
listeners:
  - {name: rest, protocol: http, address: "127.0.0.1:%d"}
console: {address: "127.0.0.1:%d", sign_in: corp, auditors: {groups: [Auditors]}, operators: {groups: [Operators]}}
ops: {address: "127.0.0.1:%d"}
identity:
  providers:
    - {name: corp, issuer: %q, audiences: [vecgate-cli, vecgate-console], kind: person, id: "{sub}", display: "{email}", client_id: vecgate-cli}
  tokens: {lifetime: 1h, max_lifetime: 2h}
targets:
  - {name: docs, engine: chroma, address: "127.0.0.1:%d", tls: {mode: "off"}, credential: {}}
policy: policy.yaml
audit: {dir: audit, self: true}
store: {sqlite: var/state.db}
limits: {drain: 1s}
`, c.api, port[1], port[2], port[3], c.idp.Issuer(world.Corp), port[0])
	for name, text := range map[string]string{"vecgate.yaml": config, "policy.yaml": policy} {
		if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { // after the gateway ended
		if out, err := exec.Command(binary, "audit", "verify", "--dir", filepath.Join(c.dir, "audit")).CombinedOutput(); err != nil {
			t.Errorf("the audit log does not verify: %v\n%s", err, out)
		}
	})
	process(t, c.dir, binary, "serve", "-c", filepath.Join(c.dir, "vecgate.yaml"))
	ready(t, fmt.Sprintf("http://127.0.0.1:%d/readyz", port[3]))
	return c
}

// token signs somebody in and exchanges that for a token of the gateway.
func (c *stage) token(t *testing.T, who string) string {
	t.Helper()
	id, err := world.SignIn(t.Context(), c.idp.Issuer(world.Corp), who)
	if err != nil {
		t.Fatal(err)
	}
	gw, err := login.NewGateway(c.api, nil)
	if err != nil {
		t.Fatal(err)
	}
	minted, err := gw.Exchange(t.Context(), id, login.Ask{})
	if err != nil {
		t.Fatal(err)
	}
	return minted.Token
}

// run runs day.py and returns what it printed.
func (c *stage) run(url, token, what string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.python, filepath.Join(world.Root(), "test/chromatest/day.py"), url, token, what)
	cmd.Dir = c.dir
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return string(out) + complaints.String(), err
	}
	return string(out), nil
}

// day returns the lines of a day that ends well.
func (c *stage) day(t *testing.T, url, token, what string) []string {
	t.Helper()
	out, err := c.run(url, token, what)
	if err != nil {
		t.Errorf("%s at %s: %v\n%s", what, url, err, out)
		return []string{""}
	}
	return strings.Split(strings.TrimSpace(out), "\n")
}

// attempt returns the complaint of one that does not.
func (c *stage) attempt(t *testing.T, url, token, what string) string {
	t.Helper()
	out, err := c.run(url, token, what)
	if err == nil {
		t.Errorf("%s succeeded: %s", what, out)
	}
	return out
}

// call asks the API.
func (c *stage) call(t *testing.T, token, method, path, body string) map[string]any {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.api+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %s %v %v", method, path, resp.Status, answer, err)
	}
	return answer
}

// first waits until a list of the API has something, and returns the id of the first thing.
func (c *stage) first(t *testing.T, token, path string) string {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		for _, v := range c.call(t, token, http.MethodGet, path, "") {
			list, _ := v.([]any)
			for _, item := range list {
				if r, ok := item.(map[string]any); ok {
					id, _ := r["id"].(string)
					return id
				}
			}
		}
	}
	t.Fatalf("%s stays empty", path)
	return ""
}

func (c *stage) approve(t *testing.T, token, id string) {
	t.Helper()
	c.call(t, token, http.MethodPost, "/api/v1/requests/"+id+"/votes", `{"approve":true,"reason":"looked at it"}`)
}
