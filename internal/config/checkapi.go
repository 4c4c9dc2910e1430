package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
)

// The forms of what an API is described with.
var (
	apiPath   = regexp.MustCompile(`^(/([A-Za-z0-9._~-]+|\{[a-z][a-z0-9_]*\}))+$`)
	apiPlace  = regexp.MustCompile(`^(path:[a-z][a-z0-9_]*|query:[^\s:|&=#]+(\|[^|]+)?|body:([^\s.:|]+(\.[^\s.:|]+)*(\|[^|]+)?)?|fixed:[^|]+)$`)
	apiMember = regexp.MustCompile(`^[^\s.\[\]]+(\.[^\s.\[\]]+)*$`)
	apiRows   = regexp.MustCompile(`^\.$|^(\[\]|[^\s.\[\]]+(\[\])*)(\.[^\s.\[\]]+(\[\])*)*$`)
	apiList   = regexp.MustCompile(`^([^\s.\[\]]+(\.[^\s.\[\]]+)*)?\[\]$`)
)

func checkAPI(t *Target, path string, r *report) {
	switch {
	case t.Engine == EngineGeneric && t.API == nil:
		r.at(path+".api", "is missing: it describes the interface of a generic engine")
		return
	case t.Engine != EngineGeneric && t.API != nil:
		r.at(path+".api", "has no use with engine: %s, whose interface is known", t.Engine)
		return
	case t.API == nil:
		return
	}
	path += ".api"
	form := func(at, text string, pattern *regexp.Regexp, asks string) {
		if text != "" && !pattern.MatchString(text) {
			r.at(at, "%s is not %s", r.shown(at, text), asks)
		}
	}
	form(path+".health", t.API.Health, apiPath, "a path such as /healthz")
	form(path+".error.message", t.API.Error.Message, apiMember, "a path in a document, such as error.message")
	form(path+".error.code", t.API.Error.Code, apiMember, "a path in a document, such as error.code")
	shapes := map[string]int{}
	for i := range t.API.Operations {
		op := &t.API.Operations[i]
		at := fmt.Sprintf("%s.operations[%d]", path, i)
		checkName(r, at+".name", op.Name)
		form(at+".path", op.Path, apiPath, "a path such as /v1/{index}/search")
		if op.Method != "" && op.Path != "" {
			shape := op.Method + " " + apiParameter.ReplaceAllString(op.Path, "{}")
			if first, taken := shapes[shape]; taken {
				r.at(at+".path", "is the request of operations[%d] already", first)
			} else {
				shapes[shape] = i
			}
		}
		if a := access.Action(op.Action); op.Action != "" && (!a.Known() || a == access.Unknown || a == access.Connect) {
			r.at(at+".action", "%s", oneOf(r.shown(at+".action", op.Action), op.Action, actions()))
		}
		for _, place := range []struct{ key, text string }{
			{"namespace", op.Namespace},
			{"collection", op.Collection},
			{"ids", op.IDs},
			{"limit", op.Limit},
			{"offset", op.Offset},
			{"queries", op.Queries},
			{"with_vectors", op.WithVectors},
			{"all", op.All},
			{"order_by", op.OrderBy},
			{"filter.at", op.Filter.At},
			{"records.at", op.Records.At},
		} {
			key := at + "." + place.key
			form(key, place.text, apiPlace, "a place: path:NAME, query:NAME, body:MEMBER or fixed:TEXT")
			if name, ok := strings.CutPrefix(place.text, "path:"); ok && !strings.Contains(op.Path, "{"+name+"}") {
				r.at(key, "%s: the path has no {%s}", r.shown(key, place.text), name)
			}
		}
		a := &op.Answer
		form(at+".answer.rows", a.Rows, apiRows, "where rows are: hits[], results[].matches[] or vectors.*")
		form(at+".answer.collections", a.Collections, apiList, "where a list is: indexes[]")
		member := func(key, text string) {
			if text != "." {
				form(at+"."+key, text, apiMember, "a path in a document, such as metadata.city")
			}
		}
		member("records.fields", op.Records.Fields)
		member("answer.id", a.ID)
		member("answer.fields", a.Fields)
		member("answer.collection_name", a.CollectionName)
		for _, list := range []struct {
			key   string
			texts []string
		}{{"members", op.Members}, {"answer.vectors", a.Vectors}, {"answer.scores", a.Scores}, {"answer.plain", a.Plain}, {"answer.row_plain", a.RowPlain}} {
			for n, text := range list.texts {
				member(fmt.Sprintf("%s[%d]", list.key, n), text)
			}
		}
	}
	unique(r, path+".operations", "name", t.API.Operations, func(op APIOperation) string { return op.Name })
}

var apiParameter = regexp.MustCompile(`\{[^}]*\}`)

// actions are those that an operation may have, in alphabetical order.
func actions() []string {
	var names []string
	for _, a := range access.Actions() {
		if a != access.Unknown && a != access.Connect {
			names = append(names, string(a))
		}
	}
	slices.Sort(names)
	return names
}
