package tickettest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/vecgate/vecgate/internal/identity/login"
	pinecone "github.com/vecgate/vecgate/test/pineconetest/standin"
	"github.com/vecgate/vecgate/test/ports"
	"github.com/vecgate/vecgate/test/postgrestest"
	engine "github.com/vecgate/vecgate/test/qdranttest/standin"
	"github.com/vecgate/vecgate/test/stage"
	"github.com/vecgate/vecgate/test/tickettest/standin"
	"github.com/vecgate/vecgate/test/world"
)

const (
	token = "the-ticket-systems-own-token"
	key   = "the-databases-own-key"
)

// systems stands in for the ticket systems, with a ticket of every sort in the one that is described.
func systems(t *testing.T) *standin.Server {
	t.Helper()
	s := standin.Start(token)
	t.Cleanup(s.Close)
	for name, approvers := range map[string][]any{"CHG-1": {"arno"}, "CHG-2": {}, "CHG-3": {"olga"}, "CHG-4": {"arno"}} {
		s.Change(name, document(approvers...))
	}
	other := document("arno")
	other["targets"] = []any{"elsewhere"}
	s.Change("CHG-4", other)
	return s
}

func document(approvers ...any) map[string]any {
	return map[string]any{"approved": true, "author": "sam", "approvers": approvers, "targets": []any{"products", "docs", "prod-docs"}, "title": "new prices"}
}

// section is what the configuration says of them. Nothing is kept for a write: what a test changes counts at once.
func section(s *standin.Server) string {
	return fmt.Sprintf(`[{name: changes, kind: http, match: 'CHG-\d+', url: "%s/changes/{ticket}", link: "https://changes.example.com/{ticket}", credential: {token: "file:tickets.token"},
  account: "corp:{account}", approved: ticket.approved, reviewed_by: ticket.approvers, authors: "[ticket.author]", covers: access.target in ticket.targets, fresh: 0s, wait: 30s}]`, s.URL)
}

