package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

const (
	referenceFile = "../../docs/reference/config.md"
	schemaFile    = "../../docs/reference/config.schema.json"
)

// TestTheReferenceIsMadeFromTheStructs keeps docs/reference current; run it with -update after a change.
func TestTheReferenceIsMadeFromTheStructs(t *testing.T) {
	comments := readComments(t)
	schema, err := json.MarshalIndent(schemaOf(comments), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{referenceFile: reference(t, comments), schemaFile: string(schema) + "\n"} {
		if *update {
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s is not what the structs say; run: go test ./internal/config -update\n%s", name, diff)
		}
	}
}

// comments by type and by type.Field.
type comments map[string]string

func readComments(t *testing.T) comments {
	t.Helper()
	all := comments{}
	files, _ := filepath.Glob("*.go")
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			gen, ok := d.(*ast.GenDecl)
			if !ok || gen.Tok != token.TYPE {
				continue
			}
			for _, spec := range gen.Specs {
				ts := spec.(*ast.TypeSpec)
				all[ts.Name.Name] = flat(gen.Doc.Text())
				st, ok := ts.Type.(*ast.StructType)
				if !ok {
					continue
				}
				for _, field := range st.Fields.List {
					for _, n := range field.Names {
						all[ts.Name.Name+"."+n.Name] = flat(field.Doc.Text())
					}
				}
			}
		}
	}
	return all
}

func flat(text string) string { return strings.Join(strings.Fields(text), " ") }

// meaning is a field's comment, for readers who do not see the Go name.
func (c comments) meaning(t reflect.Type, f field) string {
	text := c[t.Name()+"."+f.name]
	if text == "" {
		panic(fmt.Sprintf("%s.%s has no comment", t.Name(), f.name))
	}
	return plain(text, f.name)
}

// plain turns "ClientID of the console" into "Client ID of the console", and "Dir is the directory" into "The directory".
func plain(text, name string) string {
	rest, found := strings.CutPrefix(text, name+" ")
	if !found {
		return text
	}
	for _, verb := range []string{"is ", "are "} {
		if is, ok := strings.CutPrefix(rest, verb); ok {
			return strings.ToUpper(is[:1]) + is[1:]
		}
	}
	return humps.ReplaceAllString(name, "$1 $2") + " " + rest
}

var humps = regexp.MustCompile(`([a-z])([A-Z])`)

func typeWord(f field) string {
	t, list := f.typ, ""
	if t.Kind() == reflect.Slice {
		t, list = t.Elem(), "list of "
	}
	if enum := f.tag.Get("enum"); enum != "" {
		return list + "`" + strings.ReplaceAll(enum, "|", "` `") + "`"
	}
	switch {
	case t == durationType:
		return list + "duration"
	case t == sizeType:
		return list + "size"
	case t == pathType:
		return list + "path"
	case t == secretType:
		return list + "secret"
	case t == pemType:
		return list + "PEM"
	}
	switch t.Kind() {
	case reflect.String:
		return list + "text"
	case reflect.Int:
		return list + "number"
	case reflect.Bool:
		return list + "true or false"
	case reflect.Map:
		return "mapping to lists of text"
	}
	return list + "section"
}

func reference(t *testing.T, c comments) string {
	var b strings.Builder
	b.WriteString(`# The configuration file

<!-- Made from the structs of internal/config by: go test ./internal/config -update -->

One YAML file says what a gateway is. It is read strictly: a key that is not listed here is an error, and all errors are reported at once, with
their lines and, where a word looks like a slip, a suggestion. ` + "`vecgate check`" + ` reads it without starting anything. An editor that knows JSON
Schema can check it while you type: put ` + "`# yaml-language-server: $schema=…/docs/reference/config.schema.json`" + ` at its top.

A running gateway reads the file again when it, or a file that it refers to, changes, and on SIGHUP. It takes the new one as a whole or, when
anything is wrong with it, not at all; live sessions stay. Keys marked ↻ are taken over at the next start.

## How values are written

| type | examples |
|---|---|
| text | ` + "`vecgate-1`, `\"${env:NAME}\"`, `\"https://${env:HOST}:8443\"`" + `: ` + "`${env:NAME}`" + ` stands for an environment variable, which must be set. Quotes are needed around it inside ` + "`{…}` and `[…]`" + `. |
| duration | ` + "`30s`, `15m`, `12h`, `30d`, `1d12h`" + ` |
| size | ` + "`512`, `64KiB`, `16MiB`, `1GiB`" + ` |
| path | relative to the directory of the file |
| secret | ` + "`file:PATH`, `\"${env:NAME}\"`, `age:PATH`" + ` for a file that [age](https://age-encryption.org) has sealed, ` + "`age:BASE64`" + ` for such a file in place. A secret never stands in the file in clear. Files must not be accessible to others (mode 0600; group-readable is accepted with a warning). |
| PEM | as a secret, or the PEM text itself; permissions do not matter |

Anchors, aliases and tags are not read.

## A whole file

` + "```yaml\n")
	example, err := os.ReadFile("testdata/vecgate.yaml")
	if err != nil {
		t.Fatal(err)
	}
	b.Write(example)
	b.WriteString("```\n")
	sections(&b, c, reflect.TypeFor[Config](), "", false)
	return b.String()
}

