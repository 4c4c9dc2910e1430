package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vecgate/vecgate/test/data"
	"github.com/vecgate/vecgate/test/get/fetch"
	"github.com/vecgate/vecgate/test/ports"
)

// AppRole is the role that a gateway under test logs in with: no superuser, creates
// no roles or databases, is a member of nothing, owns the tables of Products.
const AppRole = data.Role

// A Server is one running PostgreSQL.
type Server struct {
	Host        string // always 127.0.0.1; the certificate is also good for localhost
	Port        int
	User        string // the superuser
	Password    string
	AppUser     string // AppRole
	AppPassword string
	CAFile      string
	Bin         string // the directory of psql, pgbench, pg_dump …
	Log         string // the server's log file

	dir    string
	main   *postmaster
	keeper *keeper
	stop   func() error
}

// Options change how Run starts a server; the zero value is what tests use.
type Options struct {
	Port          int               // 0: any free one
	Plain         bool              // also accept connections without TLS
	LogStatements bool              // write every statement to the log
	Settings      map[string]string // of postgresql.conf, over ours
	Logger        *slog.Logger      // hears about downloads; nil: nobody
}

// Run starts a server in dir, which must not exist yet; "" is a new temporary
// directory. The server holds the databases Products and Empty. It ends, and dir goes
// away, at Stop, when ctx ends, and when this process does.
func Run(ctx context.Context, dir string, opts Options) (*Server, error) {
	who, err := unprivileged()
	if err != nil {
		return nil, err
	}
	log := opts.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	f, err := fetch.New(log)
	if err != nil {
		return nil, err
	}
	bin, err := f.Postgres(ctx)
	if err != nil {
		return nil, err
	}
	cluster, err := preparedCluster(ctx, f, bin, who)
	if err != nil {
		return nil, fmt.Errorf("prepare a database cluster: %w", err)
	}
	dir, err = serverDirectory(dir, who)
	if err != nil {
		return nil, err
	}
	keeper, err := keep(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	server, err := start(ctx, dir, bin, cluster, who, opts)
	if err != nil {
		return nil, errors.Join(err, keeper.done())
	}
	server.keeper = keeper
	server.stop = sync.OnceValue(func() error {
		return errors.Join(server.main.stop(), keeper.done())
	})
	context.AfterFunc(ctx, func() { _ = server.stop() })
	return server, nil
}

// Stop shuts the server down and removes its directory.
func (s *Server) Stop() error { return s.stop() }

// PID is the process of the server, for measuring it.
func (s *Server) PID() int { return s.main.pid }

// Exited is closed when the server is gone, for whatever reason.
func (s *Server) Exited() <-chan struct{} { return s.main.exited }

// Database says how to reach a database as the superuser.
func (s *Server) Database(name string) DSN {
	return DSN{Host: s.Host, Port: s.Port, Database: name, User: s.User, Password: s.Password, CAFile: s.CAFile}
}

// fastestDirectory is memory where there is plenty of it: a cluster is 1,600 files, which
// some disks take a second to create. TMPDIR overrules it.
func fastestDirectory() string {
	const memory, plenty = "/dev/shm", 2 << 30
	var fs syscall.Statfs_t
	if os.Getenv("TMPDIR") != "" || syscall.Statfs(memory, &fs) != nil || fs.Bavail*uint64(fs.Bsize) < plenty {
		return ""
	}
	return memory
}

// serverDirectory makes dir so that who may live in it, and answers its real path.
func serverDirectory(dir string, who account) (string, error) {
	if dir == "" {
		made, err := os.MkdirTemp(fastestDirectory(), "vecgate-postgres-")
		if err != nil {
			return "", err
		}
		dir = made
	} else if err := os.Mkdir(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the server's directory: %w", err)
	}
	// The parent may be entered by others; what is inside may not be read by them,
	// except the authority's certificate and the log.
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", err
	}
	real, err = filepath.Abs(real)
	if err != nil {
		return "", err
	}
	if who.credential != nil {
		if err := fetch.EnterableByOthers(real); err != nil {
			return "", errors.Join(fmt.Errorf("PostgreSQL does not run as root and needs a directory that another user can reach (set TMPDIR): %w", err), os.RemoveAll(real))
		}
	}
	return real, nil
}

