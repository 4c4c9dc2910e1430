package milvus

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/hidden"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
	"github.com/vecgate/vecgate/internal/protocol/milvus/expr"
)

// usualLimit is Milvus' own limit when a query or a search has none.
const usualLimit = 100

// number reads a member that is a whole number.
func number(v jsonstream.Value, what string, absent int64) (int64, error) {
	if !present(v) {
		return absent, nil
	}
	n, ok := v.Int()
	if !ok || n < 0 || n > 1<<32 {
		return 0, unclear("its " + what + " is not a number")
	}
	return n, nil
}

// textsOf reads a member that is a list of texts.
func textsOf(v jsonstream.Value, what string) ([]string, error) {
	if !present(v) {
		return nil, nil
	}
	if v.Kind() != jsonstream.Array {
		return nil, unclear("its " + what + " are not a list")
	}
	list := []string{}
	for item := range v.Items() {
		name, ok := item.Text()
		if !ok {
			return nil, unclear("its " + what + " are not texts")
		}
		list = append(list, name)
	}
	return list, nil
}

// textList is a list of texts.
func textList(list []string) jsonstream.Value {
	values := make([]jsonstream.Value, len(list))
	for i, s := range list {
		values[i] = jsonstream.String(s)
	}
	return jsonstream.List(values...)
}

// filter reads a filter and the values that stand in the place of names in it.
func filter(v, params jsonstream.Value) (*expr.Expr, templates, error) {
	text, ok := v.Text()
	if present(v) && !ok {
		return nil, nil, unclear("its filter is not a text")
	}
	e, err := where(text)
	if err != nil {
		return nil, nil, err
	}
	t := templates{}
	for name, value := range params.Members() {
		t[name] = template(value)
	}
	return e, t, nil
}

// template is a value as keys can be told from it; nil when it is of another kind.
func template(v jsonstream.Value) *schemapb.TemplateValue {
	if text, ok := v.Text(); ok {
		return &schemapb.TemplateValue{Val: &schemapb.TemplateValue_StringVal{StringVal: text}}
	}
	if n, ok := v.Int(); ok {
		return &schemapb.TemplateValue{Val: &schemapb.TemplateValue_Int64Val{Int64Val: n}}
	}
	if v.Kind() != jsonstream.Array {
		return nil
	}
	list := &schemapb.StringArray{}
	for item := range v.Items() {
		one := template(item)
		texts, ok := constants(one)
		if !ok || len(texts) != 1 || item.Kind() == jsonstream.Array {
			return nil
		}
		list.Data = append(list.Data, texts[0])
	}
	return &schemapb.TemplateValue{Val: &schemapb.TemplateValue_ArrayVal{ArrayVal: &schemapb.TemplateArrayValue{Data: &schemapb.TemplateArrayValue_StringData{StringData: list}}}}
}

// literals are ids as a filter writes them.
func literals(v jsonstream.Value) ([]string, error) {
	items := []jsonstream.Value{v}
	if v.Kind() == jsonstream.Array {
		items = nil
		for item := range v.Items() {
			items = append(items, item)
		}
	}
	list := []string{}
	for _, item := range items {
		text, ok := item.Text()
		switch n, whole := item.Int(); {
		case ok:
			list = append(list, expr.Quote(text))
		case whole:
			list = append(list, strconv.FormatInt(n, 10))
		default:
			return nil, unclear("an id is neither a text nor a whole number")
		}
	}
	return list, nil
}

// idFilter writes ids as a filter.
func idFilter(list jsonstream.Value, s *schema) (*expr.Expr, int64, error) {
	if s.key == "" {
		return nil, 0, unclear("it names points by ids, and the collection's key is not known")
	}
	ids, err := literals(list)
	if err != nil {
		return nil, 0, err
	}
	if len(ids) == 0 {
		return nil, 0, unclear("it names no ids")
	}
	integer := isInteger(s.columns[s.key].kind)
	for i, id := range ids {
		if integer && strings.HasPrefix(id, `"`) { // ids as texts, for clients whose numbers are too small
			n, err := strconv.ParseInt(strings.Trim(id, `"`), 10, 64)
			if err != nil {
				return nil, 0, unclear("an id is not a whole number, as the key is")
			}
			ids[i] = strconv.FormatInt(n, 10)
		}
	}
	e, err := where(s.key + " in [" + strings.Join(ids, ", ") + "]")
	return e, int64(len(ids)), err
}

