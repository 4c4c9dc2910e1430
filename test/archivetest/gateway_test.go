package archivetest

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vecgate/vecgate/test/qdranttest/standin"
	"github.com/vecgate/vecgate/test/stage"
)

const policyText = `
allow:
  - {name: everything, who: {groups: [Everything]}, can: ["*"], on: ["docs/**"]}
`

// engine is a stand-in for Qdrant, which asks for no credential.
func engine(t *testing.T) *standin.Server {
	t.Helper()
	e, err := standin.Start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// gateway starts one on what is in dir.
func gateway(t *testing.T, dir string, e *standin.Server, keys string) (*stage.Stage, error) {
	t.Helper()
	s, err := stage.Open(t.Context(), stage.Options{
		Dir: dir, Policy: policyText, Audit: keys, Listeners: []stage.Listener{{Name: "rest", Protocol: "http"}},
		Targets: []stage.Target{{Name: "docs", Engine: "qdrant", Address: e.REST, More: `grpc_address: "` + e.GRPC + `"`}},
	})
	if err == nil {
		t.Cleanup(func() {
			s.Close()
			if t.Failed() {
				t.Log(s.Process.Output())
			}
		})
	}
	return s, err
}

func mustStart(t *testing.T, dir string, e *standin.Server, keys string) *stage.Stage {
	t.Helper()
	s, err := gateway(t, dir, e, keys)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ask sends requests through the gateway, and returns the status of the last answer.
func ask(t *testing.T, s *stage.Stage, token string, n int) int {
	t.Helper()
	status := 0
	for range n {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Address["rest"]+"/collections", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("api-key", token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		status = resp.StatusCode
	}
	return status
}

// watched is what /readyz, or /metrics, says.
func watched(t *testing.T, s *stage.Stage, path string) (string, int) {
	t.Helper()
	resp, err := http.Get(s.Ops + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), resp.StatusCode
}

// until waits for something that is observed.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(90 * time.Second); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 90 seconds", what)
		}
	}
}

// records is how many records are archived, as the metrics say.
func records(t *testing.T, s *stage.Stage) (n int) {
	t.Helper()
	text, _ := watched(t, s, "/metrics")
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, "vecgate_archive_records "); ok {
			var f float64
			if _, err := fmt.Sscan(value, &f); err != nil {
				t.Fatal(err)
			}
			return int(f)
		}
	}
	t.Fatalf("no metric says how many records are archived:\n%s", text)
	return 0
}

