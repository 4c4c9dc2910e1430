package audit

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
)

func TestBodiesTakenDownAtOnceAllCount(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Options{Dir: dir, Segment: 1 << 20, Self: true})
	var wait sync.WaitGroup
	for g := range 8 {
		wait.Go(func() {
			for n := range 30 {
				request := fmt.Sprintf("s.%d", n) // eight speak in each
				for _, size := range []int{10, 600, long, 3 * long} {
					if err := l.Body(request, Answered, bytes.Repeat([]byte{byte('a' + g)}, size)); err != nil {
						t.Error(err)
					}
				}
				r := sample()
				r.Type, r.Session, r.Request = TypeAdmin, "s", request // of which a request may have many
				l.Append(r)
			}
		})
	}
	wait.Wait()
	// What was said after the last record of its request has none.
	for n := range 30 {
		r := sample()
		r.Type, r.Session, r.Request = TypeAdmin, "s", fmt.Sprintf("s.%d", n)
		l.Append(r)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if report := verify(t, dir); !report.OK() || report.Records != 9*30 {
		t.Errorf("%d records, want %d; %.1000v", report.Records, 9*30, report.Problems)
	}
}