func restGet(c *restCall) error {
	_, schema, err := c.resolve()
	if err != nil {
		return err
	}
	e, n, err := idFilter(c.Body.Get("id"), schema)
	if err != nil {
		return err
	}
	partition, err := c.text("partitionName")
	if err != nil {
		return err
	}
	// A query can be narrowed, a get cannot.
	body := c.out.Body.With("filter", jsonstream.String(e.String())).With("limit", jsonstream.Int(n))
	body = without(body, "id", "partitionName")
	if partition != "" {
		body = body.With("partitionNames", textList([]string{partition}))
	}
	c.out.Path, c.out.Body = restPrefix+"entities/query", body
	return c.query()
}

// without is an object without some of its members.
func without(v jsonstream.Value, names ...string) jsonstream.Value {
	out, err := jsonstream.Read([]byte("{}"))
	if err != nil {
		return v
	}
	for name, member := range v.Members() {
		if !slices.Contains(names, name) {
			out = out.With(name, member)
		}
	}
	return out
}

func restQuery(c *restCall) error {
	if _, _, err := c.resolve(); err != nil {
		return err
	}
	return c.query()
}

// query reads a query as it is to be sent on.
func (c *restCall) query() error {
	body := c.out.Body
	at, schema, err := c.resolve()
	if err != nil {
		return err
	}
	w, t, err := filter(body.Get("filter"), body.Get("exprParams"))
	if err != nil {
		return err
	}
	list, err := textsOf(body.Get("outputFields"), "outputFields")
	if err != nil {
		return err
	}
	output, err := readOutput(list)
	if err != nil {
		return err
	}
	limit, err := number(body.Get("limit"), "limit", usualLimit)
	if err != nil {
		return err
	}
	if limit == 0 {
		limit = usualLimit
	}
	offset, err := number(body.Get("offset"), "offset", 0)
	if err != nil {
		return err
	}
	named, n, byKey := keys(w, schema.key, t)
	attributes := access.Attributes{Limit: limit, Offset: offset, Rows: limit, IDs: named, Fields: output.fields(), Vectors: output.vectors(schema)}
	describe(&attributes, w, schema.key, byKey)
	action := access.Scroll
	switch {
	case output.aggregate:
		action = access.Aggregate
	case output.count:
		action, attributes.Rows = access.Count, 1
	case byKey:
		action, attributes.Rows = access.Fetch, min(n, limit)
	case output.only(schema.key):
		action = access.ListIDs
	}
	if body = body.With("filter", jsonstream.String(w.String())); !output.count {
		body = body.With("limit", jsonstream.Int(limit))
	}
	c.out.Body = body
	c.does(action, at, attributes)
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		v := &view{at, schema, o.Protection}
		if err := v.conditions(w); err != nil {
			return nil, err
		}
		if output.aggregate {
			for _, path := range output.paths {
				if path == "*" {
					continue
				}
				if err := v.computed(path); err != nil {
					return nil, err
				}
			}
		}
		if o.Rows > 0 && action != access.Count && attributes.Rows > o.Rows {
			return nil, tooMany(o.Rows, attributes.Rows, fmt.Sprintf("ask for a limit of %d or less", o.Rows))
		}
		narrowed, err := v.narrowed(w, o.FiltersOn(at))
		if err != nil {
			return nil, err
		}
		sent := body.With("filter", jsonstream.String(narrowed))
		if names := v.visible(output); !output.aggregate && !output.count && len(names) > 0 {
			sent = sent.With("outputFields", textList(names))
		}
		return v.rows(sent, o, nil), nil
	}
	return nil
}

// rows is how a request is sent whose answer holds points, one object for each.
func (v *view) rows(sent jsonstream.Value, o *access.Obligations, searched []*search) *httpwire.Obliged {
	obliged := &httpwire.Obliged{Body: sent, Filtered: true, Rows: o.Rows, Mute: v.any()}
	point := &jsonstream.Node{Count: true}
	obliged.Mask = v.answer(&jsonstream.Node{Items: point})
	if !v.any() {
		return obliged
	}
	known, fields := map[string]*jsonstream.Node{}, v.fields()
	point.Field = func(name string) *jsonstream.Node {
		n, ok := known[name]
		if !ok {
			if len(known) >= mostColumns {
				clear(known)
			}
			n = v.member(name, searched, fields)
			known[name] = n
		}
		return n
	}
	return obliged
}

// mostColumns is how many names of fields are kept in mind.
const mostColumns = 1000

