package postgres

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vecgate/vecgate/internal/audit"
	"github.com/vecgate/vecgate/internal/protocol/astray"
	"github.com/vecgate/vecgate/test/postgrestest"
)

func startupPacket(version uint32, pairs ...string) []byte {
	b := binary.BigEndian.AppendUint32([]byte{0, 0, 0, 0}, version)
	for _, p := range pairs {
		b = append(append(b, p...), 0)
	}
	b = append(b, 0)
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	return b
}

func (w *world) tcp() net.Conn {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.address)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	w.t.Cleanup(func() { conn.Close() })
	return conn
}

func (w *world) tls(alpn ...string) net.Conn {
	w.t.Helper()
	conn := w.tcp()
	if len(alpn) == 0 {
		_, _ = conn.Write([]byte{0, 0, 0, 8, 4, 210, 22, 47})
		one := make([]byte, 1)
		if _, err := io.ReadFull(conn, one); err != nil || one[0] != 'S' {
			w.t.Fatalf("asked for TLS: %q, %v", one, err)
		}
	}
	secure := tls.Client(conn, &tls.Config{RootCAs: w.pool, ServerName: "127.0.0.1", NextProtos: alpn})
	if err := secure.Handshake(); err != nil {
		w.t.Fatal(err)
	}
	return secure
}

func TestPlaintextIsRefusedWhereThereIsTLS(t *testing.T) {
	w := newWorld(t)
	conn := w.tcp()
	_, _ = conn.Write(startupPacket(196608, "user", "alice", "database", "products"))
	answer, _ := io.ReadAll(conn)
	if !bytes.Contains(answer, []byte("C28000\x00")) || answer[0] != 'E' {
		t.Errorf("%q", answer)
	}
}

func TestBytesBeforeTheHandshakeAreNotTakenForBytesAfterIt(t *testing.T) {
	w := newWorld(t)
	conn := w.tcp()
	_, _ = conn.Write(append([]byte{0, 0, 0, 8, 4, 210, 22, 47}, startupPacket(196608, "user", "mallory", "database", "products")...))
	answer, _ := io.ReadAll(conn)
	if bytes.HasPrefix(answer, []byte("S")) {
		t.Errorf("the handshake went on: %q", answer)
	}
}

func TestDirectTLSNeedsALPN(t *testing.T) {
	w := newWorld(t)
	conn := w.tls("postgresql")
	_, _ = conn.Write(startupPacket(196608, "user", "alice", "database", "products"))
	head := make([]byte, 9)
	if _, err := io.ReadFull(conn, head); err != nil || head[0] != 'R' || head[8] != 3 {
		t.Errorf("%q, %v", head, err)
	}
	raw := w.tcp()
	secure := tls.Client(raw, &tls.Config{RootCAs: w.pool, ServerName: "127.0.0.1"})
	_ = secure.Handshake()
	_, _ = secure.Write(startupPacket(196608, "user", "alice", "database", "products"))
	if answer, _ := io.ReadAll(secure); len(answer) > 0 {
		t.Errorf("without ALPN: %q", answer)
	}
	other := tls.Client(w.tcp(), &tls.Config{RootCAs: w.pool, ServerName: "127.0.0.1", NextProtos: []string{"http/1.1"}})
	if err := other.Handshake(); err == nil {
		t.Error("a TLS handshake for another protocol was taken")
	}
}

func TestEncryptionRequestsAreAnsweredOnce(t *testing.T) {
	w := newWorld(t)
	conn := w.tcp()
	one := make([]byte, 1)
	_, _ = conn.Write([]byte{0, 0, 0, 8, 4, 210, 22, 48})
	if _, err := io.ReadFull(conn, one); err != nil || one[0] != 'N' {
		t.Fatalf("GSS: %q, %v", one, err)
	}
	_, _ = conn.Write([]byte{0, 0, 0, 8, 4, 210, 22, 48})
	if answer, _ := io.ReadAll(conn); len(answer) == 0 || answer[0] != 'E' {
		t.Errorf("GSS twice: %q", answer)
	}
	secure := w.tls()
	_, _ = secure.Write([]byte{0, 0, 0, 8, 4, 210, 22, 47})
	if _, err := io.ReadFull(secure, one); err != nil {
		t.Fatal(err)
	}
	if one[0] != 'E' && one[0] != 'N' {
		t.Errorf("TLS in TLS: %q", one)
	}
}

