// Package stage stands a gateway, as the process that users run, in front of engines that do not speak SQL: for their
// tests, the demo and the benchmarks. There is an identity provider with package world's people.
//
// It knows the gateway by its command line, its configuration file and its ports only. Start at Open, or in a test at Start.
package stage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vecgate/vecgate/internal/identity/devidp"
	"github.com/vecgate/vecgate/internal/identity/login"
	"github.com/vecgate/vecgate/test/ports"
	"github.com/vecgate/vecgate/test/world"
)

// Listener is one that the gateway opens.
type Listener struct {
	Name     string
	Protocol string   // http, grpc
	Targets  []string // all that it can reach when nil
	More     string   // further keys: "h2c: true"
	Address  string   // 127.0.0.1 with a port that is chosen, when empty
}

// Target is a database that is there already.
type Target struct {
	Name, Engine, Address string
	More                  string // further keys: `grpc_address: "127.0.0.1:1"`
}

// Options say what stands behind the gateway.
type Options struct {
	Dir       string // a temporary one when empty
	Listeners []Listener
	Targets   []Target
	// Sections, when it is not empty, are the configuration's listeners and targets as somebody else wrote them, such as a
	// guide, in the place of Listeners and Targets.
	Sections string
	Policy   string
	Reads    string   // audit.reads
	Limits   string   // further limits: "message: 256MiB"
	Audit    string   // further keys of audit: "archive: {directory: copy}"
	Tickets  string   // the systems that keep change tickets, a YAML list: "[{name: changes, …}]"
	Environ  []string // of the gateway, besides this process's own
}

// Stage is a gateway that runs.
type Stage struct {
	Dir     string
	Binary  string
	API     string            // the console's address and the API's
	Ops     string            // where /readyz is
	Address map[string]string // host:port by listener
	IDP     *devidp.Server
	Process *Process

	temporary bool
}

