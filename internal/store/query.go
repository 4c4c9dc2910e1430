package store

import (
	"strings"
	"time"
)

const (
	defaultLimit = 100
	maxLimit     = 1000
)

// query collects conditions; every value is a parameter.
type query struct {
	where []string
	args  []any
}

func (q *query) equal(column, value string) {
	if value != "" {
		q.where = append(q.where, column+" = ?")
		q.args = append(q.args, value)
	}
}

func (q *query) before(column string, t time.Time) {
	if !t.IsZero() {
		q.where = append(q.where, column+" < ?")
		q.args = append(q.args, micros(t))
	}
}

func (q *query) since(column string, t time.Time) {
	if !t.IsZero() {
		q.where = append(q.where, column+" >= ?")
		q.args = append(q.args, micros(t))
	}
}

func (q *query) tail(order string, limit int) string {
	var b strings.Builder
	if len(q.where) > 0 {
		b.WriteString(" WHERE ")
		b.WriteString(strings.Join(q.where, " AND "))
	}
	if limit <= 0 {
		limit = defaultLimit
	}
	b.WriteString(" ORDER BY " + order + " LIMIT ?")
	q.args = append(q.args, min(limit, maxLimit))
	return b.String()
}
