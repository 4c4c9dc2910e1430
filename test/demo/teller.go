package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// teller runs the commands of the story in a shell and prints them as a person would have typed them.
type teller struct {
	ctx context.Context
	env string // file to source
}

func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }

func (t *teller) chapter(title, about string) {
	bold, plain := "", ""
	if stat, err := os.Stdout.Stat(); err == nil && stat.Mode()&os.ModeCharDevice != 0 {
		bold, plain = "\x1b[1m", "\x1b[0m"
	}
	fmt.Printf("\n%s== %s%s\n%s\n", bold, title, plain, about)
}

// run runs a command to its end and expects it to work, or not to.
func (t *teller) run(works bool, command string) (string, error) {
	return t.start(command).wait(works)
}

// must is run for a command that is expected to work and to print something.
func (t *teller) must(command string, prints ...string) error {
	return t.expect(true, command, prints)
}

// refused is run for a command that is expected to be refused, with words.
func (t *teller) refused(command string, prints ...string) error {
	return t.expect(false, command, prints)
}

func (t *teller) expect(works bool, command string, prints []string) error {
	out, err := t.run(works, command)
	if err != nil {
		return err
	}
	for _, p := range prints {
		if !strings.Contains(out, p) {
			return fmt.Errorf("%s\nprinted no %q", command, p)
		}
	}
	return nil
}

// running is a command that is still running.
type running struct {
	command string
	cmd     *exec.Cmd
	mu      sync.Mutex
	text    strings.Builder
	kept    bool            // guarded by mu: what it prints waits until somebody asks
	later   strings.Builder // guarded by mu
	lines   chan string
	read    chan struct{}
}

// keep holds back what the command prints from now on until wait, so that it stands where the story tells of it.
func (r *running) keep() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = true
}

func (t *teller) start(command string) *running {
	fmt.Printf("\n$ %s\n", command)
	r := &running{command: command, lines: make(chan string, 10000), read: make(chan struct{})}
	r.cmd = exec.CommandContext(t.ctx, "bash", "-c", "set -o pipefail; source "+t.env+"; "+command)
	r.cmd.Dir = filepath.Dir(t.env)
	pipe, w := io.Pipe()
	r.cmd.Stdout, r.cmd.Stderr = w, w
	if err := r.cmd.Start(); err != nil {
		r.text.WriteString(err.Error())
		_ = w.CloseWithError(err)
	}
	go func() {
		defer close(r.read)
		defer close(r.lines)
		scanner := bufio.NewScanner(pipe)
		scanner.Buffer(nil, 1<<20)
		for scanner.Scan() {
			line := scanner.Text()
			r.mu.Lock()
			if r.kept {
				r.later.WriteString(line + "\n")
			} else {
				fmt.Println(line)
			}
			r.text.WriteString(line + "\n")
			r.mu.Unlock()
			r.lines <- line
		}
	}()
	go func() {
		if r.cmd.Process != nil {
			_ = r.cmd.Wait()
		}
		_ = w.Close()
	}()
	return r
}

// find waits for a line that matches and returns the first group.
func (r *running) find(pattern *regexp.Regexp) (string, error) {
	timeout := time.After(30 * time.Second)
	for {
		select {
		case line, ok := <-r.lines:
			if !ok {
				return "", fmt.Errorf("%s\nended without printing %s", r.command, pattern)
			}
			if m := pattern.FindStringSubmatch(line); m != nil {
				return m[1], nil
			}
		case <-timeout:
			return "", fmt.Errorf("%s\ndid not print %s", r.command, pattern)
		}
	}
}

func (r *running) wait(works bool) (string, error) {
	<-r.read
	for r.cmd.ProcessState == nil && r.cmd.Process != nil {
		time.Sleep(time.Millisecond)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Print(r.later.String())
	if r.cmd.ProcessState == nil {
		return "", errors.New(r.text.String())
	}
	if r.cmd.ProcessState.Success() != works {
		return r.text.String(), fmt.Errorf("%s\nended with %s", r.command, r.cmd.ProcessState)
	}
	return r.text.String(), nil
}
