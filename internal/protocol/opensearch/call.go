package opensearch

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// call is a request that is being read.
type call struct {
	*httpwire.Request
	ctx     context.Context
	dialect *Dialect
	names   map[string]string // what the names in the request stood for when it was read
	since   time.Time         // when that was
	looked  map[string]bool   // the names that were looked up anew for it
	out     httpwire.Call
}

func (c *call) does(a access.Action, r access.Resource, at access.Attributes) {
	c.out.Accesses = append(c.out.Accesses, access.Access{Action: a, Resource: r, Attributes: at})
	slices.SortStableFunc(c.out.Accesses, func(a, b access.Access) int { return b.Action.Weight() - a.Action.Weight() })
}

// doesAt is does for every place.
func (c *call) doesAt(a access.Action, at places, attributes access.Attributes) {
	for _, p := range at {
		attributes.Alias = p.alias
		c.does(a, p.resource, attributes)
	}
}

// level is the namespace of every index.
const level = "default"

func (c *call) resource(index string) access.Resource {
	return access.Resource{Target: c.Target, Namespace: level, Collection: index}
}

func (c *call) target() access.Resource { return access.Resource{Target: c.Target} }

// action is what an operation does that always does the same.
func (c *call) action() access.Action { return c.Route.Actions[0] }

// path is the request's path, rebuilt from what was read.
func path(r *httpwire.Request) string {
	if r.Route.Path == "/" {
		return "/"
	}
	segments := strings.Split(strings.TrimPrefix(r.Route.Path, "/"), "/")
	for i, s := range segments {
		if name, ok := strings.CutPrefix(s, "{"); ok {
			segments[i] = r.Params[strings.TrimSuffix(name, "}")]
		}
	}
	return httpwire.Path(segments...)
}

// numbers are parameters that must be whole numbers.
var numbers = []string{"size", "from", "terminate_after", "version", "if_seq_no", "if_primary_term", "retry_on_conflict", "max_docs", "scroll_size"}

// params checks the values of parameters that the engine would read its own way.
func (c *call) params() error {
	for _, name := range numbers {
		if v, ok := c.Query[name]; ok {
			if n, err := strconv.ParseInt(v, 10, 64); err != nil || n < 0 {
				return unclear("its parameter " + name + " is not a whole number")
			}
		}
	}
	for name, v := range c.Params {
		if v == "." || name != "index" && name != "id" && strings.ContainsAny(v, "*,<>") {
			return unclear("the name of its " + name + " is a pattern or a list")
		}
	}
	return nil
}

// closed refuses members that an object does not have: a server that reads them does something else than was judged.
func (c *call) closed(v jsonstream.Value, members, what string) error {
	if v.Kind() == jsonstream.None || members == anything && v.Kind() == jsonstream.Object {
		return nil
	}
	if v.Kind() != jsonstream.Object {
		return unclear(what + " is not an object")
	}
	for name := range v.Members() {
		if !named(members, name) {
			return unclear(what + " has a member that is not known: " + short(name))
		}
	}
	return nil
}

// anything stands for a document that is not looked into.
const anything = "*"

// named says whether a list of names, separated by spaces, has a name.
func named(list, name string) bool {
	return name != "" && !strings.ContainsAny(name, " *") && strings.Contains(" "+list+" ", " "+name+" ")
}

// short is a name as a message may quote it: it came from the client itself.
func short(name string) string { return strconv.QuoteToASCII(name[:min(len(name), 64)]) }

func present(v jsonstream.Value) bool {
	return v.Kind() != jsonstream.None && v.Kind() != jsonstream.Null
}

// scalar says whether v is a value that is neither an object nor a list.
func scalar(v jsonstream.Value) bool {
	switch v.Kind() {
	case jsonstream.Text, jsonstream.Number, jsonstream.Bool, jsonstream.Null:
		return true
	}
	return false
}

// one returns the only member of an object.
func one(v jsonstream.Value) (name string, member jsonstream.Value, ok bool) {
	if v.Kind() != jsonstream.Object || v.Len() != 1 {
		return "", member, false
	}
	for name, member = range v.Members() {
	}
	return name, member, true
}

// object makes an Object of members in pairs of a name and a value.
func object(name string, v jsonstream.Value) jsonstream.Value {
	return jsonstream.Value{}.With(name, v)
}

// nothing is an Object without members.
var nothing = func() jsonstream.Value {
	v, _ := jsonstream.Read([]byte("{}")) // it is JSON
	return v
}()

// never is false.
var never = func() jsonstream.Value {
	v, _ := jsonstream.Read([]byte("false")) // it is JSON
	return v
}()

// listed are the values of a list, or the one value that stands for a list of one.
func listed(v jsonstream.Value) []jsonstream.Value {
	if v.Kind() != jsonstream.Array {
		if !present(v) {
			return nil
		}
		return []jsonstream.Value{v}
	}
	return slices.Collect(v.Items())
}

// texts are listed values that must be texts.
func texts(v jsonstream.Value, what string) ([]string, error) {
	var all []string
	for _, item := range listed(v) {
		s, ok := item.Text()
		if !ok {
			return nil, unclear(what + " is not a list of texts")
		}
		all = append(all, s)
	}
	return all, nil
}

// whole reads a member that is a whole number; absent is what its absence stands for.
func whole(v jsonstream.Value, what string, absent int64) (int64, error) {
	if !present(v) {
		return absent, nil
	}
	n, ok := v.Int()
	if !ok || n < 0 || n > 1<<31 {
		return 0, unclear(what + " is not a whole number")
	}
	return n, nil
}

// mostIDs is how many ids the record of a request names.
const mostIDs = 256
