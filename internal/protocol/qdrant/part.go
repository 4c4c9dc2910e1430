package qdrant

import (
	"slices"

	"github.com/vecgate/vecgate/internal/access"
)

// part is what a request asks of the points of one collection. A request for one thing is one part, a batch has many.
type part struct {
	action access.Action
	name   string          // of the collection, as the client wrote it
	at     access.Resource // what it stands for
	alias  string          // name, when it is an alias
	batch  int

	limit  int64 // Unbounded when there is no such thing
	offset int64
	group  int64 // how many points each of limit may bring; 1 but for groups and matrices
	cursor bool
	ids    []string // points that are named, the first mostIDs of them
	named  int64    // how many they are
	every  []string // all of them, where they are fetched or written by their ids
	points int64    // how many a write carries
	show   *show    // what an answer shows of points; nil when it holds none
	filter *filter  // nil when there is none
	uses   []use    // of fields, besides those in filters
	egress bool

	searched []string // the vectors that are compared with, by name; "" is the one without a name
	rescored bool     // scores are made of scores, by a formula of the client's or by how they are spread
	probes   []string // points of this collection whose vectors are read to search with
	lookups  []*lookup

	edit edits
}

// mostIDs is how many ids the record of a request names.
const mostIDs = 256

// show is what an answer holds of every point.
type show struct {
	all     bool     // the whole payload, but what is excluded
	fields  []string // of the payload
	vectors bool
}

// use is a field that shapes an answer.
type use struct {
	field string
	as    as
}

type as string

const (
	asFilter  as = "filter"
	asOrder   as = "order"
	asGroup   as = "group"
	asFacet   as = "facet"
	asFormula as = "formula"
)

// lookup is another collection out of which the answer is made.
type lookup struct {
	name   string
	at     access.Resource
	alias  string
	vector string                            // that is read
	ids    []string                          // of the points whose vectors are read
	show   *show                             // what is shown of its points; nil when their vectors are compared with only
	edit   func(keep func(name string) bool) // as edits.vectors
}

// edits change a request in the places where obligations ask for it. Nil means that there is no such place.
type edits struct {
	// narrow puts a filter before every one through which points are found; empty when points are found by other means.
	narrow []func([]access.FilterRule)
	// vectors leaves those vectors in the answer that keep says, all of them or none when they are not named.
	vectors func(keep func(name string) bool)
	// rename puts the collection's own name into an element of a batch that has one.
	rename func(collection string)
	// renames put the names that lookups stand for in the place of theirs, in their order.
	renames []func(collection string)
	// thresholds round score thresholds.
	thresholds []func()
	// exactly has points counted one by one, not guessed from how often values stand in the whole collection.
	exactly func()
	// written calls check for every payload that would be written at the field: with the field's text, or not ok when it
	// is anything else or would be gone.
	written func(field string, check func(text string, ok bool) error) error
	// keep leaves those of the points that are fetched by their ids in the request that pass.
	keep func(passes map[string]bool) error
}

// rows is the most that the part can return.
func (p *part) rows() int64 {
	if p.limit == access.Unbounded {
		return access.Unbounded
	}
	rows := times(p.limit, max(p.group, 1))
	if p.pageOfNamed() {
		return min(rows, p.filter.named)
	}
	return rows
}

// pageOfNamed says whether a page is one of points that its filter names: a fetch, for it can show no others. In groups a
// point may stand more than once.
func (p *part) pageOfNamed() bool {
	return p.action == access.Scroll && p.filter != nil && p.filter.named > 0 && !slices.ContainsFunc(p.uses, func(u use) bool { return u.as == asGroup })
}

// most is more than any answer holds; sums of as many as a batch may have still fit.
const most = 1 << 44

func times(a, b int64) int64 {
	if a > 0 && b > most/a {
		return most
	}
	return a * b
}

// names are the collections that the part is about.
func (p *part) resolve(find func(name string) (access.Resource, string, error)) (err error) {
	if p.at, p.alias, err = find(p.name); err != nil {
		return err
	}
	for i, l := range p.lookups {
		if l.at, l.alias, err = find(l.name); err != nil {
			return err
		}
		p.edit.renames[i](l.at.Collection)
	}
	return nil
}

