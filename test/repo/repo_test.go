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

// TestBlocksThatAreRunElsewhereNameTestsThatExist looks at the blocks of the guides that say elsewhere=TestX.
func TestBlocksThatAreRunElsewhereNameTestsThatExist(t *testing.T) {
	have := tests(t)
	named := regexp.MustCompile("(?m)^```[a-z]+ elsewhere=(\\w+)")
	found := 0
	for _, glob := range []string{"README.md", "docs/guide/*.md"} {
		files, err := filepath.Glob(filepath.Join(root(t), glob))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range named.FindAllStringSubmatch(string(text), -1) {
				if found++; !have[m[1]] {
					t.Errorf("%s names %s, which does not exist", filepath.Base(file), m[1])
				}
			}
		}
	}
	if found == 0 {
		t.Fatal("no block is run elsewhere any more: this test is about none")
	}
}

// TestTheReadmeInstallsWhatThereIs follows the path that go install is given: the module, and a program in it.
func TestTheReadmeInstallsWhatThereIs(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root(t), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	installs := regexp.MustCompile(`(?m)^go install (\S+)@latest$`).FindStringSubmatch(string(text))
	if installs == nil {
		t.Fatal("the README installs nothing")
	}
	for _, p := range packages(t) {
		if p.ImportPath == installs[1] && len(p.GoFiles) > 0 {
			return
		}
	}
	t.Errorf("go install %s: there is no such program", installs[1])
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
	link := regexp.MustCompile(`\]\(([^)#\s]*)(?:#([^)\s]*))?\)`)
	found := 0
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
		for _, m := range link.FindAllStringSubmatch(withoutBlocks(string(text)), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			found++
			from, to := strings.TrimPrefix(path, root(t)+"/"), path
			if m[1] != "" {
				to = filepath.Join(filepath.Dir(path), m[1])
			}
			there, err := os.Stat(to)
			if err != nil {
				t.Errorf("%s links to %s, which does not exist", from, m[1])
				continue
			}
			if m[2] == "" || there.IsDir() {
				continue
			}
			page, err := os.ReadFile(to)
			if err != nil {
				return err
			}
			if !slices.Contains(anchors(string(page)), m[2]) {
				t.Errorf("%s links to %s#%s, and that page has no such heading", from, m[1], m[2])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 50 {
		t.Errorf("only %d links were found", found)
	}
}

// withoutBlocks is a page without its blocks of code, where brackets are no links.
func withoutBlocks(page string) string {
	return regexp.MustCompile("(?ms)^```.*?^```$").ReplaceAllString(page, "")
}

// anchors are the names by which a page's headings are linked to, as GitHub makes them: in small letters, without
// punctuation, with hyphens for spaces, and a number for whoever comes second.
func anchors(page string) (all []string) {
	seen := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^#+ +(.*)$`).FindAllStringSubmatch(withoutBlocks(page), -1) {
		title := regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(m[1], "$1")
		name := strings.ReplaceAll(regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), ""), " ", "-")
		if n := seen[name]; n > 0 {
			all = append(all, fmt.Sprintf("%s-%d", name, n))
		} else {
			all = append(all, name)
		}
		seen[name]++
	}
	return all
}

func TestHeadingsAreLinkedToAsGitHubDoes(t *testing.T) {
	page := "# The *one*\n\n## 4. The configuration\n\n```sh\n# not one\n```\n\n### `limits` (all)\n\n## The one\n## a [link](x.md)\n"
	want := []string{"the-one", "4-the-configuration", "limits-all", "the-one-1", "a-link"}
	if got := anchors(page); !slices.Equal(got, want) {
		t.Errorf("anchors are %q, want %q", got, want)
	}
}

func TestEveryConceptIsInTheArchitecture(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root(t), "docs/ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, p := range packages(t) {
		name, ours := strings.CutPrefix(p.ImportPath, module+"internal/")
		concept, below, deeper := strings.Cut(name, "/")
		switch {
		case !ours || deeper && concept != "protocol" || strings.Contains(below, "/") || below == "protocoltest":
			continue
		case deeper:
			name = below // protocol/postgres stands as such, engines stand beside each other
		}
		if found++; !regexp.MustCompile("[`/]" + name + "`").Match(text) {
			t.Errorf("docs/ARCHITECTURE.md does not say what %s is for", p.ImportPath)
		}
	}
	if found < 20 {
		t.Errorf("only %d packages were found", found)
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
