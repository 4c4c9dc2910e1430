// Package world stands up what a gateway lives among, for tests, the demo and the benchmarks: a PostgreSQL with the data
// set, an identity provider with people and jobs, and the gateway itself as the process that users run.
//
// It knows the gateway by its command line, its configuration file and its ports only. Start at StartGateway.
package world

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vecgate/vecgate/internal/identity/devidp"
	"github.com/vecgate/vecgate/internal/identity/login"
	"github.com/vecgate/vecgate/test/ports"
	"github.com/vecgate/vecgate/test/postgrestest"
)

// GatewayOptions say what the gateway stands among. Only Postgres is required.
type GatewayOptions struct {
	Postgres      *postgrestest.Server
	Database      string // postgrestest.Products when empty
	Dir           string // of the configuration and everything the gateway writes; a temporary one when empty
	Policy        string // the text of the policy; examples/policy/quickstart.yaml when empty
	Reads         string // before-forward when empty
	Hold          time.Duration
	Sessions      int
	Drain         time.Duration
	Profile       string // file for a CPU profile
	Port          int    // first of five ports; free ones when 0
	Output        io.Writer
	Logger        *slog.Logger
	Limits        string // further lines of the limits section
	Audit         string // further keys of the audit section
	Database2     string // registered as target "second" when set
	Tickets       string // the systems that keep change tickets, a YAML list
	PlainUpstream bool   // no TLS to the database, as the peers of a benchmark have it
}

// Gateway is a running vecgate with its identity providers.
type Gateway struct {
	Binary    string
	Dir       string
	Config    string
	URL       string // console and API
	Ops       string // health and metrics
	PlainPort int    // PostgreSQL without TLS
	TLSPort   int    // PostgreSQL with TLS
	CA        string // the certificate to trust on TLSPort
	AuditDir  string
	IDP       *devidp.Server
	Postgres  *postgrestest.Server

	options GatewayOptions
	mu      sync.Mutex
	process *exec.Cmd
	ended   chan struct{}
	output  *bytes.Buffer
	temp    bool
}

// Build builds the gateway once per process and returns the binary.
var Build = sync.OnceValues(func() (string, error) {
	_, file, _, _ := runtime.Caller(0)
	root := filepath.Join(filepath.Dir(file), "..", "..")
	dir, err := os.MkdirTemp("", "vecgate-bin-")
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "vecgate")
	cmd := exec.Command("go", "build", "-o", binary, "./cmd/vecgate")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build vecgate: %w\n%s", err, out)
	}
	return binary, nil
})

