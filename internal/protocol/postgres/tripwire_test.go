package postgres

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/postgres/analysis"
	"github.com/vecgate/vecgate/internal/protocol/postgres/wire"
	"github.com/vecgate/vecgate/test/postgrestest"
)

// mistaken is an analyzer that is wrong about the order of two columns, as one could be about a statement whose stars it
// spreads otherwise than the server.
type mistaken struct{ Analyzer }

func (m mistaken) Analyze(text string, cat *analysis.Catalog) *analysis.Plan {
	plan := *m.Analyzer.Analyze(strings.Replace(text, "email, name from", "name, email from", 1), cat)
	plan.Text = text
	return &plan
}

// TestAWrongAnalysisShowsNothingHidden: whatever way the rows come, also without a description that the client asked for,
// columns in another order than was analysed are noticed before any of them reaches the client.
func TestAWrongAnalysisShowsNothingHidden(t *testing.T) {
	w := analyzed(t, emails(access.MaskRedact))
	for _, target := range w.server.targets {
		target.analyzer = mistaken{target.analyzer}
	}
	const text = "select id, email, name from customers where id < 9"
	prepare := parse("s", text) + syncing()
	for name, steps := range map[string][]string{
		"simple":                               {query(text)},
		"simple, from a cursor":                {query("begin; declare c cursor for " + text + "; fetch all from c")},
		"simple, execute":                      {query("prepare p as " + text), query("execute p")},
		"never described":                      {parse("", text) + bind("", "", false) + execute("", 0) + syncing()},
		"never described, binary":              {parse("", text) + bind("", "", true) + execute("", 0) + syncing()},
		"described in the same run":            {parse("", text) + bind("", "", false) + describe("P", "") + execute("", 0) + syncing()},
		"described behind its rows":            {parse("", text) + bind("", "", false) + execute("", 0) + describe("P", "") + syncing()},
		"the statement is described":           {parse("", text) + describe("S", "") + bind("", "", false) + execute("", 0) + syncing()},
		"described earlier":                    {parse("s", text) + describe("S", "s") + syncing(), bind("", "s", false) + execute("", 0) + syncing()},
		"the portal was described earlier":     {query("begin"), prepare, bind("p", "s", false) + describe("P", "p") + syncing(), execute("p", 0) + syncing()},
		"another portal is described":          {prepare, bind("", "s", false) + bind("q", "s", false) + describe("P", "q") + execute("", 0) + syncing()},
		"the portal of the name before":        {prepare, parse("", "select 1") + bind("", "", false) + describe("P", "") + bind("", "s", false) + execute("", 0) + syncing()},
		"in pieces":                            {parse("", text) + bind("", "", false) + execute("", 2) + execute("", 0) + syncing()},
		"behind a statement":                   {prepare, parse("", "select 1") + bind("", "", false) + execute("", 0) + bind("", "s", false) + execute("", 0) + syncing()},
		"after an error":                       {prepare, parse("", "select 1/0") + bind("", "", false) + execute("", 0) + bind("", "s", false) + execute("", 0) + syncing(), bind("", "s", false) + execute("", 0) + syncing()},
		"without Sync":                         {prepare, bind("", "s", false) + execute("", 0) + flushing()},
		"a cursor as a portal":                 {query("begin; declare c cursor for " + text), execute("c", 0) + syncing()},
		"FETCH, never described":               {query("begin; declare c cursor for " + text), parse("", "fetch 3 from c") + bind("", "", false) + execute("", 0) + syncing()},
		"FETCH, described":                     {query("begin; declare c cursor for " + text), parse("", "fetch 3 from c") + bind("", "", false) + describe("P", "") + execute("", 0) + syncing()},
		"EXECUTE, never described":             {query("prepare p as " + text), parse("", "execute p") + bind("", "", false) + execute("", 0) + syncing()},
		"EXECUTE, described":                   {query("prepare p as " + text), parse("", "execute p") + bind("", "", false) + describe("P", "") + execute("", 0) + syncing()},
		"what is hidden is not believed to be": {parse("", "select email, name from customers") + bind("", "", false) + execute("", 0) + syncing()},
	} {
		t.Run(name, func(t *testing.T) {
			r := dialRaw(t, w.dsn())
			var got []byte
			for _, send := range steps {
				_, _ = io.WriteString(r.conn, send) // it may have ended
				kind := byte(wire.ReadyForQuery)
				if strings.HasSuffix(send, flushing()) {
					kind = wire.CommandComplete
				}
				got = append(got, r.until(kind, 1)...)
			}
			if bytes.Contains(got, []byte("secret")) || bytes.Contains(got, []byte("name3")) {
				t.Errorf("the client got %s", show(got))
			}
			if told := string(got); !strings.HasSuffix(told, "EOF") || !strings.Contains(told, "the answer does not have the columns that were expected") ||
				!strings.Contains(told, `rule "personal-data"`) || !strings.Contains(told, "connect and try again") {
				t.Errorf("the client is told %s", show(got))
			}
		})
	}
	if w.journal.mu.Lock(); bytes.Contains(w.journal.answers, []byte("secret")) {
		t.Error("the tape of what the client got has what the client did not get")
	}
	w.journal.mu.Unlock()
}

