package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// reader fills a Config from a parsed file. Unlike a general decoder it goes on after a fault, so that all of them are
// reported at once.
type reader struct {
	*report
	dir      string
	getenv   func(string) string
	identity string // age identity file, read before everything else
}

// parse turns text into the one mapping that a configuration file is.
func (r *reader) parse(text []byte) ast.Node {
	file, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		line, message := 0, "this is not YAML"
		if se, ok := errors.AsType[*yaml.SyntaxError](err); ok {
			message += ": " + se.Message
			if strings.Contains(se.Message, "'\t'") {
				message = "a tab stands where YAML wants spaces"
			}
			if se.Token != nil && se.Token.Position != nil {
				line = se.Token.Position.Line
			}
		}
		r.atLine(line, "", "%s", message)
		return nil
	}
	var body ast.Node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case body != nil:
			r.atLine(lineOf(doc.Body), "", "a second document; a configuration file holds one")
		default:
			body = doc.Body
		}
	}
	if body == nil {
		r.atLine(0, "", "the file is empty")
	}
	return body
}

func lineOf(n ast.Node) int {
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return 0
	}
	return n.GetToken().Position.Line
}

// value fills v from n; n is nil when the file leaves the value out, and defaults are taken then.
func (r *reader) value(n ast.Node, v reflect.Value, path string, tag reflect.StructTag) {
	if n != nil {
		if _, seen := r.lines[path]; !seen {
			r.lines[path] = lineOf(n)
		}
		switch n.(type) {
		case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
			r.at(path, "anchors, aliases and tags are not read here; write the value itself")
			return
		case *ast.NullNode:
			r.at(path, "has no value; give it one or leave the key out")
			return
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		if n != nil {
			v.Set(reflect.New(v.Type().Elem()))
			r.value(n, v.Elem(), path, tag)
		}
	case reflect.Struct:
		if isSource(v.Type()) {
			r.source(n, v, path, tag)
			return
		}
		r.structure(n, v, path)
	case reflect.Slice:
		r.list(n, v, path, tag)
	case reflect.Map:
		r.mapping(n, v, path)
	default:
		r.scalar(n, v, path, tag)
	}
}

func (r *reader) structure(n ast.Node, v reflect.Value, path string) {
	entries, ok := r.entries(n, path)
	if !ok {
		return
	}
	known := make([]string, 0, v.NumField())
	for f := range fields(v.Type()) {
		known = append(known, f.key)
	}
	for key, e := range entries {
		if !slices.Contains(known, key) {
			message := fmt.Sprintf("%q is not known here", key)
			if near := nearest(key, known); near != "" {
				message += fmt.Sprintf("; did you mean %q?", near)
			} else {
				message += "; known are " + strings.Join(known, ", ")
			}
			r.atLine(lineOf(e.Key), path, "%s", message)
		}
	}
	for f := range fields(v.Type()) {
		at := join(path, f.key)
		var value ast.Node
		if e := entries[f.key]; e != nil {
			value = e.Value
			r.lines[at] = lineOf(e.Key)
		}
		if value == nil && f.tag.Get("required") == "true" {
			r.at(at, "is missing")
			continue
		}
		r.value(value, v.Field(f.index), at, f.tag)
	}
}

// entries are the keys of a mapping; none when n is nil.
func (r *reader) entries(n ast.Node, path string) (map[string]*ast.MappingValueNode, bool) {
	if n == nil {
		return nil, true
	}
	var values []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		r.at(path, "must be a mapping of keys to values")
		return nil, false
	}
	entries := make(map[string]*ast.MappingValueNode, len(values))
	for _, e := range values {
		key, ok := keyOf(e.Key)
		if !ok {
			r.atLine(lineOf(e.Key), path, "a key must be plain text")
			continue
		}
		if first, ok := entries[key]; ok {
			r.atLine(lineOf(e.Key), join(path, key), "stands here a second time; the first is in line %d", lineOf(first.Key))
			continue
		}
		entries[key] = e
	}
	return entries, true
}

func keyOf(n ast.MapKeyNode) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func (r *reader) list(n ast.Node, v reflect.Value, path string, tag reflect.StructTag) {
	if n == nil {
		if d := tag.Get("default"); d != "" {
			for _, word := range strings.Split(d, ",") {
				v.Set(reflect.Append(v, reflect.ValueOf(word).Convert(v.Type().Elem())))
			}
		}
		return
	}
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		r.at(path, "must be a list, even of one: [x]")
		return
	}
	if len(seq.Values) == 0 && tag.Get("required") == "true" {
		r.at(path, "must not be empty")
	}
	for i, item := range seq.Values {
		e := reflect.New(v.Type().Elem()).Elem()
		at := fmt.Sprintf("%s[%d]", path, i)
		r.value(item, e, at, tag)
		v.Set(reflect.Append(v, e))
	}
}

func (r *reader) mapping(n ast.Node, v reflect.Value, path string) {
	entries, ok := r.entries(n, path)
	if !ok || len(entries) == 0 {
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for key, e := range entries {
		item := reflect.New(v.Type().Elem()).Elem()
		r.lines[join(path, key)] = lineOf(e.Key)
		r.value(e.Value, item, join(path, key), `required:"true"`)
		v.SetMapIndex(reflect.ValueOf(key), item)
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// field is a key of the file that a struct has a place for.
type field struct {
	key   string
	index int
	tag   reflect.StructTag
	typ   reflect.Type
	name  string // of the struct field
}

// fields are the keys of a struct, in order.
func fields(t reflect.Type) func(yield func(field) bool) {
	return func(yield func(field) bool) {
		for i := range t.NumField() {
			f := t.Field(i)
			key := f.Tag.Get("yaml")
			if key == "" || key == "-" {
				continue
			}
			if !yield(field{key: key, index: i, tag: f.Tag, typ: f.Type, name: f.Name}) {
				return
			}
		}
	}
}
