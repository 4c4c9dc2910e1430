package config

import (
	"flag"
	"fmt"
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
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what is generated or expected anew")

// TestEveryFaultIsReportedInTheseWords compares with the words in testdata/faults. It runs every sentence that the
// package can say at least once, and none of them may repeat a secret.
func TestEveryFaultIsReportedInTheseWords(t *testing.T) {
	var said []string
	files, _ := filepath.Glob("testdata/faults/*.txtar")
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			want := -1
			for i, f := range archive.Files {
				if f.Name == "faults" {
					want = i
					continue
				}
				mode := map[string]os.FileMode{"world": 0o644, "group": 0o640, "anybody.yaml": 0o666}[f.Name]
				if mode == 0 {
					mode = 0o600
				}
				path := filepath.Join(dir, f.Name)
				if err := os.WriteFile(path, f.Data, mode); err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(path, mode); err != nil {
					t.Fatal(err)
				}
			}
			c, faults := LoadWith(filepath.Join(dir, "vecgate.yaml"), env(map[string]string{"SECRET": "hunter2", "LONG": "aeons"}))
			if (c == nil) != Fatal(faults) {
				t.Errorf("configuration %v with faults %v", c, faults)
			}
			var got strings.Builder
			for _, f := range faults {
				line := strings.ReplaceAll(f.String(), dir+string(filepath.Separator), "")
				line = strings.ReplaceAll(line, dir, "DIR")
				said = append(said, f.Message)
				got.WriteString(line + "\n")
			}
			if strings.Contains(got.String(), "hunter2") {
				t.Errorf("a secret is repeated:\n%s", got.String())
			}
			if *update {
				archive.Files[want].Data = []byte(got.String())
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(archive.Files[want].Data), got.String()); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
	for _, sentence := range sentences(t) {
		re := regexp.MustCompile("(?s)^" + regexp.MustCompile(`%(\\\.)?[a-z0-9]+`).ReplaceAllString(regexp.QuoteMeta(sentence), ".*") + "$")
		found := false
		for _, s := range said {
			found = found || re.MatchString(s)
		}
		if !found {
			t.Errorf("no file of testdata/faults brings out: %s", sentence)
		}
	}
}

// sentences are the formats of all reports that the package makes.
func sentences(t *testing.T) []string {
	t.Helper()
	var list []string
	files, _ := filepath.Glob("*.go")
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			fun, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			at, ok := map[string]int{"at": 1, "warn": 1, "atLine": 2}[fun.Sel.Name]
			if !ok || len(call.Args) <= at {
				return true
			}
			lit, ok := call.Args[at].(*ast.BasicLit)
			if !ok {
				return true
			}
			text, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			if text != "%s" && text != "%v" {
				list = append(list, text)
			}
			return true
		})
	}
	if len(list) < 40 {
		t.Fatalf("only %d sentences found; is the search for them broken?", len(list))
	}
	return list
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(minimal))
	files, _ := filepath.Glob("testdata/faults/*.txtar")
	for _, name := range files {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(archive.Files[0].Data)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1<<14 {
			return
		}
		c, faults := parse("vecgate.yaml", "/nonexistent", text, env(nil))
		if (c == nil) != Fatal(faults) {
			t.Errorf("configuration is %v with faults %v", c, faults)
		}
		for _, fault := range faults {
			if fault.Message == "" || strings.Contains(fault.Message, "%!") {
				t.Errorf("fault says %q", fault)
			}
		}
	})
}

func TestASlipOfTheFingerGetsASuggestion(t *testing.T) {
	known := []string{"postgres", "qdrant", "address", "audiences", "on"}
	for word, want := range map[string]string{
		"quadrant": "qdrant", "adress": "address", "Postgres": "postgres", "postgers": "postgres", "zzz": "", "no": "on", "": "",
		strings.Repeat("a", 500): "",
	} {
		if got := nearest(word, known); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestDurationsAndSizesAreReadStrictly(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0s", "30s": "30s", "15m": "15m0s", "400d": "9600h0m0s", "1d12h": "36h0m0s", "36500d": "876000h0m0s",
		"": "", "5": "", "-1s": "", "d": "", "1.5d": "", "1y": "", "36501d": "", "1d-1h": "", "9999999h": "", "1d1d": "", " 1s": "",
	} {
		d, err := ParseDuration(text)
		if got := fmt.Sprint(d); err == nil && got != want || (err != nil) != (want == "") {
			t.Errorf("ParseDuration(%q) = %s, %v, want %q", text, got, err, want)
		}
	}
	for text, want := range map[string]Size{
		"512": 512, "1B": 1, "64KiB": 64 << 10, "16MiB": 16 << 20, "2GiB": 2 << 30,
		"": -1, "KiB": -1, "64KB": -1, "-1": -1, "1.5MiB": -1, "99999999999GiB": -1,
	} {
		s, err := ParseSize(text)
		if err == nil && s != want || (err != nil) != (want < 0) {
			t.Errorf("ParseSize(%q) = %d, %v, want %d", text, s, err, want)
		}
	}
}
