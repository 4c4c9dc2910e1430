package analysis

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// finish makes what follows from what was read: who inherits from whom, and the parsed definitions.
func (l *loader) finish() {
	for _, r := range l.cat.byOID {
		l.relate(r)
	}
	// The definitions come from the server, but a user wrote them: they pass the same guard as any text.
	a := New(Options{Target: l.cat.Target})
	for r, text := range l.views {
		stmts, fault := a.read(text)
		if fault != nil || len(stmts) != 1 || stmts[0].Stmt.GetSelectStmt() == nil {
			r.opaque = "its definition could not be read"
			continue
		}
		r.view = stmts[0].Stmt.GetSelectStmt()
	}
	for r, exprs := range l.generated {
		r.generated = map[*Column]*pg.Node{}
		for c, text := range exprs {
			stmts, fault := a.read("SELECT " + text)
			if fault != nil || len(stmts) != 1 || len(stmts[0].Stmt.GetSelectStmt().GetTargetList()) != 1 {
				r.opaque = "the expression of a generated column could not be read"
				continue
			}
			r.generated[c] = stmts[0].Stmt.GetSelectStmt().TargetList[0].GetResTarget().GetVal()
		}
	}
}

// relate finds a relation's ancestors and descendants, and the other names of its columns' values.
func (l *loader) relate(r *Relation) {
	above, below := closure(r, l.parents), closure(r, l.children)
	for _, up := range above {
		if len(l.parents[up]) == 0 {
			r.roots = append(r.roots, up)
		}
	}
	if len(above) == 0 {
		r.roots = []*Relation{r}
	}
	if len(above)+len(below) == 0 {
		return
	}
	// What is read through the parent may be stored in any descendant, and a descendant's other ancestors name it too.
	family := append(slices.Clone(above), below...)
	for _, down := range below {
		for _, other := range closure(down, l.parents) {
			if other != r && !slices.Contains(family, other) {
				family = append(family, other)
			}
		}
	}
	slices.SortFunc(family, func(a, b *Relation) int { return int(int64(a.OID) - int64(b.OID)) })
	r.family = family
	r.behind = map[*Column][]*Column{}
	for _, c := range r.Columns {
		names := []*Column{c}
		for _, relative := range family {
			if same := relative.column(c.Name); same != nil {
				names = append(names, same)
			}
		}
		r.behind[c] = names
	}
}

// closure lists all that can be reached over the edges, without the start, nearest first.
func closure(from *Relation, edges map[*Relation][]*Relation) []*Relation {
	var all []*Relation
	queue := []*Relation{from}
	for len(queue) > 0 {
		next := queue[0]
		queue = queue[1:]
		for _, r := range edges[next] {
			if r != from && !slices.Contains(all, r) {
				all = append(all, r)
				queue = append(queue, r)
			}
		}
	}
	return all
}
