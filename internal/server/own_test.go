package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vecgate/vecgate/internal/config"
)

// owner is a server with files in a directory, and nothing else.
func owner(dir, state string) *Server {
	return &Server{config: &config.Config{
		Gateway: config.Gateway{Data: config.Path(filepath.Join(dir, "var"))}, Store: config.Store{SQLite: config.Path(state)},
	}}
}

func TestOneProcessHasTheFilesOfAGateway(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	first := owner(dir, filepath.Join(dir, "state.db"))
	if err := first.own(); err != nil {
		t.Fatal(err)
	}
	for what, second := range map[string]*Server{
		"gateway.data": owner(dir, filepath.Join(other, "state.db")),
		"store.sqlite": owner(other, filepath.Join(dir, "state.db")),
	} {
		if err := second.own(); err == nil || !strings.HasPrefix(err.Error(), what+": another gateway runs with "+dir) {
			t.Errorf("%s: %v", what, err)
		}
		second.close()
	}
	first.close()
	again := owner(dir, filepath.Join(dir, "state.db"))
	if err := again.own(); err != nil {
		t.Errorf("after the first ended: %v", err)
	}
	again.close()
}

// Somebody else on the machine must not be able to put token keys of their own where the gateway looks for them.
func TestADirectoryThatEverybodyCanWriteIntoIsRefused(t *testing.T) {
	for _, which := range []string{"var", "state", "audit"} {
		dir := t.TempDir()
		for _, name := range []string{"var", "state", "audit"} {
			if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		open := filepath.Join(dir, which)
		if err := os.Chmod(open, 0o777); err != nil {
			t.Fatal(err)
		}
		s := owner(dir, filepath.Join(dir, "state", "state.db"))
		s.config.Audit.Dir = config.Path(filepath.Join(dir, "audit"))
		if err := s.own(); err == nil || !strings.Contains(err.Error(), "chmod o-w "+open) {
			t.Errorf("%s: %v", which, err)
		}
		s.close()
		if err := os.Chmod(open, 0o777|os.ModeSticky); err != nil { // as a file system in memory is mounted
			t.Fatal(err)
		}
		if s = owner(dir, filepath.Join(dir, "state", "state.db")); s.own() != nil {
			t.Errorf("%s: others can replace nothing there, and it was refused", which)
		}
		s.close()
	}
}

func TestALockThatIsALinkIsNotFollowed(t *testing.T) {
	dir := t.TempDir()
	precious := filepath.Join(dir, "precious")
	if err := os.WriteFile(precious, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "var"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(precious, filepath.Join(dir, "var", "lock")); err != nil {
		t.Fatal(err)
	}
	s := owner(dir, filepath.Join(dir, "state.db"))
	if err := s.own(); err == nil {
		t.Error("a link was taken for a lock")
	}
	s.close()
}