// place is a directory with the credential of the ticket systems.
func place(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tickets.token"), []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func rules(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(world.Root(), "examples/policy/tickets.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// tried is a ticket and what somebody who writes with it is told; "" when it passes.
var tried = []struct{ ticket, says string }{
	{"", "none is attached"},
	{"CHG-2", "nobody reviewed it in changes"},
	{"CHG-3", "is who asks, or answers for who asks"},
	{"CHG-4", "it does not cover"},
	{"CHG-5", "has no such ticket"},
	{"INC-1", "no ticket system of the gateway answers for this name"},
	{"CHG-1", ""},
}

// judge compares what a client was told with what it should be told.
func judge(t *testing.T, door, ticket, says, told string) {
	t.Helper()
	switch {
	case says == "" && told != "":
		t.Errorf("%s with %q: %s", door, ticket, told)
	case says != "" && (!strings.Contains(told, says) || !strings.Contains(told, "ops-write-with-ticket")):
		t.Errorf("%s with %q: told %q, want %q", door, ticket, told, says)
	case ticket == "" && !strings.Contains(told, "X-Vecgate-Ticket"):
		t.Errorf("%s without a ticket: %q does not say how to attach one", door, told)
	}
}

func TestEveryDoorOfPostgreSQLTakesAReviewedTicketAndNoOther(t *testing.T) {
	s, server := systems(t), postgrestest.Start(t)
	g := world.Test(t, world.GatewayOptions{Postgres: server, Database: server.NewProducts(t).App.Database, Policy: rules(t), Tickets: section(s), Dir: place(t)})
	connect := func(ask login.Ask, options string) *pgx.Conn {
		t.Helper()
		config, err := pgx.ParseConfig(g.DSN("olga", g.TestToken(t, "olga", ask)))
		if err != nil {
			t.Fatal(err)
		}
		if options != "" {
			config.RuntimeParams["options"] = options
		}
		conn, err := pgx.ConnectConfig(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
		return conn
	}
	const upsert = "INSERT INTO orders (id, customer_id, item_id, quantity, amount, ordered_on) VALUES (%d, 1, 1, 1, 1, '2026-01-31') ON CONFLICT (id) DO UPDATE SET quantity = 2"
	plain := connect(login.Ask{}, "")
	write := func(conn *pgx.Conn, sql string) string {
		_, err := conn.Exec(t.Context(), sql)
		if said, ok := errors.AsType[*pgconn.PgError](err); ok {
			return said.Message + "\n" + said.Hint
		}
		if err != nil {
			t.Error(err)
		}
		return ""
	}
	for n, c := range tried {
		sql := fmt.Sprintf(upsert, 900_000+n)
		for door, do := range map[string]func() string{
			"SET": func() string {
				if _, err := plain.Exec(t.Context(), "SET vecgate.ticket = '"+c.ticket+"'"); err != nil {
					t.Fatal(err)
				}
				return write(plain, sql)
			},
			"a comment": func() string {
				return write(connect(login.Ask{}, ""), sql+" /* vecgate.ticket="+c.ticket+" */")
			},
			"options": func() string { return write(connect(login.Ask{}, "-c vecgate.ticket="+c.ticket), sql) },
			"a token": func() string { return write(connect(login.Ask{Ticket: c.ticket}, ""), sql) },
		} {
			judge(t, door, c.ticket, c.says, do())
		}
	}
	// A refusal leaves the session as it was; reads need no ticket.
	if _, err := plain.Exec(t.Context(), "SET vecgate.ticket = ''"); err != nil {
		t.Fatal(err)
	}
	before := len(s.Asked())
	var rows int
	if err := plain.QueryRow(t.Context(), "SELECT count(*) FROM orders WHERE id >= 900000").Scan(&rows); err != nil || rows != 1 {
		t.Errorf("%d rows were written, %v; want 1", rows, err)
	}
	if n := len(s.Asked()); n != before {
		t.Error("a read asks for a ticket")
	}
	// Another configuration counts at once, for live sessions too.
	config, err := os.ReadFile(g.Config)
	if err != nil {
		t.Fatal(err)
	}
	stricter := strings.Replace(string(config), "covers: access.target", "reviewers: 2, covers: access.target", 1)
	if err := os.WriteFile(g.Config, []byte(stricter), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := g.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); !strings.Contains(g.Output(), "configuration taken over"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the configuration is not taken over within a minute")
		}
	}
	judge(t, "SET after a reload", "CHG-1", "1 of 2 peers reviewed it in changes", write(plain, fmt.Sprintf(upsert, 900_100)+" /* vecgate.ticket=CHG-1 */"))
	evidence(t, g)
}

// evidence checks that the log says what a write rested on, and that the credential is nowhere.
func evidence(t *testing.T, g *world.Gateway) {
	t.Helper()
	out, err := g.Vecgate(context.Background(), nil, "audit", "show", "--dir", g.AuditDir, "--json", "--limit", "1000000")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out, token) || strings.Contains(g.Output(), token) {
		t.Error("the credential of the ticket system is in the log")
	}
	type record struct {
		Type, Ticket, Effect string
		Seq                  uint64
		Hash                 string `json:"ticket_sha256"`
		Text                 string `json:"text_sha256"`
		Sealed               int64
	}
	shown := map[string]record{}
	passed := 0
	for dec := json.NewDecoder(strings.NewReader(out)); dec.More(); {
		var r record
		if err := dec.Decode(&r); err != nil {
			t.Fatal(err)
		}
		switch {
		case r.Type == "ticket":
			if r.Sealed == 0 {
				t.Errorf("record %d: nothing of %s is sealed beside it", r.Seq, r.Ticket)
			}
			shown[r.Text] = r
		case r.Type == "intent" && r.Hash != "":
			passed++
			if of := shown[r.Hash]; r.Ticket != "CHG-1" || of.Ticket != "CHG-1" || of.Seq >= r.Seq {
				t.Errorf("record %d rests on %+v: %+v", r.Seq, of, r)
			}
		}
	}
	for hash, r := range shown {
		said, err := g.Vecgate(context.Background(), nil, "audit", "show", fmt.Sprint(r.Seq), "--said", "--dir", g.AuditDir)
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256([]byte(said)); hex.EncodeToString(sum[:]) != hash || !strings.Contains(said, `"title":"new prices"`) {
			t.Errorf("what is sealed beside record %d is %s", r.Seq, said)
		}
	}
	if passed != 4 {
		t.Errorf("%d writes rest on a ticket, want 4", passed)
	}
}

