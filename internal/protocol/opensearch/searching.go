package opensearch

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// asked is one search of a request.
type asked struct {
	search     *search
	body       jsonstream.Value
	params     map[string]string
	expression string
	at         places
}

// read takes a search apart that was asked of an expression.
func (c *call) read(body jsonstream.Value, params map[string]string, expression string) (*asked, error) {
	s, err := c.dialect.readSearch(body, params, nil)
	if err != nil {
		return nil, err
	}
	look := c.index
	if slices.ContainsFunc(s.all, func(c condition) bool { return strings.Contains(c.field, "*") }) {
		// Which fields that is depends on which there are, and the first document of a kind makes them.
		look = c.anew
	}
	at, err := c.resolved(expression, look)
	return &asked{search: s, body: body, params: params, expression: expression, at: at}, err
}

// anew looks a name up once for every request.
func (c *call) anew(ctx context.Context, name string) (*index, error) {
	if c.looked[name] {
		return c.index(ctx, name)
	}
	if c.looked == nil {
		c.looked = map[string]bool{}
	}
	c.looked[name] = true
	return c.look(ctx, name)
}

// judged puts what a search does into the operation.
func (c *call) judged(a *asked, batch int) {
	at := a.search.attributes(a.at)
	at.Batch = batch
	action := a.search.action()
	c.doesAt(action, a.at, at)
	if a.search.aggs && action != access.Aggregate {
		c.doesAt(access.Aggregate, a.at, at)
	}
	if a.search.script {
		c.does(access.CodeExec, c.target(), access.Attributes{Batch: batch})
	}
}

func readSearch(c *call) error {
	body := c.Body
	pit := body.Get("pit")
	expression, ok := c.Params["index"]
	opened := ""
	switch {
	case ok && present(pit):
		return unclear("a search that has a pit names no index")
	case !ok && !present(pit):
		return unclear("it names no index, which would be all of them")
	case !ok:
		id, _ := pit.Get("id").Text()
		k, err := c.dialect.cursors.get(id, c.Subject)
		if err != nil {
			return err
		}
		expression, opened = k.expression, k.on
	}
	a, err := c.read(body, c.Query, expression)
	if err != nil {
		return err
	}
	if !ok && a.at.String() != opened {
		return elsewhere()
	}
	c.judged(a, 0)
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		made, v, err := c.dialect.obliged(a, o)
		if err != nil {
			return nil, err
		}
		mask := v.found()
		if _, scrolls := c.Query["scroll"]; scrolls {
			mask.Fields["_scroll_id"] = c.keeps(a, o)
		}
		if present(pit) {
			mask.Fields["pit_id"] = c.keeps(a, o)
		}
		return &httpwire.Obliged{Body: made, Mask: mask, Rows: o.Rows, Mute: mute(o), Filtered: true, Check: c.unchanged()}, nil
	}
	return nil
}

// keeps remembers the ids at a place of an answer as cursors.
func (c *call) keeps(a *asked, o *access.Obligations) *jsonstream.Node {
	k := cursor{subject: c.Subject, expression: a.expression, on: a.at.String(), search: a.search, filters: digest(o, a.at)}
	return &jsonstream.Node{Rewrite: func(id string) string {
		c.dialect.cursors.put(id, k)
		return id
	}}
}

