package audit

import "sync"

// index remembers where in the segments records stand, so that reading one of them does not begin with the first of its
// segment. It is filled by reading.
type index struct {
	mu       sync.Mutex
	segments map[uint32][]mark
}

// mark is a place in a segment.
type mark struct {
	record uint64 // sequence number of the first record at or after off
	frame  uint64 // number of the frame at off
	off    int64
}

// markEvery is how many records lie between two marks.
const markEvery = 512

// find returns the last known place from which everything about record from, its bodies included, is still to come.
func (x *index) find(segment uint32, from uint64) (mark, bool) {
	if x == nil {
		return mark{}, false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	marks := x.segments[segment]
	for i := len(marks) - 1; i >= 0; i-- {
		if marks[i].record <= from {
			return marks[i], true
		}
	}
	return mark{}, false
}

// add remembers a place; places come in order.
func (x *index) add(segment uint32, m mark) {
	if x == nil {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	marks := x.segments[segment]
	if n := len(marks); n == 0 || marks[n-1].record+markEvery <= m.record {
		x.segments[segment] = append(marks, m)
	}
}

// forget drops a segment, whose file has changed or gone.
func (x *index) forget(segment uint32) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.segments, segment)
}

func newIndex() *index { return &index{segments: make(map[uint32][]mark)} }
