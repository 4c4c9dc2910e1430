package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/postgres/wire"
	"github.com/vecgate/vecgate/internal/vault"
)

// upstream is a session's connection to the target.
type upstream struct {
	conn     net.Conn
	in       *wire.Reader
	hijacked *pgconn.HijackedConn
	settings []setting // as the target reported them, by name
}

type setting struct{ name, value string }

// dial connects to the target for one session.
func (t *target) dial(ctx context.Context, credential vault.Credential, settings map[string]string) (*upstream, error) {
	ctx, cancel := context.WithTimeout(ctx, t.server.limits.Connect)
	defer cancel()
	config, err := t.pgconn(credential, settings)
	if err != nil {
		return nil, err
	}
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, t.unreachable(err)
	}
	give := func(err error) (*upstream, error) {
		_ = conn.Close(ctx) // the error that we return says more
		return nil, err
	}
	if err := t.probe(ctx, conn, credential); err != nil {
		return give(err)
	}
	if err := conn.SyncConn(ctx); err != nil {
		return give(t.unreachable(err))
	}
	hijacked, err := conn.Hijack()
	if err != nil {
		return give(t.unreachable(err))
	}
	if hijacked.Frontend.ReadBufferLen() != 0 || hijacked.TxStatus != 'I' {
		hijacked.Conn.Close()
		return nil, t.unreachable(errors.New("the connection is not idle after the start"))
	}
	_ = hijacked.Conn.SetDeadline(time.Time{})
	hijacked.Frontend = nil // and its buffers
	u := &upstream{conn: hijacked.Conn, in: wire.NewReader(hijacked.Conn), hijacked: hijacked}
	for name, value := range hijacked.ParameterStatuses {
		u.settings = append(u.settings, setting{name, value})
	}
	sort.Slice(u.settings, func(i, j int) bool { return u.settings[i].name < u.settings[j].name })
	return u, nil
}