// TestWhatTheGatewayAsksIsNotSeen: a client that does not ask for descriptions gets, of tables of which something is hidden,
// byte for byte what it would get without the gateway, and that is what is recorded.
func TestWhatTheGatewayAsksIsNotSeen(t *testing.T) {
	notes := []string{"create table notes (id int primary key, body text)", "insert into notes values (1, 'one')"}
	w := analyzed(t, emails(access.MaskRedact), notes...)
	plain := postgrestest.Start(t).NewDatabase(t) // what the gateway shows, without it
	admin := plain.App.Connect(t)
	for _, statement := range append(notes, "create table customers (id int primary key, name text, email text not null, born date)",
		"insert into customers select i, 'name' || i, '[redacted]', '1980-01-01'::date + i from generate_series(1, 500) i") {
		if _, err := admin.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	const text = "select id, email, name from customers where id < $1 order by name"
	const open = "select id, name from customers where id < $1 order by id" // nothing of the answer itself is hidden
	run := func(sent ...string) string { return parse("", text) + strings.Join(sent, "") + syncing() }
	var long strings.Builder
	for range 700 {
		long.WriteString(bind("", "l", false, "3") + execute("", 0))
	}
	for name, steps := range map[string][]string{
		"once":                {run(bind("", "", false, "4"), execute("", 0))},
		"binary":              {run(bind("", "", true, "\x00\x00\x00\x04"), execute("", 0))},
		"nothing hidden":      {parse("", open) + bind("", "", false, "4") + execute("", 0) + syncing()},
		"several times":       {run(bind("", "", false, "4"), execute("", 0), bind("", "", false, "2"), execute("", 0), execute("", 0))},
		"in pieces":           {run(bind("", "", false, "9"), execute("", 2), execute("", 3), execute("", 0), execute("", 0))},
		"in pieces, later":    {query("begin"), run(bind("p", "", false, "9"), execute("p", 2)), execute("p", 2) + syncing(), execute("p", 0) + closing("P", "p") + syncing(), query("commit")},
		"no rows":             {run(bind("", "", false, "0"), execute("", 0))},
		"described":           {run(describe("S", ""), bind("", "", false, "4"), describe("P", ""), execute("", 0))},
		"described after":     {run(bind("", "", false, "4"), execute("", 0), describe("P", ""))},
		"a failing run":       {run(bind("", "", false, "4"), execute("", 0), bind("", "", false, "x"), execute("", 0), bind("", "", false, "4"), execute("", 0)), run(bind("", "", false, "4"), execute("", 0))},
		"a failing statement": {parse("", "select 6 / (3 - g), email from generate_series(1, 5) g, customers where id = 1") + bind("", "", false) + execute("", 0) + execute("", 0) + syncing(), query("select 1")},
		"failed transaction":  {query("begin"), query("select 1/0"), parse("", "rollback") + bind("", "", false) + execute("", 0) + syncing(), run(bind("", "", false, "4"), execute("", 0))},
		"changes":             {parse("", "update customers set name = name || '' where id < $1") + bind("", "", false, "4") + execute("", 0) + bind("", "", false, "4") + execute("", 0) + syncing(), parse("", "update customers set name = name || '' where id = $1 returning id, email, name") + bind("", "", false, "4") + execute("", 0) + syncing()},
		"flushes":             {parse("", text) + bind("", "", false, "4") + execute("", 0) + flushing(), syncing()},
		"cursor":              {query("begin"), query("declare c cursor for select email, id from customers where id < 9 order by id"), parse("f", "fetch 3 from c") + bind("", "f", false) + execute("", 0) + bind("", "f", false) + execute("", 0) + syncing(), parse("", "move 1 from c") + bind("", "", false) + execute("", 0) + syncing(), execute("c", 0) + syncing(), query("commit")},
		"execute":             {query("prepare e as select email, id from customers where id = 7"), parse("x", "execute e") + bind("", "x", false) + execute("", 0) + syncing(), bind("", "e", false) + execute("", 0) + syncing(), query("deallocate e")},
		"explain":             {parse("", "explain (costs off) select name from customers where id = 7") + bind("", "", false) + execute("", 0) + syncing()},
		"another table":       {parse("", "select id, body from notes") + bind("", "", false) + execute("", 0) + parse("", open) + bind("", "", false, "4") + execute("", 0) + parse("", "") + bind("", "", false) + execute("", 0) + syncing()},
		"copy":                {parse("", "copy notes to stdout") + bind("", "", false) + execute("", 0) + syncing()},
		"long":                {parse("l", text) + syncing(), long.String() + syncing(), query("select id, name from customers where id < 3")},
	} {
		t.Run(name, func(t *testing.T) {
			var got [2][]byte
			for i, dsn := range []string{plain.App.String() + ` search_path='public, pg_temp' application_name=vecgate`, w.dsn()} {
				r := dialRaw(t, dsn)
				for _, send := range steps {
					kind := byte(wire.ReadyForQuery)
					if strings.HasSuffix(send, flushing()) {
						kind = wire.CommandComplete
					}
					sent := make(chan struct{})
					go func() { defer close(sent); r.send(send) }()
					got[i] = append(got[i], r.until(kind, 1)...)
					<-sent
				}
				r.conn.Close()
			}
			if want, have := stripped(got[0]), stripped(got[1]); want != have {
				t.Errorf("%s", cmp.Diff(want, have))
			}
			w.journal.mu.Lock()
			defer w.journal.mu.Unlock()
			if !bytes.HasSuffix(w.journal.answers, got[1]) {
				t.Error("the tape has something else than the client got")
			}
		})
	}
}

// stripped writes messages without what must differ: which table a column is of, and of errors, which say less here, all but
// the code.
func stripped(b []byte) string {
	var s strings.Builder
	for len(b) >= wire.Header {
		n := int(binary.BigEndian.Uint32(b[1:])) + 1
		body := b[wire.Header:n]
		switch b[0] {
		case wire.RowDescription:
			columns, err := wire.ReadRowDescription(nil, body)
			for _, c := range columns {
				fmt.Fprintf(&s, "T %q %d %d %d\n", c.Name, c.Attnum, c.Type, c.Format)
			}
			fmt.Fprintln(&s, "T", err)
		case wire.ErrorResponse:
			fmt.Fprintf(&s, "E %s\n", wire.ErrorField(body, 'C'))
		default:
			fmt.Fprintf(&s, "%c %q\n", b[0], body)
		}
		b = b[n:]
	}
	return s.String()
}
