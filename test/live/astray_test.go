package live

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/vecgate/vecgate/test/world"
)

// TestWhoCameToTheWrongPortIsToldWhichIsTheirs: psql at the console used to wait until it gave up.
func TestWhoCameToTheWrongPortIsToldWhichIsTheirs(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	for _, at := range []string{g.URL, g.Ops} {
		for _, mode := range []string{"disable", "prefer"} {
			_, err := pgx.Connect(t.Context(), strings.Replace(at, "http://", "postgres://sam:secret@", 1)+"/products?connect_timeout=30&sslmode="+mode)
			said, ok := errors.AsType[*pgconn.PgError](err)
			if !ok || said.Severity != "FATAL" || !strings.Contains(said.Message, "speaks HTTP") || !strings.Contains(said.Hint, fmt.Sprintf("port %d (", g.PlainPort)) {
				t.Errorf("%s, sslmode=%s: %v", at, mode, err)
			}
		}
	}
	for _, port := range []int{g.PlainPort, g.TLSPort} {
		res, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), "speaks PostgreSQL") || !strings.Contains(string(text), g.URL) {
			t.Errorf("port %d: %d %q, %v", port, res.StatusCode, text, err)
		}
	}
}

// TestASecondGatewayInTheSameDirectoryTouchesNothing: it used to bring the tables of the first up to date, and to close its
// sessions in the list, before the audit log turned it away.
func TestASecondGatewayInTheSameDirectoryTouchesNothing(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	sam := token(t, g, "sam")
	conn := connect(t, g, "sam", sam, nil)
	out, err := g.Vecgate(t.Context(), nil, "serve", "-c", g.Config)
	if err == nil || !strings.Contains(out, "another gateway") || !strings.Contains(out, "gateway.data") || !strings.Contains(out, g.Dir) {
		t.Errorf("a second gateway: %v\n%s", err, out)
	}
	if _, err := conn.Exec(t.Context(), "SELECT 1"); err != nil {
		t.Errorf("a session of the first: %v", err)
	}
	// What is over is listed once it is closed, and not before.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.URL+"/api/v1/sessions", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+sam)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	list, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || res.StatusCode != http.StatusOK || strings.Contains(string(list), "corp:sam") {
		t.Errorf("sessions that are over: %d %s, %v", res.StatusCode, list, err)
	}
}
