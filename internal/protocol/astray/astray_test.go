package astray_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/vecgate/vecgate/internal/protocol/astray"
)

var words = astray.Words{Message: "this port speaks HTTP, not PostgreSQL", Hint: "PostgreSQL is spoken at port 6432"}

// web is a port for HTTP. The configuration is nil for one in clear.
func web(t *testing.T, config *tls.Config) (address string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = ln.Addr().String()
	ln = astray.Listener(ln, config, words)
	if config != nil {
		config = config.Clone()
		config.NextProtos = []string{"h2", "http/1.1"}
		ln = tls.NewListener(ln, config)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, r.Proto+" "+r.URL.Path+" "+string(b))
	}), ErrorLog: log.New(io.Discard, "", 0)}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ln) }()
	t.Cleanup(func() {
		server.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return address
}

func selfSigned(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}

func TestClientsOfPostgreSQLAreToldAtAPortForHTTP(t *testing.T) {
	config, _ := selfSigned(t)
	clear, secure := web(t, nil), web(t, config)
	for _, c := range []struct{ name, address, mode string }{
		{"in clear", clear, "disable"}, {"that would like TLS", clear, "prefer"}, {"over TLS", secure, "require"}, {"at a port with TLS, in clear", secure, "disable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := pgx.Connect(t.Context(), "postgres://alice:secret@"+c.address+"/products?connect_timeout=30&sslmode="+c.mode)
			said, ok := errors.AsType[*pgconn.PgError](err)
			if !ok || said.Severity != "FATAL" || said.Message != words.Message || said.Hint != words.Hint || said.Code != "0A000" {
				t.Errorf("%v (%+v)", err, said)
			}
		})
	}
}

func TestClientsOfHTTPDoNotNotice(t *testing.T) {
	config, pool := selfSigned(t)
	for name, address := range map[string]string{"http://": web(t, nil), "https://": web(t, config)} {
		for _, second := range []bool{false, true} {
			protocols := new(http.Protocols)
			protocols.SetHTTP1(!second)
			protocols.SetHTTP2(second)
			if second && name == "http://" {
				continue
			}
			tr := &http.Transport{Protocols: protocols, TLSClientConfig: &tls.Config{RootCAs: pool}}
			client := &http.Client{Transport: tr, Timeout: 30 * time.Second}
			for range 2 { // on one connection
				res, err := client.Post(name+address+"/x", "text/plain", strings.NewReader(strings.Repeat("z", 200_000)))
				if err != nil {
					t.Fatal(err)
				}
				b, err := io.ReadAll(res.Body)
				res.Body.Close()
				if err != nil || len(b) != 200_000+len(res.Proto)+len(" /x ") {
					t.Errorf("%s: %d bytes, %v", name, len(b), err)
				}
			}
			tr.CloseIdleConnections()
		}
	}
}

// What is no first packet either gets nothing, and does not keep its connection.
func TestBytesThatNobodyUnderstandsAreNotAnswered(t *testing.T) {
	address := web(t, nil)
	for name, sent := range map[string]string{
		"a long length":      "\x00\xff\xff\xff\x00\x03\x00\x00",
		"a short length":     "\x00\x00\x00\x04\x00\x03\x00\x00",
		"another version":    "\x00\x00\x00\x09\x00\x02\x00\x00\x00",
		"a cancellation":     "\x00\x00\x00\x10\x04\xd2\x16\x2e\x00\x00\x00\x01\x00\x00\x00\x01",
		"half a packet":      "\x00\x00\x00\x20\x00\x03",
		"encryption forever": strings.Repeat("\x00\x00\x00\x08\x04\xd2\x16\x2f", 100),
	} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
		if _, err := io.WriteString(conn, sent); err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(conn)
		if ne, late := errors.AsType[net.Error](err); late && ne.Timeout() {
			t.Errorf("%s: the connection is still open", name)
		}
		if len(bytes.Trim(b, "N")) > 0 || len(b) > 3 {
			t.Errorf("%s: %q", name, b)
		}
		conn.Close()
	}
}

func TestClientsOfHTTPAreToldAtAnotherPort(t *testing.T) {
	for name, ask := range map[string]func(address string) (*http.Response, error){
		"GET": func(address string) (*http.Response, error) { return http.Get("http://" + address + "/x") },
		"POST": func(address string) (*http.Response, error) {
			return http.Post("http://"+address+"/x", "text/plain", strings.NewReader(strings.Repeat("z", 40_000)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			served := make(chan bool)
			go func() {
				defer close(served)
				conn, err := ln.Accept()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				first := make([]byte, 4)
				if _, err := io.ReadFull(conn, first); err != nil || !astray.HTTP(first) {
					t.Errorf("%q, %v", first, err)
				}
				astray.Answer(conn, astray.Words{Message: "this port speaks PostgreSQL", Hint: "the console is elsewhere"})
			}()
			res, err := ask(ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || res.StatusCode != http.StatusBadRequest || string(b) != "this port speaks PostgreSQL\nthe console is elsewhere\n" {
				t.Errorf("%d %q, %v", res.StatusCode, b, err)
			}
			<-served
		})
	}
}

func TestAFirstPacketOfPostgreSQLIsNotTakenForHTTP(t *testing.T) {
	for _, first := range []string{"\x00\x00\x00\x08", "\x16\x03\x01\x02", "get ", "GETX", "", "GET"} {
		if astray.HTTP([]byte(first)) {
			t.Errorf("%q", first)
		}
	}
}
