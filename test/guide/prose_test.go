package guide

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/vecgate/vecgate/test/world"
)

var inline = regexp.MustCompile("`(vecgate [a-z][^`]*)`|`(make [a-z]+)`")

// TestCommandsInSentencesExist looks at what the walk cannot execute: commands in sentences and in the other documents.
func TestCommandsInSentencesExist(t *testing.T) {
	binary, err := world.Build()
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile(filepath.Join(world.Root(), "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, glob := range []string{"README.md", "docs/*.md", "docs/guide/*.md", "docs/reference/*.md"} {
		files, err := filepath.Glob(filepath.Join(world.Root(), glob))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range inline.FindAllStringSubmatch(string(text), -1) {
				found++
				if target, ok := strings.CutPrefix(m[2], "make "); ok {
					if !strings.Contains(string(makefile), "\n"+target+":") {
						t.Errorf("%s: there is no make %s", filepath.Base(file), target)
					}
				} else if err := known(binary, m[1]); err != nil {
					t.Errorf("%s: `%s`: %v", filepath.Base(file), m[1], err)
				}
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d commands were found", found)
	}
}

// known asks the binary whether it has the command, and the flags that are named with it.
func known(binary, command string) error {
	words := strings.Fields(command)[1:]
	var path, flags []string
	for _, w := range words {
		w = strings.TrimLeft(w, "[")
		switch {
		case strings.HasPrefix(w, "--"):
			name, _, _ := strings.Cut(strings.TrimRight(w, "],"), "=")
			flags = append(flags, name)
		case len(flags) == 0 && regexp.MustCompile(`^[a-z]+$`).MatchString(w) && len(path) < 2:
			path = append(path, w)
		}
	}
	out, err := exec.Command(binary, append(path, "--help")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	usage := regexp.MustCompile(`(?m)^  vecgate ` + strings.Join(path, " ") + `( |$)`)
	if !usage.Match(out) {
		return fmt.Errorf("there is no such command")
	}
	for _, f := range flags {
		if !regexp.MustCompile(regexp.QuoteMeta(f) + `( |$)`).Match(out) {
			return fmt.Errorf("it has no flag %s", f)
		}
	}
	return nil
}

// TestTheProviderOfTheGuideReadsAsConfiguration puts the part of a configuration that getting started shows for a company's own
// provider where it says, and has the result checked.
func TestTheProviderOfTheGuideReadsAsConfiguration(t *testing.T) {
	binary, err := world.Build()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := map[string]string{}
	for _, b := range read(t, "getting-started.md") {
		if b.Title != "" {
			files[b.Title] = b.Text + "\n"
		}
	}
	whole, part := files["vecgate.yaml"], files["provider.yaml"]
	begin, end := strings.Index(whole, "    - name: corp\n"), strings.Index(whole, "\ntargets:")
	if begin < 0 || end < begin || part == "" {
		t.Fatal("getting started does not show what it says")
	}
	policy, err := os.ReadFile(filepath.Join(world.Root(), "examples/policy/quickstart.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := world.SelfSigned("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"vecgate.yaml": whole[:begin] + part + whole[end:], "policy.yaml": string(policy), "console-secret": "x", "db-password": "x",
		"server.crt": string(cert), "server.key": string(key), "db-ca.pem": string(cert),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(binary, "check")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "DB_HOST=127.0.0.1", "DB_PORT=5432", "DB_NAME=products")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("vecgate check: %v\n%s", err, out)
	}
	// The files where the systemd unit lets the gateway write.
	for _, b := range read(t, "operations.md") {
		if b.Title != "systemd.yaml" {
			continue
		}
		text := whole
		for line := range strings.SplitSeq(b.Text, "\n") {
			key, _, _ := strings.Cut(line, ":")
			text = regexp.MustCompile("(?m)^"+key+":.*\n").ReplaceAllString(text, "")
			text += line + "\n"
		}
		if err := os.WriteFile(filepath.Join(dir, "vecgate.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(binary, "check")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "DB_HOST=127.0.0.1", "DB_PORT=5432", "DB_NAME=products")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("vecgate check with systemd's directories: %v\n%s", err, out)
		}
	}
	// The way without TLS that the guide names beside it.
	off := strings.Replace(whole, `tls: {mode: verify-full, ca: "file:db-ca.pem"}`, `tls: {mode: "off"}`, 1)
	if off == whole {
		t.Fatal("getting started does not show the TLS of the database as it says")
	}
	if err := os.WriteFile(filepath.Join(dir, "vecgate.yaml"), []byte(off), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(binary, "check")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "DB_HOST=127.0.0.1", "DB_PORT=5432", "DB_NAME=products")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("vecgate check without TLS to the database: %v\n%s", err, out)
	}
}
