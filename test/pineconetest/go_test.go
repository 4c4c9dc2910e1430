package pineconetest

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/test/get/fetch"
	"github.com/vecgate/vecgate/test/pineconetest/standin"
	"github.com/vecgate/vecgate/test/ports"
	"github.com/vecgate/vecgate/test/stage"
	"github.com/vecgate/vecgate/test/world"
)

// secured is a stand-in for Pinecone with a gateway before it whose listeners have TLS, as the client for Go wants it of
// an index: REST and gRPC share the port of the index, and its host has no scheme, as Pinecone writes it.
type secured struct {
	*stage.Stage
	pinecone *standin.Pinecone
	program  string
}

func startSecured(t *testing.T) *secured {
	t.Helper()
	f, err := fetch.New(slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	s := &secured{}
	if s.program, err = f.GoClient(t.Context(), "pinecone"); err != nil {
		t.Fatal(err)
	}
	if s.pinecone, err = standin.Start(key, "docs"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.pinecone.Close(); err != nil {
			t.Error(err)
		}
	})
	dir := t.TempDir()
	cert, private, err := world.SelfSigned("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"gw.pem": cert, "gw.key": private} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	port, err := ports.Free()
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	const (
		credential = `credential: {password: "${env:PINECONE_KEY}", header: api-key}`
		tls        = `tls: {cert: "file:gw.pem", key: "file:gw.key"}`
	)
	s.Stage = stage.Start(t, stage.Options{
		Dir: dir,
		Listeners: []stage.Listener{
			{Name: "control", Protocol: "http", Targets: []string{"prod"}, More: tls},
			{Name: "docs", Protocol: "http", Targets: []string{"prod-docs"}, More: tls, Address: address},
		},
		Targets: []stage.Target{
			{Name: "prod", Engine: "pinecone", Address: s.pinecone.Control, More: credential},
			{Name: "prod-docs", Engine: "pinecone", Address: s.pinecone.Hosts["docs"], More: fmt.Sprintf("index: docs, host: %q, %s", address, credential)},
		},
		Policy: policy, Environ: []string{"PINECONE_KEY=" + key},
	})
	return s
}

// direct is a day at the stand-in, which has no TLS.
func (s *secured) direct(t *testing.T, what string) []string {
	t.Helper()
	return s.lines(t, what, []string{s.program, "-plain", "http://" + s.pinecone.Control, key, what})
}

func (s *secured) through(t *testing.T, token, what string) []string {
	t.Helper()
	return s.lines(t, what, []string{s.program, "https://" + s.Address["control"], token, what})
}

func (s *secured) lines(t *testing.T, what string, program []string) []string {
	t.Helper()
	out, err := run(t.Context(), s.Dir, program, "SSL_CERT_FILE="+filepath.Join(s.Dir, "gw.pem"))
	if err != nil {
		t.Errorf("%s: %v\n%s", what, err, out)
		return []string{""}
	}
	return strings.Split(strings.TrimSpace(out), "\n")
}

func TestDaysOfTheGoClientAtTheStandInLookTheSameThroughTheGateway(t *testing.T) {
	s := startSecured(t)
	want, got := s.direct(t, "everything"), s.through(t, s.As(t, "tess"), "everything")
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("what Tess sees through the gateway differs (-direct +gateway):\n%s", d)
	}
	if len(want) < 30 {
		t.Errorf("the day ended early: %q", want)
	}

	s.direct(t, "prepare")
	sam, arno := s.As(t, "sam"), s.As(t, "arno")
	seen := strings.Join(s.through(t, sam, "look"), "\n")
	for _, bad := range []string{"person3@", "person2@", "-3", ",1.5,"} {
		if strings.Contains(seen, bad) {
			t.Errorf("Sam sees %q:\n%s", bad, seen)
		}
	}
	for _, good := range []string{`"email":"[redacted]"`, `"n":3`, "field email of prod-docs/docs/people is hidden", `["delete all","error","rpc error: code = PermissionDenied`, "drops-are-denied"} {
		if !strings.Contains(seen, good) {
			t.Errorf("Sam does not see %q:\n%s", good, seen)
		}
	}

	done := make(chan []string, 1)
	go func() { done <- s.through(t, sam, "upsert") }()
	id, err := s.First(t.Context(), arno, "/api/v1/requests?state=open")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(s.pinecone.Index("docs").Records("people")); n != 20 {
		t.Errorf("before it was released there are %d", n)
	}
	if err := s.Approve(t.Context(), arno, id); err != nil {
		t.Fatal(err)
	}
	if got := <-done; got[0] != `["upsert",1]` {
		t.Errorf("Sam sees %v", got)
	}
	if n := len(s.pinecone.Index("docs").Records("people")); n != 21 {
		t.Errorf("afterwards there are %d", n)
	}
}