// Root is the root of the repository.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// StartGateway writes a configuration, starts the identity providers and the gateway, and returns once it is ready.
func StartGateway(ctx context.Context, o GatewayOptions) (_ *Gateway, err error) {
	if o.Database == "" {
		o.Database = postgrestest.Products
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	g := &Gateway{options: o, Dir: o.Dir, Postgres: o.Postgres}
	defer func() {
		if err != nil {
			g.Stop()
		}
	}()
	if g.Binary, err = Build(); err != nil {
		return nil, err
	}
	if g.Dir == "" {
		g.temp = true
		if g.Dir, err = os.MkdirTemp("", "vecgate-world-"); err != nil {
			return nil, err
		}
	}
	var port [5]int
	for i := range port {
		if o.Port != 0 {
			port[i] = o.Port + i
		} else if port[i], err = ports.Free(); err != nil {
			return nil, err
		}
	}
	g.PlainPort, g.TLSPort = port[0], port[1]
	g.URL = fmt.Sprintf("http://127.0.0.1:%d", port[2])
	g.Ops = fmt.Sprintf("http://127.0.0.1:%d", port[3])
	g.AuditDir = filepath.Join(g.Dir, "audit")
	if g.IDP, err = devidp.Start(People(), fmt.Sprintf("127.0.0.1:%d", port[4]), devidp.Options{}); err != nil {
		return nil, err
	}
	if err := g.write(); err != nil {
		return nil, err
	}
	return g, g.Start(ctx)
}

// write makes the files of the configuration.
func (g *Gateway) write() error {
	o := g.options
	cert, key, err := SelfSigned("127.0.0.1")
	if err != nil {
		return err
	}
	g.CA = filepath.Join(g.Dir, "server.crt")
	g.Config = filepath.Join(g.Dir, "vecgate.yaml")
	if o.Policy == "" {
		text, err := os.ReadFile(filepath.Join(Root(), "examples/policy/quickstart.yaml"))
		if err != nil {
			return err
		}
		o.Policy = string(text)
	}
	files := map[string]string{
		"server.crt": string(cert), "server.key": string(key), "password": o.Postgres.AppPassword, "policy.yaml": o.Policy,
		"vecgate.yaml": g.config(),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(g.Dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (g *Gateway) config() string {
	o := g.options
	var b strings.Builder
	fmt.Fprintf(&b, `gateway: {name: demo, url: "%s", data: var}
listeners:
  - {name: sql-plain, protocol: postgres, address: "127.0.0.1:%d"}
  - {name: sql, protocol: postgres, address: "127.0.0.1:%d", tls: {cert: "file:server.crt", key: "file:server.key"}}
console:
  address: "%s"
  sign_in: corp
  auditors: {groups: [Auditors, Vector-Approve]}
  operators: {groups: [Operators]}
ops: {address: "%s"}
identity:
  providers:
    - {name: corp, issuer: "%s", audiences: [vecgate-cli, vecgate-console], kind: person, id: "{sub}", display: "{email}", client_id: vecgate-cli}
    - {name: ci, issuer: "%s", audiences: [vecgate], kind: workload, id: "{repository_owner_id}/{repository_id}:{job}", display: "{repository} {job}", instance: "{run_id}", max_lifetime: 2h}
  persons:
    - {person: sam, accounts: ["corp:sam"], owns: ["ci:1001/2002:*"]}
  tokens: {lifetime: 1h, max_lifetime: 2h}
targets:
`, g.URL, g.PlainPort, g.TLSPort, strings.TrimPrefix(g.URL, "http://"), strings.TrimPrefix(g.Ops, "http://"), g.IDP.Issuer(Corp), g.IDP.Issuer(CI))
	target := func(name, database string) {
		upstream := fmt.Sprintf("mode: verify-full, ca: \"file:%s\"", o.Postgres.CAFile)
		if o.PlainUpstream {
			upstream = `mode: "off"`
		}
		fmt.Fprintf(&b, "  - name: %s\n    engine: postgres\n    address: \"127.0.0.1:%d\"\n    database: %s\n    tls: {%s}\n"+
			"    credential: {user: %s, password: \"file:password\"}\n", name, o.Postgres.Port, database, upstream, o.Postgres.AppUser)
		if o.Reads != "" {
			fmt.Fprintf(&b, "    reads: %s\n", o.Reads)
		}
		if o.Hold != 0 {
			fmt.Fprintf(&b, "    hold: %s\n", o.Hold)
		}
	}
	target("products", o.Database)
	if o.Database2 != "" {
		target("second", o.Database2)
	}
	if o.Tickets != "" {
		fmt.Fprintf(&b, "tickets: %s\n", o.Tickets)
	}
	fmt.Fprintf(&b, "policy: policy.yaml\naudit:\n  dir: audit\n  self: true\n  %s\nstore: {sqlite: var/state.db}\n", o.Audit)
	limits := o.Limits
	if o.Sessions != 0 {
		limits += fmt.Sprintf("  sessions: %d\n  sessions_per_subject: %d\n", o.Sessions, o.Sessions)
	}
	drain := o.Drain
	if drain == 0 {
		drain = time.Second
	}
	fmt.Fprintf(&b, "limits:\n  drain: %s\n%s", drain, limits)
	return b.String()
}

// Start starts the process and returns once it takes sessions.
func (g *Gateway) Start(ctx context.Context) error {
	args := []string{"serve", "-c", g.Config}
	if g.options.Profile != "" {
		args = append(args, "--cpu-profile", g.options.Profile)
	}
	g.mu.Lock()
	g.output = &bytes.Buffer{}
	out := io.Writer(&locked{mu: &g.mu, w: g.output})
	if g.options.Output != nil {
		out = io.MultiWriter(out, g.options.Output)
	}
	g.process = exec.Command(g.Binary, args...)
	g.process.Dir = g.Dir
	g.process.Stdout, g.process.Stderr = out, out
	g.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	g.ended = make(chan struct{})
	process, ended := g.process, g.ended
	g.mu.Unlock()
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // Pdeathsig is of the thread that starts the process: this one waits for it
		started <- process.Start()
		if process.Process != nil {
			_ = process.Wait()
		}
		close(ended)
	}()
	if err := <-started; err != nil {
		return err
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		select {
		case <-ended:
			return fmt.Errorf("vecgate ended:\n%s", g.Output())
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
		resp, err := http.Get(g.Ops + "/readyz")
		if err == nil {
			body, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
			err = errors.New(string(body))
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("vecgate is not ready: %w\n%s", err, g.Output())
		}
	}
}

// Output is what the process has printed so far.
func (g *Gateway) Output() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.output == nil {
		return ""
	}
	return g.output.String()
}

// PID is the gateway's process.
func (g *Gateway) PID() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.process.Process.Pid
}

// Signal sends the process a signal.
func (g *Gateway) Signal(s os.Signal) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.process.Process.Signal(s)
}

// Terminate stops the process in good order and waits for its end.
func (g *Gateway) Terminate() {
	if g.process == nil || g.process.Process == nil {
		return
	}
	_ = g.Signal(syscall.SIGTERM)
	select {
	case <-g.ended:
	case <-time.After(15 * time.Second):
		g.Kill()
	}
}

// Kill ends the process as a power cut would.
func (g *Gateway) Kill() {
	_ = g.Signal(syscall.SIGKILL)
	<-g.ended
}

// Stop ends everything that StartGateway started.
func (g *Gateway) Stop() {
	g.Terminate()
	if g.IDP != nil {
		_ = g.IDP.Close()
	}
	if g.temp {
		_ = os.RemoveAll(g.Dir)
	}
}

// Issuer is the provider where somebody signs in.
func (g *Gateway) Issuer(who string) string {
	for _, u := range People().Issuers[Corp].Users {
		if u.Sub == who {
			return g.IDP.Issuer(Corp)
		}
	}
	return g.IDP.Issuer(CI)
}

// Token signs somebody in and exchanges that for a token of the gateway.
func (g *Gateway) Token(ctx context.Context, who string) (string, error) {
	return g.TokenFor(ctx, who, login.Ask{})
}

// TokenFor is Token with wishes.
func (g *Gateway) TokenFor(ctx context.Context, who string, ask login.Ask) (string, error) {
	id, err := SignIn(ctx, g.Issuer(who), who)
	if err != nil {
		return "", err
	}
	gw, err := login.NewGateway(g.URL, nil)
	if err != nil {
		return "", err
	}
	minted, err := gw.Exchange(ctx, id, ask)
	if err != nil {
		return "", fmt.Errorf("exchange the token of %s: %w", who, err)
	}
	return minted.Token, nil
}

// DSN is a connection string for somebody with a token, over TLS.
func (g *Gateway) DSN(who, token string) string {
	return fmt.Sprintf("host=127.0.0.1 port=%d dbname=products user=%s password=%s sslmode=verify-full sslrootcert=%s", g.TLSPort, who, token, g.CA)
}

// Vecgate runs a command of the binary with the gateway's address in its environment.
func (g *Gateway) Vecgate(ctx context.Context, environ []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, g.Binary, args...)
	cmd.Env = append(append(os.Environ(), "VECGATE_GATEWAY="+g.URL, "XDG_CONFIG_HOME="+filepath.Join(g.Dir, "home")), environ...)
	cmd.Dir = g.Dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("vecgate %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// SelfSigned makes a certificate for a host, and its key, in PEM.
func SelfSigned(host string) (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA: true, BasicConstraintsValid: true,
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), nil
}

// locked is a writer that takes a lock.
type locked struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
