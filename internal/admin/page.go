package admin

import "time"

// Limits of one page.
const (
	pageDefault = 50
	pageMax     = 500
	// tiesMax bounds by how much a page grows so that it does not end between things of the same instant.
	tiesMax = 500
)

func page(limit int) int {
	switch {
	case limit <= 0:
		return pageDefault
	case limit > pageMax:
		return pageMax
	}
	return limit
}

// instant is a time as lists are ordered by it. The next page begins strictly before the last instant of this one: things
// of one instant must be on one page, or some would be on none.
func instant(t time.Time) time.Time { return t.Truncate(time.Microsecond) }

// whole reports whether a page with its limit of things, the last of them at last, is complete before a thing at next.
func whole(length, limit int, last, next time.Time) bool {
	return length >= limit && (!instant(last).Equal(instant(next)) || length >= limit+tiesMax)
}

// following is where the batch after a full one begins, such that the last instant of it is read again, as far as it does
// not fill the batch; skip says how many things at its end will come again.
func following[T any](batch []T, at func(T) time.Time) (before time.Time, skip int) {
	last := instant(at(batch[len(batch)-1]))
	if instant(at(batch[0])).Equal(last) {
		return last, 0
	}
	for skip < len(batch) && instant(at(batch[len(batch)-1-skip])).Equal(last) {
		skip++
	}
	return last.Add(time.Microsecond), skip
}