func TestAnUnknownProtocolVersionIsNegotiated(t *testing.T) {
	w := newWorld(t)
	conn := w.tls()
	_, _ = conn.Write(startupPacket(3<<16|9999, "user", "alice", "database", "products", "_pq_.test_protocol_negotiation", ""))
	head := make([]byte, 5+8)
	if _, err := io.ReadFull(conn, head); err != nil || head[0] != 'v' || !bytes.Equal(head[5:13], []byte{0, 3, 0, 2, 0, 0, 0, 1}) {
		t.Errorf("%q, %v", head, err)
	}
}

func TestNobodyStaysAtTheDoor(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *Target) { c.Limits.SignIn = 200 * time.Millisecond; c.Limits.SignInsPerClient = 2 })
	conn := w.tcp()
	began := time.Now()
	if _, err := io.ReadAll(conn); err != nil || time.Since(began) > 5*time.Second {
		t.Errorf("a silent connection stayed for %s, %v", time.Since(began), err)
	}
	w.tcp()
	w.tcp()
	time.Sleep(50 * time.Millisecond)
	third := w.tcp()
	_ = third.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := third.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("third connection of an address: %v", err)
	}
}

func TestOversizedFirstPacketsAndPasswordsAreRefused(t *testing.T) {
	w := newWorld(t)
	conn := w.tcp()
	_, _ = conn.Write([]byte{0, 0, 0x40, 0, 0, 3, 0, 0})
	if answer, _ := io.ReadAll(conn); len(answer) == 0 || answer[0] != 'E' {
		t.Errorf("%q", answer)
	}
	secure := w.tls()
	_, _ = secure.Write(startupPacket(196608, "user", "alice", "database", "products"))
	_, _ = io.ReadFull(secure, make([]byte, 9))
	_, _ = secure.Write([]byte{'p', 0x7f, 0xff, 0xff, 0xff})
	answer, _ := io.ReadAll(secure)
	if !bytes.Contains(answer, []byte("C08P01")) {
		t.Errorf("%q", answer)
	}
}

func TestMintedSecretsSignInBySCRAM(t *testing.T) {
	w := newWorld(t)
	dsn := strings.Replace(w.dsn(), "user=alice", "user=vg_abc", 1)
	for _, binding := range []string{"require", "disable"} {
		conn, err := pgx.Connect(t.Context(), dsn+" channel_binding="+binding)
		if err != nil {
			t.Fatalf("channel binding %s: %v", binding, err)
		}
		conn.Close(t.Context())
	}
	if _, err := pgx.Connect(t.Context(), strings.Replace(dsn, "right", "wrong", 1)); state(err) != "28000" {
		t.Errorf("wrong secret: %v", err)
	}
	if r := w.journal.of(audit.TypeSignIn); len(r) != 1 || r[0].Method != "scram" {
		t.Errorf("%+v", r)
	}
}

func TestTokensSignInByOAUTHBEARER(t *testing.T) {
	w := newWorld(t)
	config, err := pgx.ParseConfig(w.dsn("options='-c vecgate.auth=oauthbearer'"))
	if err != nil {
		t.Fatal(err)
	}
	for token, good := range map[string]bool{"right": true, "wrong": false} {
		config.OAuthTokenProvider = func(context.Context) (string, error) { return token, nil }
		conn, err := pgx.ConnectConfig(t.Context(), config)
		if good != (err == nil) {
			t.Errorf("%s: %v", token, err)
		}
		if conn != nil {
			conn.Close(t.Context())
		}
	}
	// What a client without a token is told.
	conn := w.tls()
	_, _ = conn.Write(startupPacket(196608, "user", "alice", "database", "products", "options", "-c vecgate.auth=oauthbearer"))
	r := &raw{t, conn}
	if list := r.until('R', 1); !bytes.HasSuffix(list, []byte("\x00\x00\x00\x0aOAUTHBEARER\x00\x00")) {
		t.Fatalf("%q", list)
	}
	data := "n,,\x01auth=\x01\x01"
	r.send(msg('p', z("OAUTHBEARER"), i32(len(data)), data))
	status := r.until('R', 1)
	if !strings.Contains(string(status), `{"status":"invalid_token","openid-configuration":"https://idp.example.com/.well-known/openid-configuration","scope":"openid"}`) {
		t.Errorf("%q", status)
	}
	before := len(w.journal.of(audit.TypeSignIn))
	r.send(msg('p', "\x01"))
	if end := r.until('E', 1); !bytes.Contains(end, []byte("C28000")) {
		t.Errorf("%q", end)
	}
	if n := len(w.journal.of(audit.TypeSignIn)); n != before {
		t.Error("a client that asked where to get a token counts as a failed sign-in")
	}
}

