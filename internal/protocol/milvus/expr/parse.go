package expr

import (
	"slices"
	"strings"
)

// Parse reads a condition. An empty text is none.
func Parse(s string) (*Expr, error) {
	all, err := tokens(s)
	if err != nil {
		return nil, err
	}
	e := &Expr{}
	if len(all) == 1 {
		return e, nil
	}
	p := &parser{tokens: all, e: e}
	if e.root, err = p.or(0); err != nil {
		return nil, err
	}
	if p.peek().kind != end {
		return nil, p.fault("something follows the condition")
	}
	e.root.sure()
	e.written = write(all)
	return e, nil
}

type parser struct {
	tokens []token
	at     int
	e      *Expr
}

func (p *parser) peek() *token { return &p.tokens[p.at] }

func (p *parser) fault(what string) error { return &Fault{p.peek().at, what} }

// is takes a sign when it comes next.
func (p *parser) is(value string) bool {
	if t := p.peek(); t.kind != sign || t.value != value {
		return false
	}
	p.at++
	return true
}

// tight writes what comes next without a space before it.
func (p *parser) tight() { p.tokens[p.at].tight = true }

func (p *parser) want(value string) error {
	p.tight()
	if !p.is(value) {
		return p.fault("a " + value + " was expected")
	}
	return nil
}

func (p *parser) or(depth int) (node, error) { return p.joined(depth, "or", or, p.and) }

func (p *parser) and(depth int) (node, error) { return p.joined(depth, "and", and, p.unary) }

func (p *parser) joined(depth int, by string, j junction, part func(int) (node, error)) (node, error) {
	n, err := part(depth)
	if err != nil {
		return n, err
	}
	joint := node{junction: j, parts: []node{n}}
	for p.is(by) {
		if n, err = part(depth); err != nil {
			return n, err
		}
		joint.parts = append(joint.parts, n)
	}
	if len(joint.parts) == 1 {
		return n, nil
	}
	return joint, nil
}

func (p *parser) unary(depth int) (node, error) {
	if depth > MaxDepth {
		return node{}, p.fault("it is nested too deep")
	}
	if p.is("not") {
		n, err := p.unary(depth + 1)
		return node{junction: negation, parts: []node{n}}, err
	}
	return p.chain(depth)
}

// operand is what stands between two operators.
type operand struct {
	path   Path    // it is a field
	value  *Value  // it is a constant
	list   []Value // it is a list of constants
	isList bool
	inner  *node // it is a condition in parentheses
	fields []Path
	// positive says that it is a function that asks for certain values of its one field.
	positive bool
}

