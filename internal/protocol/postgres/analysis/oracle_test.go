package analysis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// oracleSchema is small, so that every query is quick, and has one secret: the columns called email.
const oracleSchema = `
CREATE VIEW contacts AS SELECT id, email AS mail, upper(nickname) AS shout FROM people;
INSERT INTO people VALUES (1, 'anna', 'nan'), (2, 'bert', 'mat'), (3, 'carl', NULL), (4, 'zoe', 'zed');
INSERT INTO staff VALUES (5, 'dora', 'dot', 'b5'), (6, 'yves', 'ivy', 'b6');
INSERT INTO plain VALUES (1, 'anna', 'x', NULL), (2, 'y', 'bert', NULL), (5, 'q', 'r', NULL);
INSERT INTO secrets VALUES (1, 'gina', DEFAULT, 'n1'), (2, 'hugo', DEFAULT, 'n2');
INSERT INTO events VALUES (1, '2026-02-03', 'ella'), (2, '2026-03-04', 'finn');
`

// change gives every secret another value. Nothing else in the database is changed by it.
const change = `
UPDATE people SET email = reverse(email) || 'ooo';
UPDATE secrets SET email = reverse(email) || 'ooo';
UPDATE events SET email = reverse(email) || 'ooo';`

// TestLineageIsASupersetOfWhatTheServerDoes runs random queries, changes the secrets, and runs them again. An answer that
// changed must have been predicted: when no secret shapes it, by the sources of exactly the columns that changed.
func TestLineageIsASupersetOfWhatTheServerDoes(t *testing.T) {
	db := postgrestestDatabase(t)
	ctx := context.Background()
	admin := db.Admin.Connect(t)
	if _, err := admin.Exec(ctx, schema+oracleSchema); err != nil {
		t.Fatal(err)
	}
	cat, err := LoadCatalog(ctx, admin, "products")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Exec(ctx, "SET search_path = "+SearchPath+"; SET statement_timeout = '2s'"); err != nil {
		t.Fatal(err)
	}
	rounds, seed := 1500, uint64(1)
	if n, err := strconv.Atoi(os.Getenv("ORACLE_ROUNDS")); err == nil {
		rounds = n
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	g := &generator{r: rand.New(rand.NewPCG(seed, 2))}
	a := New(Options{Target: "products"})
	valid, unclear, changed := 0, 0, 0
	for range rounds {
		g.alias = 0
		text := g.query(3, 0, nil)
		first, second, err := twice(ctx, admin, text)
		if err != nil {
			continue
		}
		valid++
		plan := a.Analyze(text, cat)
		if plan.Refused != nil {
			t.Errorf("%s\n\tis not read: %s", text, plan.Refused.Message)
			continue
		}
		s := plan.Statements[0]
		if s.Unclear != "" {
			unclear++
			t.Logf("unclear: %s: %s", s.Unclear, text[:min(len(text), 300)])
			if s.Missing != "" {
				t.Errorf("%s\n\tthe server takes it, but for us %s", text, s.Unclear)
			}
			continue
		}
		compareNames(t, text, s, first)
		if !slices.ContainsFunc(s.Shaping, func(u Use) bool { return u.Column.Name == "email" }) {
			for i, out := range s.Outputs {
				if i < len(first.columns) && !slices.Equal(first.columns[i], second.columns[i]) {
					if !slices.ContainsFunc(out.Sources, func(c *Column) bool { return c.Name == "email" }) {
						t.Errorf("%s\n\toutput %d (%s) changes with a secret that is not among its sources", text, i+1, out.Name)
					}
				}
			}
		}
		if !first.equal(second) {
			changed++
		}
	}
	t.Logf("%d queries, %d valid, %d unclear, %d answers changed with the secrets", rounds, valid, unclear, changed)
	if valid < rounds/4 || changed < valid/10 || unclear > valid/10 {
		t.Errorf("of %d queries %d were valid, %d unclear, and %d changed: the test proves little", rounds, valid, unclear, changed)
	}
}

// compareNames checks that we call the outputs as the server does, and know the type of plain copies.
func compareNames(t *testing.T, text string, s *Statement, ans answer) {
	t.Helper()
	if len(s.Outputs) != len(ans.fields) {
		t.Errorf("%s\n\thas %d columns, we say %d", text, len(ans.fields), len(s.Outputs))
		return
	}
	for i, f := range ans.fields {
		if f.Name != s.Outputs[i].Name {
			t.Errorf("%s\n\tcolumn %d is called %q, we say %q", text, i+1, f.Name, s.Outputs[i].Name)
		}
		if s.Outputs[i].TypeOID != 0 && s.Outputs[i].TypeOID != f.DataTypeOID {
			t.Errorf("%s\n\tcolumn %d is of type %d, we say %d", text, i+1, f.DataTypeOID, s.Outputs[i].TypeOID)
		}
		if f.TableOID != 0 && f.TableAttributeNumber > 0 {
			found := slices.ContainsFunc(s.Outputs[i].Sources, func(c *Column) bool { return c.Relation == f.TableOID && uint16(c.Attnum) == f.TableAttributeNumber })
			if !found {
				t.Errorf("%s\n\tcolumn %d comes from table %d column %d, which is not among its sources", text, i+1, f.TableOID, f.TableAttributeNumber)
			}
		}
	}
}

// answer is what a query returned, column by column, as sorted text: without shaping, order means nothing.
type answer struct {
	fields  []pgconn.FieldDescription
	columns [][]string
}

func (a answer) equal(b answer) bool {
	return slices.EqualFunc(a.columns, b.columns, func(x, y []string) bool { return slices.Equal(x, y) })
}

// twice runs a query before and after the secrets change, and puts everything back.
func twice(ctx context.Context, conn *pgx.Conn, text string) (first, second answer, err error) {
	if _, err := conn.Exec(ctx, "BEGIN"); err != nil {
		return first, second, err
	}
	defer func() {
		_, rollback := conn.Exec(ctx, "ROLLBACK")
		err = errors.Join(err, rollback)
	}()
	if first, err = ask(ctx, conn, text); err != nil {
		return first, second, err
	}
	if _, err = conn.Exec(ctx, change); err != nil {
		return first, second, fmt.Errorf("change the secrets: %w", err)
	}
	second, err = ask(ctx, conn, text)
	return first, second, err
}

func ask(ctx context.Context, conn *pgx.Conn, text string) (answer, error) {
	described, err := conn.PgConn().Prepare(ctx, "", text, nil)
	if err != nil {
		return answer{}, err
	}
	results, err := conn.PgConn().Exec(ctx, text).ReadAll()
	if err != nil {
		return answer{}, err
	}
	out := answer{fields: described.Fields, columns: make([][]string, len(described.Fields))}
	for _, row := range results[0].Rows {
		for i, cell := range row {
			text := "\x00"
			if cell != nil {
				text = string(cell)
			}
			out.columns[i] = append(out.columns[i], text)
		}
	}
	for i := range out.columns {
		slices.Sort(out.columns[i])
	}
	return out, nil
}
