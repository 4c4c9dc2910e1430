package guide

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// terminal is one of the reader's terminals, and what runs there.
type terminal struct {
	desk    *Desk
	name    string
	command string
	block   Block
	cmd     *exec.Cmd
	ended   chan struct{}
	err     error
	read    int // lines that the guide has shown so far
	stopped bool

	mu  sync.Mutex
	out bytes.Buffer
}

// Write takes what the command prints.
func (t *terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.out.Write(p)
}

func (t *terminal) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.out.String()
}

// start runs a command that the guide leaves running.
func (t *terminal) start(ctx context.Context) error {
	script := t.command
	if strings.HasPrefix(script, "vecgate ") {
		script = "exec " + script // signals go to it, not to the shell
	}
	t.cmd = t.desk.shell(ctx, script, false)
	t.cmd.Stdout, t.cmd.Stderr = t, t
	t.ended = make(chan struct{})
	if err := t.cmd.Start(); err != nil {
		return err
	}
	go func() {
		t.err = t.cmd.Wait()
		close(t.ended)
	}()
	return nil
}

// expect waits until everything that is shown was printed, in order.
func (t *terminal) expect(shown []string, patience time.Duration) error {
	deadline := time.Now().Add(patience)
	for _, want := range lines(strings.Join(shown, "\n")) {
		if want == "…" {
			continue
		}
		if want == "^C" {
			t.stopped = true
			_ = t.cmd.Process.Signal(syscall.SIGINT)
			continue
		}
		for {
			over := t.over()
			if at := t.desk.names.next(want, lines(t.text()), t.read); at >= 0 {
				t.read = at
				break
			}
			if over || time.Now().After(deadline) {
				return fmt.Errorf("the guide shows %q, and the terminal %s of %q printed:\n%s", want, t.name, t.command, t.text())
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	return nil
}

func (t *terminal) over() bool {
	select {
	case <-t.ended:
		return true
	default:
		return false
	}
}

// finish waits for the command to end by itself, as the guide says it does.
func (t *terminal) finish(patience time.Duration) error {
	select {
	case <-t.ended:
	case <-time.After(patience):
		t.kill()
		return fmt.Errorf("%s: %q did not end; it printed:\n%s", t.block.At(), t.command, t.text())
	}
	if (t.err != nil) != t.block.Fails {
		return fmt.Errorf("%s: %q ended with %v; it printed:\n%s", t.block.At(), t.command, t.err, t.text())
	}
	return nil
}

// kill ends the command and everything that it started.
func (t *terminal) kill() {
	if !t.over() {
		_ = syscall.Kill(-t.cmd.Process.Pid, syscall.SIGTERM)
		select {
		case <-t.ended:
		case <-time.After(5 * time.Second):
		}
	}
	_ = syscall.Kill(-t.cmd.Process.Pid, syscall.SIGKILL)
	<-t.ended
}

// timedOut is what a command of the guide must never do.
var errTimedOut = errors.New("took too long")