func TestBearerMessagesAreReadStrictly(t *testing.T) {
	for data, want := range map[string]string{
		"n,,\x01auth=Bearer abc.def-_~+/==\x01\x01":          "abc.def-_~+/==",
		"y,,\x01auth=bEARER abc\x01\x01":                     "abc",
		"n,,\x01host=h\x01port=1\x01auth=Bearer abc\x01\x01": "abc",
		"n,,\x01auth=\x01\x01":                               "",
		"p=tls-unique,,\x01auth=Bearer abc\x01\x01":          "!",
		"n,a=bob,\x01auth=Bearer abc\x01\x01":                "!",
		"n,,\x01auth=Bearer abc\x01auth=Bearer abc\x01\x01":  "!",
		"n,,\x01auth=Bearer abc\x01\x01x":                    "!",
		"n,,\x01auth=Bearer abc\x01":                         "!",
		"n,,\x01auth=Bearer a\x00bc\x01\x01":                 "!",
		"n,,\x01\x01":                                        "!",
		"n,,\x01auth=Basic abc\x01\x01":                      "!",
		"n,,\x01auth=Bearer a b\x01\x01":                     "!",
		"n,,\x01au2th=Bearer abc\x01auth=Bearer abc\x01\x01": "!",
		"": "!",
	} {
		got, err := readBearer([]byte(data))
		if err != nil {
			got = "!"
		}
		if got != want {
			t.Errorf("%q: %q, want %q", data, got, want)
		}
	}
}

func FuzzBearer(f *testing.F) {
	f.Add([]byte("n,,\x01auth=Bearer abc\x01\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if token, err := readBearer(data); err == nil && token != "" && !tokenShape(token) {
			t.Errorf("took %q", token)
		}
	})
}

func TestACertificateSignsIn(t *testing.T) {
	var pair tls.Certificate
	w := newWorld(t, func(c *Config, _ *Target) {
		pair = c.TLS.Certificates[0]
		_, pool := selfSigned(t)
		pool.AddCert(pair.Leaf)
		c.TLS.ClientCAs = pool
		c.Auth = []Method{Token, Certificate}
	})
	config, err := pgx.ParseConfig(w.dsn())
	if err != nil {
		t.Fatal(err)
	}
	config.Password = ""
	config.TLSConfig.Certificates = []tls.Certificate{pair}
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close(t.Context())
	if open := w.journal.of(audit.TypeSessionOpen); len(open) != 1 || open[0].Subject != "cert:spiffe://example.com/ci/train" {
		t.Errorf("%+v", open)
	}
	stranger, _ := selfSigned(t)
	config.TLSConfig.Certificates = []tls.Certificate{stranger}
	if _, err := pgx.ConnectConfig(t.Context(), config); err == nil {
		t.Error("a certificate of nobody's signed in")
	}
}

