package analysis

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// scope is what names can mean at one place: the FROM items and WITH queries of one query level, inside those of the
// levels around it. It follows the server's rules (parse_relation.c) because a name that we took for another column than
// the server does would be a way around every mask.
type scope struct {
	parent *scope
	query  *query
	items  []*item
	ctes   []*cte
	path   []string
}

// item is one FROM item: a relation, a sub-select, a function, a join with an alias.
type item struct {
	name     string // "" for a join without alias
	relation *Relation
	read     *read
	columns  []field
	named    bool // its name may be used: a.x, a.*, a
	visible  bool // its columns may be used without its name
	// unsure says that the columns are not all known: any name may be one of them.
	unsure  bool
	all     value // of an unsure item: everything that any column may be made of
	aliased bool
	scalar  bool // it is a function that returns single values, not rows
}

// whole is the value of the item's whole row.
func (it *item) whole() value {
	vs := make([]value, 0, len(it.columns)+1)
	for _, c := range it.columns {
		vs = append(vs, c.v)
	}
	if it.unsure {
		vs = append(vs, it.all)
	}
	v := derived(vs...)
	v.variable = true
	if it.read != nil {
		v.reads = union(v.reads, []*read{it.read})
	}
	if !it.unsure {
		v.fields = it.columns
	}
	return v
}

// cte is a WITH query.
type cte struct {
	name    string
	node    *pg.CommonTableExpr
	scope   *scope // in which its body stands
	query   *query
	columns []field
	refs    int
	state   int // 0 not analysed, 1 in analysis, 2 done
	self    bool
}

// systemColumns exist on every table; they say nothing of what is stored in it.
var systemColumns = map[string]bool{"ctid": true, "xmin": true, "xmax": true, "cmin": true, "cmax": true, "tableoid": true}

// find looks a column up by its bare name, from the inside out. ok is false when no level has it.
func (a *analysis) find(sc *scope, column string) (value, bool) {
	var maybe []value
	for level := sc; level != nil; level = level.parent {
		var found *value
		var system *item
		n := 0
		for _, it := range level.items {
			if !it.visible {
				continue
			}
			hits := 0
			a.look(len(it.columns))
			for i := range it.columns {
				if it.columns[i].name == column {
					hits++
					found = &it.columns[i].v
				}
			}
			n += hits
			if hits == 0 && it.relation != nil && systemColumns[column] {
				system = it
			}
			if it.unsure {
				maybe = append(maybe, it.all)
			}
		}
		if n > 1 {
			a.missing("42702", "column reference %q is ambiguous", column)
		}
		if n == 1 || system != nil {
			a.correlate(sc, level)
			v := systemValue(system)
			if n == 1 {
				v = *found
			}
			if len(maybe) > 0 {
				v = derived(append(maybe, v)...)
			}
			return v, true
		}
	}
	if len(maybe) > 0 {
		v := derived(maybe...)
		v.variable = true
		return v, true
	}
	return value{}, false
}

func systemValue(it *item) value {
	v := value{variable: true}
	if it != nil && it.read != nil {
		v.reads = []*read{it.read}
	}
	return v
}

// findItem looks a FROM item up by its name.
func (a *analysis) findItem(sc *scope, schema, name string) *item {
	for level := sc; level != nil; level = level.parent {
		var found *item
		a.look(len(level.items))
		for _, it := range level.items {
			if !it.named || it.name != name {
				continue
			}
			if schema != "" && (it.relation == nil || it.aliased || it.relation.schema != schema) {
				continue
			}
			if found != nil {
				a.missing("42P09", "table reference %q is ambiguous", name)
			}
			found = it
		}
		if found != nil {
			a.correlate(sc, level)
			return found
		}
	}
	return nil
}

// correlate marks the queries between where a name is used and where it is found.
func (a *analysis) correlate(from, to *scope) {
	for level := from; level != nil && level != to; level = level.parent {
		if level.query != nil && (to == nil || level.query != to.query) {
			level.query.correlated = true
		}
	}
}

// findCTE looks a WITH query up by name.
func (sc *scope) findCTE(name string) *cte {
	for level := sc; level != nil; level = level.parent {
		for i := len(level.ctes) - 1; i >= 0; i-- {
			if level.ctes[i].name == name {
				return level.ctes[i]
			}
		}
	}
	return nil
}

// columnOf looks a column up in one item.
func (a *analysis) columnOf(it *item, column string) (value, bool) {
	var found []value
	a.look(len(it.columns))
	for _, c := range it.columns {
		if c.name == column {
			found = append(found, c.v)
		}
	}
	switch {
	case len(found) > 1:
		a.missing("42702", "column reference %q is ambiguous", column)
	case len(found) == 1 && it.unsure:
		return derived(found[0], it.all), true
	case len(found) == 1:
		return found[0], true
	case it.relation != nil && systemColumns[column]:
		return systemValue(it), true
	case it.unsure:
		v := it.all
		v.variable = true
		return derived(v), true
	}
	return value{}, false
}

// rename gives the first columns the names of an alias list.
func rename(columns []field, names []*pg.Node) []field {
	if len(names) == 0 {
		return columns
	}
	out := slices.Clone(columns)
	for i, n := range names {
		if i < len(out) {
			out[i].name = n.GetString_().GetSval()
		}
	}
	return out
}
