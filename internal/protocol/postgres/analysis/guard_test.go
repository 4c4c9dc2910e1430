package analysis

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	pg "github.com/pganalyze/pg_query_go/v6"
)

func TestGuardRefusesWhatWouldOverrunTheParser(t *testing.T) {
	a := New(Options{})
	many := func(n int, s string) string { return strings.Repeat(s, n) }
	for _, c := range []struct{ name, text, code string }{
		{"a chain of operators", "SELECT 1" + many(30_000, "+1"), "54001"},
		{"a chain behind commas inside", "SELECT 1" + many(30_000, "+f(1,2)"), "54001"},
		{"operators split by comments", "SELECT 1" + many(30_000, "+/*,*/1"), "54001"},
		{"operators split by lines of comment", "SELECT 1" + many(30_000, "+--,\n1"), "54001"},
		{"NOT", "SELECT " + many(30_000, "NOT ") + "true", "54001"},
		{"IS NOT DOCUMENT", "SELECT 1" + many(38_000, " IS NOT DOCUMENT BETWEEN 1 AND 2"), "54001"},
		{"joins", "SELECT 1 FROM a" + many(30_000, " JOIN a ON true"), "54001"},
		{"joins behind commas", "SELECT 1 FROM a" + many(30_000, " JOIN b USING (x, y)"), "54001"},
		{"cross joins", "SELECT 1 FROM a" + many(30_000, " CROSS JOIN a"), "54001"},
		{"unions", "SELECT 1" + many(30_000, " UNION SELECT 1,2"), "54001"},
		{"unions of values", "VALUES (1)" + many(30_000, " EXCEPT VALUES (1,2)"), "54001"},
		{"parentheses", "SELECT " + many(30_000, "(") + "1" + many(30_000, ")"), "54001"},
		{"brackets", "SELECT ARRAY" + many(30_000, "[") + "1" + many(30_000, "]"), "54001"},
		{"levels that each stay short", "SELECT " + many(6_000, "(1+1+1+1+") + "1" + many(6_000, ")"), "54001"},
		{"casts", "SELECT 1" + many(30_000, "::int"), "54001"},
		{"subscripts", "SELECT a" + many(30_000, "[1]"), "54001"},
		{"closing more than was opened", "SELECT 1" + many(30_000, ")+1"), "54001"},
		{"a literal that only looks open", "SELECT xe'\\' " + many(30_000, "+1"), "54001"},
		{"an identifier with dollars", "SELECT foo$$bar$ " + many(30_000, "+1") + " $bar$", "54001"},
		{"a number before a dollar", "SELECT 1$a$ ' $a$" + many(30_000, "+1"), "54001"},
		{"a quote in a comment", "SELECT /* ' */ 1" + many(30_000, "+1"), "54001"},
		{"a quote in a line comment", "SELECT -- '\n 1" + many(30_000, "+1"), "54001"},
		{"a nested comment", "SELECT /* /* */ ' */ 1" + many(30_000, "+1"), "54001"},
		{"an escape that continues", "SELECT e'a'\n'\\' ' " + many(30_000, "+1"), "54001"},
		{"statements", many(200, "SELECT 1;"), "54001"},
		{"words", "SELECT 1" + many(300_000, ",a"), "54001"},
		{"a NUL", "SELECT 1\x00", "22021"},
		{"bad UTF-8", "SELECT '\xff'", "22021"},
		{"size", "SELECT '" + many(17<<20, "x") + "'", "54000"},
	} {
		fault := a.guard(c.text)
		if fault == nil || fault.SQLSTATE != c.code {
			t.Errorf("%s: %+v, want %s", c.name, fault, c.code)
		}
	}
}