// answer is a mask of a whole answer, of which data is a part. Its message can quote what is hidden.
func (v *view) answer(data *jsonstream.Node) *jsonstream.Node {
	fields := map[string]*jsonstream.Node{"data": data}
	if v.any() {
		fields["message"] = &jsonstream.Node{Treatment: access.Treatment{Mask: access.MaskRedact}}
	}
	return &jsonstream.Node{Fields: fields}
}

// member says what happens to a field of a point.
func (v *view) member(name string, searched []*search, fields *hidden.Fields) *jsonstream.Node {
	if t := v.distances(searched); name == "distance" && t.Mask != access.MaskNone {
		return &jsonstream.Node{Treatment: t}
	}
	path := name
	if parsed, err := outputPath(name); err == nil {
		path = parsed
	}
	t := v.field(path)
	key := name == v.schema.key || name == "id" && v.schema.columns["id"] == nil
	if name == "id" && t.Mask == access.MaskNone && key && v.schema.key != "" {
		t = v.field(v.schema.key)
	}
	if t.Mask == access.MaskNone && v.isVector(columnOf(path)) {
		t = v.p.Field(v.at, columnOf(path), true)
	}
	if key && (t.Mask == access.MaskNull || t.Mask == access.MaskDrop) {
		t.Mask = access.MaskRedact
	}
	if t.Mask != access.MaskNone {
		return &jsonstream.Node{Treatment: t}
	}
	n := fields.Node(path)
	switch col := v.schema.columns[path]; {
	case col != nil && v.schema.opaque(path):
		return fields.Written(path)
	case col == nil && !v.schema.exists:
		if n == nil {
			n = &jsonstream.Node{}
		}
		n.Treatment = v.p.Field(v.at, path, true) // whatever it is, it could be a vector
	}
	return n
}

// rowTexts are the texts of one field of all rows that are written; ok says that every row has one.
func rowTexts(rows []jsonstream.Value, path []string) (all []string, ok bool) {
	for _, row := range rows {
		for i, key := range path {
			if text, isText := row.Text(); isText && i > 0 { // a document inside of a text
				inner, err := jsonstream.Read([]byte(text))
				if err != nil {
					return nil, false
				}
				row = inner
			}
			row = row.Get(key)
		}
		text, isText := row.Text()
		if n, whole := row.Int(); whole {
			text, isText = strconv.FormatInt(n, 10), true
		}
		if !isText {
			return nil, false
		}
		all = append(all, text)
	}
	return all, true
}

func restWrite(c *restCall) error {
	at, schema, err := c.resolve()
	if err != nil {
		return err
	}
	data := c.Body.Get("data")
	rows := []jsonstream.Value{data}
	switch data.Kind() {
	case jsonstream.Object:
	case jsonstream.Array:
		rows = nil
		for row := range data.Items() {
			if row.Kind() != jsonstream.Object {
				return unclear("its data are not objects")
			}
			rows = append(rows, row)
		}
	default:
		return unclear("its data are not a list of objects")
	}
	attributes := access.Attributes{Points: int64(len(rows)), Filter: access.FilterKey}
	for _, row := range rows {
		if text, ok := rowTexts([]jsonstream.Value{row}, []string{schema.key}); ok && schema.key != "" && len(attributes.IDs) < mostIDs {
			attributes.IDs = append(attributes.IDs, text...)
		}
		for name := range row.Members() {
			if !slices.Contains(attributes.Fields, name) && len(attributes.Fields) < mostIDs {
				attributes.Fields = append(attributes.Fields, name)
			}
			attributes.Vectors = attributes.Vectors || schema.columns[name] != nil && schema.columns[name].vector
		}
	}
	c.does(c.action(), at, attributes)
	if partial := c.Body.Get("partialUpdate"); present(partial) {
		if is, ok := partial.Bool(); !ok {
			return unclear("its partialUpdate is neither true nor false")
		} else if is {
			c.does(access.Update, at, attributes)
		}
	}
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		v := &view{at, schema, o.Protection}
		obliged := &httpwire.Obliged{Filtered: true, Mute: v.any(), Mask: v.writtenRows()}
		filters := o.FiltersOn(at)
		for _, f := range filters {
			if _, err := v.condition(f); err != nil {
				return nil, err
			}
			values, ok := rowTexts(rows, strings.Split(f.Field, "."))
			// Whoever writes the column of all dynamic fields itself could say one of them twice.
			twofold := slices.ContainsFunc(rows, func(row jsonstream.Value) bool { return row.Get(expr.Meta).Kind() != jsonstream.None })
			if !ok || twofold || slices.ContainsFunc(values, func(s string) bool { return !slices.Contains(f.Values, s) }) {
				return nil, v.foreign(f)
			}
		}
		if len(filters) > 0 {
			obliged.Check = func(ctx context.Context) error { return c.unowned(ctx, v, rows, filters) }
		}
		return obliged, nil
	}
	return nil
}

