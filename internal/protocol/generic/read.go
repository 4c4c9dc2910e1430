package generic

import (
	"regexp"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// nameForm is what the parts of a resource look like.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._:-]{0,254}$`)

// mostIDs is how many ids the record of a request names.
const mostIDs = 256

// request is one that is being read.
type request struct {
	*operation
	*httpwire.Request
	at     access.Resource
	action access.Action
	limit  int64
	where  []condition // of a filter that is understood
	out    httpwire.Call
}

func (op *operation) read(asked *httpwire.Request) (*httpwire.Call, error) {
	if op.document != nil && op.route.Body {
		if err := op.document.closed(asked.Body); err != nil {
			return nil, err
		}
	}
	r := &request{operation: op, Request: asked, at: access.Resource{Target: asked.Target}}
	r.out = httpwire.Call{Method: op.Method, Path: op.path(asked.Params), Query: asked.Query, Body: asked.Body}

	// 1. What is it about?
	var err error
	if r.at.Namespace, err = r.name(op.namespace); err != nil {
		return nil, err
	}
	if op.collection.is() {
		if r.at.Collection, err = r.name(op.collection); err != nil {
			return nil, err
		}
	}

	// 2. What does it do to how much of it?
	attributes, err := r.attributes()
	if err != nil {
		return nil, err
	}
	r.out.Accesses = []access.Access{{Action: r.action, Resource: r.at, Attributes: attributes}}
	r.out.Oblige = r.oblige
	return &r.out, nil
}

func (r *request) name(p place) (string, error) {
	name, ok := p.in(r.Request).Text()
	if !ok || !nameForm.MatchString(name) {
		return "", unclear("what stands at " + p.String() + " is not a name")
	}
	return name, nil
}

func (r *request) attributes() (at access.Attributes, err error) {
	if at.IDs, at.Points, err = r.named(); err != nil {
		return at, err
	}
	if r.limit, err = r.operation.limit.number(r.Request, access.Unbounded); err != nil {
		return at, err
	}
	if r.operation.limit.is() && r.limit != access.Unbounded && !r.operation.limit.given(r.Request) {
		r.set(r.operation.limit, jsonstream.Int(r.limit)) // the default, made explicit
	}
	at.Limit = r.limit
	if at.Offset, err = r.offset.number(r.Request, 0); err != nil {
		return at, err
	}
	times := int64(1)
	if r.queries.is() {
		list := r.queries.in(r.Request)
		if list.Kind() != jsonstream.Array {
			return at, unclear("what stands at " + r.queries.String() + " is not a list")
		}
		times = int64(list.Len())
	}
	if at.Rows = r.limit; at.Rows > 0 {
		at.Rows *= times
	}
	if !shows(r.Operation.Action) {
		at.Limit, at.Rows = 0, 0
	}
	filter := r.filter.in(r.Request)
	switch {
	case !present(filter):
	case filter.Kind() == jsonstream.Object && filter.Len() == 0:
		at.Filter = access.FilterTrivial
	default:
		at.Filter = access.FilterOther
		if r.where, err = conditions(r.Form, filter); err != nil {
			return at, err
		}
		for _, c := range r.where {
			at.FilterFields = append(at.FilterFields, c.field)
		}
	}
	every, _, err := r.all.flag(r.Request)
	if err != nil {
		return at, err
	}
	r.grade(&at, every)
	wanted, said, err := r.withVectors.flag(r.Request)
	if err != nil {
		return at, err
	}
	at.Vectors = len(r.answer.Vectors) > 0 && (wanted || !r.withVectors.is())
	if r.withVectors.is() && !said {
		r.set(r.withVectors, jsonstream.Flag(false)) // the default, made explicit
	}
	if shows(r.action) {
		at.Fields = []string{"*"}
	}
	if at.OrderBy, err = r.texts(r.orderBy); err != nil {
		return at, err
	}
	if r.records.is() {
		switch list := r.records.in(r.Request); list.Kind() {
		case jsonstream.Array:
			at.Points = int64(list.Len())
		case jsonstream.Object:
			at.Points = 1
		default:
			return at, unclear("what stands at " + r.records.String() + " is neither a record nor a list of them")
		}
	}
	return at, nil
}

// grade says what a request that names points, narrows them, or does neither, comes to.
func (r *request) grade(at *access.Attributes, every bool) {
	r.action = r.Operation.Action
	n := at.Points
	at.Points = 0
	named, narrowed := n > 0 && !every, at.Filter == access.FilterOther && !every
	switch r.action {
	case access.Fetch:
		switch {
		case named:
			if at.Rows == access.Unbounded || n < at.Rows {
				at.Rows = n
			}
		case narrowed || at.Limit != access.Unbounded:
			r.action = access.Scroll
		default:
			r.action = access.Export
		}
	case access.Delete:
		at.Points = n
		if !named {
			at.Points = access.Unbounded
			if r.action = access.DeleteAll; narrowed {
				r.action = access.DeleteByFilter
			}
		}
	case access.Count:
		at.Rows = 1
	}
	if named && at.Filter == access.FilterNone {
		at.Filter = access.FilterKey
	}
}

// named reads the ids: a list, one of them, or ids with commas in a parameter.
func (r *request) named() (some []string, n int64, err error) {
	v := r.ids.in(r.Request)
	if !r.ids.is() || !present(v) {
		return nil, 0, nil
	}
	one := func(v jsonstream.Value) bool {
		text, ok := v.Text()
		if v.Kind() == jsonstream.Number {
			text, ok = string(v.Raw()), true
		}
		if n++; n <= mostIDs {
			some = append(some, text)
		}
		return ok && text != ""
	}
	if v.Kind() != jsonstream.Array {
		if text, ok := v.Text(); ok && r.ids.kind == "query" {
			for _, id := range strings.Split(text, ",") {
				if !one(jsonstream.String(id)) {
					return nil, 0, unclear("an id is empty")
				}
			}
			return some, n, nil
		}
		if !one(v) {
			return nil, 0, unclear("what stands at " + r.ids.String() + " is not an id")
		}
		return some, n, nil
	}
	for item := range v.Items() {
		if !one(item) {
			return nil, 0, unclear("what stands at " + r.ids.String() + " is not a list of ids")
		}
	}
	return some, n, nil
}

// texts reads a text or a list of them.
func (r *request) texts(p place) ([]string, error) {
	v := p.in(r.Request)
	if !p.is() || !present(v) {
		return nil, nil
	}
	if text, ok := v.Text(); ok {
		return []string{text}, nil
	}
	var list []string
	for item := range v.Items() {
		text, ok := item.Text()
		if !ok {
			return nil, unclear("what stands at " + p.String() + " is not a list of texts")
		}
		list = append(list, text)
	}
	if v.Kind() != jsonstream.Array {
		return nil, unclear("what stands at " + p.String() + " is not a list of texts")
	}
	return list, nil
}

// set puts a value into what is sent on.
func (r *request) set(p place, v jsonstream.Value) {
	r.out.Query, r.out.Body = with(p, v, r.out.Query, r.out.Body)
}

// with is a query and a document with a value at a place of theirs. Other places cannot be written.
func with(p place, v jsonstream.Value, query map[string]string, body jsonstream.Value) (map[string]string, jsonstream.Value) {
	switch p.kind {
	case "body":
		return query, put(body, p.path, v)
	case "query":
		copied := map[string]string{p.name: string(v.Raw())}
		for name, value := range query {
			if name != p.name {
				copied[name] = value
			}
		}
		return copied, body
	}
	return query, body
}

// path is the request's path, rebuilt from what was read.
func (op *operation) path(params map[string]string) string {
	segments := make([]string, len(op.segments))
	for i, s := range op.segments {
		segments[i] = s
		if name, ok := strings.CutPrefix(s, "{"); ok {
			segments[i] = params[strings.TrimSuffix(name, "}")]
		}
	}
	return httpwire.Path(segments...)
}
