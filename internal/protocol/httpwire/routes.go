package httpwire

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// routes finds the route of a path.
type routes struct {
	all []compiled
}

type compiled struct {
	*Route
	segments []string // "{name}" is a parameter
}

func compile(table []Route) (*routes, error) {
	r := &routes{}
	for i := range table {
		route := &table[i]
		segments := strings.Split(strings.TrimPrefix(route.Path, "/"), "/")
		for _, other := range r.all {
			if other.Method == route.Method && slices.Equal(shape(other.segments), shape(segments)) {
				return nil, fmt.Errorf("routes %s and %s are the same", other.Name, route.Name)
			}
		}
		r.all = append(r.all, compiled{route, segments})
	}
	// What is written out goes before a parameter: /collections/by-id before /collections/{name}.
	slices.SortStableFunc(r.all, func(a, b compiled) int { return slices.Compare(shape(a.segments), shape(b.segments)) })
	return r, nil
}

// shape is the segments without the names of parameters; "{" sorts after letters and digits.
func shape(segments []string) []string {
	out := slices.Clone(segments)
	for i, s := range out {
		if strings.HasPrefix(s, "{") {
			out[i] = "{"
		}
	}
	return out
}

// find returns the route and its parameters, or nil.
func (r *routes) find(method string, path []string) (*Route, map[string]string) {
next:
	for i := range r.all {
		c := &r.all[i]
		if c.Method != method || len(c.segments) != len(path) {
			continue
		}
		params := map[string]string{}
		for j, s := range c.segments {
			if name, ok := strings.CutPrefix(s, "{"); ok {
				if path[j] == "" {
					continue next
				}
				params[strings.TrimSuffix(name, "}")] = path[j]
			} else if s != path[j] {
				continue next
			}
		}
		return c.Route, params
	}
	return nil, nil
}

// address takes a request's target apart: the decoded segments of the path, and what stands after the question mark. Every
// path that two servers could resolve differently is refused.
func address(uri string) (path []string, query string, err error) {
	raw, query, _ := strings.Cut(uri, "?")
	if !strings.HasPrefix(raw, "/") || len(raw) > 4096 {
		return nil, "", &Unclear{"its path does not begin with a slash, or is too long"}
	}
	segments := strings.Split(raw[1:], "/")
	for i, segment := range segments {
		name, err := url.PathUnescape(segment)
		switch {
		case segment == "" && i == len(segments)-1 && i <= 1:
			// The root of an engine, also of one whose name stands before it: "/" and "/docs/".
			path = append(path, "")
			continue
		case err != nil:
			return nil, "", &Unclear{"its path is not properly encoded"}
		case segment == "":
			return nil, "", &Unclear{"its path has an empty segment"}
		case name == "." || name == "..":
			return nil, "", &Unclear{"its path has a dot segment"}
		case !simple(name) || !usual(segment):
			return nil, "", &Unclear{"its path has a segment that servers may read differently"}
		}
		path = append(path, name)
	}
	return path, query, nil
}

// maxQuery is how long the query of a request may be.
const maxQuery = 32 << 10

// parameters takes a query apart: each parameter that the route has, once, or as often as it likes where that is a list.
func parameters(raw string, route *Route) (query map[string]string, lists map[string][]string, err error) {
	query = map[string]string{}
	if raw == "" {
		return query, nil, nil
	}
	if len(raw) > maxQuery || strings.Contains(raw, ";") {
		return nil, nil, &Unclear{"its query is too long, or has a semicolon"}
	}
	for _, pair := range strings.Split(raw, "&") {
		k, v, _ := strings.Cut(pair, "=")
		name, kerr := url.QueryUnescape(k)
		value, verr := url.QueryUnescape(v)
		if kerr != nil || verr != nil || !simple(name) {
			return nil, nil, &Unclear{"its query is not properly encoded"}
		}
		list, anything := contains(route.Lists, name), contains(route.Texts, name)
		switch {
		case !list && !anything && !contains(route.Query, name):
			return nil, nil, &Unclear{fmt.Sprintf("%s takes no parameter %q", route.Name, name)}
		case !list && !anything && !simple(value) && value != "", !printable(value):
			return nil, nil, &Unclear{"its query has a value that servers may read differently"}
		case list:
			if lists == nil {
				lists = map[string][]string{}
			}
			lists[name] = append(lists[name], value)
			continue
		}
		if _, twice := query[name]; twice {
			return nil, nil, &Unclear{"its query names a parameter twice"}
		}
		query[name] = value
	}
	return query, lists, nil
}

// printable says whether a text is UTF-8 without control characters.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// usual says whether a segment is escaped as clients do: letters, digits and -._~ as they are, :@!$&'()*+,= in either way
// (JavaScript's clients escape fewer of them than Python's), everything else escaped.
func usual(segment string) bool {
	const unreserved, either = "-._~", ":@!$&'()*+,="
	plain := func(c byte) bool {
		return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte(unreserved, c) >= 0
	}
	for i := 0; i < len(segment); i++ {
		c := segment[i]
		switch {
		case c == '%':
			code, _ := strconv.ParseUint(segment[i+1:i+3], 16, 8) // it has been decoded once
			if plain(byte(code)) {
				return false
			}
			i += 2
		case !plain(c) && strings.IndexByte(either, c) < 0:
			return false
		}
	}
	return true
}

// simple says whether a decoded name is printable ASCII without what servers take for structure.
func simple(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`/\%;?#`, c) >= 0 {
			return false
		}
	}
	return true
}

// Path builds an escaped path from segments.
func Path(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(s))
	}
	return b.String()
}

// encode writes a query in the order of its names.
func encode(query map[string]string, lists map[string][]string) string {
	v := url.Values{}
	for name, value := range query {
		v.Set(name, value)
	}
	for name, values := range lists {
		v[name] = values
	}
	return strings.ReplaceAll(v.Encode(), "+", "%20") // which everybody reads as a space
}