// obliged is a search as it is sent, and the view of its answer.
func (d *Dialect) obliged(a *asked, o *access.Obligations) (jsonstream.Value, *view, error) {
	s, p := a.search, o.Protection
	k := max(s.k, s.size)
	if len(s.nearest) == 0 {
		k = 0
	}
	switch {
	case o.TopK > 0 && k > o.TopK:
		return a.body, nil, &access.Refusal{
			Code: access.CodeLimit, Message: fmt.Sprintf("a search of %s may ask for the %d nearest at most", a.expression, o.TopK), Hint: fmt.Sprintf("ask for a k and a size of %d or less", o.TopK),
		}
	case o.Rows > 0 && s.size*(1+s.innerRows) > o.Rows:
		return a.body, nil, &access.Refusal{
			Code:    access.CodeLimit,
			Message: fmt.Sprintf("a request may return %d documents at most here, and this one asks for %d", o.Rows, s.size*(1+s.innerRows)), Hint: fmt.Sprintf("ask for a size of %d or less", o.Rows),
		}
	}
	if err := s.oblige(p, a.at); err != nil {
		return a.body, nil, err
	}
	v := &view{at: a.at, protection: p, inner: s.inner, score: s.scores(p, a.at)}
	filter, err := conditions(o, a.at)
	if err != nil {
		return a.body, nil, err
	}
	if s.explain && (!p.Empty() || len(filter) > 0) {
		return a.body, nil, &access.Refusal{Code: access.CodeObligation, Message: "an explanation or a profile would tell of what is hidden", Hint: "leave out explain and profile"}
	}
	body := a.body
	if len(filter) > 0 {
		if s.wide {
			return a.body, nil, &access.Refusal{
				Code: access.CodeObligation, Message: "a search among vectors that is nested, or part of an aggregation or of another order, cannot be narrowed to points that are yours",
			}
		}
		if s.beyond || s.expanded && len(s.nearest) > 0 {
			return a.body, nil, &access.Refusal{
				Code: access.CodeObligation, Message: "joins, global and significant aggregations, and groups of neighbours look at points that are not yours",
			}
		}
		narrowed, err := d.readSearch(body, a.params, filter)
		if err != nil {
			return a.body, nil, err
		}
		body = narrowed.body
	}
	_, inAddress := a.params["_source_includes"]
	for _, name := range []string{"_source", "_source_excludes", "stored_fields"} {
		_, ok := a.params[name]
		inAddress = inAddress || ok
	}
	if hidden := v.vectors(); len(hidden) > 0 && s.size > 0 && !s.source.none && !inAddress && !present(body.Get("stored_fields")) {
		body = body.With("_source", s.source.without(hidden))
	}
	return body, v, nil
}

func readCount(c *call) error {
	a, err := c.read(c.Body, map[string]string{"size": "0"}, c.Params["index"])
	if err != nil {
		return err
	}
	at := a.search.attributes(a.at)
	at.Rows, at.Limit = 1, 0
	c.doesAt(access.Count, a.at, at)
	if a.search.script {
		c.does(access.CodeExec, c.target(), access.Attributes{})
	}
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		body, v, err := c.dialect.obliged(a, o)
		if err != nil {
			return nil, err
		}
		mask := v.only("count terminated_early", map[string]*jsonstream.Node{"_shards": v.shards()})
		return &httpwire.Obliged{Body: body, Mask: mask, Mute: mute(o), Filtered: true, Check: c.unchanged()}, nil
	}
	return nil
}

const headMembers = "index preference routing search_type ignore_unavailable allow_no_indices request_cache allow_partial_search_results"

