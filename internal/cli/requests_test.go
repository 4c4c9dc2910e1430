package cli

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/admin"
	"github.com/vecgate/vecgate/internal/audit"
	"github.com/vecgate/vecgate/internal/console/consoletest"
)

// office is a gateway's API over a made-up world, and somebody's command line.
type office struct {
	t     *testing.T
	world *consoletest.World
	url   string
	who   map[string]access.Subject
}

func newOffice(t *testing.T) *office {
	o := &office{t: t, world: consoletest.New(time.Now), who: map[string]access.Subject{"ana": consoletest.Ana, "ben": consoletest.Ben, "cho": consoletest.Cho}}
	api := &admin.API{Service: o.world.Service(), Log: slog.New(slog.DiscardHandler), Authenticate: func(_ context.Context, token string) (*access.Subject, error) {
		who, ok := o.who[token]
		if !ok {
			return nil, &access.Refusal{Code: access.CodeExpired, Message: "the token has expired"}
		}
		return &who, nil
	}}
	server := httptest.NewServer(api.Handler())
	t.Cleanup(server.Close)
	o.url = server.URL
	return o
}

// as runs a command as somebody: what it printed, what it told, its error.
func (o *office) as(token string, args ...string) (stdout, stderr string, err error) {
	o.t.Helper()
	var out, told bytes.Buffer
	environ := map[string]string{"VECGATE_TOKEN": token, "VECGATE_GATEWAY": o.url}
	env := &Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &told, Getenv: func(n string) string { return environ[n] }, Now: time.Now, Home: o.t.TempDir()}
	root := &cobra.Command{Use: "vecgate", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(newRequestsCommand(env), newSessionsCommand(env))
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&told)
	err = root.ExecuteContext(context.Background())
	return out.String(), told.String(), err
}

func (o *office) want(out string, err error, words ...string) {
	o.t.Helper()
	if err != nil {
		o.t.Errorf("error: %v", err)
	}
	for _, w := range words {
		if !strings.Contains(out, w) {
			o.t.Errorf("no %q in:\n%s", w, out)
		}
	}
}

func (o *office) wantError(err error, message, hint string) {
	o.t.Helper()
	if err == nil || !strings.Contains(err.Error(), message) {
		o.t.Errorf("error %v, want one with %q", err, message)
		return
	}
	if h, ok := errors.AsType[*HintError](err); hint != "" && (!ok || !strings.Contains(h.Hint, hint)) {
		o.t.Errorf("the error %v does not hint at %q", err, hint)
	}
}

func TestAnApproverDecidesOnTheCommandLine(t *testing.T) {
	o := newOffice(t)
	out, _, err := o.as("ben", "requests", "ls", "--waiting")
	o.want(out, err, "7F3K-92QX", "your word", "Ana Petrova", "upsert on products/public/items", "0 of 1", "M4TD-08ZR", "1 of 2")
	out, told, err := o.as("ben", "requests", "show", "7F3K-92QX")
	o.want(out+told, err, "excluded.embedding", "scientists-write-after-approval", "CHG-4127", "vecgate requests approve 7F3K-92QX")
	out, _, err = o.as("ben", "requests", "approve", "7F3K-92QX", "--reason", "looked at it")
	o.want(out, err, "released")
	if r := o.world.Get("7F3K-92QX"); r.State != access.StateApproved || r.Decisions[0].Reason != "looked at it" {
		t.Errorf("after approve: %+v", r)
	}
	_, _, err = o.as("ben", "requests", "deny", "Q0VW-5H2N")
	o.wantError(err, "a no needs a reason", "--reason")
	out, _, err = o.as("ben", "requests", "deny", "Q0VW-5H2N", "-r", "ask for the delta")
	o.want(out, err, "denied")
	out, _, err = o.as("ben", "requests", "ls", "--all", "--json")
	o.want(out, err)
	var list struct {
		Requests []admin.Request `json:"requests"`
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list.Requests) < 6 {
		t.Errorf("--json: %v, %d requests", err, len(list.Requests))
	}
}

func TestRequestsShowShortensEmbeddingsUnlessAskedNotTo(t *testing.T) {
	o := newOffice(t)
	vector := "0.25" + strings.Repeat(",0.5", 300) + ",0.4321"
	id := o.world.Ask(consoletest.Request(consoletest.Ana, `POST /v1/objects {"vector":[`+vector+`],"class":"Items"}`, access.Insert, "items", 1))
	out, told, err := o.as("ben", "requests", "show", id)
	o.want(out+told, err, `,… 302 in all],"class":"Items"}`, "--full shows every number")
	if strings.Contains(out, "0.4321") {
		t.Errorf("not shortened:\n%s", out)
	}
	out, told, err = o.as("ben", "requests", "show", "--full", id)
	o.want(out, err, vector)
	if strings.Contains(told, "shortened") {
		t.Errorf("says that it is shortened, and is not: %s", told)
	}
}

