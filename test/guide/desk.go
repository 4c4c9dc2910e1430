package guide

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// Desk is where a reader follows the guides: a directory and some terminals.
type Desk struct {
	Dir      string            // of the files that the guides make
	Replace  *strings.Replacer // what is elsewhere here: addresses, ports
	Values   map[string]string // of variables that the guides tell the reader to fill in
	Environ  []string
	Patience time.Duration // for one command
	Browser  func(ctx context.Context, user, open, press, fill, see string) error
	Log      func(format string, args ...any)

	names     Names
	terminals map[string]*terminal
	filled    map[string]bool
}

// Follow does what a block says.
func (d *Desk) Follow(ctx context.Context, b Block) error {
	if d.names == nil {
		d.names, d.terminals, d.filled = Names{}, map[string]*terminal{}, map[string]bool{}
	}
	b.Text = d.Replace.Replace(b.Text)
	var err error
	switch {
	case b.Kind == "text", b.Elsewhere != "":
	case b.Title != "":
		err = os.WriteFile(filepath.Join(d.cwd(), b.Title), []byte(b.Text+"\n"), 0o600)
	case b.Kind == "sh":
		var out string
		if out, err = d.run(ctx, d.fill(b.Text)); err != nil {
			err = fmt.Errorf("%w\n%s", err, out)
		}
	case b.Kind == "browser":
		err = d.browse(ctx, b)
	default:
		err = d.console(ctx, b)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", b.At(), err)
	}
	return nil
}

func (d *Desk) console(ctx context.Context, b Block) error {
	steps, err := b.steps()
	if err != nil {
		return err
	}
	for i, s := range steps {
		if s.command, err = d.names.real(s.command); err != nil {
			return err
		}
		fails := b.Fails && i == len(steps)-1
		if b.Terminal == "" {
			d.Log("$ %s", s.command)
			out, err := d.run(ctx, s.command)
			d.Log("%s", out)
			if (err != nil) != fails {
				return fmt.Errorf("%q: %v, and it should fail: %t\n%s", s.command, err, fails, out)
			}
			if err := d.names.whole(s.prints, out); err != nil {
				return fmt.Errorf("%q: %w\n%s", s.command, err, out)
			}
			continue
		}
		t := d.terminals[b.Terminal]
		if s.command != "" {
			if t != nil {
				if err := t.finish(d.Patience); err != nil {
					return err
				}
			}
			t = &terminal{desk: d, name: b.Terminal, command: s.command, block: b}
			d.Log("[%s] $ %s", b.Terminal, s.command)
			if err := t.start(ctx); err != nil {
				return err
			}
			d.terminals[b.Terminal] = t
		}
		if t == nil {
			return fmt.Errorf("nothing runs in terminal %s", b.Terminal)
		}
		t.block.Fails = b.Fails
		if err := t.expect(s.prints, d.Patience); err != nil {
			return err
		}
		if t.stopped { // the reader goes on when the prompt is back
			if err := t.finish(d.Patience); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *Desk) browse(ctx context.Context, b Block) error {
	open, err := d.names.real(d.Replace.Replace(b.Options["open"]))
	if err != nil {
		return err
	}
	plain := func(name string) string { return strings.ReplaceAll(b.Options[name], "_", " ") }
	return d.Browser(ctx, b.Options["user"], open, plain("press"), plain("fill"), plain("see"))
}

// run runs commands to their end and keeps what they leave in the shell: variables, functions, the directory.
func (d *Desk) run(ctx context.Context, script string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, d.Patience, errTimedOut)
	defer cancel()
	cmd := d.shell(ctx, script, true)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = 2 * time.Second
	err := cmd.Run()
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return out.String(), err
}

// keeping writes down, when the shell ends, what the next command of the same terminal finds: variables, functions, umask, directory.
const keeping = `trap '{
declare -px; declare -f; umask -p
for v in $(compgen -v); do
    case $v in BASH*|[A-Z]*SECONDS|_|RANDOM|SRANDOM|EPOCH*|PIPESTATUS|FUNCNAME|LINENO|COMP_*|DIRSTACK|GROUPS|HISTCMD|OPT*|IFS|v) continue ;; esac
    [[ "$(declare -p $v 2>/dev/null)" == "declare -- "* ]] && declare -p $v
done
printf "cd %q\n" "$PWD"
} > STATE' EXIT
`

func (d *Desk) shell(ctx context.Context, script string, keep bool) *exec.Cmd {
	state := filepath.Join(d.Dir, ".state")
	text := "set -e -o pipefail\n[ -f " + state + " ] && source " + state + "\n"
	if keep {
		text += strings.ReplaceAll(keeping, "STATE", state)
	}
	cmd := exec.CommandContext(ctx, "bash", "-c", text+script)
	cmd.Dir, cmd.Env = d.Dir, d.Environ
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

// cwd is where the reader's first terminal is.
func (d *Desk) cwd() string {
	cmd := d.shell(context.Background(), "pwd", false)
	out, err := cmd.Output()
	if err != nil {
		return d.Dir
	}
	return strings.TrimSpace(string(out))
}

var assignment = regexp.MustCompile(`(?m)^export ([A-Z_]+)=.*$`)

// fill fills in what the guide leaves to its reader.
func (d *Desk) fill(script string) string {
	return assignment.ReplaceAllStringFunc(script, func(line string) string {
		name := assignment.FindStringSubmatch(line)[1]
		value, ok := d.Values[name]
		if !ok || d.filled[name] {
			return line
		}
		d.filled[name] = true
		return "export " + name + "='" + strings.ReplaceAll(value, "'", `'\''`) + "'"
	})
}

// Unfilled are the variables that no guide mentioned.
func (d *Desk) Unfilled() []string {
	var all []string
	for name := range d.Values {
		if !d.filled[name] {
			all = append(all, name)
		}
	}
	return all
}

// Leave ends everything that still runs.
func (d *Desk) Leave() {
	for _, t := range d.terminals {
		t.kill()
	}
}

// Said is everything that the other terminals printed.
func (d *Desk) Said() string {
	var b strings.Builder
	for name, t := range d.terminals {
		fmt.Fprintf(&b, "--- terminal %s: %s\n%s", name, t.command, t.text())
	}
	return b.String()
}
