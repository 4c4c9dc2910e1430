package main

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/vecgate/vecgate/test/world"
)

// TestTheStoryOfTheDemo runs the demo as its users do.
func TestTheStoryOfTheDemo(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "run", "./test/demo", "--once")
	cmd.Dir = world.Root()
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestTheStoryOfTheEnginesDemo runs it over every engine of which there is a real server.
func TestTheStoryOfTheEnginesDemo(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "run", "./test/demo", "--engines", "--once")
	cmd.Dir = world.Root()
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
