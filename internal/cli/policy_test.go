package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/policy"
)

// runPolicy runs `vecgate policy …` and returns what it printed.
func runPolicy(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	env := &Env{Stdout: &out, Stderr: &errs, Getenv: func(string) string { return "" }, Now: func() time.Time { return time.Unix(1_800_000_000, 0) }}
	c := newPolicyCommand(env)
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetArgs(args)
	c.SetOut(&out)
	c.SetErr(&errs)
	err = c.ExecuteContext(context.Background())
	return out.String(), errs.String(), err
}

const quickstart = "../../examples/policy/quickstart.yaml"

func TestPolicyTestPassesForTheQuickStart(t *testing.T) {
	out, errs, err := runPolicy(t, "test", "../../examples/policy/quickstart_test.yaml")
	if err != nil || !strings.Contains(out, " passed, 0 failed") {
		t.Fatalf("policy test: %v\n%s%s", err, out, errs)
	}
}

func TestPolicyTestFailsWhenTheReasonIsAnother(t *testing.T) {
	dir := t.TempDir()
	text, err := os.ReadFile(quickstart)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "p.yaml", string(text))
	write(t, dir, "p_test.yaml", `
policy: p.yaml
subjects: {ana: {id: "corp:ana", kind: person, groups: [Vector-Read]}}
cases:
  - {name: right verdict for the wrong reason, subject: ana, does: search, on: products/public/items, expect: {effect: allow, rule: ops-read}}
`)
	out, _, err := runPolicy(t, "test", filepath.Join(dir, "p_test.yaml"))
	if err == nil {
		t.Fatal("a case with another rule than expected passed")
	}
	for _, want := range []string{"FAIL  p_test.yaml:5", `rule is "scientists-read", expected "ops-read"`, "0 passed, 1 failed"} {
		if !strings.Contains(out, want) {
			t.Errorf("output does not say %q:\n%s", want, out)
		}
	}
}

func TestPolicyCheckPrintsEveryFault(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "bad.yaml", `allow:
  - name: a
    who: {group: [X]}
    can: [serach]
    on: [products/**]
`)
	_, errs, err := runPolicy(t, "check", filepath.Join(dir, "bad.yaml"))
	if err == nil || !strings.Contains(err.Error(), "2 faults") {
		t.Errorf("error %v, want one that counts 2 faults\n%s", err, errs)
	}
	for _, want := range []string{`bad.yaml:3: allow[0].who.group: not a key here`, `did you mean "groups"?`, `bad.yaml:4: allow[0].can: "serach" is not an action or duty; did you mean "search"?`} {
		if !strings.Contains(errs, want) {
			t.Errorf("standard error does not say %q:\n%s", want, errs)
		}
	}
}

func TestPolicyCheckSaysOK(t *testing.T) {
	out, errs, err := runPolicy(t, "check", quickstart, "--targets", "products")
	if err != nil || !strings.Contains(out, ": ok, ") {
		t.Errorf("check: %v\n%s%s", err, out, errs)
	}
	if _, errs, err := runPolicy(t, "check", quickstart, "--targets", "product"); err == nil || !strings.Contains(errs, `no target is called "products"; the targets are product; did you mean "product"?`) {
		t.Errorf("an unknown target passed: %v\n%s", err, errs)
	}
}

func TestPolicyExplainSaysWhyEachStatementDidNotMatch(t *testing.T) {
	args := []string{"explain", quickstart, "--subject", "corp:ana", "--groups", "Vector-Read", "--action", "upsert", "--on", "products/public/items"}
	out, _, err := runPolicy(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"hold: corp:ana may upsert into products/public/items only after", "rule: scientists-write-after-approval (quickstart.yaml:", "the subject is not in Vector-Write", "is about a workload, and the subject is a person"} {
		if !strings.Contains(out, want) {
			t.Errorf("explain does not say %q:\n%s", want, out)
		}
	}
	mine := filepath.Join(t.TempDir(), "policy.yaml")
	text := "allow:\n  - {name: all, who: anyone, can: [search], on: [\"**\"]}\nprotect:\n  - {name: own, filter: {field: tenant, values: subject.claims.tenant}}\n"
	if err := os.WriteFile(mine, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	about := []string{"explain", mine, "--subject", "corp:ana", "--action", "search", "--on", "a/b/c", "--json"}
	for want, claims := range map[string][]string{
		"whose tenant is not acme (rule own)":         {"--claim", "tenant=acme"},
		"whose tenant is not acme or beta (rule own)": {"--claim", "tenant=acme", "--claim", "tenant=beta"},
		"there is no such value: no such key: tenant": nil,
	} {
		if out, _, err := runPolicy(t, append(about, claims...)...); err != nil || !strings.Contains(out, want) {
			t.Errorf("explain %v: %v\n%s", claims, err, out)
		}
	}
	if _, _, err := runPolicy(t, append(about, "--claim", "tenant")...); err == nil {
		t.Error("a claim without a value is taken")
	}
	out, _, err = runPolicy(t, append(args, "--json")...)
	if err != nil {
		t.Fatal(err)
	}
	var x policy.Explanation
	if err := json.Unmarshal([]byte(out), &x); err != nil || x.Effect != "hold" || len(x.Steps) == 0 {
		t.Errorf("explain --json: %v\n%s", err, out)
	}
}

func TestPolicyDiffNamesTheCasesThatChange(t *testing.T) {
	dir := t.TempDir()
	text, err := os.ReadFile(quickstart)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "new.yaml", strings.Replace(string(text), "can: [export, destroy]", "can: [export]", 1))
	out, errs, err := runPolicy(t, "diff", quickstart, filepath.Join(dir, "new.yaml"), "--cases", "../../examples/policy/quickstart_test.yaml")
	if err != nil {
		t.Fatalf("%v\n%s", err, errs)
	}
	for _, want := range []string{"dropping a table is held", "effect: hold -> deny", "rule: bulk-export-and-drop-are-held -> none"} {
		if !strings.Contains(out, want) {
			t.Errorf("diff does not say %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "a scientist searches") {
		t.Errorf("diff names a case that did not change:\n%s", out)
	}
}

func TestPolicySchemaIsJSON(t *testing.T) {
	out, _, err := runPolicy(t, "schema")
	if err != nil || !json.Valid([]byte(out)) {
		t.Errorf("schema: %v, not JSON:\n%s", err, out)
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
