package policy

import (
	"errors"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

const faultsFile = "testdata/faults.txt"

// faultCase is a section of the golden file: a policy, and the faults that are found in it.
type faultCase struct{ title, text, faults string }

func readFaultCases(t *testing.T) []faultCase {
	t.Helper()
	data, err := os.ReadFile(faultsFile)
	if err != nil {
		t.Fatal(err)
	}
	var cases []faultCase
	for _, part := range strings.Split("\n"+string(data), "\n=== ")[1:] {
		title, rest, _ := strings.Cut(part, "\n")
		text, faults, ok := strings.Cut("\n"+rest+"\n", "\n---\n")
		if !ok {
			t.Fatalf("section %q has no ---", title)
		}
		cases = append(cases, faultCase{title, strings.ReplaceAll(strings.TrimPrefix(text, "\n")+"\n", "\n---two\n", "\n---\n"), strings.TrimSpace(faults)})
	}
	return cases
}

func TestEveryFaultIsToldWithItsPlaceAndTheWayOut(t *testing.T) {
	cases := readFaultCases(t)
	var golden strings.Builder
	for _, c := range cases {
		_, err := Parse("policy.yaml", []byte(c.text), Options{})
		faults, ok := errors.AsType[Faults](err)
		if !ok {
			t.Errorf("%s: no faults, error %v", c.title, err)
			continue
		}
		got := faults.Error()
		if diff := cmp.Diff(c.faults, got); diff != "" && !*update {
			t.Errorf("%s:\n%s\n%s", c.title, c.text, diff)
		}
		golden.WriteString("=== " + c.title + "\n" + strings.ReplaceAll(c.text, "\n---\n", "\n---two\n") + "---\n" + got + "\n\n")
	}
	if *update {
		if err := os.WriteFile(faultsFile, []byte(golden.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// seldom are faults that the golden file cannot show; each has its test elsewhere in this file.
var seldom = []string{
	"the file has %d bytes; a policy has at most %d", "the file is not UTF-8 text", "no target is called %q",
	"has %d entries, more than %d", "has %d bytes, more than %d", "must be true or false, not %s", "%v",
	"does and on belong together", "%q is not one of the subjects", "%q is not a time;", "%q is not a field;", "%q is not a mask;",
}

// TestTheGoldenFileShowsEveryFault reads the package for the sentences that can be added, and looks for each.
func TestTheGoldenFileShowsEveryFault(t *testing.T) {
	golden, err := os.ReadFile(faultsFile)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || sel.Sel.Name != "add" && sel.Sel.Name != "fail" {
				return true
			}
			at := map[string]int{"add": 2, "fail": 1}[sel.Sel.Name]
			if len(call.Args) <= at {
				return true
			}
			lit, ok := call.Args[at].(*ast.BasicLit)
			if !ok {
				return true
			}
			format, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			found++
			for _, s := range seldom {
				if strings.HasPrefix(format, s) {
					return true
				}
			}
			pattern := regexp.MustCompile(`%[a-z]`).ReplaceAllString(regexp.QuoteMeta(format), `.*`)
			if !regexp.MustCompile(`(?m): ` + pattern + `$`).Match(golden) {
				t.Errorf("%s: no policy in %s shows the fault %q", name, faultsFile, format)
			}
			return true
		})
	}
	if found < 40 {
		t.Errorf("only %d faults were found in the sources; the test looks for the wrong calls", found)
	}
}

func TestFilesThatAreTooLargeOrNotTextAreRefused(t *testing.T) {
	long := "allow:\n  - {name: a, who: anyone, can: [search], on: [\"**\"], because: " + strings.Repeat("x", 301) + "}\n"
	many := "allow:\n  - {name: a, who: anyone, on: [\"**\"], can: [" + strings.Repeat("search, ", maxList+1) + "]}\n"
	for want, text := range map[string]string{
		"a policy has at most":                           strings.Repeat("#", maxFile+1),
		"the file is not UTF-8 text":                     "allow: \xff",
		"policy.yaml:1: the file is not UTF-8 text":      "allow: \x00",
		"allow[0].because: has 301 bytes":                long,
		"allow[0].can: has 1001 entries, more than 1000": many,
	} {
		_, err := Parse("policy.yaml", []byte(text), Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %.200v, want one that says %q", err, want)
		}
	}
	var flat strings.Builder
	for range 3 * maxFaults {
		flat.WriteString("x" + strconv.Itoa(flat.Len()) + ": 1\n")
	}
	_, err := Parse("policy.yaml", []byte(flat.String()), Options{})
	if faults, _ := errors.AsType[Faults](err); len(faults) != maxFaults {
		t.Errorf("%d faults are told, want %d", len(faults), maxFaults)
	}
}

func TestFaultsOfCasesAreTold(t *testing.T) {
	_, err := ParseSuite("cases.yaml", []byte(`
policy: p.yaml
subjects: {ana: {id: "corp:ana", kind: person}}
cases:
  - {name: a, subject: anna, does: search, on: a/b/c/d, expect: {effect: allow}}
  - {name: b, subject: ana, does: serach, on: a//c, expect: {effect: allow, masks: {x: redact, a/b/c.d: rot13}}}
  - {name: c, subject: ana, does: search, context: {now: noon}, expect: {effect: allow}}
`))
	want := `cases.yaml:5: cases[0].subject: "anna" is not one of the subjects ana; did you mean "ana"?
cases.yaml:5: cases[0].on: "a/b/c/d" has more parts than target/namespace/collection
cases.yaml:6: cases[1].does: "serach" is not an action; did you mean "search"?
cases.yaml:6: cases[1].on: "a//c" is not a resource; write target/namespace/collection
cases.yaml:6: cases[1].expect.masks: "x" is not a field; write products/public/customers.email
cases.yaml:6: cases[1].expect.masks: "rot13" is not a mask; write drop, null, redact, hash, partial or none
cases.yaml:7: cases[2]: does and on belong together
cases.yaml:7: cases[2].context.now: "noon" is not a time; write 2026-01-31T09:00:00Z`
	if err == nil {
		t.Fatal("no faults")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
	_, err = ParseSuite("cases.yaml", []byte("policy: p\nsubjects: {a: {id: x, kind: person}}\ncases: [{name: a, subject: a, does: search, on: x, with: {lock: maybe}, expect: {effect: allow}}]"))
	if err == nil || !strings.Contains(err.Error(), `with.lock: must be true or false, not "maybe"`) {
		t.Errorf("error %v", err)
	}
}
