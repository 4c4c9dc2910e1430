package fetch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// A provider that knows one device, and a server that only signs in, show that the
// psql does the whole flow: it asks the server for the provider, gets the token there
// and presents it on a second connection.
func TestPsqlSignsInByDeviceFlow(t *testing.T) {
	f, err := New(slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	psql, err := f.PsqlOAuth(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	const token = "token-of-the-device"
	var provider *httptest.Server
	answer := func(w http.ResponseWriter, values map[string]any) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(values); err != nil {
			t.Error(err)
		}
	}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{
			"issuer": provider.URL, "token_endpoint": provider.URL + "/token", "device_authorization_endpoint": provider.URL + "/device",
			"grant_types_supported": []string{"urn:ietf:params:oauth:grant-type:device_code"},
		})
	})
	routes.HandleFunc("POST /device", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"device_code": "d", "user_code": "WDJB-MJHT", "verification_uri": provider.URL + "/visit", "interval": 1, "expires_in": 60})
	})
	routes.HandleFunc("POST /token", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"access_token": token, "token_type": "Bearer"})
	})
	provider = httptest.NewServer(routes)
	defer provider.Close()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	presented := make(chan string, 10)
	go func() {
		for {
			conn, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				err = errors.Join(signIn(conn, provider.URL, presented), conn.Close())
			}
			if err != nil {
				t.Errorf("server: %v", err)
			}
		}
	}()

	address := listener.Addr().(*net.TCPAddr)
	cmd := exec.CommandContext(t.Context(), psql, "--no-psqlrc", "--tuples-only", "--no-align", "--command=SELECT 1",
		fmt.Sprintf("host=127.0.0.1 port=%d user=alice dbname=products sslmode=disable oauth_issuer=%s oauth_client_id=psql", address.Port, provider.URL))
	cmd.Env = append(os.Environ(), "PGOAUTHDEBUG=UNSAFE", "no_proxy=127.0.0.1") // this provider has no TLS
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "WDJB-MJHT") || !strings.Contains(string(out), "signed in") {
		t.Fatalf("psql: %v\n%s", err, out)
	}
	if first, second := <-presented, <-presented; first != "" || second != "Bearer "+token {
		t.Errorf("presented %q, then %q; want nothing, then the token", first, second)
	}
}

// signIn plays a server that asks for OAUTHBEARER and answers one query.
func signIn(conn net.Conn, issuer string, presented chan<- string) error {
	backend := pgproto3.NewBackend(conn, conn)
	if _, err := backend.ReceiveStartupMessage(); err != nil {
		return fmt.Errorf("startup: %w", err)
	}
	backend.Send(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{"OAUTHBEARER"}})
	if err := errors.Join(backend.Flush(), backend.SetAuthType(pgproto3.AuthTypeSASL)); err != nil {
		return err
	}
	message, err := backend.Receive()
	if err != nil {
		return fmt.Errorf("initial response: %w", err)
	}
	initial, ok := message.(*pgproto3.SASLInitialResponse)
	if !ok {
		return fmt.Errorf("%T instead of the initial response", message)
	}
	_, bearer, _ := strings.Cut(string(initial.Data), "\x01auth=")
	bearer, _, _ = strings.Cut(bearer, "\x01")
	presented <- bearer
	if bearer == "" {
		backend.Send(&pgproto3.AuthenticationSASLContinue{Data: fmt.Appendf(nil, `{"status":"invalid_token","openid-configuration":"%s/.well-known/openid-configuration","scope":"openid"}`, issuer)})
		if err := errors.Join(backend.Flush(), backend.SetAuthType(pgproto3.AuthTypeSASLContinue)); err != nil {
			return err
		}
		if _, err := backend.Receive(); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("end of discovery: %w", err)
		}
		backend.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "28000", Message: "no token"})
		return backend.Flush()
	}
	backend.Send(&pgproto3.AuthenticationOk{})
	backend.Send(&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"})
	backend.Send(&pgproto3.ParameterStatus{Name: "server_version", Value: "18.0"})
	backend.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	if err := backend.Flush(); err != nil {
		return err
	}
	for {
		message, err := backend.Receive()
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("query: %w", err)
		}
		switch message.(type) {
		case *pgproto3.Terminate:
			return nil
		case *pgproto3.Query:
			backend.Send(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("answer"), DataTypeOID: 25, DataTypeSize: -1, TypeModifier: -1}}})
			backend.Send(&pgproto3.DataRow{Values: [][]byte{[]byte("signed in")}})
			backend.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")})
			backend.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
			if err := backend.Flush(); err != nil {
				return err
			}
		}
	}
}
