package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestACommandLineThatIsNotUnderstoodIsAnErrorThatSaysWhatToWrite(t *testing.T) {
	for _, c := range []struct {
		args string
		want []string
	}{
		{"nonsense", []string{`vecgate has no command "nonsense"`, "vecgate --help"}},
		{"requsts", []string{`vecgate has no command "requsts"`, "did you mean vecgate requests?"}},
		{"audit shw", []string{`vecgate audit has no command "shw"`, "did you mean vecgate audit show?"}},
		{"requests frobnicate --all", []string{"unknown flag: --all", "vecgate requests --help"}},
		{"requests ls --al", []string{"unknown flag: --al", "vecgate requests ls --help"}},
		{"requests show", []string{"vecgate requests show needs REQUEST", "usage: vecgate requests show REQUEST"}},
		{"requests show a b", []string{`vecgate requests show takes REQUEST, not ["a" "b"]`}},
		{"policy test", []string{"vecgate policy test needs FILE..."}},
		{"whoami me", []string{`vecgate whoami takes no "me"`, "usage: vecgate whoami"}},
		{"audit show 1 2", []string{`vecgate audit show takes no "2"`}},
		{"token nonsense", []string{`vecgate token takes no "nonsense"`}},
		{"check mine.yaml", []string{`vecgate check takes no "mine.yaml"`, "vecgate check --config mine.yaml"}},
		{"serve mine.yaml", []string{"vecgate serve --config mine.yaml"}},
		{"policy explain policy.yaml --subject x", []string{"--action, --on are missing"}},
		{"policy explain policy.yaml --subject x --action search", []string{"--on is missing"}},
	} {
		out, diag, code := line(t, c.args)
		if code != 2 || out != "" {
			t.Errorf("vecgate %s: exit status %d, and printed %q", c.args, code, out)
		}
		for _, want := range c.want {
			if !strings.Contains(diag, want) {
				t.Errorf("vecgate %s: want %q in\n%s", c.args, want, diag)
			}
		}
	}
}

func TestAGroupOfCommandsAloneShowsItsHelp(t *testing.T) {
	for _, args := range []string{"", "requests", "audit", "policy"} {
		if out, diag, code := line(t, args); code != 0 || !strings.Contains(out, "Available Commands:") || diag != "" {
			t.Errorf("vecgate %s: exit status %d\n%s%s", args, code, out, diag)
		}
	}
}

// line runs a command line on a machine that has never seen a gateway.
func line(t *testing.T, args string) (out, diag string, code int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	env := &Env{Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Getenv: func(string) string { return "" }, Now: time.Now, Home: t.TempDir()}
	code = Run(t.Context(), env, strings.Fields(args))
	return stdout.String(), stderr.String(), code
}

func TestMistakesThatNeedNoGatewayNameTheThingAndTheWayOut(t *testing.T) {
	for _, c := range []struct {
		args string
		want []string
	}{
		{"check", []string{"vecgate.yaml: cannot be opened", "name the file with --config"}},
		{"token --scope reed", []string{`--scope "reed" is not known`, "read, write, approve, audit, operate"}},
		{"whoami", []string{"no gateway is named", "vecgate login --gateway URL"}},
		{"login --gateway 127.0.0.1:8443", []string{`"127.0.0.1:8443" is not the URL of a gateway`, "http://127.0.0.1:8443"}},
		{"login --gateway https://sam:hunter2@gw.example.com", []string{"names no user and holds no password"}},
		{"login --gateway http://127.0.0.1:1", []string{"connection refused", "does it listen at http://127.0.0.1:1?", "VECGATE_GATEWAY"}},
		{"audit show", []string{"var/audit holds no audit log", "--dir"}},
	} {
		out, diag, code := line(t, c.args)
		if code != 1 || out != "" {
			t.Errorf("vecgate %s: exit status %d, and printed %q", c.args, code, out)
		}
		for _, want := range c.want {
			if !strings.Contains(diag, want) {
				t.Errorf("vecgate %s: want %q in\n%s", c.args, want, diag)
			}
		}
		if strings.Contains(diag, "hunter2") {
			t.Errorf("vecgate %s tells the password:\n%s", c.args, diag)
		}
	}
}
