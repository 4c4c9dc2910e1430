// Package cli is the vecgate command: one file per command, each a thin skin over the package that does the work.
//
// It refuses to hold logic: a command reads its flags, calls, and prints. Start at Main.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// Env is what a command may touch of the world around it, so that tests can be that world.
type Env struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Getenv func(string) string
	Now    func() time.Time
	Home   string // the user's home directory
}

// HintError is an error with a way out, printed on a line of its own.
type HintError struct {
	Err  error
	Hint string
}

// Error implements error.
func (e *HintError) Error() string { return e.Err.Error() }

// Unwrap returns the error without its hint.
func (e *HintError) Unwrap() error { return e.Err }

// ExitError ends the process with a code of its own, after printing Err if there is one.
type ExitError struct {
	Code int
	Err  error
}

// Error implements error.
func (e *ExitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit status %d", e.Code)
	}
	return e.Err.Error()
}

// Unwrap returns the cause.
func (e *ExitError) Unwrap() error { return e.Err }

// Main runs the command line and returns the exit status: 0 done, 1 it did not work, 2 it was not understood.
func Main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	home, _ := os.UserHomeDir()
	env := &Env{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Now: time.Now, Home: home}
	return Run(ctx, env, args)
}

// Run is Main in a world that the caller chooses.
func Run(ctx context.Context, env *Env, args []string) int {
	root := newRoot(env)
	root.SetArgs(args)
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	err = unreached(missingFlags(err))
	code := 1
	if exit, ok := errors.AsType[*ExitError](err); ok {
		code = exit.Code
		if exit.Err == nil {
			return code
		}
	}
	fmt.Fprintf(env.Stderr, "vecgate: error: %v\n", err)
	if hint, ok := errors.AsType[*HintError](err); ok && hint.Hint != "" {
		fmt.Fprintf(env.Stderr, "vecgate: hint: %s\n", hint.Hint)
	}
	return code
}

func newRoot(env *Env) *cobra.Command {
	root := &cobra.Command{
		Use:           "vecgate",
		Short:         "The access gateway for vector databases",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		newServeCommand(env),
		newCheckCommand(env),
		newLoginCommand(env),
		newLogoutCommand(env),
		newWhoamiCommand(env),
		newTokenCommand(env),
		newRequestsCommand(env),
		newSessionsCommand(env),
		newIdentitiesCommand(env),
		newPolicyCommand(env),
		newAuditCommand(env),
		newDevCommand(env),
		newVersionCommand(env),
	)
	understood(root)
	return root
}
