package weaviate

import (
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// Bounds of a query; the vectors in it are what makes it long.
const (
	mostTokens  = 400_000
	mostDepth   = 48
	mostMembers = 64
)

// usualGraphQLLimit is Weaviate's own limit of a Get that has none.
const usualGraphQLLimit = 100

// part is the query of one collection inside of a GraphQL query.
type part struct {
	query
	aggregate bool
	field     *ast.Field
	names     []string // where its answer stands, below data
	filter    jsonstream.Value
	answer    func(*access.Protection) *jsonstream.Node
}

// graph is a GraphQL query that was understood.
type graph struct {
	parts []*part
	roots []*ast.Field
}

func readGraphQL(c *call) error {
	text, ok := c.Body.Get("query").Text()
	if !ok {
		return unclear("its query is not a text")
	}
	if v := c.Body.Get("variables"); v.Kind() != jsonstream.None && v.Kind() != jsonstream.Null && (v.Kind() != jsonstream.Object || v.Len() > 0) {
		return unclear("its query has variables; write the values into the query")
	}
	name, ok := c.Body.Get("operationName").Text()
	if k := c.Body.Get("operationName").Kind(); k != jsonstream.None && k != jsonstream.Null && !ok {
		return unclear("its operationName is not a text")
	}
	d, err := c.graph(text, name)
	if err != nil {
		return err
	}
	for i, p := range d.parts {
		for j := range c.accesses {
			if c.accesses[j].Resource == p.at && c.accesses[j].Attributes.Role == "" {
				c.accesses[j].Attributes.Batch = i
			}
		}
	}
	send := func(rows int64, o *access.Obligations) (jsonstream.Value, error) {
		text, err := d.write(rows, o)
		return empty.With("query", jsonstream.String(text)), err
	}
	if c.out.Body, err = send(0, &access.Obligations{}); err != nil {
		return err
	}
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		total := int64(0)
		var places []access.Resource
		for _, p := range d.parts {
			if err := p.oblige(o); err != nil {
				return nil, err
			}
			places = append(places, p.at)
			if total += max(p.rows, 0); o.Rows > 0 && total > o.Rows {
				return nil, tooMany(o.Rows, total)
			}
		}
		body, err := send(o.Rows, o)
		if err != nil {
			return nil, err
		}
		return &httpwire.Obliged{
			Body: body, Filtered: c.filtered(o, places...), Mask: d.mask(o.Protection), Rows: o.Rows, Mute: !o.Protection.Empty(),
		}, nil
	}
	return nil
}

// graph reads a query that has one operation, made of Get and Aggregate.
func (r *reading) graph(text, name string) (*graph, error) {
	if !shallow(text) {
		return nil, unclear("its query is nested too deep")
	}
	parsed, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: text}, mostTokens)
	if err != nil {
		return nil, unclear("its query is not GraphQL") // the parser's words quote the query
	}
	switch {
	case len(parsed.Fragments) > 0:
		return nil, unclear("its query has named fragments; write them out where they are used")
	case len(parsed.Operations) != 1:
		return nil, unclear("its query has more or less than one operation")
	}
	op := parsed.Operations[0]
	switch {
	case op.Operation != ast.Query:
		return nil, unclear("its query is none")
	case len(op.VariableDefinitions) > 0:
		return nil, unclear("its query has variables; write the values into the query")
	case len(op.Directives) > 0:
		return nil, unclear("its query has directives")
	case name != "" && name != op.Name:
		return nil, unclear("its operationName is not the name of the operation")
	}
	d := &graph{}
	roots, err := fields(op.SelectionSet)
	if err != nil {
		return nil, err
	}
	d.roots = roots
	for _, root := range roots {
		if len(root.Arguments) > 0 || root.Name != "Get" && root.Name != "Aggregate" {
			return nil, unclear("its query asks for something other than Get and Aggregate")
		}
		classes, err := fields(root.SelectionSet)
		if err != nil {
			return nil, err
		}
		for _, f := range classes {
			p := &part{field: f, names: []string{root.Alias, f.Alias}, aggregate: root.Name == "Aggregate"}
			if err := r.part(p); err != nil {
				return nil, err
			}
			d.parts = append(d.parts, p)
		}
	}
	return d, nil
}