// accesses are what policy is asked about.
func (p *part) accesses() []access.Access {
	at := access.Attributes{
		Alias: p.alias, Batch: p.batch, Offset: p.offset, IDs: p.ids, Points: p.points, Egress: p.egress, Cursor: p.cursor,
	}
	if p.show != nil || p.limit > 0 {
		at.Limit, at.Rows = p.limit, p.rows()
	}
	p.show.describe(&at)
	p.filter.describe(&at)
	for _, u := range p.uses {
		if u.as == asOrder {
			at.OrderBy = append(at.OrderBy, u.field)
		}
		if !slices.Contains(at.Fields, u.field) && !slices.Contains(at.Fields, "*") {
			at.Fields = append(at.Fields, u.field)
		}
	}
	if at.Filter == access.FilterNone && p.named > 0 {
		at.Filter = access.FilterKey
	}
	action := p.action
	if p.pageOfNamed() {
		action, at.IDs, at.Limit = access.Fetch, p.filter.ids, at.Rows
		if len(p.filter.uses) == 0 {
			at.Filter = access.FilterKey
		}
	}
	list := []access.Access{{Action: action, Resource: p.at, Attributes: at}}
	if len(p.probes) > 0 {
		list = append(list, access.Access{Action: access.Fetch, Resource: p.at, Attributes: access.Attributes{
			Alias: p.alias, Batch: p.batch, Role: "lookup", IDs: p.probes, Limit: int64(len(p.probes)), Rows: int64(len(p.probes)), Filter: access.FilterKey,
		}})
	}
	for _, l := range p.lookups {
		at := access.Attributes{Alias: l.alias, Batch: p.batch, Role: "lookup", IDs: l.ids, Limit: p.limit, Rows: p.limit, Filter: access.FilterKey}
		l.show.describe(&at)
		if l.show == nil {
			at.Limit, at.Rows = int64(len(l.ids)), int64(len(l.ids))
		}
		list = append(list, access.Access{Action: access.Fetch, Resource: l.at, Attributes: at})
	}
	return list
}

func (s *show) describe(at *access.Attributes) {
	if s == nil {
		return
	}
	at.Vectors = s.vectors
	at.Fields = slices.Clone(s.fields)
	if s.all {
		at.Fields = []string{"*"}
	}
}

// filter is what is read of a condition on points.
type filter struct {
	uses    []condition
	narrows bool     // some condition must hold that does not hold by itself
	ids     []string // points of which alone it lets any through, the first mostIDs of them
	named   int64    // how many they are; 0 when it names none
}

// condition is one field's part in deciding which points are meant.
type condition struct {
	field    string
	equality bool // the field equals a constant, and nothing else could make the point one that is meant
}

func (f *filter) describe(at *access.Attributes) {
	if f == nil {
		return
	}
	at.Filter = access.FilterTrivial
	if f.narrows || len(f.uses) > 0 {
		at.Filter = access.FilterOther
	}
	for _, c := range f.uses {
		if !slices.Contains(at.FilterFields, c.field) {
			at.FilterFields = append(at.FilterFields, c.field)
		}
	}
}

// join counts the conditions of another filter as this part's own.
func (p *part) join(f *filter) {
	if f == nil {
		return
	}
	for _, c := range f.uses {
		p.uses = append(p.uses, use{c.field, asFilter})
	}
}

// probe takes down a point whose vector is searched with: of this collection, or of the one that is looked up.
func (p *part) probe(id string, from *lookup) {
	list := &p.probes
	if from != nil {
		list = &from.ids
	}
	if len(*list) < mostIDs {
		*list = append(*list, id)
	}
}

// deletes is the action of a deletion: of named points, of those that a filter finds, or of all.
func deletes(named int64, f *filter) access.Action {
	switch {
	case named > 0:
		return access.Delete
	case f != nil && f.narrows:
		return access.DeleteByFilter
	}
	return access.DeleteAll
}