// engines is a gateway before two engines that do not speak SQL.
func engines(t *testing.T) (*standin.Server, *stage.Stage, *engine.Server) {
	t.Helper()
	s := systems(t)
	q, err := engine.Start(key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	p, err := pinecone.Start(key, "docs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	port, err := ports.Free()
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	const credential = `credential: {password: "${env:ENGINE_KEY}", header: api-key}`
	g := stage.Start(t, stage.Options{
		Dir: place(t), Policy: rules(t), Tickets: section(s), Environ: []string{"ENGINE_KEY=" + key},
		Listeners: []stage.Listener{
			{Name: "rest", Protocol: "http", Targets: []string{"docs"}},
			{Name: "grpc", Protocol: "grpc", Targets: []string{"docs"}},
			{Name: "pinecone", Protocol: "http", Targets: []string{"prod-docs"}, Address: address},
		},
		Targets: []stage.Target{
			{Name: "docs", Engine: "qdrant", Address: q.REST, More: fmt.Sprintf("grpc_address: %q, %s", q.GRPC, credential)},
			{Name: "prod-docs", Engine: "pinecone", Address: p.Hosts["docs"], More: fmt.Sprintf("index: docs, host: %q, %s", "http://"+address, credential)},
		},
	})
	if said := call(t, http.MethodPut, "http://"+q.REST+"/collections/items", map[string]string{"api-key": key}, `{"vectors":{"size":2,"distance":"Dot"}}`); said != "" {
		t.Fatal(said)
	}
	if said := call(t, http.MethodPost, "http://"+p.Control+"/indexes", map[string]string{"Api-Key": key}, `{"name":"docs","dimension":2,"metric":"dotproduct","spec":{"serverless":{"cloud":"aws","region":"us-east-1"}}}`); said != "" {
		t.Fatal(said)
	}
	return s, g, q
}

// call sends a request and returns the answer when it is a refusal, "" when it is not.
func call(t *testing.T, method, url string, headers map[string]string, body string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode < 300 {
		return ""
	}
	if answer.StatusCode != http.StatusForbidden {
		t.Errorf("%s %s is refused with %s", method, url, answer.Status)
	}
	return string(bytes.TrimSpace(said))
}

func TestEveryDoorOfOtherEnginesTakesAReviewedTicketAndNoOtherBeforeAStandIn(t *testing.T) {
	s, g, _ := engines(t)
	olga := g.As(t, "olga")
	conn, err := grpc.NewClient(g.Address["grpc"], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	points := qdrant.NewPointsClient(conn)
	for n, c := range tried {
		headers := map[string]string{"api-key": olga}
		if c.ticket != "" {
			headers["X-Vecgate-Ticket"] = c.ticket
		}
		judge(t, "Qdrant over REST", c.ticket, c.says, call(t, http.MethodPut, "http://"+g.Address["rest"]+"/collections/items/points?wait=true", headers,
			fmt.Sprintf(`{"points":[{"id":%d,"vector":[1,%d]}]}`, n+1, n)))
		judge(t, "Pinecone over REST", c.ticket, c.says, call(t, http.MethodPost, "http://"+g.Address["pinecone"]+"/vectors/upsert", headers,
			fmt.Sprintf(`{"vectors":[{"id":"a%d","values":[1,0.5]}]}`, n)))
		pairs := []string{"api-key", olga}
		if c.ticket != "" {
			pairs = append(pairs, "x-vecgate-ticket", c.ticket)
		}
		_, err := points.Upsert(metadata.AppendToOutgoingContext(t.Context(), pairs...), &qdrant.UpsertPoints{
			CollectionName: "items", Points: []*qdrant.PointStruct{{Id: qdrant.NewIDNum(uint64(n + 100)), Vectors: qdrant.NewVectors(1, 2)}},
		})
		told := ""
		if err != nil {
			if told = err.Error(); status.Code(err) != codes.PermissionDenied {
				t.Errorf("over gRPC it is refused with %s", status.Code(err))
			}
		}
		judge(t, "Qdrant over gRPC", c.ticket, c.says, told)
	}
	// Reads need no ticket, and ask for none that is attached.
	asked := len(s.Asked())
	if said := call(t, http.MethodPost, "http://"+g.Address["rest"]+"/collections/items/points/search", map[string]string{"api-key": olga, "X-Vecgate-Ticket": "CHG-1"}, `{"vector":[1,1],"limit":1}`); said != "" {
		t.Error(said)
	}
	if n := len(s.Asked()); n != asked {
		t.Error("a read asks for its ticket")
	}
}

// A ticket that is taken back while people decide does not count when they have, and the approval is not used up.
func TestATicketIsLookedUpAgainWhenWhatWasHeldIsReleasedBeforeAStandIn(t *testing.T) {
	s, g, _ := engines(t)
	olga, arno := g.As(t, "olga"), g.As(t, "arno")
	drop := func() string {
		return call(t, http.MethodDelete, "http://"+g.Address["rest"]+"/collections/items", map[string]string{"api-key": olga, "X-Vecgate-Ticket": "CHG-1"}, "")
	}
	done := make(chan string, 1)
	go func() { done <- drop() }()
	id, err := g.First(t.Context(), arno, "/api/v1/requests?state=open")
	if err != nil {
		t.Fatal(err)
	}
	withdrawn := document("arno")
	withdrawn["approved"] = false
	s.Change("CHG-1", withdrawn)
	if err := g.Approve(t.Context(), arno, id); err != nil {
		t.Fatal(err)
	}
	select {
	case said := <-done:
		if !strings.Contains(said, "changes does not have it approved") {
			t.Errorf("with a ticket that was taken back: %q", said)
		}
	case <-time.After(time.Minute):
		t.Fatal("the request did not end a minute after it was approved")
	}
	s.Change("CHG-1", document("arno"))
	if said := drop(); said != "" {
		t.Errorf("once it is reviewed again, with the same approval: %q", said)
	}
}