// shallow says whether brackets are nested no deeper than a parser may follow by recursion. Those inside of texts count,
// too.
func shallow(text string) bool {
	depth := 0
	for i := range len(text) {
		switch text[i] {
		case '{', '[', '(':
			depth++
		case '}', ']', ')':
			depth--
		}
		if depth > mostDepth {
			return false
		}
	}
	return true
}

// fields are the fields of a selection that has nothing else, each under a name of its own.
func fields(set ast.SelectionSet) ([]*ast.Field, error) {
	var all []*ast.Field
	seen := map[string]bool{}
	for _, s := range set {
		f, ok := s.(*ast.Field)
		if !ok {
			return nil, unclear("its query has a fragment where none is understood")
		}
		if len(f.Directives) > 0 {
			return nil, unclear("its query has directives")
		}
		if seen[f.Alias] {
			return nil, unclear("its query asks for two things under one name; give them aliases")
		}
		seen[f.Alias] = true
		all = append(all, f)
	}
	if len(all) == 0 {
		return nil, unclear("its query asks for nothing")
	}
	return all, nil
}

// part reads what is asked of one collection.
func (r *reading) part(p *part) error {
	found, err := r.class(p.field.Name)
	if err != nil {
		return err
	}
	if p.field.Name != found.asked {
		return unclear("its query names a collection with a small first letter")
	}
	p.class = found
	arguments := map[string]jsonstream.Value{}
	for _, a := range p.field.Arguments {
		if _, twice := arguments[a.Name]; twice {
			return unclear("its query has an argument twice")
		}
		v, err := constant(a.Value, 0)
		if err != nil {
			return err
		}
		arguments[a.Name] = v
	}
	at, err := r.arguments(p, arguments)
	if err != nil {
		return err
	}
	if p.aggregate {
		if err := r.aggregation(p, &at); err != nil {
			return err
		}
		p.where.describe(&at)
		action := access.Aggregate
		if len(at.Fields) == 0 && len(p.groups) == 0 {
			action = access.Count
		}
		at.Alias = found.alias()
		r.does(action, p.at, at)
		return nil
	}
	s := &selection{reading: r, part: p, at: &at}
	if p.answer, err = s.class(p.field.SelectionSet, stored{p.at, found}, true, 0); err != nil {
		return err
	}
	action, at := p.list(at)
	r.does(action, p.at, at)
	return nil
}

// constant is the value of an argument as JSON; the names of an enumeration become texts.
func constant(v *ast.Value, depth int) (jsonstream.Value, error) {
	if depth > mostDepth {
		return jsonstream.Value{}, unclear("its query is nested too deep")
	}
	switch v.Kind {
	case ast.IntValue, ast.FloatValue, ast.BooleanValue:
		n, err := jsonstream.Read([]byte(v.Raw))
		if err != nil {
			return n, unclear("its query has a number that is none")
		}
		return n, nil
	case ast.StringValue, ast.BlockValue, ast.EnumValue:
		return jsonstream.String(v.Raw), nil
	case ast.ListValue:
		list := make([]jsonstream.Value, len(v.Children))
		for i, child := range v.Children {
			var err error
			if list[i], err = constant(child.Value, depth+1); err != nil {
				return list[i], err
			}
		}
		return jsonstream.List(list...), nil
	case ast.ObjectValue:
		object := empty
		if len(v.Children) > mostMembers {
			return object, unclear("its query has an object with more members than any has in Weaviate")
		}
		for _, child := range v.Children {
			if object.Get(child.Name).Kind() != jsonstream.None {
				return object, unclear("its query names a member twice")
			}
			member, err := constant(child.Value, depth+1)
			if err != nil {
				return object, err
			}
			object = object.With(child.Name, member)
		}
		return object, nil
	}
	return jsonstream.Value{}, unclear("its query has a variable, or null, where a value is understood only")
}

// write is the query as it is sent on, with what the obligations add. Every word of it was read.
func (d *graph) write(rows int64, o *access.Obligations) (string, error) {
	var b strings.Builder
	b.WriteString("{")
	i := 0
	for _, root := range d.roots {
		writeName(&b, root.Alias, root.Name)
		b.WriteString("{")
		for range root.SelectionSet {
			p := d.parts[i]
			i++
			if err := p.write(&b, rows, o); err != nil {
				return "", err
			}
		}
		b.WriteString("}")
	}
	b.WriteString("}")
	return b.String(), nil
}

