package generic

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
)

// operation is a described request, ready to be read.
type operation struct {
	*Operation
	route    httpwire.Route
	segments []string

	namespace, collection, ids, limit, offset, queries, withVectors, all, orderBy, filter, records place

	document tree // nil when the whole document is one place
	answer   *answer
}

func compile(o *Operation) (*operation, error) {
	op := &operation{Operation: o, segments: strings.Split(strings.TrimPrefix(o.Path, "/"), "/"), document: tree{}}
	if !o.Action.Known() || o.Action == access.Unknown || o.Action == access.Connect {
		return nil, fmt.Errorf("%q is not an action", o.Action)
	}
	op.route = httpwire.Route{Name: o.Name, Method: o.Method, Path: o.Path, Query: slices.Clone(o.Parameters), Actions: grades(o)}
	for text, to := range map[*string]*place{
		&o.Namespace: &op.namespace, &o.Collection: &op.collection, &o.IDs: &op.ids, &o.Limit: &op.limit, &o.Offset: &op.offset, &o.Queries: &op.queries,
		&o.WithVectors: &op.withVectors, &o.All: &op.all, &o.OrderBy: &op.orderBy, &o.Filter: &op.filter, &o.Records: &op.records,
	} {
		p, err := parsePlace(*text)
		if err != nil {
			return nil, err
		}
		*to = p
		switch p.kind {
		case "path":
			if !slices.Contains(op.segments, "{"+p.name+"}") {
				return nil, fmt.Errorf("the path has no {%s}", p.name)
			}
		case "query":
			if !slices.Contains(op.route.Query, p.name) {
				op.route.Query = append(op.route.Query, p.name)
			}
		case "body":
			op.route.Body = true
			if len(p.path) == 0 {
				op.document = nil
			}
			if op.document != nil {
				op.document.allow(p.path)
			}
		}
	}
	for _, member := range o.Members {
		op.route.Body = true
		if op.document != nil {
			op.document.allow(strings.Split(member, "."))
		}
	}
	slices.Sort(op.route.Query)
	if !op.namespace.is() {
		op.namespace = place{kind: "fixed", name: "default"}
	}
	if op.filter.is() && o.Form != Opaque && o.Form != Mongo && o.Form != Equals {
		return nil, fmt.Errorf("the filter has no form: opaque, mongo or equals")
	}
	if op.filter.is() && o.Form != Opaque && (op.filter.kind != "body" || len(op.filter.path) == 0) {
		return nil, fmt.Errorf("a filter of the form %s is a member of the document", o.Form)
	}
	var err error
	op.answer, err = compileAnswer(&o.Answer)
	if err == nil && shows(o.Action) && op.answer.rows == nil {
		err = fmt.Errorf("%s shows points: the answer has rows", o.Action)
	}
	return op, err
}

// shows says whether the answer to an action holds points.
func shows(a access.Action) bool {
	switch a {
	case access.Search, access.Fetch, access.Scroll, access.ListIDs, access.Export:
		return true
	}
	return false
}

// grades are the actions that an operation can turn out to be.
func grades(o *Operation) []access.Action {
	switch o.Action {
	case access.Fetch:
		return []access.Action{access.Fetch, access.Scroll, access.Export}
	case access.Delete:
		return []access.Action{access.Delete, access.DeleteByFilter, access.DeleteAll}
	}
	return []access.Action{o.Action}
}
