package postgres

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/audit"
)

// analyzed is a world whose statements are understood, with a policy that allows everything under the obligations.
func analyzed(t testing.TB, o access.Obligations, setup ...string) *world {
	w := newWorld(t, func(c *Config, _ *Target) { c.NewAnalyzer = nil })
	admin := w.db.App.Connect(t)
	for _, statement := range append([]string{
		"create table customers (id int primary key, name text, email text not null, born date)",
		"insert into customers select i, 'name' || i, 'secret' || i || '@example.com', '1980-01-01'::date + i from generate_series(1, 500) i",
	}, setup...) {
		if _, err := admin.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	w.rule(func(_ *access.Subject, op *access.Operation, _ access.Context) access.Decision {
		if op.Unclear != "" {
			return access.Decision{Effect: access.Deny, Reason: access.Reason{Code: access.CodeUnclear, Sentence: op.Unclear}}
		}
		return access.Decision{Effect: access.Allow, Obligations: o}
	})
	return w
}

func emails(mask access.Mask) access.Obligations {
	return access.Obligations{Protection: &access.Protection{ID: 1, Fields: []access.FieldRule{
		{Pattern: "products/public/customers.email", Treatment: access.Treatment{Mask: mask, Rule: "personal-data"}},
	}}}
}

func TestMaskedColumnsAreMaskedOnEveryWay(t *testing.T) {
	w := analyzed(t, emails(access.MaskRedact))
	conn := w.connect()
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeCacheStatement} {
		for range 2 { // the second time a client may not ask for the description again
			var id int
			var name, email string
			if err := conn.QueryRow(t.Context(), "select id, name, email from customers where id = $1", mode, 7).Scan(&id, &name, &email); err != nil {
				t.Fatalf("%v: %v", mode, err)
			}
			if id != 7 || name != "name7" || email != "[redacted]" {
				t.Errorf("%v: %d %q %q", mode, id, name, email)
			}
		}
	}
	for _, text := range []string{
		"begin; declare c cursor for select email from customers; fetch 3 from c; commit",
		"prepare p as select email from customers limit 2; execute p",
		"select id from customers limit 1; select email from customers limit 2; select name from customers limit 1",
		"insert into customers values (1001, 'n', 'secret1001@example.com', null) returning email",
		"with x as (select * from customers) select x.* from x limit 3",
	} {
		results, err := conn.PgConn().Exec(t.Context(), text).ReadAll()
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		hidden := 0
		for _, r := range results {
			for _, row := range r.Rows {
				for _, cell := range row {
					if strings.Contains(string(cell), "secret") {
						t.Errorf("%s: %q", text, cell)
					}
					if string(cell) == "[redacted]" {
						hidden++
					}
				}
			}
		}
		if hidden == 0 {
			t.Errorf("%s: nothing came back masked", text)
		}
	}
	for _, text := range []string{
		"select upper(email) from customers", "select id from customers where email like 's%'", "copy customers to stdout",
		"select email::int from customers", "select max(email) from customers", "select customers from customers", "create table x as select email from customers",
	} {
		if _, err := conn.PgConn().Exec(t.Context(), text).ReadAll(); state(err) != "42501" {
			t.Errorf("%s: %v, want 42501", text, err)
		}
	}
	_, err := conn.Exec(t.Context(), "insert into customers values (7, 'n', 'secret7@example.com', null)")
	if state(err) != "23505" || strings.Contains(err.Error(), "(7)") {
		t.Errorf("error: %v", err)
	}
	if strings.Contains(string(w.journal.answers), "secret7@") {
		t.Error("the tape of what the client got has what the client did not get")
	}
}