func TestNobodyDecidesOnTheirOwnRequestOnTheCommandLine(t *testing.T) {
	o := newOffice(t)
	boss := consoletest.Ana
	boss.Groups = append(boss.Groups, "Vector-Approve")
	o.who["boss"] = boss
	_, _, err := o.as("boss", "requests", "approve", "7F3K-92QX")
	o.wantError(err, "nobody releases their own work", "another person must decide")
	if o.world.Get("7F3K-92QX").State != access.StateOpen {
		t.Error("the request was decided")
	}
	_, _, err = o.as("ana", "requests", "show", "M4TD-08ZR")
	o.wantError(err, "there is no request M4TD-08ZR, or it is not yours to see", "")
	_, _, err = o.as("stranger", "requests", "ls")
	o.wantError(err, "expired", "vecgate login")
}

func TestSessionsAreListedReplayedAndEnded(t *testing.T) {
	o := newOffice(t)
	id := "0n3zk8v1t5bq2mxy4c"
	out, _, err := o.as("cho", "sessions", "ls")
	o.want(out, err, id, "Ana Petrova", "products")
	out, _, err = o.as("cho", "sessions", "ls", "--past")
	o.want(out, err, "credential-expired", "recommender nightly")
	out, _, err = o.as("ana", "sessions", "ls")
	o.want(out, err, id)
	if strings.Contains(out, "Mallory") {
		t.Error("somebody without a role sees the sessions of others")
	}
	out, _, err = o.as("ben", "sessions", "replay", id)
	o.want(out, err, "#1  allow  search on products/public/items", "libopenblas-dev", "[redacted]", "#3  deny", "42501", "released by B8YJ-31CE", "not released, request G9RN-T410", "package-259")
	if strings.ContainsAny(out, "\x1b\u202e\u2066") {
		t.Error("what a client sent reaches the terminal as it is")
	}
	out, _, err = o.as("ben", "sessions", "replay", id, "--from", "9", "--json")
	o.want(out, err, `"number":9`)
	if strings.Count(out, "\n") != 1 {
		t.Errorf("--from 9 printed %d exchanges", strings.Count(out, "\n"))
	}
	_, _, err = o.as("ana", "sessions", "replay", id)
	o.wantError(err, "may not replay sessions", "console.auditors")
	_, _, err = o.as("ben", "sessions", "kill", id)
	o.wantError(err, "may not end sessions", "")
	out, _, err = o.as("cho", "sessions", "kill", id, "--reason", "odd traffic")
	o.want(out, err, "ended")
	_, _, err = o.as("cho", "sessions", "kill", id)
	o.wantError(err, "is not open", "")
	out, _, err = o.as("cho", "sessions", "show", id)
	o.want(out, err, "ended by Cho Min-ji: odd traffic")
}

func TestAnAuditorReplaysTheLogWithoutAGateway(t *testing.T) {
	auditor, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	dir, ctx := t.TempDir(), context.Background()
	log, err := audit.Open(ctx, audit.Options{Dir: dir, Origin: "vecgate/test", Recipients: []string{auditor.Recipient().String()}, Segment: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	message := func(kind byte, body string) []byte {
		return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(4+len(body))), body...)
	}
	var direction audit.Direction
	statement := []access.Access{{Action: access.Count, Resource: access.Resource{Target: "products", Namespace: "public", Collection: "items"}}}
	for _, step := range []any{
		&audit.Record{Type: audit.TypeSessionOpen, Session: "s1", Subject: "corp:ana", Target: "products"},
		audit.Asked, message('Q', "SELECT count(*) FROM items\x00"),
		&audit.Record{Type: audit.TypeIntent, Session: "s1", Request: "s1.1", Subject: "corp:ana", Effect: access.Allow, Rule: "scientists-read", Accesses: statement},
		audit.Answered, append(message('C', "SELECT 1\x00"), message('Z', "I")...),
		&audit.Record{Type: audit.TypeOutcome, Session: "s1", Request: "s1.1", Subject: "corp:ana", Effect: access.Allow, Rows: 1, Micros: 900},
		&audit.Record{Type: audit.TypeSessionClose, Session: "s1", Subject: "corp:ana"},
	} {
		switch v := step.(type) {
		case *audit.Record:
			if err := log.Append(v).Wait(ctx); err != nil {
				t.Fatal(err)
			}
		case audit.Direction:
			direction = v
		case []byte:
			if err := log.Body("s1.1", direction, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(t.TempDir(), "auditor.key")
	if err := os.WriteFile(key, []byte(auditor.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	o := newOffice(t)
	out, _, err := o.as("", "sessions", "replay", "s1", "--dir", dir, "--identity", key)
	o.want(out, err, "#1  allow  count on products/public/items", "(rule scientists-read)", "SELECT count(*) FROM items", "SELECT 1")
	out, _, err = o.as("", "sessions", "replay", "s1", "--dir", dir)
	o.want(out, err, "#1  allow", "sealed to others")
	if strings.Contains(out, "SELECT count") {
		t.Error("what was said is shown to somebody without a key")
	}
	_, _, err = o.as("", "sessions", "replay", "s2", "--dir", dir, "--identity", key)
	o.wantError(err, "has no session s2", "vecgate audit show")
	_, _, err = o.as("", "sessions", "replay", "s1", "--dir", t.TempDir())
	if err == nil {
		t.Error("an empty directory was replayed")
	}
}
