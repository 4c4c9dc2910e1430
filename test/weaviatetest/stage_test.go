package weaviatetest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/test/get/fetch"
	"github.com/vecgate/vecgate/test/ports"
	"github.com/vecgate/vecgate/test/stage"
	"github.com/vecgate/vecgate/test/world"
)

const policyText = `
allow:
  - {name: everything, who: {groups: [Everything]}, can: ["*"], on: ["docs/**"]}
  - {name: scientists-read, who: {groups: [Vector-Read]}, can: [search, fetch, count, aggregate, schema.read], on: ["docs/**"]}
  - name: scientists-look
    who: {groups: [Vector-Read]}
    can: [scroll]
    on: ["docs/**"]
    when: access.rows > 0 && access.rows <= 50
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

// engineKey is the database's own key, which no caller of the gateway has.
const engineKey = "key-of-the-engine"

// theatre is a Weaviate with nothing in it, and a gateway before it.
type theatre struct {
	*stage.Stage
	python         string
	http, grpc     int // of Weaviate itself
	gateway, calls int // of the gateway's listeners
}

// engine starts a Weaviate and returns its ports.
func engine(t *testing.T, f *fetch.Fetcher) (http, grpc int) {
	t.Helper()
	program, err := f.Weaviate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var port [6]int
	for i := range port {
		if port[i], err = ports.Free(); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	environ := []string{
		"AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED=false", "AUTHENTICATION_APIKEY_ENABLED=true", "AUTHENTICATION_APIKEY_ALLOWED_KEYS=" + engineKey,
		"AUTHENTICATION_APIKEY_USERS=gateway", "AUTHORIZATION_ADMINLIST_ENABLED=true", "AUTHORIZATION_ADMINLIST_USERS=gateway",
		"PERSISTENCE_DATA_PATH=" + filepath.Join(dir, "data"), "DEFAULT_VECTORIZER_MODULE=none", "ENABLE_API_BASED_MODULES=false", "ENABLE_MODULES=backup-filesystem",
		"BACKUP_FILESYSTEM_PATH=" + filepath.Join(dir, "backups"), "CLUSTER_HOSTNAME=node1", "CLUSTER_ADVERTISE_ADDR=127.0.0.1",
		fmt.Sprintf("CLUSTER_GOSSIP_BIND_PORT=%d", port[2]), fmt.Sprintf("CLUSTER_DATA_BIND_PORT=%d", port[3]),
		fmt.Sprintf("RAFT_PORT=%d", port[4]), fmt.Sprintf("RAFT_INTERNAL_RPC_PORT=%d", port[5]), fmt.Sprintf("RAFT_JOIN=node1:%d", port[4]), "RAFT_BOOTSTRAP_EXPECT=1",
		fmt.Sprintf("GRPC_PORT=%d", port[1]), "GO_PROFILING_DISABLE=true", "DISABLE_TELEMETRY=true", "LOG_LEVEL=warning",
	}
	p := stage.Beside(t, dir, environ, program, "--scheme", "http", "--host", "127.0.0.1", "--port", fmt.Sprint(port[0]))
	if err := p.Ready(t.Context(), fmt.Sprintf("http://127.0.0.1:%d/v1/.well-known/ready", port[0])); err != nil {
		t.Fatal(err)
	}
	return port[0], port[1]
}

func start(t *testing.T, protects string) *theatre {
	t.Helper()
	f, err := fetch.New(slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	w := &theatre{}
	if w.python, err = f.WeaviatePython(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.http, w.grpc = engine(t, f)
	w.Stage = stage.Start(t, stage.Options{
		Listeners: []stage.Listener{{Name: "rest", Protocol: "http"}, {Name: "calls", Protocol: "grpc"}},
		Targets: []stage.Target{{
			Name: "docs", Engine: "weaviate", Address: fmt.Sprintf("127.0.0.1:%d", w.http),
			More: fmt.Sprintf(`grpc_address: "127.0.0.1:%d", credential: {password: "${env:ENGINE_KEY}"}`, w.grpc),
		}},
		Environ: []string{"ENGINE_KEY=" + engineKey},
		Policy:  policyText + protects,
	})
	w.gateway, w.calls = port(t, w.Address["rest"]), port(t, w.Address["calls"])
	return w
}

func port(t *testing.T, address string) int {
	t.Helper()
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if _, err := fmt.Sscan(text, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// run runs day.py, direct or through the gateway, and returns what it printed.
func (w *theatre) run(direct bool, token, what string) (string, error) {
	http, grpc := w.gateway, w.calls
	if direct {
		http, grpc, token = w.http, w.grpc, engineKey
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, w.python, filepath.Join(world.Root(), "test/weaviatetest/day.py"), fmt.Sprint(http), fmt.Sprint(grpc), token, what)
	cmd.Dir, cmd.Env = w.Dir, append(os.Environ(), "PYTHONWARNINGS=ignore")
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return string(out) + complaints.String(), err
	}
	return string(out), nil
}

// day returns the lines of a day that ends well.
func (w *theatre) day(t *testing.T, direct bool, token, what string) []string {
	t.Helper()
	out, err := w.run(direct, token, what)
	if err != nil {
		t.Errorf("%s (direct: %v): %v\n%s", what, direct, err, out)
		return []string{""}
	}
	return strings.Split(strings.TrimSpace(out), "\n")
}
