package recording_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/audit"
	"github.com/vecgate/vecgate/internal/recording"
)

// The one source there is.
var _ recording.Source = (*audit.Reader)(nil)

func journal(t *testing.T) *audit.Log {
	t.Helper()
	l, err := audit.Open(t.Context(), audit.Options{Dir: t.TempDir(), Origin: "vecgate/test", Self: true, Segment: 64 << 10, Checkpoint: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func say(t *testing.T, l *audit.Log, request string, d audit.Direction, text string) {
	t.Helper()
	if err := l.Body(request, d, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, l *audit.Log, r audit.Record) {
	t.Helper()
	if i := strings.LastIndexByte(r.Request, '.'); i >= 0 {
		r.Session = r.Request[:i]
	}
	if err := l.Append(&r).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// lines tells events as a person would.
func lines(events []*recording.Event) []string {
	var all []string
	for _, e := range events {
		s := string(e.Kind)
		if e.Request != "" {
			s += " " + e.Request
		}
		if e.Detail != "" {
			s += " " + e.Detail
		}
		if len(e.Asked) > 0 {
			s += " asked " + string(e.Asked)
		}
		if len(e.Answered) > 0 {
			s += " answered " + string(e.Answered)
		}
		if e.Effect != "" {
			s += " " + string(e.Effect)
		}
		if !e.Done {
			s += " unknown"
		}
		all = append(all, s)
	}
	return all
}

func conversation(t *testing.T, l *audit.Log) {
	put(t, l, audit.Record{Type: audit.TypeSessionOpen, Session: "s1", Detail: "psql"})
	say(t, l, "s1.1", audit.Asked, "select 1")
	put(t, l, audit.Record{Type: audit.TypeIntent, Request: "s1.1", Effect: access.Allow})
	say(t, l, "s10.1", audit.Asked, "another session, whose name begins like this one")
	say(t, l, "s1.1", audit.Answered, "row ")
	put(t, l, audit.Record{Type: audit.TypeIntent, Request: "s10.1", Effect: access.Allow})
	say(t, l, "s1.1", audit.Answered, "row")
	put(t, l, audit.Record{Type: audit.TypeOutcome, Request: "s1.1", Effect: access.Allow, Rows: 2})
	say(t, l, "s1.2", audit.Asked, "drop table")
	put(t, l, audit.Record{Type: audit.TypeRefusal, Request: "s1.2", Effect: access.Deny})
	// Two at once, as other front ends have them.
	say(t, l, "s1.3", audit.Asked, "three")
	put(t, l, audit.Record{Type: audit.TypeIntent, Request: "s1.3", Effect: access.Allow})
	say(t, l, "s1.3", audit.Answered, "3")
	say(t, l, "s1.4", audit.Asked, "four")
	put(t, l, audit.Record{Type: audit.TypeIntent, Request: "s1.4", Effect: access.Allow})
	put(t, l, audit.Record{Type: audit.TypeAdmin, Session: "s1", Detail: "replayed"})
	put(t, l, audit.Record{Type: audit.TypeOutcome, Request: "s1.4", Effect: access.Allow})
	say(t, l, "s1.3", audit.Answered, "!")
}

var told = []string{
	"opened psql",
	"exchange s1.1 asked select 1 answered row row allow",
	"exchange s1.2 asked drop table deny",
	"note replayed",
	"exchange s1.4 asked four allow",
}

func TestASessionIsPutTogetherExchangeByExchange(t *testing.T) {
	l := journal(t)
	conversation(t, l)
	if err := l.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	var events []*recording.Event
	err := recording.Play(t.Context(), l.Reader(), "s1", recording.Options{}, func(e *recording.Event) error {
		events = append(events, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// What was said after the last durable record is in the log's hands, and not to be read yet.
	want := append(append([]string(nil), told...), "exchange s1.3 asked three answered 3 allow unknown")
	if diff := cmp.Diff(want, lines(events)); diff != "" {
		t.Error(diff)
	}
	if events[1].Rows != 2 || events[1].Seq == 0 || events[1].Ended <= events[1].Seq || events[1].Until.Before(events[1].Began) {
		t.Errorf("exchange: %+v", events[1])
	}
}

func TestALiveSessionIsFollowedUntilItCloses(t *testing.T) {
	l := journal(t)
	var events []*recording.Event
	done := make(chan error)
	seen := make(chan string, 100)
	go func() {
		done <- recording.Follow(t.Context(), l.Reader(), "s1", recording.Options{}, func(e *recording.Event) error {
			events = append(events, e)
			seen <- e.Request
			return nil
		})
	}()
	conversation(t, l)
	for range told {
		select {
		case <-seen:
		case <-time.After(30 * time.Second):
			t.Fatal("nothing is told while the session goes on")
		}
	}
	put(t, l, audit.Record{Type: audit.TypeOutcome, Request: "s1.3", Effect: access.Allow})
	put(t, l, audit.Record{Type: audit.TypeSessionClose, Session: "s1"})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	want := append(append([]string(nil), told...), "exchange s1.3 asked three answered 3! allow", "closed")
	if diff := cmp.Diff(want, lines(events)); diff != "" {
		t.Error(diff)
	}
}

func TestFollowingEndsWithItsContext(t *testing.T) {
	l := journal(t)
	put(t, l, audit.Record{Type: audit.TypeSessionOpen, Session: "s1"})
	ctx, cancel := context.WithCancel(t.Context())
	err := recording.Follow(ctx, l.Reader(), "s1", recording.Options{}, func(*recording.Event) error {
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Follow says %v", err)
	}
}

func TestAnAnswerBeyondTheLimitIsCut(t *testing.T) {
	l := journal(t)
	put(t, l, audit.Record{Type: audit.TypeIntent, Request: "s1.1"})
	var whole bytes.Buffer
	for n := range 100 {
		line := fmt.Sprintf("row %d, ", n)
		whole.WriteString(line)
		say(t, l, "s1.1", audit.Answered, line)
	}
	put(t, l, audit.Record{Type: audit.TypeOutcome, Request: "s1.1"})
	err := recording.Play(t.Context(), l.Reader(), "s1", recording.Options{Limit: 333}, func(e *recording.Event) error {
		if !errors.Is(e.AnsweredLost, recording.ErrTooLong) || !bytes.Equal(e.Answered, whole.Bytes()[:333]) {
			t.Errorf("%d bytes, %v", len(e.Answered), e.AnsweredLost)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatCannotBeUnsealedIsSaid(t *testing.T) {
	dir := t.TempDir()
	l, err := audit.Open(t.Context(), audit.Options{Dir: dir, Origin: "vecgate/test", Self: true, Segment: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	say(t, l, "s1.1", audit.Asked, "select 1")
	put(t, l, audit.Record{Type: audit.TypeRefusal, Request: "s1.1"})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := audit.OpenDir(dir) // without an identity
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = recording.Play(t.Context(), r, "s1", recording.Options{}, func(e *recording.Event) error {
		n++
		if !errors.Is(e.AskedLost, audit.ErrSealed) || len(e.Asked) != 0 {
			t.Errorf("asked %q, %v", e.Asked, e.AskedLost)
		}
		return nil
	})
	if err != nil || n != 1 {
		t.Errorf("%d events, %v", n, err)
	}
}

// worn is a source whose bodies were destroyed.
type worn struct{ recording.Source }

func (w worn) Conversation(ctx context.Context, session string, from, to uint64, record func(uint64, []byte) error,
	_ func(uint64, string, bool, func() ([]byte, error)) error,
) error {
	nothing := func(uint64, string, bool, func() ([]byte, error)) error { return nil }
	return w.Source.Conversation(ctx, session, from, to, record, nothing)
}

func TestWhatWasDestroyedIsNotTakenForSilence(t *testing.T) {
	l := journal(t)
	say(t, l, "s1.1", audit.Asked, "select 1")
	put(t, l, audit.Record{Type: audit.TypeIntent, Request: "s1.1"})
	say(t, l, "s1.1", audit.Answered, "row")
	put(t, l, audit.Record{Type: audit.TypeOutcome, Request: "s1.1"})
	say(t, l, "s1.2", audit.Asked, "drop")
	put(t, l, audit.Record{Type: audit.TypeRefusal, Request: "s1.2"})
	put(t, l, audit.Record{Type: audit.TypeIntent, Request: "s1.3"})
	put(t, l, audit.Record{Type: audit.TypeOutcome, Request: "s1.3"})
	var got []string
	err := recording.Play(t.Context(), worn{l.Reader()}, "s1", recording.Options{}, func(e *recording.Event) error {
		got = append(got, fmt.Sprintf("%s %t %t", e.Request, errors.Is(e.AskedLost, recording.ErrGone), errors.Is(e.AnsweredLost, recording.ErrGone)))
		return nil
	})
	if diff := cmp.Diff([]string{"s1.1 true true", "s1.2 true false", "s1.3 false false"}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
}