// writtenRows is the mask of the answer to a write, when there is something to hide.
func (v *view) writtenRows() *jsonstream.Node {
	if !v.any() {
		return nil
	}
	ids := &jsonstream.Node{Items: v.member(v.schema.key, nil, nil)}
	return v.answer(&jsonstream.Node{Fields: map[string]*jsonstream.Node{"insertIds": ids, "upsertIds": ids}})
}

// unowned refuses to write points under keys that stored points have which the filters would not let through.
func (c *restCall) unowned(ctx context.Context, v *view, rows []jsonstream.Value, filters []access.FilterRule) error {
	cannot := &access.Refusal{Code: access.CodeObligation, Rule: filters[0].Rule, Message: "the keys of the points could not be read"}
	if v.schema.key == "" {
		return cannot
	}
	var ids []jsonstream.Value
	for _, row := range rows {
		if id := row.Get(v.schema.key); present(id) {
			ids = append(ids, id)
		} else if !v.schema.autoID {
			return cannot
		}
	}
	if len(ids) == 0 {
		return nil // the server draws new keys
	}
	named, _, err := idFilter(jsonstream.List(ids...), v.schema)
	if err != nil {
		return cannot
	}
	passing, err := v.narrowed(named, filters)
	if err != nil {
		return err
	}
	taken, err := c.count(ctx, v, named.String())
	if err != nil || taken == 0 {
		return err
	}
	mine, err := c.count(ctx, v, passing)
	if err != nil {
		return err
	}
	if taken != mine {
		return v.taken(filters[0])
	}
	return nil
}

// count asks on the gateway's own account how many points a filter finds.
func (c *restCall) count(ctx context.Context, v *view, text string) (int64, error) {
	document, err := jsonstream.Read([]byte(`{"outputFields":["count(*)"],"consistencyLevel":"Strong"}`))
	if err != nil {
		return 0, err
	}
	document = document.With("dbName", jsonstream.String(c.db)).With("collectionName", jsonstream.String(v.schema.name)).With("filter", jsonstream.String(text))
	status, answer, err := c.Post(ctx, restPrefix+"entities/query", document)
	if err != nil {
		return 0, err
	}
	if code, ok := answer.Get("code").Int(); status == http.StatusOK && ok && code == 0 {
		for row := range answer.Get("data").Items() {
			if n, ok := row.Get("count(*)").Int(); ok {
				return n, nil
			}
		}
	}
	return 0, errors.New("the target does not say how many there are")
}

func restDelete(c *restCall) error {
	at, schema, err := c.resolve()
	if err != nil {
		return err
	}
	w, t, err := filter(c.Body.Get("filter"), c.Body.Get("exprParams"))
	if err != nil {
		return err
	}
	if present(c.Body.Get("id")) {
		if !w.Empty() {
			return unclear("it has both ids and a filter")
		}
		if w, _, err = idFilter(c.Body.Get("id"), schema); err != nil {
			return err
		}
	}
	c.out.Body = without(c.out.Body, "id").With("filter", jsonstream.String(w.String()))
	attributes := access.Attributes{Points: access.Unbounded}
	named, n, byKey := keys(w, schema.key, t)
	describe(&attributes, w, schema.key, byKey)
	action := access.DeleteAll
	switch {
	case byKey:
		action, attributes.IDs, attributes.Points = access.Delete, named, n
	case w.Narrows(schema.key):
		action = access.DeleteByFilter
	}
	c.does(action, at, attributes)
	body := c.out.Body
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		v := &view{at, schema, o.Protection}
		if err := v.conditions(w); err != nil {
			return nil, err
		}
		narrowed, err := v.narrowed(w, o.FiltersOn(at))
		if err != nil {
			return nil, err
		}
		return &httpwire.Obliged{Body: body.With("filter", jsonstream.String(narrowed)), Filtered: true, Mute: v.any(), Mask: v.writtenRows()}, nil
	}
	return nil
}