// A rule about something inside of a column of JSON is fulfilled where the column comes back as it is; nothing is computed of it.
func TestDocumentsInColumnsAreMaskedInside(t *testing.T) {
	rules := &access.Protection{ID: 3, Fields: []access.FieldRule{
		{Pattern: "products/public/notes.meta.email", Treatment: access.Treatment{Mask: access.MaskRedact, Rule: "personal-data"}},
		{Pattern: "products/public/notes.meta.**.phone", Treatment: access.Treatment{Mask: access.MaskDrop, Rule: "personal-data"}},
	}}
	w := analyzed(t, access.Obligations{Protection: rules}, "create table notes (id int primary key, meta jsonb, plain json, body text)",
		`insert into notes values (1, '{"email":"secret1@example.com","city":"Bonn","people":[{"phone":"secret-phone"}],"copy":"{\"metadata\":{\"phone\":\"secret-2\"}}"}', '{"email":"open@example.com"}', 'text')`,
		"create view seen as select id, meta as m from notes")
	conn := w.connect()
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec, pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheStatement} {
		for _, text := range []string{"select meta from notes where id = $1", "select n.meta from notes n where id = $1", "select m from seen where id = $1", "update notes set body = 'x' where id = $1 returning meta"} {
			var shown string
			if err := conn.QueryRow(t.Context(), text, mode, 1).Scan(&shown); err != nil {
				t.Fatalf("%v: %s: %v", mode, text, err)
			}
			var read struct{ Email, City string }
			if err := json.Unmarshal([]byte(shown), &read); err != nil || read.Email != "[redacted]" || read.City != "Bonn" || strings.Contains(shown, "secret") || strings.Contains(shown, `"phone"`) {
				t.Errorf("%v: %s: %s, %v", mode, text, shown, err)
			}
		}
	}
	var open string
	if err := conn.QueryRow(t.Context(), "select plain->>'email' from notes where id = 1 and plain->>'email' like 'open%'").Scan(&open); err != nil || open != "open@example.com" {
		t.Errorf("a column that no rule is about: %q, %v", open, err)
	}
	for _, text := range []string{
		"select meta->>'email' from notes", "select meta::text from notes", "select meta->'city' from notes", "select m->>'email' from seen", "select id from notes where meta->>'email' like 's%'", "select id from notes where meta @> '{\"email\":\"x\"}'",
		"select id from notes order by meta", "select jsonb_pretty(meta) from notes", "select notes from notes", "select to_jsonb(n) from notes n", "select k.value from notes, jsonb_each_text(meta) k", "copy notes to stdout",
		"select substring(meta::text from 1 for 50) from notes", "update notes set meta = jsonb_build_object('x', meta->'email') returning meta", "update notes set body = meta::text",
		"update notes set meta = meta || jsonb_build_object('y', meta->'email')", "select count(distinct meta) from notes", "select meta['email'] from notes", "select max(meta::text) from notes",
	} {
		if results, err := conn.PgConn().Exec(t.Context(), text).ReadAll(); state(err) != "42501" {
			t.Errorf("%s: %v, %v, want 42501", text, err, results)
		}
	}
}

func TestTheFormatOfAFetchIsThatOfItsOwnBind(t *testing.T) {
	o := access.Obligations{Protection: &access.Protection{ID: 2, Fields: []access.FieldRule{
		{Pattern: "products/public/wide.n", Treatment: access.Treatment{Mask: access.MaskPartial, Rule: "wide"}},
	}}}
	w := analyzed(t, o, "create table wide (id int primary key, n bigint)", "insert into wide values (1, 72623859790382856)") // 0x0102030405060708
	r := dialRaw(t, w.dsn())
	r.send(query("begin; declare c cursor for select n from wide; prepare p as select n from wide"))
	r.until('Z', 1)
	for _, text := range []string{"fetch all from c", "execute p"} {
		r.send(parse("", text) + bind("", "", true) + execute("", 0) + syncing())
		if answer := string(r.until('Z', 1)); strings.Contains(answer, "\x05\x06\x07\x08") || !strings.Contains(answer, "D") {
			t.Errorf("%s: %s", text, show([]byte(answer)))
		}
	}
}

func TestPortalsAndSuspensionKeepTheirMasks(t *testing.T) {
	w := analyzed(t, emails(access.MaskRedact))
	r := dialRaw(t, w.dsn())
	r.send(query("begin"))
	r.until('Z', 1)
	r.send(parse("s", "select email, id from customers order by id") + bind("p", "s", true) + execute("p", 2) + syncing())
	first := r.until('Z', 1)
	r.send(execute("p", 2) + flushing())
	second := r.until('s', 1)
	r.send(syncing())
	second = append(second, r.until('Z', 1)...)
	for _, answer := range []string{string(first), string(second)} {
		if strings.Count(answer, "[redacted]") != 2 || strings.Contains(answer, "secret") {
			t.Errorf("%s", show([]byte(answer)))
		}
	}
}

