package postgrestest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// The keeper outlives us on purpose: when its standard input ends, because we
// closed it or because we are gone in whatever way, it stops the server, if it is
// still the one of this directory, and removes the directory.
const keeperScript = `
trap '' INT TERM HUP
read -r ignored
if pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && [ "$(readlink "/proc/$pid/cwd")" = "$1/data" ]; then
	kill -QUIT "$pid"
	while kill -0 "$pid" 2>/dev/null && [ "$(readlink "/proc/$pid/cwd")" = "$1/data" ]; do sleep 0.02; done
fi
rm -rf "$1"
`

type keeper struct {
	cmd   *exec.Cmd
	stdin *os.File
}

// keep starts the keeper of dir, which must be absolute and without symbolic links.
func keep(dir string) (*keeper, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	cmd := exec.Command("/bin/sh", "-c", keeperScript, "keeper", dir)
	cmd.Stdin = read
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // not reached by Ctrl-C or a kill of our process group
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the keeper of %s: %w", dir, err), write.Close())
	}
	return &keeper{cmd, write}, nil
}

// done has the keeper clean up and waits for it.
func (k *keeper) done() error {
	return errors.Join(k.stdin.Close(), k.cmd.Wait())
}

// A postmaster is one running server process.
type postmaster struct {
	pid    int
	exited chan struct{} // closed when the process is gone
	err    error         // why, once exited is closed
}

// startPostmaster runs postgres on the data directory dir/data. The kernel tells it to
// quit when we die.
func startPostmaster(bin, dir string, who account, settings []string) (*postmaster, error) {
	args := []string{"-D", filepath.Join(dir, "data")}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	cmd := exec.Command(filepath.Join(bin, "postgres"), args...)
	cmd.Dir = dir
	cmd.Env = environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who.credential, Setsid: true, Pdeathsig: syscall.SIGQUIT}
	log, err := os.OpenFile(logFile(dir), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log

	p := &postmaster{exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel sends Pdeathsig when the thread that forked ends, so it must
		// stay for as long as the server: it is never unlocked.
		runtime.LockOSThread()
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.exited)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start postgres: %w", err)
	}
	return p, nil
}

// stop shuts the server down: fast (sessions are cut off, data is written) and, if
// that takes too long, at once.
func (p *postmaster) stop() error {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
		if err := syscall.Kill(p.pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
		select {
		case <-p.exited:
			return p.err
		case <-time.After(15 * time.Second):
		}
	}
	return fmt.Errorf("postgres (process %d) does not end", p.pid)
}

func logFile(dir string) string { return filepath.Join(dir, "server.log") }

// lastWords is the end of the server's log, for error messages.
func lastWords(dir string) string {
	log, err := os.ReadFile(logFile(dir))
	if err != nil {
		return err.Error()
	}
	if len(log) > 2000 {
		log = log[len(log)-2000:]
	}
	return strings.TrimSpace(string(log))
}