func TestTheTargetMustBeWhoItIsAndTheCredentialPlain(t *testing.T) {
	pg := postgrestest.Start(t)
	w := newWorld(t, func(_ *Config, target *Target) {
		target.TLS = &tls.Config{ServerName: "elsewhere", RootCAs: target.TLS.RootCAs}
	})
	if _, err := pgx.Connect(t.Context(), w.dsn()); state(err) != "08006" || strings.Contains(err.Error(), w.db.App.Password) {
		t.Errorf("wrong name in the certificate: %v", err)
	}
	w = newWorld(t)
	w.mu.Lock()
	w.db.App.User, w.db.App.Password = pg.User, pg.Password
	w.mu.Unlock()
	if _, err := pgx.Connect(t.Context(), w.dsn()); state(err) != "08006" {
		t.Errorf("superuser as the gateway's credential: %v", err)
	}
	w = newWorld(t, func(_ *Config, target *Target) { target.Privileged = true })
	w.mu.Lock()
	w.db.App.User, w.db.App.Password = pg.User, pg.Password
	w.mu.Unlock()
	conn, err := pgx.Connect(t.Context(), w.dsn())
	if err != nil {
		t.Fatalf("where it is allowed: %v", err)
	}
	conn.Close(t.Context())
}

func TestPsqlAndPgbenchWalk(t *testing.T) {
	pg := postgrestest.Start(t)
	w := newWorld(t)
	_, port, _ := net.SplitHostPort(w.address)
	run := func(name string, args ...string) string {
		t.Helper()
		c := exec.CommandContext(t.Context(), filepath.Join(pg.Bin, name), args...)
		c.Env = append(os.Environ(), "PGHOST=127.0.0.1", "PGPORT="+port, "PGUSER=alice", "PGPASSWORD=right", "PGDATABASE=products", "PGSSLMODE=require")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %q: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	if out := run("psql", "-Atc", "select 1+1"); strings.TrimSpace(out) != "2" {
		t.Errorf("psql: %q", out)
	}
	// 600 KB results over TLS, which stall clients when records are too long.
	script := filepath.Join(t.TempDir(), "bulk.sql")
	if err := os.WriteFile(script, []byte("select repeat('x', 6000) from generate_series(1, 100);\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"simple", "extended", "prepared"} {
		run("pgbench", "-n", "-M", mode, "-f", script, "-c", "2", "-t", "50")
	}
	run("pgbench", "-i", "-s", "1", "-q")
	for _, mode := range []string{"simple", "extended", "prepared"} {
		run("pgbench", "-n", "-M", mode, "-c", "4", "-t", "50")
	}
	for _, r := range w.journal.of(audit.TypeRefusal) {
		t.Errorf("refused: %+v", r)
	}
}

func TestAClientOfHTTPIsToldWhereItIs(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *Target) {
		c.Astray = astray.Words{Message: "this port speaks PostgreSQL, not HTTP", Hint: "the console is at https://elsewhere"}
	})
	for _, body := range []string{"", strings.Repeat("x", 10_000)} {
		res, err := http.Post("http://"+w.address+"/collections/docs", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		said, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusBadRequest || string(said) != "this port speaks PostgreSQL, not HTTP\nthe console is at https://elsewhere\n" {
			t.Errorf("%d %q, %v", res.StatusCode, said, err)
		}
	}
}

// counted are the connections that have not signed in.
type counted struct {
	mu   sync.Mutex
	here map[net.Conn]bool
	came int
}

func (c *counted) Came(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.here[conn] = true
	c.came++
}

func (c *counted) Went(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.here, conn)
}

func (c *counted) wait(t *testing.T, came, here int) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		c.mu.Lock()
		n, m := c.came, len(c.here)
		c.mu.Unlock()
		if n == came && m == here {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d connections came and %d have not signed in; want %d and %d", n, m, came, here)
		}
	}
}

// Each address may have some, and addresses are cheap: all of them together must not take the files of the others.
func TestConnectionsThatHaveNotSignedInAreCounted(t *testing.T) {
	c := &counted{here: map[net.Conn]bool{}}
	w := newWorld(t, func(config *Config, _ *Target) { config.Guests = c })
	silent := w.tcp()
	c.wait(t, 1, 1)
	conn, err := pgx.Connect(t.Context(), w.dsn())
	if err != nil {
		t.Fatal(err)
	}
	c.wait(t, 2, 1)
	_ = conn.Close(t.Context())
	_ = silent.Close()
	c.wait(t, 2, 0)
}