func TestGuardLetsOrdinaryTextsPass(t *testing.T) {
	a := New(Options{})
	vector := "[" + strings.TrimSuffix(strings.Repeat("0.123,", 1536), ",") + "]"
	var insert strings.Builder
	insert.WriteString("INSERT INTO items VALUES ")
	for i := range 100 {
		if i > 0 {
			insert.WriteString(",")
		}
		fmt.Fprintf(&insert, "(%d,'%s')", i, vector)
	}
	var in, or strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&in, ",%d", i)
	}
	for i := range 300 {
		fmt.Fprintf(&or, " OR id = %d", i)
	}
	for name, text := range map[string]string{
		"empty": "", "one": "SELECT 1", "vector": "SELECT id FROM items ORDER BY v <=> '" + vector + "' LIMIT 10", "insert": insert.String(),
		"array": "SELECT ARRAY" + vector + "::vector", "in": "SELECT 1 WHERE 1 IN (0" + in.String() + ")", "or": "SELECT 1 FROM t WHERE false" + or.String(),
		"prose":  "INSERT INTO t VALUES ('" + strings.Repeat("It''s a word, or two; (three)\n", 20_000) + "', $x$" + strings.Repeat("more ' \" words ", 20_000) + "$x$)",
		"escape": `SELECT E'it\'s', 'C:\', U&'\0041'`,
	} {
		if fault := a.guard(text); fault != nil {
			t.Errorf("%s: %+v", name, fault)
		}
	}
}

func TestGuardAllocatesNothing(t *testing.T) {
	a := New(Options{})
	text := "SELECT id, name FROM items WHERE section = 'net' ORDER BY embedding <=> $1 LIMIT 10"
	if n := testing.AllocsPerRun(100, func() { a.guard(text) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzGuard parses, in a process of its own, what the guard lets pass: a crash of the parser is a text that the guard
// should have refused.
func FuzzGuard(f *testing.F) {
	for _, piece := range []string{
		"+1", "+/*,*/1", " IS NOT DOCUMENT BETWEEN 1 AND 2", " JOIN a USING (x,y)", " UNION SELECT 1,2", "::int", "[1]",
		"xe'\\' +", "$a$ ' $a$+1", "e'a'\n'\\' '+1", "/* /* */ ' */+1", "--'\n+1", ")+1", ",a+1", " COLLATE x", " AT TIME ZONE 'x'", ".a", " IS JSON",
	} {
		f.Add("SELECT 1"+piece, 3000)
	}
	a := New(Options{})
	f.Fuzz(func(t *testing.T, piece string, times int) {
		if times < 0 || times > 50_000 || len(piece)*times > 1<<20 {
			return
		}
		for _, text := range []string{"SELECT 1" + strings.Repeat(piece, times), strings.Repeat(piece, times), "SELECT 1 FROM a" + strings.Repeat(piece, times)} {
			if a.guard(text) != nil {
				continue
			}
			if out, err := parseElsewhere(text); err != nil {
				t.Fatalf("the parser died on %d bytes that the guard let pass: %v\n%s", len(text), err, out)
			}
		}
	})
}

// parseElsewhere parses a text in a copy of this process.
func parseElsewhere(text string) ([]byte, error) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestParseElsewhere$")
	cmd.Env = append(os.Environ(), "VECGATE_PARSE_ELSEWHERE="+strconv.Itoa(len(text)))
	cmd.Stdin = strings.NewReader(text)
	timer := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	return cmd.CombinedOutput()
}

// TestParseElsewhere is the other process of FuzzGuard; run by itself it shows that a crash would be noticed.
func TestParseElsewhere(t *testing.T) {
	if os.Getenv("VECGATE_PARSE_ELSEWHERE") != "" {
		var text bytes.Buffer
		if _, err := text.ReadFrom(os.Stdin); err != nil {
			t.Fatal(err)
		}
		_, _ = pg.Parse(text.String())
		return
	}
	if out, err := parseElsewhere("SELECT 1"); err != nil {
		t.Errorf("an ordinary text: %v\n%s", err, out)
	}
	if _, err := parseElsewhere("SELECT 1" + strings.Repeat("+1", 400_000)); err == nil {
		t.Error("the parser survives a text that the guard is there for")
	}
}

// FuzzAnalyze looks for texts that make the analysis fault or take long. Whatever the text, the plan is one that refuses or
// one whose statements are understood.
func FuzzAnalyze(f *testing.F) {
	for _, b := range bypasses {
		f.Add(b.text)
	}
	cat := smallCatalog()
	a := New(Options{Target: "products"})
	p := protection()
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		plan := a.Analyze(text, cat)
		if plan.Refused != nil && len(plan.Statements) > 0 {
			t.Fatal("refused with statements")
		}
		for _, s := range plan.Statements {
			if strings.HasPrefix(s.Unclear, "the gateway could not analyse it") {
				t.Errorf("%q: %s", text, s.Unclear)
			}
			if _, refusal := s.Oblige(p); s.Unclear != "" && refusal == nil {
				t.Errorf("%q is unclear (%s) and passes", text, s.Unclear)
			}
		}
	})
}
