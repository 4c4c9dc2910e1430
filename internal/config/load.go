package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/goccy/go-yaml/ast"
)

// maxFile bounds the size of a configuration file.
const maxFile = 1 << 20

// Load reads a configuration file. All faults are returned at once, in the order of the file; the configuration is nil
// unless every one of them is a warning.
func Load(path string) (*Config, []Fault) { return LoadWith(path, os.Getenv) }

// LoadWith is Load with an environment of the caller's choice.
func LoadWith(path string, getenv func(string) string) (*Config, []Fault) {
	text, err := readFile(path)
	if err != nil {
		return nil, []Fault{{File: path, Message: err.Error()}}
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, []Fault{{File: path, Message: fmt.Sprintf("find its directory: %v", err)}}
	}
	return parse(path, dir, text, getenv)
}

func parse(path, dir string, text []byte, getenv func(string) string) (*Config, []Fault) {
	r := &reader{
		report: &report{file: path, lines: map[string]int{}, raw: map[string]string{}},
		dir:    dir, getenv: getenv,
	}
	body := r.parse(text)
	if body == nil {
		return nil, r.done()
	}
	r.identity = r.identityFile(body)
	sum := sha256.Sum256(text)
	c := &Config{File: path, Digest: hex.EncodeToString(sum[:])}
	switch body.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
	default:
		r.atLine(lineOf(body), "", "a configuration file is a mapping of keys to values")
		return nil, r.done()
	}
	r.value(body, reflect.ValueOf(c).Elem(), "", "")
	check(c, r.report)
	if Fatal(r.faults) {
		return nil, r.done()
	}
	c.Files = c.files(filepath.Join(dir, filepath.Base(path)))
	return c, r.done()
}

// identityFile finds secrets.identity ahead of everything else, because every age: value leans on it. Faults in it are
// reported when the section is read in its turn.
func (r *reader) identityFile(body ast.Node) string {
	ahead := &reader{
		report: &report{lines: map[string]int{}, raw: map[string]string{}},
		dir:    r.dir, getenv: r.getenv,
	}
	entries, _ := ahead.entries(body, "")
	section := entries["secrets"]
	if section == nil {
		return ""
	}
	var s Secrets
	ahead.value(section.Value, reflect.ValueOf(&s).Elem(), "secrets", "")
	return string(s.Identity)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		if p, ok := errors.AsType[*fs.PathError](err); ok {
			err = p.Err
		}
		return nil, fmt.Errorf("cannot be opened: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("larger than %d bytes", maxFile)
	}
	return text, nil
}

// files are the file itself and all that it refers to.
func (c *Config) files(self string) []string {
	files := []string{self}
	if c.Policy != "" {
		files = append(files, string(c.Policy))
	}
	eachSource(reflect.ValueOf(c).Elem(), "", func(_ string, s source) { files = append(files, s.Files()...) })
	slices.Sort(files)
	return slices.Compact(files)
}