func TestAnswersThatAreLongerThanAllowedAreCut(t *testing.T) {
	o := emails(access.MaskRedact)
	o.Rows = 100
	w := analyzed(t, o)
	conn := w.connect()
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec, pgx.QueryExecModeCacheStatement} {
		for _, inTransaction := range []bool{false, true} {
			if inTransaction {
				if _, err := conn.Exec(t.Context(), "begin"); err != nil {
					t.Fatal(err)
				}
			}
			rows, err := conn.Query(t.Context(), "select id, email from customers", mode)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for rows.Next() {
				n++
			}
			if n != 100 || state(rows.Err()) != "54000" {
				t.Errorf("%v: %d rows, then %v", mode, n, rows.Err())
			}
			want := byte('I')
			if inTransaction {
				want = 'E'
			}
			if got := conn.PgConn().TxStatus(); got != want {
				t.Errorf("%v: status %c, want %c", mode, got, want)
			}
			if inTransaction {
				if _, err := conn.Exec(t.Context(), "select 1"); state(err) != "25P02" {
					t.Errorf("%v: in a transaction whose answer was cut: %v", mode, err)
				}
				if _, err := conn.Exec(t.Context(), "rollback"); err != nil {
					t.Fatal(err)
				}
			}
			var one int
			if err := conn.QueryRow(t.Context(), "select 1").Scan(&one); err != nil {
				t.Fatalf("%v: after the cut: %v", mode, err)
			}
		}
		if _, err := conn.Exec(t.Context(), "select id from customers limit 101", mode); state(err) != "54000" {
			t.Errorf("%v: a LIMIT above the cap: %v", mode, err)
		}
		if _, err := conn.Exec(t.Context(), "select id from customers limit 100", mode); err != nil {
			t.Errorf("%v: a LIMIT at the cap: %v", mode, err)
		}
	}
	if _, err := conn.Exec(t.Context(), "select id from customers limit $1", pgx.QueryExecModeExec, 101); state(err) != "54000" {
		t.Errorf("a LIMIT by parameter: %v", err)
	}
	if _, err := conn.PgConn().Exec(t.Context(), "select id from customers; delete from customers where id = 1").ReadAll(); state(err) != "42501" {
		t.Errorf("a change behind an answer that may be cut: %v", err)
	}
	// A cursor is one answer, however often it is asked.
	if _, err := conn.Exec(t.Context(), "begin; declare c cursor for select id from customers"); err != nil {
		t.Fatal(err)
	}
	total := 0
	for range 5 {
		tag, err := conn.Exec(t.Context(), "fetch 40 from c")
		if err != nil {
			if state(err) != "54000" {
				t.Error(err)
			}
			break
		}
		total += int(tag.RowsAffected())
	}
	if total != 80 {
		t.Errorf("%d rows in whole fetches, want 80", total)
	}
	for _, r := range w.journal.of(audit.TypeOutcome) {
		if r.Rows > 100 {
			t.Errorf("outcome: %+v", r)
		}
	}
}

func TestChangedTablesAreSeenAtOnce(t *testing.T) {
	w := analyzed(t, emails(access.MaskRedact))
	conn := w.connect()
	ctx := context.Background()
	for _, text := range []string{"create table fresh (a int)", "insert into fresh values (1)", "select a from fresh", "alter table fresh add b text", "select b from fresh", "drop table fresh"} {
		if _, err := conn.Exec(ctx, text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := conn.Exec(ctx, "select a from fresh"); state(err) != "42P01" {
		t.Errorf("a dropped table: %v", err)
	}
	if _, err := conn.Exec(ctx, "select nonsense from customers"); state(err) != "42703" {
		t.Errorf("no column: %v", err)
	}
	if _, err := conn.Exec(ctx, "selekt 1"); state(err) != "42601" {
		t.Errorf("no SQL: %v", err)
	}
	// Inside a transaction that nobody else can look into.
	for range 2 {
		for _, text := range []string{
			"begin", "create table inner_one (a int primary key)", "create table inner_two (a int references inner_one)", "create index on inner_two (a)",
			"insert into inner_one values (1)", "savepoint sp", "alter table inner_one add b text", "select b from inner_one", "rollback to sp", "select a from inner_one",
		} {
			if _, err := conn.Exec(ctx, text); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
		}
		if _, err := conn.Exec(ctx, "select b from inner_one"); state(err) != "42703" {
			t.Errorf("a column that was rolled back: %v", err)
		}
		if _, err := conn.Exec(ctx, "rollback"); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(ctx, "select a from inner_one"); state(err) != "42P01" {
			t.Errorf("a table that was rolled back: %v", err)
		}
	}
	// Changed behind the gateway's back.
	admin := w.db.App.Connect(t)
	if _, err := admin.Exec(ctx, "create table behind (a int)"); err != nil {
		t.Fatal(err)
	}
	for {
		_, err := conn.Exec(ctx, "select a from behind")
		if err == nil {
			break
		}
		if state(err) != "42P01" || t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
}
