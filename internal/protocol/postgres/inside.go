package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vecgate/vecgate/internal/protocol/postgres/analysis"
	"github.com/vecgate/vecgate/internal/protocol/postgres/value"
	"github.com/vecgate/vecgate/internal/protocol/postgres/wire"
)

// snapshot is what the session's texts are analysed over: the target's, or its own while its transaction has changed
// what nobody else can see yet.
func (s *session) snapshot() *snapshot {
	if s.inside != nil {
		return s.inside
	}
	return s.target.current()
}

// lookInside reads the catalog over the session's own connection, inside its transaction, when the transaction has
// changed it.
func (s *session) lookInside(ctx context.Context) error {
	if !s.stale || s.status != 'T' || s.skipping {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	config, err := pgx.ParseConfig("host=localhost sslmode=disable passfile=" + quote(os.DevNull) + " servicefile=" + quote(os.DevNull))
	if err != nil {
		return err
	}
	shim := &inside{Conn: s.up.conn, in: s.up.in}
	config.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"127.0.0.1"}, nil }
	config.DialFunc = func(context.Context, string, string) (net.Conn, error) { return shim, nil }
	config.Fallbacks = nil
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	shim.greet(s.up.settings)
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("read catalog inside the transaction: %w", err)
	}
	next := &snapshot{loaded: time.Now()}
	if next.catalog, err = analysis.LoadCatalog(ctx, conn, s.target.name); err == nil {
		next.types, err = value.Load(ctx, conn)
	}
	if err == nil {
		err = conn.PgConn().SyncConn(ctx) // nothing of pgx may go on reading
	}
	if err == nil && (conn.PgConn().TxStatus() != 'T' || shim.closed) {
		err = errors.New("the transaction did not survive it")
	}
	_ = s.up.conn.SetDeadline(time.Time{})
	if err != nil {
		return fmt.Errorf("read catalog inside the transaction: %w", err)
	}
	s.inside, s.stale = next, false
	delete(s.names.statements, "") // a Query drops the unnamed statement
	return nil
}

// inside lends a session's connection to pgx for a while: it plays the start of a connection that has long started, and
// turns the transaction that pgx wants into a savepoint of the one that is open.
type inside struct {
	net.Conn
	in      *wire.Reader
	greeted []byte
	started bool
	closed  bool
}

const savepoint = "vecgate_catalog"

func (c *inside) greet(settings []setting) {
	out, at := wire.Begin(nil, wire.Authentication)
	out = wire.End(append(out, 0, 0, 0, 0), at)
	for _, p := range settings {
		out = wire.Parameter(out, p.name, p.value)
	}
	c.greeted = wire.Ready(out, 'T')
}

func (c *inside) Read(p []byte) (int, error) {
	if len(c.greeted) > 0 {
		n := copy(p, c.greeted)
		c.greeted = c.greeted[n:]
		return n, nil
	}
	if c.in.Len() > 0 {
		n := copy(p, c.in.Bytes())
		c.in.Discard(n)
		return n, nil
	}
	return c.Conn.Read(p)
}

func (c *inside) Write(p []byte) (int, error) {
	if !c.started { // the startup packet
		c.started = true
		return len(p), nil
	}
	if len(p) < wire.Header || p[0] != wire.Query {
		return 0, fmt.Errorf("unexpected message type %q", p[:min(1, len(p))])
	}
	send := p
	text := p[wire.Header:]
	switch {
	case bytes.HasPrefix(text, []byte("begin")):
		send = queryMessage("SAVEPOINT " + savepoint)
	case bytes.HasPrefix(text, []byte("rollback")), bytes.HasPrefix(text, []byte("commit")):
		send = queryMessage("ROLLBACK TO SAVEPOINT " + savepoint + "; RELEASE SAVEPOINT " + savepoint)
	}
	if _, err := c.Conn.Write(send); err != nil {
		return 0, err
	}
	return len(p), nil
}

func queryMessage(text string) []byte {
	b, at := wire.Begin(nil, wire.Query)
	return wire.End(wire.Text(b, text), at)
}

// Close leaves the session's connection open: whoever lent it closes it.
func (c *inside) Close() error {
	c.closed = true
	return nil
}