func start(ctx context.Context, dir, bin string, cluster *cluster, who account, opts Options) (*Server, error) {
	files := filepath.Join(dir, "data")
	if err := copyTree(cluster.data, files); err != nil {
		return nil, fmt.Errorf("copy the prepared cluster: %w", err)
	}
	if err := writeCertificates(dir, time.Now()); err != nil {
		return nil, err
	}
	rules := "hostssl all all 127.0.0.1/32 scram-sha-256\n"
	if opts.Plain {
		rules = "host all all 127.0.0.1/32 scram-sha-256\n"
	}
	if err := os.WriteFile(filepath.Join(files, "pg_hba.conf"), []byte(rules), 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(logFile(dir), nil, 0o644); err != nil {
		return nil, err
	}
	if err := who.own(dir); err != nil {
		return nil, err
	}
	server := &Server{
		Host: "127.0.0.1", User: superuser, Password: cluster.Superuser, AppUser: AppRole, AppPassword: cluster.App,
		CAFile: filepath.Join(dir, "ca.pem"), Bin: bin, Log: logFile(dir), dir: dir,
	}
	for attempt := 1; ; attempt++ {
		port, err := freePort(opts.Port)
		if err != nil {
			return nil, err
		}
		server.Port = port
		main, err := startPostmaster(bin, dir, who, server.settings(opts))
		if err != nil {
			return nil, err
		}
		server.main = main
		err = server.awaitReady(ctx)
		if err == nil {
			return server, nil
		}
		_ = main.stop() // its answer only repeats what the log says
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		// Somebody else may have taken the port in the meantime.
		if taken := strings.Contains(lastWords(dir), "could not bind"); !taken || opts.Port != 0 || attempt == 5 {
			return nil, fmt.Errorf("start PostgreSQL: %w; its log ends:\n%s", err, lastWords(dir))
		}
		if err := os.Truncate(logFile(dir), 0); err != nil {
			return nil, err
		}
	}
}

// settings of a server whose data need not survive the machine.
func (s *Server) settings(opts Options) []string {
	settings := map[string]string{
		"listen_addresses": s.Host, "port": strconv.Itoa(s.Port), "unix_socket_directories": "",
		"ssl": "on", "ssl_cert_file": filepath.Join(s.dir, "server.pem"), "ssl_key_file": filepath.Join(s.dir, "server.key"),
		"password_encryption": "scram-sha-256",
		"fsync":               "off", "synchronous_commit": "off", "full_page_writes": "off",
		"max_connections": "200", "shared_buffers": "64MB", "min_wal_size": "16MB", "max_wal_size": "128MB",
		"max_parallel_maintenance_workers": "0", "max_parallel_workers_per_gather": "0", "jit": "off", "random_page_cost": "1.1", "autovacuum_naptime": "1h",
		"log_line_prefix": "%m [%p] %q%u@%d ", "timezone": "UTC", "log_timezone": "UTC", "lc_messages": "C",
	}
	if opts.LogStatements {
		settings["log_statement"] = "all"
	}
	maps.Copy(settings, opts.Settings)
	list := []string{}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		list = append(list, name+"="+settings[name])
	}
	return list
}

// awaitReady returns when the server answers a query, or with the reason why it never will.
func (s *Server) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := ping(ctx, s.Database("postgres"))
		if err == nil {
			return nil
		}
		select {
		case <-s.main.exited:
			return fmt.Errorf("it exited: %w", s.main.err)
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func ping(ctx context.Context, dsn DSN) error {
	conn, err := pgx.Connect(ctx, dsn.String())
	if err != nil {
		return err
	}
	return errors.Join(conn.Ping(ctx), conn.Close(ctx))
}

func freePort(wanted int) (int, error) {
	if wanted != 0 {
		return wanted, nil
	}
	return ports.Free()
}

// copyTree copies a data directory: directories and regular files, private.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(name string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		if entry.IsDir() {
			return os.Mkdir(target, 0o700)
		}
		if !entry.Type().IsRegular() {
			return fmt.Errorf("%s is neither file nor directory", name)
		}
		return copyFile(name, target)
	})
}

func copyFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}
