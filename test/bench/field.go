package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/vecgate/vecgate/test/data"
	"github.com/vecgate/vecgate/test/ports"
	"github.com/vecgate/vecgate/test/postgrestest"
	"github.com/vecgate/vecgate/test/world"
)

// field is where the contenders meet: one database, and every way to it.
type field struct {
	log        *slog.Logger
	dir        string
	bin        string
	version    string
	postgres   *postgrestest.Server
	gateways   []*world.Gateway
	contenders []contender
	workloads  []workload
	closers    []func()
}

func (f *field) close() {
	for i := len(f.closers) - 1; i >= 0; i-- {
		f.closers[i]()
	}
}

func stand(ctx context.Context, log *slog.Logger, p plan) (_ *field, err error) {
	f := &field{log: log}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	if f.dir, err = os.MkdirTemp("", "vecgate-bench-"); err != nil {
		return nil, err
	}
	if err := os.Chmod(f.dir, 0o755); err != nil { // PgBouncer refuses to run as root: its user must reach its files
		return nil, err
	}
	f.closers = append(f.closers, func() { os.RemoveAll(f.dir) })
	f.postgres, err = postgrestest.Run(ctx, "", postgrestest.Options{Plain: true, Logger: log, Settings: map[string]string{
		"max_connections": "4200", "shared_buffers": "256MB", "log_statement": "none", "log_min_messages": "fatal",
	}})
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	f.closers = append(f.closers, func() { _ = f.postgres.Stop() })
	f.bin = f.postgres.Bin
	version, err := exec.CommandContext(ctx, filepath.Join(f.bin, "postgres"), "--version").Output()
	if err != nil {
		return nil, err
	}
	f.version = strings.TrimPrefix(strings.TrimSpace(string(version)), "postgres (PostgreSQL) ")
	if err := f.scripts(); err != nil {
		return nil, err
	}

	direct := []string{"PGHOST=127.0.0.1", "PGPORT=" + strconv.Itoa(f.postgres.Port), "PGUSER=" + f.postgres.AppUser, "PGPASSWORD=" + f.postgres.AppPassword}
	f.both("direct", direct, direct, nil)
	if err := f.pgbouncer(ctx); err != nil {
		return nil, fmt.Errorf("start PgBouncer: %w", err)
	}
	if err := f.haproxy(ctx); err != nil {
		return nil, fmt.Errorf("start HAProxy: %w", err)
	}
	for _, reads := range []string{"before-forward", "before-release"} {
		if err := f.vecgate(ctx, reads, p.profile); err != nil {
			return nil, fmt.Errorf("start vecgate: %w", err)
		}
	}
	return f, nil
}

// both adds a contender without and with TLS on the client's hop.
func (f *field) both(name string, plain, tls []string, pids func() []int) {
	f.contenders = append(f.contenders,
		contender{name: name, env: append(plain, "PGSSLMODE=disable", "PGGSSENCMODE=disable"), pids: pids},
		contender{name: name + " +TLS", env: append(append([]string{}, tls...), "PGSSLMODE=require", "PGGSSENCMODE=disable"), pids: pids, tls: true})
}

func (f *field) scripts() error {
	files := map[string]string{
		"select.sql": "\\set id random(1, 2000)\nSELECT name, summary FROM items WHERE id = :id;\n",
		"knn.sql":    nearest() + ";\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, script := range []string{"select", "knn"} {
		for _, protocol := range []string{"simple", "prepared"} {
			f.workloads = append(f.workloads, workload{name: script + ", " + protocol, script: filepath.Join(f.dir, script+".sql"), protocol: protocol})
		}
	}
	return nil
}

// nearest is a kNN query.
func nearest() string {
	return "SELECT id, name FROM items ORDER BY embedding <=> '" + data.Queries()[0].Embedding.String() + "' LIMIT 10"
}

// process starts a program that ends with the field, and waits until it listens.
func (f *field) process(ctx context.Context, address string, name string, args ...string) (int, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	f.closers = append(f.closers, func() { _ = cmd.Process.Kill(); <-ended })
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return cmd.Process.Pid, nil
		}
		select {
		case <-ended:
			return 0, fmt.Errorf("%s ended: %s", name, output.String())
		default:
		}
	}
	return 0, errors.New(name + " does not listen")
}