func readMultiSearch(c *call) error {
	if len(c.Lines)%2 != 0 {
		return unclear("its lines are not pairs of a head and a search")
	}
	if len(c.Lines) > 2000 {
		return unclear("it has more than 1000 searches")
	}
	var all []*asked
	inner := map[string]string{}
	for i := 0; i < len(c.Lines); i += 2 {
		head, body := c.Lines[i], c.Lines[i+1]
		if err := c.closed(head, headMembers, "the head of a search"); err != nil {
			return err
		}
		if body.Kind() != jsonstream.Object || present(body.Get("pit")) {
			return unclear("a search is not an object, or has a pit")
		}
		list, err := texts(head.Get("index"), "the index of a search")
		if err != nil {
			return err
		}
		if len(list) == 0 {
			expression, ok := c.Params["index"]
			if !ok {
				return unclear("a search names no index, which would be all of them")
			}
			list = []string{expression}
		}
		a, err := c.read(body, nil, strings.Join(list, ","))
		if err != nil {
			return err
		}
		for name, path := range a.search.inner {
			if other, twice := inner[name]; twice && other != path {
				return unclear("two inner_hits have the same name")
			}
			inner[name] = path
		}
		c.judged(a, i/2)
		all = append(all, a)
	}
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		together := &view{protection: o.Protection, inner: inner}
		lines := slices.Clone(c.Lines)
		rows := int64(0)
		for i, a := range all {
			body, v, err := c.dialect.obliged(a, o)
			if err != nil {
				return nil, err
			}
			lines[2*i+1] = body
			together.at = append(together.at, a.at...)
			if v.score.Mask == access.MaskNull || together.score.Mask == access.MaskNone {
				together.score = v.score
			}
			rows += a.search.size * (1 + a.search.innerRows)
		}
		if o.Rows > 0 && rows > o.Rows {
			return nil, &access.Refusal{Code: access.CodeLimit, Message: fmt.Sprintf("a request may return %d documents at most here, and this one asks for %d", o.Rows, rows)}
		}
		mask := together.only("took", map[string]*jsonstream.Node{"responses": {Items: together.found()}})
		return &httpwire.Obliged{Lines: lines, Mask: mask, Rows: o.Rows, Mute: mute(o), Filtered: true, Check: c.unchanged()}, nil
	}
	return nil
}

func readScroll(c *call) error {
	id, ok := c.Body.Get("scroll_id").Text()
	if !ok {
		return unclear("it has no scroll_id")
	}
	k, err := c.dialect.cursors.get(id, c.Subject)
	if err != nil {
		return err
	}
	at, err := c.resolve(k.expression)
	if err != nil {
		return err
	}
	if at.String() != k.on {
		return elsewhere()
	}
	a := &asked{search: k.search, expression: k.expression, at: at}
	c.doesAt(access.Scroll, at, k.search.attributes(at))
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		if digest(o, at) != k.filters {
			return nil, &access.Refusal{Code: access.CodeObligation, Message: "the scroll was begun when other points were yours", Hint: "begin the search anew"}
		}
		_, v, err := c.dialect.obliged(&asked{search: k.search, body: k.search.body, expression: k.expression, at: at}, o)
		if err != nil {
			return nil, err
		}
		mask := v.found()
		mask.Fields["_scroll_id"] = c.keeps(a, o)
		return &httpwire.Obliged{Mask: mask, Rows: o.Rows, Mute: mute(o), Filtered: true, Check: c.unchanged()}, nil
	}
	return nil
}

// elsewhere refuses a cursor that goes on reading what its name does not stand for any more.
func elsewhere() error {
	return &access.Refusal{Code: access.CodeUnclear, Message: "the cursor was opened on other indices than its name stands for now", Hint: "begin the search anew"}
}

// readOpenPIT begins a point in time. It returns nothing yet, but a promise to be able to read everything.
func readOpenPIT(c *call) error {
	at, err := c.resolve(c.Params["index"])
	if err != nil {
		return err
	}
	c.doesAt(access.Scroll, at, access.Attributes{Cursor: true})
	a := &asked{search: &search{reading: &reading{}}, expression: c.Params["index"], at: at}
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		id := c.keeps(a, o)
		mask := &jsonstream.Node{Fields: map[string]*jsonstream.Node{"id": id, "pit_id": id}}
		return &httpwire.Obliged{Mask: mask, Mute: mute(o), Filtered: true, Check: c.unchanged()}, nil
	}
	return nil
}

// readClose ends cursors of one's own.
func readClose(c *call) error {
	var ids []string
	if named := c.Params["scroll"]; named != "" {
		ids = append(ids, named) // one, because a list in a path is refused
	}
	for _, member := range []string{"scroll_id", "pit_id", "id"} {
		list, err := texts(c.Body.Get(member), "its "+member)
		if err != nil {
			return err
		}
		ids = append(ids, list...)
	}
	if len(ids) == 0 {
		return unclear("it names no cursor")
	}
	for _, id := range ids {
		if _, err := c.dialect.cursors.get(id, c.Subject); err != nil {
			return err
		}
	}
	c.out.Free = true
	c.out.Done = func() {
		for _, id := range ids {
			c.dialect.cursors.drop(id)
		}
	}
	return nil
}