// binary operators between the operands of a condition.
var binary = []string{"==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "**", "<<", ">>", "&", "|", "^", "like", "=~", "!~", "in"}

// chain reads operands with operators between them. How they bind to each other matters to nothing that is asked of the
// condition: only the plainest forms count as more than a naming of fields.
func (p *parser) chain(depth int) (node, error) {
	first, err := p.operand(depth)
	if err != nil {
		return node{}, err
	}
	operands, ops := []operand{first}, []string{}
	for {
		t := p.peek()
		if t.kind != sign {
			break
		}
		op := t.value
		switch {
		case op == "not":
			p.at++
			if !p.is("in") {
				return node{}, p.fault("an in was expected")
			}
			op = "not in"
		case op == "is":
			p.at++
			if p.is("not") {
				op = "is not"
			}
			if !p.is("null") {
				return node{}, p.fault("a null was expected")
			}
			ops = append(ops, op)
			continue
		case slices.Contains(binary, op):
			p.at++
		default:
			return p.condition(operands, ops), nil
		}
		next, err := p.operand(depth)
		if err != nil {
			return node{}, err
		}
		operands, ops = append(operands, next), append(ops, op)
	}
	return p.condition(operands, ops), nil
}

// condition makes one of what was read.
func (p *parser) condition(operands []operand, ops []string) node {
	if len(operands) == 1 && len(ops) == 0 && operands[0].inner != nil {
		return *operands[0].inner
	}
	c := &Condition{}
	for i := range operands {
		c.Fields = append(c.Fields, operands[i].fields...)
	}
	p.e.all = append(p.e.all, c)
	n := node{leaf: c}
	switch {
	case len(operands) == 1 && len(ops) == 0:
		c.positive = operands[0].positive
	case len(operands) == 2 && len(ops) == 1:
		l, r := operands[0], operands[1]
		if l.path == nil {
			l, r = r, l
			if ops[0] == "in" || ops[0] == "like" {
				return n
			}
		}
		if l.path == nil {
			return n
		}
		switch ops[0] {
		case "==":
			if r.value != nil {
				c.Equal, c.Equality, c.positive = []Value{*r.value}, true, true
			}
		case "in":
			if r.isList {
				c.Equal, c.Equality, c.positive = r.list, true, true
			} else if r.value != nil && r.value.Variable != "" {
				c.Equal, c.Equality, c.positive = []Value{*r.value}, true, true
			}
		case "<", "<=", ">", ">=":
			c.positive = r.value != nil
		case "like":
			c.positive = r.value != nil && r.value.Variable == "" && strings.Trim(r.value.Text, "%_") != ""
		}
	case len(operands) == 3 && len(ops) == 2 && strings.Trim(ops[0]+ops[1], "<>=") == "" && !strings.HasPrefix(ops[0], "==") && !strings.HasPrefix(ops[1], "=="):
		c.positive = operands[1].path != nil && operands[0].value != nil && operands[2].value != nil
	}
	return n
}

// functions by name, with whether they ask for certain values of the field that is their first argument.
var functions = map[string]bool{
	"text_match": true, "phrase_match": true,
	"json_contains": true, "json_contains_any": true, "json_contains_all": false,
	"array_contains": true, "array_contains_any": true, "array_contains_all": false, "array_length": false,
	"st_equals": false, "st_touches": false, "st_overlaps": false, "st_crosses": false, "st_contains": false, "st_intersects": false, "st_within": false,
	"st_dwithin": false, "st_isvalid": false,
}

// boolean constants, in the spellings that servers know.
var booleans = map[string]bool{"true": true, "True": true, "TRUE": true, "false": true, "False": true, "FALSE": true}

func (p *parser) operand(depth int) (operand, error) {
	if depth > MaxDepth {
		return operand{}, p.fault("it is nested too deep")
	}
	t := *p.peek()
	switch {
	case t.kind == text:
		p.at++
		return operand{value: &Value{Text: t.value}}, nil
	case t.kind == number || t.kind == float:
		p.at++
		return operand{value: &Value{Number: t.value}}, nil
	case t.kind == word && booleans[t.value]:
		p.at++
		return operand{value: &Value{Number: strings.ToLower(t.value)}}, nil
	case t.kind == word:
		return p.named(depth)
	case t.kind != sign:
		return operand{}, p.fault("it ends early")
	}
	p.at++
	switch t.value {
	case "(":
		p.tight()
		n, err := p.or(depth + 1)
		if err != nil {
			return operand{}, err
		}
		return operand{inner: &n, fields: n.fields()}, p.want(")")
	case "[":
		p.tight()
		return p.list(depth + 1)
	case "{":
		p.tight()
		name := *p.peek()
		if name.kind != word || booleans[name.value] {
			return operand{}, p.fault("the name of a value was expected")
		}
		p.at++
		return operand{value: &Value{Variable: name.value}}, p.want("}")
	case "+", "-", "~":
		p.tight()
		o, err := p.operand(depth + 1)
		if err != nil {
			return operand{}, err
		}
		if t.value == "-" && o.value != nil && o.value.Number != "" && !booleans[o.value.Number] && o.value.Number[0] != '-' {
			return operand{value: &Value{Number: "-" + o.value.Number}}, nil
		}
		return operand{fields: o.fields}, nil
	case "exists":
		o, err := p.operand(depth + 1)
		return operand{fields: o.fields}, err
	case "ISO", "INTERVAL":
		if p.peek().kind != text {
			return operand{}, p.fault("a text was expected")
		}
		p.at++
		return operand{value: &Value{Text: p.tokens[p.at-1].value}}, nil
	}
	p.at--
	return operand{}, p.fault("a value was expected")
}

// fields are all that the conditions of a node name.
func (n *node) fields() []Path {
	if n.junction == leaf {
		return n.leaf.Fields
	}
	var all []Path
	for i := range n.parts {
		all = append(all, n.parts[i].fields()...)
	}
	return all
}

// list reads the rest of a list.
func (p *parser) list(depth int) (operand, error) {
	o := operand{isList: true}
	for first := true; ; first = false {
		p.tight()
		if first && p.is("]") {
			return o, nil
		}
		p.tokens[p.at].tight = first
		item, err := p.operand(depth)
		if err != nil {
			return operand{}, err
		}
		o.fields = append(o.fields, item.fields...)
		if item.value == nil {
			o.isList = false // a list of something else than constants
		} else {
			o.list = append(o.list, *item.value)
		}
		p.tight()
		if p.is("]") {
			return o, nil
		}
		if !p.is(",") {
			return operand{}, p.fault("a comma or ] was expected")
		}
	}
}

// named reads a field or a call of a function.
func (p *parser) named(depth int) (operand, error) {
	name := *p.peek()
	lower := strings.ToLower(name.value)
	positive, known := functions[lower]
	p.at++
	if known = known && (name.value == lower || name.value == strings.ToUpper(name.value)); known {
		return p.call(depth+1, lower, positive)
	}
	path := Path{name.value}
	for t := p.peek(); t.kind == sign && t.value == "["; t = p.peek() {
		p.tight()
		p.at++
		p.tight()
		key := *p.peek()
		switch key.kind {
		case text:
			path = append(path, key.value)
		case number:
		default:
			return operand{}, p.fault("a key or an index was expected")
		}
		p.at++
		if err := p.want("]"); err != nil {
			return operand{}, err
		}
	}
	if t := p.peek(); t.kind == sign && t.value == "(" {
		return operand{}, &Fault{name.at, "a function that is not known"}
	}
	if path[0] == Meta && len(path) > 1 {
		path = path[1:]
	}
	return operand{path: path, fields: []Path{path}}, nil
}

// call reads the arguments of a function. The first one must be its field.
func (p *parser) call(depth int, name string, positive bool) (operand, error) {
	o := operand{positive: positive}
	if err := p.want("("); err != nil {
		return o, err
	}
	for i := 0; ; i++ {
		if i == 0 {
			p.tight()
		}
		if t := p.peek(); i == 2 && t.kind == word && strings.EqualFold(t.value, "minimum_should_match") && name == "text_match" {
			p.at++
			if !p.is("=") {
				return o, p.fault("a = was expected")
			}
		}
		argument, err := p.operand(depth)
		if err != nil {
			return o, err
		}
		if i == 0 && argument.path == nil {
			return o, p.fault("the first argument of a function must be a field")
		}
		o.fields = append(o.fields, argument.fields...)
		p.tight()
		if p.is(")") {
			break
		}
		if !p.is(",") {
			return o, p.fault("a comma or ) was expected")
		}
	}
	return o, nil
}