func (f *field) certificate() (cert, key string, err error) {
	c, k, err := world.SelfSigned("127.0.0.1")
	if err != nil {
		return "", "", err
	}
	cert, key = filepath.Join(f.dir, "server.crt"), filepath.Join(f.dir, "server.key")
	return cert, key, errors.Join(os.WriteFile(cert, c, 0o644), os.WriteFile(key, k, 0o644))
}

func (f *field) pgbouncer(ctx context.Context) error {
	port, err := ports.Free()
	if err != nil {
		return err
	}
	cert, key, err := f.certificate()
	if err != nil {
		return err
	}
	users := filepath.Join(f.dir, "users.txt")
	if err := os.WriteFile(users, fmt.Appendf(nil, "%q %q\n", f.postgres.AppUser, f.postgres.AppPassword), 0o644); err != nil {
		return err
	}
	ini := filepath.Join(f.dir, "pgbouncer.ini")
	text := fmt.Sprintf(`[databases]
products = host=127.0.0.1 port=%d dbname=products
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %s
pool_mode = session
default_pool_size = 1100
max_client_conn = 2000
client_tls_sslmode = allow
client_tls_cert_file = %s
client_tls_key_file = %s
server_tls_sslmode = disable
ignore_startup_parameters = extra_float_digits
`, f.postgres.Port, port, users, cert, key)
	if err := os.WriteFile(ini, []byte(text), 0o644); err != nil {
		return err
	}
	args := []string{ini}
	name := "pgbouncer"
	if os.Geteuid() == 0 {
		args = append([]string{"-u", "nobody"}, args...)
	}
	if path, err := exec.LookPath(name); err == nil {
		name = path
	} else if _, err := os.Stat("/usr/sbin/pgbouncer"); err == nil {
		name = "/usr/sbin/pgbouncer"
	}
	pid, err := f.process(ctx, fmt.Sprintf("127.0.0.1:%d", port), name, args...)
	if err != nil {
		return err
	}
	env := []string{"PGHOST=127.0.0.1", "PGPORT=" + strconv.Itoa(port), "PGUSER=" + f.postgres.AppUser, "PGPASSWORD=" + f.postgres.AppPassword}
	f.both("PgBouncer", env, env, func() []int { return []int{pid} })
	return nil
}

func (f *field) haproxy(ctx context.Context) error {
	port, err := ports.Free()
	if err != nil {
		return err
	}
	cfg := filepath.Join(f.dir, "haproxy.cfg")
	text := fmt.Sprintf(`global
    nbthread 2
    maxconn 4000
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen pg
    bind 127.0.0.1:%d
    server pg 127.0.0.1:%d
`, port, f.postgres.Port)
	if err := os.WriteFile(cfg, []byte(text), 0o644); err != nil {
		return err
	}
	name := "haproxy"
	if _, err := exec.LookPath(name); err != nil {
		name = "/usr/sbin/haproxy"
	}
	pid, err := f.process(ctx, fmt.Sprintf("127.0.0.1:%d", port), name, "-db", "-f", cfg)
	if err != nil {
		return err
	}
	env := []string{"PGHOST=127.0.0.1", "PGPORT=" + strconv.Itoa(port), "PGUSER=" + f.postgres.AppUser, "PGPASSWORD=" + f.postgres.AppPassword}
	f.both("HAProxy TCP", env, env, func() []int { return []int{pid} })
	return nil
}

func (f *field) vecgate(ctx context.Context, reads, profile string) error {
	g, err := world.StartGateway(ctx, world.GatewayOptions{
		Postgres: f.postgres, Database: postgrestest.Products, Reads: reads, Logger: f.log, Sessions: 1200, Profile: profile, PlainUpstream: true,
	})
	if err != nil {
		return err
	}
	f.closers = append(f.closers, g.Stop)
	f.gateways = append(f.gateways, g)
	token, err := g.Token(ctx, "sam")
	if err != nil {
		return err
	}
	env := func(port int) []string {
		return []string{"PGHOST=127.0.0.1", "PGPORT=" + strconv.Itoa(port), "PGUSER=sam", "PGPASSWORD=" + token}
	}
	f.both("vecgate "+reads, env(g.PlainPort), env(g.TLSPort), func() []int { return []int{g.PID()} })
	return nil
}

