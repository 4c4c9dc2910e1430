// Package repo tests the repository itself: who may import whom, that every package says what it is, and that what the
// documents name exists.
package repo

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/vecgate/vecgate/"

// allowed says which of our packages a package may import, and why it may import no others. A trailing "/..." covers
// what lies below. The longest entry that covers a package counts.
var allowed = map[string]struct {
	imports []string
	why     string
}{
	"internal/access":    {nil, "the vocabulary knows nobody"},
	"internal/audit":     {[]string{"internal/access"}, "a concept knows the vocabulary only"},
	"internal/vault":     {[]string{"internal/access"}, "a concept knows the vocabulary only"},
	"internal/policy":    {[]string{"internal/access"}, "a concept knows the vocabulary only"},
	"internal/mask":      {[]string{"internal/access"}, "a concept knows the vocabulary only"},
	"internal/approval":  {[]string{"internal/access"}, "a concept knows the vocabulary only"},
	"internal/recording": {[]string{"internal/access"}, "a concept knows the vocabulary only"},
	"internal/budget":    {[]string{"internal/access"}, "a concept knows the vocabulary only"},
	"internal/identity":  {[]string{"internal/access", "internal/identity/..."}, "a concept knows the vocabulary only"},
	"internal/gate":      {[]string{"internal/access", "internal/audit", "internal/vault"}, "the road knows no rule, protocol or file"},
	"internal/protocol": {
		[]string{"internal/access", "internal/gate", "internal/mask", "internal/vault", "internal/protocol/..."},
		"a front end knows its own protocol and the gate",
	},
	"internal/protocol/protocoltest": {
		[]string{"internal/access", "internal/audit", "internal/gate", "internal/mask", "internal/vault", "internal/protocol/..."},
		"the suite stands in for the log too",
	},
	"internal/config": {[]string{"internal/access", "internal/vault"}, "what an operator wrote, not what it does"},
	"internal/store": {
		[]string{"internal/access", "internal/gate", "internal/approval", "internal/identity/...", "internal/vault"},
		"implements the Store interfaces that the concepts declare",
	},
	"internal/admin":   {[]string{"internal/access", "internal/gate"}, "gets what it needs from server, as interfaces"},
	"internal/console": {[]string{"internal/access", "internal/admin", "internal/gate"}, "can do nothing that admin cannot"},
	"internal/server":  {[]string{"internal/..."}, "the only package that knows all the others"},
	"internal/cli":     {[]string{"internal/..."}, "a thin skin over everything"},
	"cmd":              {[]string{"internal/cli"}, "os.Exit(cli.Main(...)), nothing else"},
	"test":             {[]string{"internal/...", "test/..."}, "tests may know all"},
}

type goPackage struct {
	ImportPath string
	Dir        string
	Imports    []string
	GoFiles    []string
	CgoFiles   []string
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Imports,GoFiles,CgoFiles", "./...")
	cmd.Dir = root(t)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func covers(pattern, pkg string) bool {
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return pkg == base || strings.HasPrefix(pkg, base+"/")
	}
	return pkg == pattern
}

func TestImportsPointOneWay(t *testing.T) {
	for _, p := range packages(t) {
		pkg := strings.TrimPrefix(p.ImportPath, module)
		key := pkg
		for key != "." && allowed[key].why == "" {
			key = filepath.Dir(key)
		}
		rule, ok := allowed[key]
		if !ok {
			t.Errorf("%s is in no row of the import table: give it one, with a reason", pkg)
			continue
		}
		for _, imp := range p.Imports {
			imp, ours := strings.CutPrefix(imp, module)
			if !ours || covers(key+"/...", imp) {
				continue
			}
			if !slices.ContainsFunc(rule.imports, func(pattern string) bool { return covers(pattern, imp) }) {
				t.Errorf("%s imports %s; %s", pkg, imp, rule.why)
			}
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for _, p := range packages(t) {
		docs := 0
		for _, f := range append(p.GoFiles, p.CgoFiles...) {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, f), nil, parser.ParseComments|parser.PackageClauseOnly)
			if err != nil {
				t.Fatal(err)
			}
			if file.Doc != nil && strings.HasPrefix(file.Doc.Text(), firstWords(file, p)) {
				docs++
			}
		}
		if docs != 1 && len(p.GoFiles) > 0 {
			t.Errorf("%s has %d package comments, want exactly one", p.ImportPath, docs)
		}
	}
}

