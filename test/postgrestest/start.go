package postgrestest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// shared is the one server of this test binary. It has no owner that stops it: its
// keeper does when the binary ends.
var shared = sync.OnceValues(func() (*Server, error) {
	return Run(context.Background(), "", Options{LogStatements: true})
})

// Start answers the server that all tests of this binary share. The first call starts
// it: in about half a second, or a few more when nothing is in the cache yet.
func Start(t testing.TB) *Server {
	t.Helper()
	server, err := shared()
	if err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
	return server
}

// A Database belongs to one test.
type Database struct {
	Admin DSN // as superuser
	App   DSN // as AppRole
}

// NewDatabase makes an empty database with pgvector that is dropped when the test ends.
func (s *Server) NewDatabase(t testing.TB) Database {
	t.Helper()
	return s.clone(t, Empty)
}

// NewProducts makes a database with the data of test/data, in which the application's
// role owns every table, that is dropped when the test ends.
func (s *Server) NewProducts(t testing.TB) Database {
	t.Helper()
	return s.clone(t, Products)
}

var clones atomic.Int64

func (s *Server) clone(t testing.TB, template string) Database {
	t.Helper()
	name := fmt.Sprintf("%s_%d", template, clones.Add(1))
	s.administrate(t, "CREATE DATABASE "+name+" TEMPLATE "+template)
	t.Cleanup(func() { s.administrate(t, "DROP DATABASE "+name+" WITH (FORCE)") })
	admin := s.Database(name)
	return Database{Admin: admin, App: admin.As(s.AppUser, s.AppPassword)}
}

func (s *Server) administrate(t testing.TB, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.Database("postgres").String())
	if err != nil {
		t.Fatalf("connect to administrate: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// Connect opens a connection that is closed when the test ends.
func (d DSN) Connect(t testing.TB) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, d.String())
	if err != nil {
		t.Fatalf("connect to %s as %s: %v", d.Database, d.User, err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}