// memory opens idle connections through each proxy and reads its resident memory, then while some of them are at work.
func (f *field) memory(ctx context.Context, p plan) (string, error) {
	if p.idle == 0 {
		return "", nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "## Memory\n\nResident memory of the proxy in MB after the runs above, how much more with %d idle connections that have each run one query, and the most beyond that while %d of them search the nearest items one after the other for %s.\n\n", p.idle, min(busy, p.idle), busyFor)
	b.WriteString("| proxy | before | idle: more | kB per idle connection | busy: more | kB per busy connection |\n|---|---:|---:|---:|---:|---:|\n")
	for _, c := range f.contenders {
		if c.pids == nil || p.only != "" && !strings.Contains(c.name, p.only) || c.tls && !p.tls {
			continue
		}
		before := rss(c.pids()[0])
		conns, err := idle(ctx, c, p.idle)
		if err != nil {
			return "", fmt.Errorf("%s: %w", c.name, err)
		}
		time.Sleep(2 * time.Second)
		after := rss(c.pids()[0])
		atWork := conns[:min(busy, len(conns))]
		most, err := f.mostWhile(c.pids()[0], atWork)
		if err != nil {
			return "", fmt.Errorf("%s: %w", c.name, err)
		}
		for _, conn := range conns {
			_ = conn.Close(ctx)
		}
		more := max(0, most-after)
		fmt.Fprintf(&b, "| %s | %.1f | %.1f | %.1f | %.1f | %.1f |\n", c.name, float64(before)/1024, float64(after-before)/1024,
			float64(after-before)/float64(p.idle), float64(more)/1024, float64(more)/float64(len(atWork)))
		f.log.Info("measured", "what", "memory "+c.name, "before_kb", before, "after_kb", after, "busy_kb", most)
	}
	b.WriteString("\n")
	return b.String(), nil
}

// busy connections are at work for so long when their memory is measured.
const (
	busy    = 100
	busyFor = 3 * time.Second
)

// mostWhile is the most resident memory of a process in kB while connections through it are at work.
func (f *field) mostWhile(pid int, conns []*pgconn.PgConn) (int, error) {
	ctx, stop := context.WithTimeout(context.Background(), busyFor)
	defer stop()
	query, ended := nearest(), make(chan error, len(conns))
	for _, conn := range conns {
		go func() {
			var err error
			for ctx.Err() == nil && err == nil {
				_, err = conn.Exec(context.Background(), query).ReadAll()
			}
			ended <- err
		}()
	}
	most := rss(pid)
	for ctx.Err() == nil {
		time.Sleep(50 * time.Millisecond)
		most = max(most, rss(pid))
	}
	for range conns {
		if err := <-ended; err != nil {
			return 0, err
		}
	}
	return most, nil
}

func idle(ctx context.Context, c contender, n int) ([]*pgconn.PgConn, error) {
	settings := map[string]string{}
	for _, e := range c.env {
		k, v, _ := strings.Cut(e, "=")
		settings[k] = v
	}
	dsn := fmt.Sprintf("host=%s port=%s user=%s password=%s dbname=products sslmode=%s",
		settings["PGHOST"], settings["PGPORT"], settings["PGUSER"], settings["PGPASSWORD"], settings["PGSSLMODE"])
	var conns []*pgconn.PgConn
	for range n {
		conn, err := pgconn.Connect(ctx, dsn)
		if err != nil {
			return nil, err
		}
		if _, err := conn.Exec(ctx, "SELECT name FROM items WHERE id = 1").ReadAll(); err != nil {
			return nil, err
		}
		conns = append(conns, conn)
	}
	return conns, nil
}
