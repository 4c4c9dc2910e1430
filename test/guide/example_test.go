package guide

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vecgate/vecgate/test/world"
)

func TestTheExampleConfigurationIsSound(t *testing.T) {
	binary, err := world.Build()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key, err := world.SelfSigned("vecgate.example.com")
	if err != nil {
		t.Fatal(err)
	}
	for name, from := range map[string]string{"vecgate.yaml": "examples/vecgate.yaml", "policy.yaml": "examples/policy/quickstart.yaml"} {
		text, err := os.ReadFile(filepath.Join(world.Root(), from))
		if err != nil {
			t.Fatal(err)
		}
		put(t, dir, name, string(text))
	}
	for name, text := range map[string]string{
		"tls/server.crt": string(cert), "tls/server.key": string(key), "tls/db-ca.crt": string(cert), "secrets/console": "x", "secrets/products": "x",
	} {
		put(t, dir, name, text)
	}
	out, err := exec.Command(binary, "check", "-c", filepath.Join(dir, "vecgate.yaml")).CombinedOutput()
	if err != nil || strings.Count(string(out), "\n") != 1 {
		t.Errorf("vecgate check: %v\n%s", err, out)
	}
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