func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(to, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			err = os.Chmod(path, 0o600)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// vecgate runs the command line, and returns what it prints and its exit status.
func vecgate(t *testing.T, s *stage.Stage, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command(s.Binary, args...)
	cmd.Dir = s.Dir
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func TestAGatewayThatWasPutBackDoesNotStart(t *testing.T) {
	e, dir, keys := engine(t), t.TempDir(), "archive: {directory: copies, every: 1s}"
	if s, err := gateway(t, dir, e, keys); err == nil {
		t.Fatal("a gateway started although the directory of its archive is not there")
	} else if !strings.Contains(err.Error(), "mount the disk") {
		t.Errorf("without the archive's directory it says %v", err)
	} else {
		s.Close()
	}
	if err := os.Mkdir(filepath.Join(dir, "copies"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := mustStart(t, dir, e, keys)
	if status := ask(t, s, s.As(t, "tess"), 20); status != http.StatusOK {
		t.Fatalf("a request is answered with %d", status)
	}
	s.Close() // in good order: everything is archived
	out, status := vecgate(t, s, "audit", "verify", "--archive", "vecgate.yaml", "--key", "audit/log.pub", "--dir", "audit")
	if status != 0 || strings.Count(out, "in order") != 3 || strings.Contains(out, "not signed") {
		t.Fatalf("audit verify --archive ends with %d:\n%s", status, out)
	}
	old := t.TempDir()
	copyDir(t, filepath.Join(dir, "audit"), filepath.Join(old, "audit"))
	copyDir(t, filepath.Join(dir, "var"), filepath.Join(old, "var"))

	s = mustStart(t, dir, e, keys)
	had := records(t, s)
	ask(t, s, s.As(t, "tess"), 20)
	until(t, "what was asked is archived", func() bool { return records(t, s) > had+40 })
	if text, code := watched(t, s, "/readyz"); code != http.StatusOK || !strings.Contains(text, "audit archive: ") {
		t.Errorf("/readyz says %d %s", code, text)
	}
	if err := syscall.Kill(s.Process.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.Close()

	// The archive can be read without us, by somebody else's code.
	out, status = vecgate(t, s, "audit", "verify", "--archive", "vecgate.yaml", "--key", "audit/log.pub", "--dir", "audit", "--copy", "restored")
	if status != 0 {
		t.Fatalf("audit verify --archive ends with %d after the gateway was killed:\n%s", status, out)
	}
	second := exec.Command("go", "run", "../verifier", "-key", filepath.Join(dir, "audit", "log.pub"), filepath.Join(dir, "restored", "tiles"))
	if out, err := second.CombinedOutput(); err != nil {
		t.Errorf("the second opinion: %v\n%s", err, out)
	}

	// The whole machine is put back: the log, and all that the gateway remembers itself.
	lost := t.TempDir()
	for _, name := range []string{"audit", "var"} {
		if err := os.Rename(filepath.Join(dir, name), filepath.Join(lost, name)); err != nil {
			t.Fatal(err)
		}
		copyDir(t, filepath.Join(old, name), filepath.Join(dir, name))
	}
	if _, err := gateway(t, dir, e, keys); err == nil || !strings.Contains(err.Error(), "rollback detected") {
		t.Fatalf("a gateway that was put back starts with %v", err)
	}
	// With an empty directory too.
	if err := os.RemoveAll(filepath.Join(dir, "audit")); err != nil {
		t.Fatal(err)
	}
	if _, err := gateway(t, dir, e, keys); err == nil || !strings.Contains(err.Error(), "restore it from there") {
		t.Fatalf("a gateway that lost its log starts with %v", err)
	}

	// The ways out. The log is restored from the archive, with its signing key from the backup ...
	if err := os.Rename(filepath.Join(dir, "restored"), filepath.Join(dir, "audit")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"signer.key", "self.key"} {
		b, err := os.ReadFile(filepath.Join(lost, "audit", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "audit", name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s = mustStart(t, dir, e, keys)
	if status := ask(t, s, s.As(t, "tess"), 3); status != http.StatusOK {
		t.Errorf("after the log was restored, a request is answered with %d", status)
	}
	s.Close()
	if out, status := vecgate(t, s, "audit", "verify", "--archive", "vecgate.yaml", "--key", "audit/log.pub", "--dir", "audit"); status != 0 {
		t.Fatalf("audit verify --archive ends with %d after the log was restored:\n%s", status, out)
	}
	// ... or it is kept as evidence, and another one begins.
	if err := os.Rename(filepath.Join(dir, "audit"), filepath.Join(dir, "evidence")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "var", "checkpoint"), filepath.Join(dir, "evidence", "remembered")); err != nil {
		t.Fatal(err)
	}
	keys = "origin: vecgate/demo/2, " + keys
	s = mustStart(t, dir, e, keys)
	ask(t, s, s.As(t, "tess"), 3)
	s.Close()
	if out, status := vecgate(t, s, "audit", "verify", "--archive", "vecgate.yaml", "--key", "audit/log.pub"); status != 0 || !strings.Contains(out, "vecgate/demo/2: in order") {
		t.Fatalf("audit verify --archive of the new log ends with %d:\n%s", status, out)
	}
}

func TestRequestsAreRefusedWhileAnS3ArchiveIsTooFarBehind(t *testing.T) {
	server, e, dir := start(t, true), engine(t), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "s3.key"), []byte(secretKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	keys := fmt.Sprintf("archive: {every: 1s, require: {lag: 2s}, s3: {endpoint: %q, bucket: %s, prefix: logs, region: %s, path_style: true, access_key: %s, secret_key: 'file:s3.key', lock: {mode: governance, keep: 400d}}}",
		"http://"+server.address, bucket, region, accessKey)
	s := mustStart(t, dir, e, keys)
	token := s.As(t, "tess")
	until(t, "requests are taken once the archive was asked", func() bool { return ask(t, s, token, 1) == http.StatusOK })
	had := records(t, s)
	ask(t, s, token, 5)
	until(t, "what was asked is archived", func() bool { return records(t, s) >= had+10 })

	server.process.Stop()
	until(t, "requests are refused without the archive", func() bool { return ask(t, s, token, 1) != http.StatusOK })
	if text, code := watched(t, s, "/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(text, "audit archive") {
		t.Errorf("/readyz says %d %s", code, text)
	}
	server.run(t)
	until(t, "requests are taken again", func() bool { return ask(t, s, token, 1) == http.StatusOK })
	until(t, "the gateway is ready again", func() bool {
		_, code := watched(t, s, "/readyz")
		return code == http.StatusOK
	})
	s.Close()
	out, status := vecgate(t, s, "audit", "verify", "--archive", "vecgate.yaml", "--key", "audit/log.pub", "--dir", "audit")
	if status != 0 || strings.Count(out, "in order") != 3 {
		t.Errorf("audit verify --archive ends with %d:\n%s", status, out)
	}

	// Nothing that was written anywhere, but for the file that holds it, has the credential.
	if text := s.Process.Output() + out; strings.Contains(text, secretKey) {
		t.Error("the credential of the archive was printed")
	}
	for _, root := range []string{dir, filepath.Join(server.dir, "objects"), filepath.Join(server.dir, "versions")} {
		err := filepath.WalkDir(root, func(path string, f fs.DirEntry, err error) error {
			if err != nil || f.IsDir() || f.Name() == "s3.key" {
				return err
			}
			b, err := os.ReadFile(path)
			if bytes.Contains(b, []byte(secretKey)) {
				t.Errorf("%s has the credential of the archive", path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