// pgconn is the configuration of a connection. Nothing of it comes from the environment or from a file that libpq knows.
func (t *target) pgconn(credential vault.Credential, settings map[string]string) (*pgconn.Config, error) {
	host, port := t.Address, "5432"
	if !strings.HasPrefix(host, "/") {
		var err error
		if host, port, err = net.SplitHostPort(t.Address); err != nil {
			return nil, t.unreachable(fmt.Errorf("address: %w", err))
		}
	}
	config, err := pgconn.ParseConfig("host=" + quote(host) + " port=" + quote(port) + " user=" + quote(credential.User) + " dbname=" + quote(t.Database) +
		" sslmode=disable passfile=" + quote(os.DevNull) + " servicefile=" + quote(os.DevNull))
	if err != nil {
		return nil, t.unreachable(errors.New("the address or the name of the database cannot be used"))
	}
	config.Password = credential.Secret.Reveal()
	config.Fallbacks, config.ValidateConnect, config.AfterConnect = nil, nil, nil
	config.ConnectTimeout = t.server.limits.Connect
	config.MaxProtocolVersion = "3.2"
	config.MaxProtocolMessageBodyLen = 1 << 20
	config.ChannelBinding = "prefer"
	config.RequireAuth = "scram-sha-256"
	if t.WeakAuth {
		config.RequireAuth = ""
	} else if t.TLS != nil && len(t.TLS.Certificates) > 0 {
		config.RequireAuth = "scram-sha-256,none"
	}
	if t.TLS != nil {
		config.TLSConfig = t.TLS.Clone()
		if config.TLSConfig.ServerName == "" {
			config.TLSConfig.ServerName = host
		}
		if config.TLSConfig.MinVersion < tls.VersionTLS12 {
			config.TLSConfig.MinVersion = tls.VersionTLS12
		}
	}
	config.RuntimeParams = map[string]string{
		"application_name": "vecgate", "statement_timeout": milliseconds(t.StatementTimeout), "lock_timeout": milliseconds(t.LockTimeout),
	}
	maps.Copy(config.RuntimeParams, settings)
	maps.Copy(config.RuntimeParams, t.Settings)
	config.RuntimeParams["client_encoding"] = "UTF8"
	config.RuntimeParams["standard_conforming_strings"] = "on"
	config.RuntimeParams["search_path"] = t.SearchPath
	return config, nil
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func quote(value string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
}

// unreachable is what a client is told when the target does not answer as it must; the cause is for operators.
func (t *target) unreachable(err error) error {
	return &access.Refusal{
		Code: access.CodeUnavailable, Message: fmt.Sprintf("the gateway cannot connect to target %q", t.name),
		Hint: "tell the operator of the gateway; its log has the details", Err: err,
	}
}

const probeQuery = `
SELECT r.rolsuper, r.rolreplication, r.rolbypassrls, r.rolcreaterole, pg_catalog.string_agg(m.rolname::pg_catalog.text, ', ')
FROM pg_catalog.pg_roles r
LEFT JOIN pg_catalog.pg_roles m ON m.rolname OPERATOR(pg_catalog.=) ANY (ARRAY['pg_read_server_files', 'pg_write_server_files',
     'pg_execute_server_program', 'pg_read_all_settings', 'pg_read_all_stats']::pg_catalog.name[])
     AND pg_catalog.pg_has_role(r.oid, m.oid, 'member')
WHERE r.rolname OPERATOR(pg_catalog.=) current_user
GROUP BY r.oid, r.rolsuper, r.rolreplication, r.rolbypassrls, r.rolcreaterole`

// probe refuses a credential that could step around the gateway. It asks once for each version of a credential.
func (t *target) probe(ctx context.Context, conn *pgconn.PgConn, credential vault.Credential) error {
	if t.Privileged {
		return nil
	}
	key := credential.User + "@" + strconv.FormatUint(credential.Version, 10)
	if conn.ParameterStatus("is_superuser") == "on" {
		return t.privileged(credential, []string{"superuser"})
	}
	if _, ok := t.probed.Load(key); ok {
		return nil
	}
	result := conn.ExecParams(ctx, probeQuery, nil, nil, nil, nil).Read()
	if result.Err != nil {
		return t.unreachable(fmt.Errorf("ask for the rights of the role: %w", result.Err))
	}
	if len(result.Rows) != 1 {
		return t.unreachable(errors.New("ask for the rights of the role: it is not in pg_roles"))
	}
	row := result.Rows[0]
	var rights []string
	for i, name := range []string{"superuser", "replication", "bypassrls", "createrole"} {
		if string(row[i]) != "f" {
			rights = append(rights, name)
		}
	}
	if row[4] != nil {
		rights = append(rights, "member of "+string(row[4]))
	}
	if len(rights) > 0 {
		return t.privileged(credential, rights)
	}
	t.probed.Store(key, struct{}{})
	return nil
}

func (t *target) privileged(credential vault.Credential, rights []string) error {
	return t.unreachable(fmt.Errorf("role %q is too powerful for a gateway (%s): give the target a plain role, or allow it in the configuration",
		credential.User, strings.Join(rights, ", ")))
}

// own opens a connection of the gateway's own, for the catalog. No client can change anything about it.
func (t *target) own(ctx context.Context) (*pgx.Conn, error) {
	credential, err := t.server.config.Gate.Credentials.Lease(ctx, t.name)
	if err != nil {
		return nil, t.unreachable(err)
	}
	plain, err := t.pgconn(credential, map[string]string{"application_name": "vecgate catalog"})
	if err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig("host=localhost sslmode=disable passfile=" + quote(os.DevNull))
	if err != nil {
		return nil, t.unreachable(err)
	}
	config.Config = *plain
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, t.unreachable(err)
	}
	return conn, nil
}

// cancel asks the target to cancel what the session runs, and returns when the target has taken note.
func (u *upstream) cancel(ctx context.Context) error {
	// Construct makes a handle that knows how to reach the same server in the same way; it does not touch the connection.
	handle, err := pgconn.Construct(&pgconn.HijackedConn{
		Conn: u.hijacked.Conn, TLSConfig: u.hijacked.TLSConfig, PID: u.hijacked.PID, SecretKey: u.hijacked.SecretKey, Config: u.hijacked.Config,
		TxStatus: 'I', ParameterStatuses: map[string]string{},
	})
	if err != nil {
		return fmt.Errorf("cancel: %w", err)
	}
	return handle.CancelRequest(ctx)
}