func sections(b *strings.Builder, c comments, t reflect.Type, path string, restart bool) {
	title := "At the top"
	if path != "" {
		title = path
	}
	fmt.Fprintf(b, "\n## %s\n\n", title)
	if path != "" {
		fmt.Fprintf(b, "%s\n\n", plain(c[t.Name()], t.Name()))
	}
	b.WriteString("| key | type | default | meaning |\n|---|---|---|---|\n")
	for f := range fields(t) {
		byDefault := ""
		if f.tag.Get("required") == "true" {
			byDefault = "**required**"
		}
		if d := f.tag.Get("default"); d != "" {
			byDefault = "`" + d + "`"
		}
		mark := ""
		if restart || f.tag.Get("restart") == "true" {
			mark = " ↻"
		}
		meaning := strings.ReplaceAll(c.meaning(t, f), "|", "\\|")
		if least := f.tag.Get("min"); least != "" {
			meaning += " At least " + least + "."
		}
		fmt.Fprintf(b, "| `%s`%s | %s | %s | %s |\n", f.key, mark, typeWord(f), byDefault, meaning)
	}
	for f := range fields(t) {
		inner, at := f.typ, join(path, f.key)
		if inner.Kind() == reflect.Slice {
			inner, at = inner.Elem(), at+"[]"
		}
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct && !isSource(inner) {
			sections(b, c, inner, at, restart || f.tag.Get("restart") == "true")
		}
	}
}

type schema map[string]any

func schemaOf(c comments) schema {
	s := objectSchema(c, reflect.TypeFor[Config]())
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "vecgate configuration"
	return s
}

