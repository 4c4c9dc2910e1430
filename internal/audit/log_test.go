package audit

import (
	"fmt"
	"sync"
	"testing"

	"github.com/vecgate/vecgate/internal/access"
)

// open opens a log for a test, with what the test does not care about filled in.
func open(t testing.TB, opts Options) *Log {
	t.Helper()
	l, err := tryOpen(t, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func tryOpen(t testing.TB, opts Options) (*Log, error) {
	if opts.Dir == "" {
		opts.Dir = t.TempDir()
	}
	if opts.Origin == "" {
		opts.Origin = "vecgate/test"
	}
	if len(opts.Recipients) == 0 {
		opts.Self = true
	}
	if opts.Segment == 0 {
		opts.Segment = 256 << 10
	}
	return Open(t.Context(), opts)
}

func intent(session string, n int) *Record {
	return &Record{Type: TypeIntent, Session: session, Request: fmt.Sprintf("%s.%d", session, n), Subject: "corp:alice", Effect: access.Allow}
}

func outcome(session string, n int) *Record {
	return &Record{Type: TypeOutcome, Session: session, Request: fmt.Sprintf("%s.%d", session, n), Subject: "corp:alice", Effect: access.Allow}
}

// exchange appends what one request leaves behind.
func exchange(t testing.TB, l *Log, session string, n int) {
	t.Helper()
	request := fmt.Sprintf("%s.%d", session, n)
	if err := l.Body(request, Asked, []byte("select "+request)); err != nil {
		t.Error(err)
		return
	}
	if err := l.Append(intent(session, n)).Wait(t.Context()); err != nil {
		t.Error(err)
		return
	}
	if err := l.Body(request, Answered, []byte("row of "+request)); err != nil {
		t.Error(err)
		return
	}
	l.Append(outcome(session, n))
}

func TestRecordsKeepTheirOrderOverConcurrentAppendersSegmentsAndRestarts(t *testing.T) {
	dir := t.TempDir()
	const appenders, each = 16, 60
	for run := range 2 {
		l := open(t, Options{Dir: dir, Segment: 16 << 10})
		var wg sync.WaitGroup
		for a := range appenders {
			wg.Go(func() {
				session := fmt.Sprintf("r%da%d", run, a)
				for n := range each {
					exchange(t, l, session, n)
				}
			})
		}
		wg.Wait()
		if err := l.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if want := uint64(run+1) * appenders * each * 2; l.records != want {
			t.Fatalf("log has %d records, want %d", l.records, want)
		}
	}
}