func (p *part) write(b *strings.Builder, rows int64, o *access.Obligations) error {
	rules, err := narrow(o, p.at, p.class)
	if err != nil {
		return err
	}
	writeName(b, p.field.Alias, p.class.name)
	var list []string
	argument := func(name, value string) { list = append(list, name+":"+value) }
	for _, a := range p.field.Arguments {
		if a.Name == "limit" || a.Name == "where" {
			continue
		}
		value := a.Value
		if a.Name == "bm25" || a.Name == "hybrid" {
			value = inProperties(value, p.seen(o.Protection))
		}
		argument(a.Name, literal(value))
	}
	limit := p.limit
	if limit == access.Unbounded && rows > 0 {
		limit = rows + 1 // one more, to find out that there are more
	}
	if limit != access.Unbounded {
		argument("limit", strconv.FormatInt(limit, 10))
	}
	if where := confined(rules, p.filter); where.Kind() == jsonstream.Object {
		argument("where", literalWhere(where))
	}
	if len(list) > 0 {
		b.WriteString("(" + strings.Join(list, ",") + ")")
	}
	writeSelection(b, p.field.SelectionSet)
	return nil
}

// inProperties is a search for words in these properties; as it was when there are none.
func inProperties(search *ast.Value, names []string) *ast.Value {
	if names == nil {
		return search
	}
	list := &ast.Value{Kind: ast.ListValue}
	for _, name := range names {
		list.Children = append(list.Children, &ast.ChildValue{Value: &ast.Value{Kind: ast.StringValue, Raw: name}})
	}
	sent := &ast.Value{Kind: search.Kind}
	for _, c := range search.Children {
		if c.Name != "properties" {
			sent.Children = append(sent.Children, c)
		}
	}
	sent.Children = append(sent.Children, &ast.ChildValue{Name: "properties", Value: list})
	return sent
}

func writeName(b *strings.Builder, alias, name string) {
	if last := b.String(); strings.IndexByte("{}", last[len(last)-1]) < 0 {
		b.WriteByte(' ')
	}
	if alias != name {
		b.WriteString(alias + ":")
	}
	b.WriteString(name)
}

func writeSelection(b *strings.Builder, set ast.SelectionSet) {
	if len(set) == 0 {
		return
	}
	b.WriteByte('{')
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			writeName(b, s.Alias, s.Name)
			var list []string
			for _, a := range s.Arguments {
				list = append(list, a.Name+":"+literal(a.Value))
			}
			if len(list) > 0 {
				b.WriteString("(" + strings.Join(list, ",") + ")")
			}
			writeSelection(b, s.SelectionSet)
		case *ast.InlineFragment:
			b.WriteString("...on " + s.TypeCondition)
			writeSelection(b, s.SelectionSet)
		}
	}
	b.WriteByte('}')
}

// literal is a value as GraphQL writes it.
func literal(v *ast.Value) string {
	switch v.Kind {
	case ast.StringValue, ast.BlockValue:
		return string(jsonstream.AppendString(nil, v.Raw))
	case ast.ListValue:
		list := make([]string, len(v.Children))
		for i, child := range v.Children {
			list[i] = literal(child.Value)
		}
		return "[" + strings.Join(list, ",") + "]"
	case ast.ObjectValue:
		list := make([]string, len(v.Children))
		for i, child := range v.Children {
			list[i] = child.Name + ":" + literal(child.Value)
		}
		return "{" + strings.Join(list, ",") + "}"
	}
	return v.Raw
}

