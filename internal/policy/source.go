package policy

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxFile and maxDepth bound what is handed to the YAML parser, which recurses.
const (
	maxFile  = 1 << 20
	maxDepth = 32
)

// form of a value in a file.
type form int

const (
	formNull form = iota
	formText
	formNumber
	formBool
	formList
	formMap
)

var formNames = map[form]string{
	formNull: "nothing", formText: "a text", formNumber: "a number", formBool: "true or false", formList: "a list", formMap: "a mapping",
}

// value is one value of a file with the line it stands on: YAML without anchors, tags and other surprises.
type value struct {
	form  form
	text  string // of a scalar, as written
	line  int
	items []*value
	keys  []entry
}

type entry struct {
	name  string
	line  int
	value *value
}

// get returns the value of a key, nil when it is absent; a nil value has no keys.
func (v *value) get(key string) *value {
	if v == nil {
		return nil
	}
	for i := range v.keys {
		if v.keys[i].name == key {
			return v.keys[i].value
		}
	}
	return nil
}

// has reports whether the key is there at all.
func (v *value) has(key string) bool { return v.get(key) != nil }

// str returns the text of a scalar, "" of anything else.
func (v *value) str() string {
	if v == nil || v.form == formList || v.form == formMap || v.form == formNull {
		return ""
	}
	return v.text
}

// strs returns the texts of a list of scalars.
func (v *value) strs() []string {
	if v == nil {
		return nil
	}
	out := make([]string, 0, len(v.items))
	for _, item := range v.items {
		out = append(out, item.str())
	}
	return out
}

// lineOr returns the line of v, or the other one when v is absent.
func (v *value) lineOr(other int) int {
	if v == nil {
		return other
	}
	return v.line
}

// readSource turns YAML into values; it reports everything that a policy file may not contain whatever its keys.
func readSource(text []byte, faults *faultList) *value {
	if len(text) > maxFile {
		faults.add(1, "", "the file has %d bytes; a policy has at most %d", len(text), maxFile)
		return nil
	}
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		faults.add(1, "", "the file is not UTF-8 text")
		return nil
	}
	if line, deep := tooDeep(text); deep {
		faults.add(line, "", "values are nested more than %d deep", maxDepth)
		return nil
	}
	file, err := parseYAML(text)
	if err != nil {
		line, what := 1, err.Error()
		if syntax, ok := errors.AsType[yaml.Error](err); ok {
			what = syntax.GetMessage()
			if t := syntax.GetToken(); t != nil && t.Position != nil {
				line = t.Position.Line
			}
		}
		what, _, _ = strings.Cut(what, "\n")
		faults.add(line, "", "not YAML: %s", what)
		return nil
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if _, comment := doc.Body.(*ast.CommentGroupNode); comment {
			continue
		}
		if body != nil {
			faults.add(lineOf(doc.Body), "", "a policy is one YAML document; remove the part from here on")
			return nil
		}
		body = doc.Body
	}
	if body == nil {
		faults.add(1, "", "the file says nothing; a policy has at least one allow statement")
		return nil
	}
	c := converter{faults: faults}
	v := c.value(body, 0)
	if c.failed {
		return nil
	}
	return v
}

// parseYAML keeps a fault of the parser from taking the gateway down with it.
func parseYAML(text []byte) (file *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("cannot be parsed (%v)", r)
		}
	}()
	return parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
}

// tooDeep looks for nesting that would let the parser recurse far: brackets on any line, indentation, and runs of "- ".
// It may count brackets inside texts too; no sensible policy has so many.
func tooDeep(text []byte) (line int, deep bool) {
	line, open := 1, 0
	for rest := text; len(rest) > 0; line++ {
		row := rest
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			row, rest = rest[:i], rest[i+1:]
		} else {
			rest = nil
		}
		if dashes := bytes.Count(row, []byte("- ")) + bytes.Count(row, []byte("? ")); dashes > maxDepth {
			return line, true
		}
		indent := len(row) - len(bytes.TrimLeft(row, " \t-?"))
		if indent > 8*maxDepth {
			return line, true
		}
		for _, c := range row {
			switch c {
			case '[', '{':
				open++
			case ']', '}':
				open = max(0, open-1)
			}
		}
		if open > maxDepth {
			return line, true
		}
	}
	return 0, false
}

type converter struct {
	faults *faultList
	failed bool
}

func (c *converter) fail(n ast.Node, format string, args ...any) *value {
	c.failed = true
	line := lineOf(n)
	c.faults.add(line, "", format, args...)
	return &value{line: line}
}

func (c *converter) value(n ast.Node, depth int) *value {
	if depth > maxDepth {
		return c.fail(n, "values are nested more than %d deep", maxDepth)
	}
	line := lineOf(n)
	switch n := n.(type) {
	case nil:
		return &value{line: line}
	case *ast.NullNode:
		return &value{form: formNull, line: line}
	case *ast.StringNode:
		return &value{form: formText, text: n.Value, line: line}
	case *ast.LiteralNode:
		return &value{form: formText, text: n.Value.Value, line: line}
	case *ast.BoolNode:
		return &value{form: formBool, text: n.Token.Value, line: line}
	case *ast.IntegerNode:
		return &value{form: formNumber, text: n.Token.Value, line: line}
	case *ast.FloatNode:
		return &value{form: formNumber, text: n.Token.Value, line: line}
	case *ast.MappingNode:
		return c.mapping(n.Values, line, depth)
	case *ast.MappingValueNode:
		return c.mapping([]*ast.MappingValueNode{n}, line, depth)
	case *ast.SequenceNode:
		v := &value{form: formList, line: line}
		for _, item := range n.Values {
			v.items = append(v.items, c.value(item, depth+1))
		}
		return v
	case *ast.AnchorNode, *ast.AliasNode:
		return c.fail(n, "anchors and aliases are not read here; write the value out")
	case *ast.TagNode:
		return c.fail(n, "YAML tags are not read here; remove %q", n.GetToken().Value)
	}
	return c.fail(n, "%s is not read here; write it as a text in quotes", strings.ToLower(n.Type().String()))
}

func (c *converter) mapping(values []*ast.MappingValueNode, line, depth int) *value {
	v := &value{form: formMap, line: line}
	for i, pair := range values {
		key := pair.Key
		var name string
		switch k := key.(type) {
		case *ast.StringNode:
			name = k.Value
		case *ast.MergeKeyNode:
			c.fail(key, "merge keys are not read here; write the keys out")
			continue
		case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
			name = key.GetToken().Value
		default:
			c.fail(pair, "a key must be a plain text")
			continue
		}
		at := lineOf(key)
		if i == 0 && at > 0 {
			v.line = at
		}
		if v.has(name) {
			c.faults.add(at, "", "the key %q stands here twice; keep one", name)
			c.failed = true
			continue
		}
		item := c.value(pair.Value, depth+1)
		if item.line == 0 {
			item.line = at
		}
		v.keys = append(v.keys, entry{name: name, line: at, value: item})
	}
	return v
}

func lineOf(n ast.Node) int {
	if n == nil {
		return 0
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}