func objectSchema(c comments, t reflect.Type) schema {
	properties, required := schema{}, []string{}
	for f := range fields(t) {
		p := typeSchema(c, f.typ, f.tag)
		p["description"] = c.meaning(t, f)
		if f.tag.Get("required") == "true" {
			required = append(required, f.key)
		}
		properties[f.key] = p
	}
	s := schema{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

const envReference = `\$\{env:[A-Za-z_][A-Za-z0-9_]*\}`

func typeSchema(c comments, t reflect.Type, tag reflect.StructTag) schema {
	pattern := func(p string) schema {
		return schema{"type": "string", "pattern": "^(" + p + "|" + envReference + ")$"}
	}
	byDefault := func(s schema, value any) schema {
		if tag.Get("default") != "" {
			s["default"] = value
		}
		return s
	}
	text := tag.Get("default")
	switch {
	case t == durationType:
		s := pattern(`0|([0-9]+d)?([0-9.]+(ns|us|µs|ms|s|m|h))*`)
		s["type"] = []string{"string", "integer"} // 0
		return byDefault(s, text)
	case t == sizeType:
		s := pattern(`[0-9]+(B|KiB|MiB|GiB)?`)
		s["type"] = []string{"string", "integer"}
		return byDefault(s, text)
	case t == secretType:
		return schema{"type": "string", "pattern": `^(file:|age:|` + envReference + `$)`}
	case t == pemType:
		return schema{"type": "string", "pattern": `^(file:|age:|-----BEGIN |` + envReference + `$)`}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeSchema(c, t.Elem(), tag)
	case reflect.Struct:
		return objectSchema(c, t)
	case reflect.Slice:
		item := reflect.StructTag(regexp.MustCompile(`default:"[^"]*"`).ReplaceAllString(string(tag), ""))
		s := schema{"type": "array", "items": typeSchema(c, t.Elem(), item)}
		if tag.Get("required") == "true" {
			s["minItems"] = 1
		}
		return byDefault(s, strings.Split(text, ","))
	case reflect.Map:
		return schema{"type": "object", "additionalProperties": typeSchema(c, t.Elem(), "")}
	case reflect.Bool:
		return schema{"type": []string{"boolean", "string"}, "pattern": "^" + envReference + "$"}
	case reflect.Int:
		return byDefault(schema{"type": []string{"integer", "string"}, "pattern": "^" + envReference + "$"}, json.Number(text))
	}
	s := schema{"type": "string", "minLength": 1}
	if tag.Get("enum") != "" {
		words := strings.Split(tag.Get("enum"), "|")
		s = pattern(strings.Join(words, "|"))
		if number.MatchString(words[0]) {
			s["type"] = []string{"string", "number"} // 1.2 in YAML
		}
	}
	return byDefault(s, text)
}

var number = regexp.MustCompile(`^[0-9.]+$`)

// TestTheSchemaTakesWhatIsReadAndNothingElse checks the published schema against files that Load takes and refuses.
func TestTheSchemaTakesWhatIsReadAndNothingElse(t *testing.T) {
	text, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	var s map[string]any
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("testdata/vecgate.yaml")
	if err != nil {
		t.Fatal(err)
	}
	verdict := func(text string) error {
		var v any
		if err := yaml.NewDecoder(bytes.NewReader([]byte(text))).Decode(&v); err != nil {
			t.Fatal(err)
		}
		return validate(s, v, "")
	}
	for _, good := range []string{string(example), minimal, minimal + "limits: {idle: 0, message: 65536, sessions: 5, drain: \"${env:X}\"}\n"} {
		if err := verdict(good); err != nil {
			t.Errorf("the schema refuses what is read: %v\n%s", err, good)
		}
	}
	for name, bad := range map[string]string{
		"unknown key": minimal + "gatway: {}\n", "unknown key inside": minimal + "log: {lvl: info}\n", "not in the list": minimal + "log: {level: loud}\n",
		"no policy": strings.Replace(minimal, "policy: policy.yaml\n", "", 1), "no targets": strings.Replace(minimal, "targets: [", "targets: []\nlog: {}\n#", 1),
		"secret in clear": strings.Replace(minimal, "user: app", "user: app, password: hunter2", 1), "duration": minimal + "limits: {idle: soon}\n",
		"text for a list": strings.Replace(minimal, "audiences: [vecgate]", "audiences: vecgate", 1), "not a number": minimal + "limits: {sessions: many}\n",
	} {
		if err := verdict(bad); err == nil {
			t.Errorf("the schema takes a file with %s", name)
		}
	}
}

// validate knows as much of JSON Schema as the generator writes.
func validate(s map[string]any, v any, path string) error {
	var kinds []string
	switch k := s["type"].(type) {
	case string:
		kinds = []string{k}
	case []any:
		for _, one := range k {
			kinds = append(kinds, one.(string))
		}
	}
	is := ""
	switch v := v.(type) {
	case map[string]any:
		is = "object"
		properties, _ := s["properties"].(map[string]any)
		for key, value := range v {
			switch next := properties[key].(type) {
			case map[string]any:
				if err := validate(next, value, path+"."+key); err != nil {
					return err
				}
			default:
				more, ok := s["additionalProperties"].(map[string]any)
				if !ok {
					return fmt.Errorf("%s: %s is not known", path, key)
				}
				if err := validate(more, value, path+"."+key); err != nil {
					return err
				}
			}
		}
		required, _ := s["required"].([]any)
		for _, key := range required {
			if _, ok := v[key.(string)]; !ok {
				return fmt.Errorf("%s: %s is missing", path, key)
			}
		}
	case []any:
		is = "array"
		if least, ok := s["minItems"].(float64); ok && len(v) < int(least) {
			return fmt.Errorf("%s: too short", path)
		}
		for i, item := range v {
			if err := validate(s["items"].(map[string]any), item, fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
	case string:
		is = "string"
		if p, ok := s["pattern"].(string); ok && !regexp.MustCompile(p).MatchString(v) {
			return fmt.Errorf("%s: %q does not match %s", path, v, p)
		}
	case bool:
		is = "boolean"
	case float64:
		is = "number"
	case uint64, int64:
		is = "integer"
	}
	if !slices.Contains(kinds, is) {
		return fmt.Errorf("%s: is %q, want %v", path, is, kinds)
	}
	return nil
}
