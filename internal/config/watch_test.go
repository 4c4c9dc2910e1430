package config

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// follower runs a Watcher and hands out what it applies.
type follower struct {
	hangup  chan os.Signal
	applied chan *Config
	faulty  chan string // log lines of reloads that did not happen
	current chan bool   // whether what is in force is what the files say

	mu     sync.Mutex
	refuse error
}

func (f *follower) Write(line []byte) (int, error) {
	if strings.Contains(string(line), "not reloaded") {
		f.faulty <- string(line)
	}
	return len(line), nil
}

func follow(t *testing.T, path string) *follower {
	t.Helper()
	c, faults := LoadWith(path, env(nil))
	if c == nil {
		t.Fatal(faults)
	}
	f := &follower{hangup: make(chan os.Signal), applied: make(chan *Config, 10), faulty: make(chan string, 10), current: make(chan bool, 10)}
	w := &Watcher{
		Path: path, Getenv: env(nil), Hangup: f.hangup, Settle: 20 * time.Millisecond, Log: slog.New(slog.NewTextHandler(f, nil)),
		Apply: func(_ context.Context, _, next *Config) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.refuse == nil {
				f.applied <- next
			}
			return f.refuse
		},
		Current: func(is bool) { f.current <- is },
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- w.Run(ctx, c) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	f.hangup <- os.Interrupt // once it has taken this, it watches
	<-f.applied
	<-f.current
	return f
}

func TestAChangedFileIsTakenIntoForce(t *testing.T) {
	path := write(t, map[string]string{"vecgate.yaml": minimal, "policy.yaml": "allow: []\n"})
	f := follow(t, path)
	replace(t, path, strings.Replace(minimal, "name: gw", "name: gw2", 1))
	if c := <-f.applied; c.Gateway.Name != "gw2" {
		t.Errorf("applied %q", c.Gateway.Name)
	}
	replace(t, filepath.Join(filepath.Dir(path), "policy.yaml"), "deny: []\n") // a file that it refers to
	<-f.applied
	f.hangup <- os.Interrupt // asked for, although nothing changed
	<-f.applied
}

// A gateway that runs on with what it has, and would not start again, must not look well.
func TestItIsToldWhetherWhatIsInForceIsWhatTheFilesSay(t *testing.T) {
	path := write(t, map[string]string{"vecgate.yaml": minimal, "policy.yaml": "allow: []\n"})
	f := follow(t, path)
	for _, c := range []struct {
		text string
		want bool
	}{{"gateway: [", false}, {minimal, true}} {
		replace(t, path, c.text)
		select {
		case is := <-f.current:
			if is != c.want {
				t.Errorf("%q: told %v", c.text, is)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%q: nothing was told", c.text)
		}
	}
}

// replace puts a new file in the place of the old one, as editors do.
func replace(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestAMountedFileIsFollowedThroughItsLink(t *testing.T) {
	path := write(t, map[string]string{"policy.yaml": "allow: []\n"})
	dir := filepath.Dir(path)
	for version, name := range map[string]string{"..1": "gw1", "..2": "gw2"} {
		if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
			t.Fatal(err)
		}
		text := strings.Replace(minimal, "name: gw", "name: "+name, 1)
		if err := os.WriteFile(filepath.Join(dir, version, "vecgate.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := func(to, at string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(dir, at)); err != nil {
			t.Fatal(err)
		}
	}
	link("..1", "..data")
	link("..data/vecgate.yaml", "vecgate.yaml")
	f := follow(t, path)
	link("..2", "..new")
	if err := os.Rename(filepath.Join(dir, "..new"), filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
	if c := <-f.applied; c.Gateway.Name != "gw2" {
		t.Errorf("applied %q", c.Gateway.Name)
	}
}

func TestAFaultyFileChangesNothing(t *testing.T) {
	path := write(t, map[string]string{"vecgate.yaml": minimal, "policy.yaml": "allow: []\n"})
	f := follow(t, path)
	replace(t, path, "gateway: {nam: gw}\n")
	<-f.faulty
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	<-f.faulty
	f.mu.Lock()
	f.refuse = errors.New("address in use")
	f.mu.Unlock()
	replace(t, path, strings.Replace(minimal, "name: gw", "name: gw3", 1))
	if line := <-f.faulty; !strings.Contains(line, "address in use") {
		t.Errorf("log says %s", line)
	}
	f.mu.Lock()
	f.refuse = nil
	f.mu.Unlock()
	replace(t, path, minimal)
	if c := <-f.applied; c.Gateway.Name != "gw" || len(f.applied) > 0 {
		t.Errorf("applied %q", c.Gateway.Name)
	}
}

func TestChangesAreNamedAndThoseThatNeedARestartSaidSo(t *testing.T) {
	load := func(text string) *Config {
		t.Helper()
		c, faults := LoadWith(write(t, map[string]string{"vecgate.yaml": text, "policy.yaml": "allow: []\n"}), env(secrets))
		if c == nil {
			t.Fatal(faults)
		}
		// The two stand in different directories; only the text is to be compared.
		c.Policy, c.Gateway.Data, c.Audit.Dir, c.Store.SQLite = "p", "d", "a", "s"
		return c
	}
	old := load(minimal)
	if got := Changes(old, load(minimal)); got != nil {
		t.Errorf("changes of the same file: %v", got)
	}
	next := load(strings.NewReplacer("127.0.0.1:6432", "127.0.0.1:6433", "user: app", `user: app, password: "${env:PRODUCTS_PASSWORD}"`,
		"\nconsole", "\nops: {address: \"127.0.0.1:9000\"}\nlimits: {sessions: 5}\nconsole").Replace(minimal))
	if diff := cmp.Diff([]string{"limits.sessions", "listeners[0].address", "ops", "targets[0].credential.password"}, Changes(old, next)); diff != "" {
		t.Errorf("Changes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"limits.sessions", "listeners[0].address", "ops"}, RestartFor(old, next)); diff != "" {
		t.Errorf("RestartFor (-want +got):\n%s", diff)
	}
}

func TestAFileIsFollowedInADirectoryThatIsNeverQuiet(t *testing.T) {
	path := write(t, map[string]string{"vecgate.yaml": minimal, "policy.yaml": "allow: []\n"})
	f := follow(t, path)
	busy, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for busy.Err() == nil {
			if err := os.WriteFile(filepath.Join(filepath.Dir(path), "other.log"), []byte("line\n"), 0o600); err != nil {
				t.Error(err)
			}
			time.Sleep(2 * time.Millisecond)
		}
	}()
	replace(t, path, strings.Replace(minimal, "name: gw", "name: gw2", 1))
	select {
	case c := <-f.applied:
		if c.Gateway.Name != "gw2" {
			t.Errorf("applied %q", c.Gateway.Name)
		}
	case <-time.After(30 * time.Second):
		t.Error("a change was never noticed because something else in the directory kept changing")
	}
	stop()
	<-done
}