// Open starts a gateway and waits until it is ready. Close ends it.
func Open(ctx context.Context, o Options) (_ *Stage, err error) {
	s := &Stage{Dir: o.Dir, Address: map[string]string{}}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if s.Binary, err = world.Build(); err != nil {
		return nil, err
	}
	if s.Dir == "" {
		s.temporary = true
		if s.Dir, err = os.MkdirTemp("", "vecgate-stage-"); err != nil {
			return nil, err
		}
	}
	if s.IDP, err = devidp.Start(world.People(), "127.0.0.1:0", devidp.Options{}); err != nil {
		return nil, err
	}
	text, err := s.config(o)
	if err != nil {
		return nil, err
	}
	for name, text := range map[string]string{"vecgate.yaml": text, "policy.yaml": o.Policy} {
		if err := os.WriteFile(filepath.Join(s.Dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	if s.Process, err = Run(s.Dir, o.Environ, s.Binary, "serve", "-c", filepath.Join(s.Dir, "vecgate.yaml")); err != nil {
		return nil, err
	}
	return s, s.Process.Ready(ctx, s.Ops+"/readyz")
}

func (s *Stage) config(o Options) (string, error) {
	var b strings.Builder
	address := func() (string, error) {
		port, err := ports.Free()
		return fmt.Sprintf("127.0.0.1:%d", port), err
	}
	console, err := address()
	if err != nil {
		return "", err
	}
	ops, err := address()
	if err != nil {
		return "", err
	}
	s.API, s.Ops = "http://"+console, "http://"+ops
	fmt.Fprintf(&b, "gateway: {name: demo, url: %q, data: var}\n%s", s.API, o.Sections)
	if o.Sections == "" {
		b.WriteString("listeners:\n")
	}
	for _, l := range o.Listeners {
		s.Address[l.Name] = l.Address
		if l.Address == "" {
			if s.Address[l.Name], err = address(); err != nil {
				return "", err
			}
		}
		fmt.Fprintf(&b, "  - {name: %s, protocol: %s, address: %q", l.Name, l.Protocol, s.Address[l.Name])
		if l.Targets != nil {
			fmt.Fprintf(&b, ", targets: [%s]", strings.Join(l.Targets, ", "))
		}
		b.WriteString(more(l.More) + "}\n")
	}
	fmt.Fprintf(&b, `console: {address: %q, sign_in: corp, auditors: {groups: [Auditors]}, operators: {groups: [Operators]}}
ops: {address: %q}
identity:
  providers:
    - {name: corp, issuer: %q, audiences: [vecgate-cli, vecgate-console], kind: person, id: "{sub}", display: "{email}", client_id: vecgate-cli}
  tokens: {lifetime: 1h, max_lifetime: 2h}
`, console, ops, s.IDP.Issuer(world.Corp))
	if o.Sections == "" {
		b.WriteString("targets:\n")
	}
	for _, t := range o.Targets {
		credential := ", credential: {}"
		if strings.Contains(t.More, "credential:") {
			credential = ""
		}
		fmt.Fprintf(&b, "  - {name: %s, engine: %s, address: %q, tls: {mode: \"off\"}%s%s}\n", t.Name, t.Engine, t.Address, credential, more(t.More))
	}
	if o.Tickets != "" {
		fmt.Fprintf(&b, "tickets: %s\n", o.Tickets)
	}
	reads := ""
	if o.Reads != "" {
		reads = ", reads: " + o.Reads
	}
	fmt.Fprintf(&b, "policy: policy.yaml\naudit: {dir: audit, self: true%s%s}\nstore: {sqlite: var/state.db}\nlimits: {drain: 1s%s}\n", reads, more(o.Audit), more(o.Limits))
	return b.String(), nil
}

func more(keys string) string {
	if keys == "" {
		return ""
	}
	return ", " + keys
}

// Verify checks the audit log of a gateway that has ended, with the gateway's own command.
func (s *Stage) Verify() error {
	if out, err := exec.Command(s.Binary, "audit", "verify", "--dir", filepath.Join(s.Dir, "audit")).CombinedOutput(); err != nil {
		return fmt.Errorf("the audit log does not verify: %w\n%s", err, out)
	}
	return nil
}

// Close ends everything that Open started.
func (s *Stage) Close() {
	if s.Process != nil {
		s.Process.Stop()
	}
	if s.IDP != nil {
		_ = s.IDP.Close()
	}
	if s.temporary {
		_ = os.RemoveAll(s.Dir)
	}
}

// Token signs somebody in and exchanges that for a token of the gateway.
func (s *Stage) Token(ctx context.Context, who string) (string, error) {
	id, err := world.SignIn(ctx, s.IDP.Issuer(world.Corp), who)
	if err != nil {
		return "", err
	}
	gateway, err := login.NewGateway(s.API, nil)
	if err != nil {
		return "", err
	}
	minted, err := gateway.Exchange(ctx, id, login.Ask{})
	if err != nil {
		return "", err
	}
	return minted.Token, nil
}

// Call asks the gateway's API.
func (s *Stage) Call(ctx context.Context, token, method, path, body string) (map[string]any, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.API+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode >= 300 {
		return nil, fmt.Errorf("%s %s: %s %v %w", method, path, resp.Status, answer, err)
	}
	return answer, nil
}

// First waits until a list of the API has something, and returns the id of the first thing.
func (s *Stage) First(ctx context.Context, token, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		answer, err := s.Call(ctx, token, http.MethodGet, path, "")
		if err != nil {
			return "", err
		}
		for _, v := range answer {
			list, _ := v.([]any)
			for _, item := range list {
				if r, ok := item.(map[string]any); ok {
					id, _ := r["id"].(string)
					return id, nil
				}
			}
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return "", fmt.Errorf("%s stays empty: %w", path, ctx.Err())
		}
	}
}

// Approve gives one person's yes to a held request.
func (s *Stage) Approve(ctx context.Context, token, id string) error {
	_, err := s.Call(ctx, token, http.MethodPost, "/api/v1/requests/"+id+"/votes", `{"approve":true,"reason":"looked at it"}`)
	return err
}

// Process is a program that runs beside the test.
type Process struct {
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // after ended
	name  string

	mu  sync.Mutex
	out bytes.Buffer
}

// Run starts a program.
func Run(dir string, environ []string, argv ...string) (*Process, error) {
	p := &Process{cmd: exec.Command(argv[0], argv[1:]...), ended: make(chan struct{}), name: filepath.Base(argv[0])}
	p.cmd.Dir, p.cmd.Env = dir, append(os.Environ(), environ...)
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// Write implements io.Writer for the program's output.
func (p *Process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

// Output is the end of what the program printed.
func (p *Process) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := p.out.String()
	return p.name + ":\n" + text[max(0, len(text)-4000):]
}

// PID is the program's process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Ready waits until a URL answers with 200.
func (p *Process) Ready(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	said := ""
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			why, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
			said = fmt.Sprintf("%s: %s", resp.Status, why)
		}
		select {
		case <-time.After(30 * time.Millisecond):
		case <-p.ended:
			return fmt.Errorf("%s ended: %w\n%s", p.name, errors.Join(p.err), p.Output())
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer with 200 but %q: %w\n%s", url, said, ctx.Err(), p.Output())
		}
	}
}

// Stop asks the program to end, and ends it when it does not.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(5 * time.Second):
		_ = p.cmd.Process.Kill() // Chroma, for one, does not listen
		<-p.ended
	}
}