func firstWords(f *ast.File, p goPackage) string {
	if f.Name.Name == "main" {
		return "Command " + filepath.Base(p.ImportPath)
	}
	return "Package " + f.Name.Name
}

func TestNoPackageIsADrawerForOddments(t *testing.T) {
	for _, p := range packages(t) {
		switch name := filepath.Base(p.ImportPath); name {
		case "utils", "util", "common", "helpers", "manager", "misc", "base":
			t.Errorf("%s: a package is named for what it is", p.ImportPath)
		}
	}
}

func TestNothingRegistersItself(t *testing.T) {
	for _, p := range packages(t) {
		for _, f := range p.GoFiles {
			if strings.HasSuffix(f, ".pb.go") {
				continue // generated: it registers its message types
			}
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, f), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range file.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == "init" && fn.Recv == nil {
					t.Errorf("%s/%s has an init function: list things in a literal instead", p.ImportPath, f)
				}
			}
		}
	}
}

// tests are the names of all test functions below the root, Go and others.
func tests(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	function := regexp.MustCompile(`^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	err := filepath.WalkDir(root(t), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() && strings.HasPrefix(d.Name(), ".") && len(d.Name()) > 1 {
			if d != nil && d.IsDir() && err == nil {
				return filepath.SkipDir
			}
			return err
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if m := function.FindStringSubmatch(lines.Text()); m != nil {
				names[m[1]] = true
			}
		}
		return lines.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestRequirementsNameTestsThatExist(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root(t), "docs/requirements.md"))
	if err != nil {
		t.Fatal(err)
	}
	have := tests(t)
	named := regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w+`).FindAllString(string(text), -1)
	if len(named) == 0 {
		t.Fatal("docs/requirements.md names no test")
	}
	for _, name := range named {
		if !have[name] {
			t.Errorf("docs/requirements.md names %s, which does not exist", name)
		}
	}
}

func TestEveryMissionRowIsInTheRequirements(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root(t), "docs/requirements.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := []string{"G1", "G2"}
	for prefix, n := range map[string]int{"I": 6, "D": 6, "P": 6, "O": 5} {
		for i := 1; i <= n; i++ {
			rows = append(rows, fmt.Sprint(prefix, i))
		}
	}
	for _, row := range rows {
		if !strings.Contains(string(text), "| "+row+" |") {
			t.Errorf("docs/requirements.md has no row %s", row)
		}
	}
}

func TestDocumentLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#\s]+)(?:#[^)]*)?\)`)
	err := filepath.WalkDir(root(t), func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".md") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s links to %s, which does not exist", strings.TrimPrefix(path, root(t)+"/"), m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestEveryDependencyHasItsReason(t *testing.T) {
	mod, err := os.ReadFile(filepath.Join(root(t), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	reasons, err := os.ReadFile(filepath.Join(root(t), "docs/dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	direct := regexp.MustCompile(`(?m)^(?:require )?\s*(\S+) v\S+$`)
	found := direct.FindAllStringSubmatch(string(mod), -1)
	if len(found) == 0 {
		t.Fatal("no direct dependency found in go.mod")
	}
	for _, m := range found {
		if !strings.Contains(string(reasons), "`"+m[1]+"`") {
			t.Errorf("docs/dependencies.md gives no reason for %s", m[1])
		}
	}
	if strings.Contains(string(mod), "\nreplace ") {
		t.Error("go.mod has a replace line: a stranger's go install would not build what we test")
	}
}