// readByQuery reads what is done to every document that a query matches.
func readByQuery(c *call) error {
	updates := c.action() == access.Update
	script := c.Body.Get("script")
	plain := c.Body
	for _, name := range []string{"script", "max_docs", "conflicts"} {
		plain = without(plain, name)
	}
	if plain.Kind() == jsonstream.None {
		plain = nothing
	}
	a, err := c.read(plain, map[string]string{"size": "0"}, c.Params["index"])
	if err != nil {
		return err
	}
	s := a.search
	s.script = s.script || present(script)
	at := s.attributes(a.at)
	at.Points, at.Rows, at.Limit, at.Fields = access.Unbounded, 0, 0, nil
	action := access.Update
	switch {
	case updates:
	case s.idsOnly:
		action, at.Points = access.Delete, int64(len(s.ids))
	case s.some:
		action = access.DeleteByFilter
	default:
		action = access.DeleteAll
	}
	c.doesAt(action, a.at, at)
	if s.script {
		c.does(access.CodeExec, c.target(), access.Attributes{})
	}
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		body, v, err := c.dialect.obliged(a, o)
		if err != nil {
			return nil, err
		}
		if filter, err := conditions(o, a.at); err != nil || len(filter) > 0 && present(script) {
			return nil, firstOf(err, &access.Refusal{Code: access.CodeObligation, Message: "a script could write documents that are not yours"})
		}
		for _, name := range []string{"script", "max_docs", "conflicts"} {
			if m := c.Body.Get(name); m.Kind() != jsonstream.None {
				body = body.With(name, m)
			}
		}
		mask := v.only("took timed_out total updated created deleted batches version_conflicts noops retries throttled throttled_millis requests_per_second throttled_until throttled_until_millis task slices", nil)
		return &httpwire.Obliged{Body: body, Mask: mask, Mute: mute(o), Filtered: true, Check: c.unchanged()}, nil
	}
	return nil
}

// readReindex copies documents from one index to another, which cannot be done while parts of them are hidden.
func readReindex(c *call) error {
	source, dest := c.Body.Get("source"), c.Body.Get("dest")
	if err := firstOf(c.closed(source, "index query size _source slice", "its source"), c.closed(dest, "index op_type routing version_type", "its dest")); err != nil {
		return err
	}
	from, err := texts(source.Get("index"), "the index of its source")
	if err != nil {
		return err
	}
	to, ok := dest.Get("index").Text()
	if !ok || len(from) == 0 {
		return unclear("it names no source, or no dest")
	}
	query := nothing
	if q := source.Get("query"); present(q) {
		query = object("query", q)
	}
	a, err := c.read(query, nil, strings.Join(from, ","))
	if err != nil {
		return err
	}
	into, err := c.resolve(to)
	if err != nil {
		return err
	}
	c.doesAt(access.Export, a.at, access.Attributes{Limit: access.Unbounded, Rows: access.Unbounded, Vectors: true, Role: "source"})
	c.doesAt(access.Upsert, into, access.Attributes{Points: access.Unbounded, Role: "destination"})
	if a.search.script || present(c.Body.Get("script")) {
		c.does(access.CodeExec, c.target(), access.Attributes{})
	}
	c.out.Done = c.dialect.indices.forget
	c.whole(append(slices.Clone(a.at), into...), "copied")
	return nil
}

// whole makes a call that takes all of an index elsewhere, which cannot be done while parts of it are hidden.
func (c *call) whole(at places, verb string) {
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		if !o.Protection.Empty() || o.Rows > 0 {
			return nil, &access.Refusal{Code: access.CodeObligation, Message: at[0].resource.String() + " cannot be " + verb + " by who may not see all of it"}
		}
		return &httpwire.Obliged{}, nil
	}
}

// head says whether the client wants no more of an answer than its status.
func (c *call) head() bool { return c.Route.Method == http.MethodHead }