// literalWhere is a filter as GraphQL writes it: as JSON but for the names of members and operators.
func literalWhere(v jsonstream.Value) string {
	var list []string
	switch v.Kind() {
	case jsonstream.Object:
		for name, member := range v.Members() {
			text := literalWhere(member)
			if operator, ok := member.Text(); ok && name == "operator" {
				text = operator // one of a closed list
			}
			list = append(list, name+":"+text)
		}
		return "{" + strings.Join(list, ",") + "}"
	case jsonstream.Array:
		for item := range v.Items() {
			list = append(list, literalWhere(item))
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	return string(v.Raw())
}

// mask is what happens to the answer.
func (d *graph) mask(p *access.Protection) *jsonstream.Node {
	data := &jsonstream.Node{Field: none, Fields: map[string]*jsonstream.Node{}}
	for _, part := range d.parts {
		root, ok := data.Fields[part.names[0]]
		if !ok {
			root = &jsonstream.Node{Field: none, Fields: map[string]*jsonstream.Node{}}
			data.Fields[part.names[0]] = root
		}
		each := part.answer(p)
		each.Count = true
		root.Fields[part.names[1]] = &jsonstream.Node{Items: each}
	}
	return &jsonstream.Node{Field: none, Fields: map[string]*jsonstream.Node{"data": data, "errors": complaints("", p)}}
}

// arguments reads those of a collection.
func (r *reading) arguments(p *part, arguments map[string]jsonstream.Value) (access.Attributes, error) {
	at := access.Attributes{}
	known := "limit where tenant nearVector nearObject nearText nearImage nearAudio nearVideo nearDepth nearThermal nearIMU hybrid"
	if p.aggregate {
		known += " objectLimit groupBy"
	} else {
		known += " offset after autocut sort groupBy bm25 consistencyLevel"
	}
	for name := range arguments {
		if !slices.Contains(strings.Fields(known), name) {
			return at, unclear("its query has an argument that is not understood")
		}
	}
	if v, ok := arguments["tenant"]; ok {
		if p.tenant, ok = v.Text(); !ok || !tenantForm.MatchString(p.tenant) {
			return at, unclear("its tenant is not a name")
		}
	}
	p.at = r.of(p.class, p.tenant)
	var err error
	p.filter = arguments["where"]
	if p.where, err = r.where(p.filter, p.class, p.tenant); err != nil {
		return at, err
	}
	if at.Offset, err = whole64(arguments["offset"], 0); err != nil {
		return at, err
	}
	if v, ok := arguments["after"]; ok {
		after, ok := v.Text()
		if _, isID := uuid(after); !ok || after != "" && !isID {
			return at, unclear("its after is not a UUID in the usual form")
		}
		at.Cursor = after != ""
	}
	threshold, err := r.nearness(p, arguments, &at)
	if err != nil {
		return at, err
	}
	usual := int64(usualGraphQLLimit)
	if threshold || p.aggregate {
		usual = access.Unbounded
	}
	if p.limit, err = whole64(arguments["limit"], usual); err != nil {
		return at, err
	}
	p.rows = p.limit
	if p.near || p.keyword {
		p.k = p.limit
	}
	for _, v := range list(arguments["sort"]) {
		if err := members(v, "path order", "its sort"); err != nil {
			return at, err
		}
		path, ok := texts(v.Get("path"))
		if !ok {
			return at, unclear("the path of its sort is not a list of names")
		}
		place, err := r.path(p.class, p.tenant, path)
		if err != nil {
			return at, err
		}
		p.orders = append(p.orders, place)
	}
	return at, r.grouping(p, arguments)
}

// grouping reads by what the answer is grouped, and how much that lets it return.
func (r *reading) grouping(p *part, arguments map[string]jsonstream.Value) error {
	v, ok := arguments["groupBy"]
	objectLimit, err := whole64(arguments["objectLimit"], access.Unbounded)
	if err != nil {
		return err
	}
	if p.aggregate && (p.near || p.keyword) {
		p.k = objectLimit
	}
	if p.aggregate && !ok {
		p.limit, p.rows = access.Unbounded, 1
	}
	if !ok {
		return nil
	}
	path := v
	if !p.aggregate {
		if err := members(v, "path groups objectsPerGroup", "its groupBy"); err != nil {
			return err
		}
		groups, gerr := whole64(v.Get("groups"), access.Unbounded)
		each, eerr := whole64(v.Get("objectsPerGroup"), access.Unbounded)
		if gerr != nil || eerr != nil || groups < 0 || each < 0 {
			return unclear("its groupBy does not say how many groups of how many objects")
		}
		p.rows = groups*each + groups // a group is shown as an object, too
		path = v.Get("path")
	}
	names, ok := texts(path)
	if !ok || len(names) != 1 {
		return unclear("its groupBy has not one property")
	}
	place, err := r.path(p.class, p.tenant, names)
	if err != nil {
		return err
	}
	p.groups = append(p.groups, place)
	return nil
}

// list is the elements of a list; one value is a list of one, as GraphQL has it.
func list(v jsonstream.Value) []jsonstream.Value {
	switch v.Kind() {
	case jsonstream.None:
		return nil
	case jsonstream.Array:
		return slices.Collect(v.Items())
	}
	return []jsonstream.Value{v}
}

// whole64 reads a whole number that is not negative.
func whole64(v jsonstream.Value, absent int64) (int64, error) {
	if v.Kind() == jsonstream.None {
		return absent, nil
	}
	n, ok := v.Int()
	if !ok || n < 0 || n > 1<<31-1 {
		return 0, unclear("its query has a number that is out of its range")
	}
	return n, nil
}

// The members of what objects are compared with, by argument.
var nearForms = map[string]string{
	"nearVector":  "vector vectorPerTarget certainty distance targetVectors targets",
	"nearObject":  "id beacon certainty distance targetVectors targets",
	"nearText":    "concepts certainty distance moveTo moveAwayFrom targetVectors targets",
	"nearImage":   "image certainty distance targetVectors targets",
	"nearAudio":   "audio certainty distance targetVectors targets",
	"nearVideo":   "video certainty distance targetVectors targets",
	"nearDepth":   "depth certainty distance targetVectors targets",
	"nearThermal": "thermal certainty distance targetVectors targets",
	"nearIMU":     "imu certainty distance targetVectors targets",
	"hybrid":      "query alpha vector targetVectors targets properties fusionType maxVectorDistance bm25SearchOperator searches",
	"bm25":        "query properties searchOperator",
}

// nearness reads what objects are compared with. threshold says that all are meant that are near enough, where there is no
// limit.
func (r *reading) nearness(p *part, arguments map[string]jsonstream.Value, at *access.Attributes) (threshold bool, err error) {
	searches := 0
	for name, form := range nearForms {
		v, ok := arguments[name]
		if !ok {
			continue
		}
		searches++
		if err := members(v, form, "its "+name); err != nil {
			return false, err
		}
		if name != "bm25" {
			p.near = true
		}
		if name == "bm25" || name == "hybrid" {
			p.keyword = true
			if p.words, err = words(v.Get("properties")); err != nil {
				return false, err
			}
		}
		if name != "bm25" && name != "nearVector" && name != "nearObject" && v.Get("vector").Kind() == jsonstream.None {
			at.Egress = p.class.egress // the server asks for the vector of what was sent
		}
		for _, bound := range []string{"certainty", "distance", "maxVectorDistance"} {
			if v.Get(bound).Kind() != jsonstream.None {
				p.bounded, threshold = true, threshold || bound != "maxVectorDistance"
			}
		}
		if name == "nearObject" || v.Get("moveTo").Get("objects").Kind() != jsonstream.None || v.Get("moveAwayFrom").Get("objects").Kind() != jsonstream.None {
			p.nearObject = true
			if err := r.compared(p, v); err != nil {
				return false, err
			}
		}
		for _, sub := range list(v.Get("searches")) {
			if err := members(sub, "nearText nearVector", "a search of its hybrid"); err != nil {
				return false, err
			}
			inner := map[string]jsonstream.Value{}
			for name, v := range sub.Members() {
				inner[name] = v
			}
			if _, err := r.nearness(p, inner, at); err != nil {
				return false, err
			}
		}
	}
	if searches > 1 {
		return false, unclear("its query compares with more than one thing at once")
	}
	return threshold, nil
}

// compared checks that the objects whose vectors are compared with are of the collection itself.
func (r *reading) compared(p *part, v jsonstream.Value) error {
	objects := []jsonstream.Value{v}
	for _, move := range []string{"moveTo", "moveAwayFrom"} {
		objects = append(objects, list(v.Get(move).Get("objects"))...)
	}
	for _, o := range objects {
		if text, ok := o.Get("beacon").Text(); ok {
			class, _, ok := beacon(text)
			if !ok || class != p.class.name {
				return unclear("it compares with an object of another collection, or of any")
			}
		}
	}
	return nil
}

// words reads which properties are searched for words; a weight may follow the name: title^2.
func words(v jsonstream.Value) ([]string, error) {
	if v.Kind() == jsonstream.None {
		return nil, nil
	}
	names, ok := texts(v)
	if !ok {
		return nil, unclear("the properties that are searched for words are not a list of names")
	}
	return unweighted(names)
}

func unweighted(names []string) ([]string, error) {
	var all []string
	for _, name := range names {
		name, _, _ = strings.Cut(name, "^")
		if !propertyForm.MatchString(name) {
			return nil, unclear("the properties that are searched for words are not a list of names")
		}
		all = append(all, lower(name))
	}
	return all, nil
}
