// Package attack attacks a running gateway as its enemies would: strangers on the network, leaked credentials, curious and
// impatient users, and whoever hopes that an operator's terminal believes what is printed on it.
//
// A test here fails while the hole is there. It knows the gateway by its ports, its files and its command line; some races
// that cannot be hit from outside are attacked at the package that would lose them.
package attack

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/vecgate/vecgate/internal/identity/login"
	"github.com/vecgate/vecgate/test/postgrestest"
	"github.com/vecgate/vecgate/test/world"
)

func start(t *testing.T, o world.GatewayOptions) *world.Gateway {
	t.Helper()
	server := postgrestest.Start(t)
	o.Postgres, o.Database = server, server.NewProducts(t).App.Database
	return world.Test(t, o)
}

func token(t *testing.T, g *world.Gateway, who string, ask login.Ask) string {
	t.Helper()
	return g.TestToken(t, who, ask)
}

// dial opens a session with a token as the password; the connection string may be changed first.
func dial(t *testing.T, g *world.Gateway, who, token string, change func(*pgx.ConnConfig)) (*pgx.Conn, error) {
	t.Helper()
	config, err := pgx.ParseConfig(g.DSN(who, token))
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(config)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, config)
	if err == nil {
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
	}
	return conn, err
}

func connect(t *testing.T, g *world.Gateway, who, token string) *pgx.Conn {
	t.Helper()
	conn, err := dial(t, g, who, token, nil)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// held runs a statement that is expected to wait, and returns the request that it waits for and how it ends.
func held(t *testing.T, g *world.Gateway, who, token, sql string, args ...any) (id string, done <-chan error) {
	t.Helper()
	notices := make(chan string, 16)
	conn, err := dial(t, g, who, token, func(c *pgx.ConnConfig) {
		c.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { notices <- n.Message }
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.Background(), sql, args...)
		ended <- err
	}()
	select {
	case m := <-notices:
		_, rest, ok := strings.Cut(m, "request ")
		if !ok {
			t.Fatalf("the notice names no request: %s", m)
		}
		return strings.TrimRight(strings.Fields(rest)[0], ":"), ended
	case err := <-ended:
		t.Fatalf("%s was not held: %v", sql, err)
	case <-time.After(20 * time.Second):
		t.Fatalf("no notice for %s", sql)
	}
	return "", nil
}

// as runs vecgate as somebody.
func as(t *testing.T, g *world.Gateway, who string, args ...string) (string, error) {
	t.Helper()
	id, err := world.SignIn(t.Context(), g.Issuer(who), who)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	return g.Vecgate(ctx, []string{"VECGATE_ID_TOKEN=" + id}, args...)
}

// call asks the API with a token.
func call(t *testing.T, g *world.Gateway, token, method, path string, body any) (int, string) {
	t.Helper()
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		in = bytes.NewReader(b)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, g.URL+path, in)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(out)
}

// fetch gets a page without any credential.
func fetch(t *testing.T, address string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// knock is a stranger who names a user and a database, answers the question for a password, and returns what was said.
func knock(t *testing.T, g *world.Gateway, params [][2]string, password string) string {
	t.Helper()
	out := []byte{0, 3, 0, 0}
	for _, p := range params {
		out = append(append(append(append(out, p[0]...), 0), p[1]...), 0)
	}
	out = append(out, 0)
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", g.PlainPort), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(out)+4)), out...)); err != nil {
		t.Fatal(err)
	}
	var said []byte
	for { // until the session is ready, or the gateway hangs up
		head := make([]byte, 5)
		if _, err := io.ReadFull(conn, head); err != nil {
			return string(said)
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(conn, body); err != nil || head[0] == 'Z' {
			return string(said)
		}
		said = append(append(said, head...), body...)
		if head[0] == 'R' && body[3] == 3 {
			answer := append([]byte(password), 0)
			if _, err := conn.Write(append(binary.BigEndian.AppendUint32([]byte{'p'}, uint32(len(answer)+4)), answer...)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// written is everything that the gateway keeps on disk, by name of the file.
func written(t *testing.T, g *world.Gateway) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := filepath.WalkDir(g.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(g.Dir, path)
		all[name] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !cond(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain until " + what)
		}
	}
}

func escape(path string) string { return url.PathEscape(path) }
