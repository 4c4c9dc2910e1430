package audit

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
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

// checkLog verifies a whole log, and fails the test when anything is wrong with it.
func checkLog(t testing.TB, dir string) *Report {
	t.Helper()
	report := verify(t, dir)
	if !report.OK() {
		t.Fatalf("log is not in order: %+v", report.Problems)
	}
	return report
}

func verify(t testing.TB, dir string) *Report {
	t.Helper()
	var opts VerifyOptions
	if self, err := SelfIdentity(dir); err == nil {
		opts.Identities = []age.Identity{self}
	}
	report, err := Verify(t.Context(), dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	return report
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
		if r := checkLog(t, dir); r.Records != uint64(run+1)*appenders*each*2 || r.Unsealed != r.Records {
			t.Fatalf("log has %d records and %d bodies, want %d", r.Records, r.Unsealed, (run+1)*appenders*each*2)
		}
	}
	sessions := make(map[string]int)
	r, err := OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for record, err := range r.Records(t.Context(), 0, 0, Filter{Types: []Type{TypeOutcome}}) {
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("%s.%d", record.Session, sessions[record.Session]); record.Request != want {
			t.Fatalf("record %d is of %s, want %s", record.Seq, record.Request, want)
		}
		sessions[record.Session]++
	}
}

func TestRecordsAreReadFromTheEndInPages(t *testing.T) {
	l := open(t, Options{Segment: 16 << 10})
	for n := range 300 {
		exchange(t, l, []string{"even", "odd"}[n%2], n)
	}
	if err := l.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := l.Reader()
	var seqs []uint64
	for before := uint64(0); ; {
		page, err := r.Before(t.Context(), before, 7, Filter{Session: "odd", Types: []Type{TypeIntent}})
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, record := range page {
			seqs = append(seqs, record.Seq)
		}
		if before = page[len(page)-1].Seq; before == 0 {
			break
		}
	}
	if len(seqs) != 150 || seqs[0] != 598 || seqs[149] != 2 {
		t.Fatalf("pages hold %d records, %v", len(seqs), seqs)
	}
	for i := range seqs[1:] {
		if seqs[i] != seqs[i+1]+4 {
			t.Fatalf("record %d comes after record %d", seqs[i+1], seqs[i])
		}
	}
}

func TestAnyRecordIsFoundAgainWithTheBodiesBeforeIt(t *testing.T) {
	l := open(t, Options{Segment: 200 << 10})
	for n := range 1500 {
		exchange(t, l, "s", n)
	}
	if err := l.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := l.Reader()
	for round := range 2 { // the second time with what the first one remembered
		for seq := uint64(97); seq < 3000; seq += 97 { // not 0, which as an end means no end
			record, envelope, err := r.Record(t.Context(), seq)
			if err != nil || record.Seq != seq || string(record.Envelope()) != string(envelope) {
				t.Fatalf("round %d, record %d: %+v %v", round, seq, record, err)
			}
			said := ""
			for piece, err := range r.Session(t.Context(), "s", seq, seq) {
				if err != nil {
					t.Fatal(err)
				}
				if piece.Record == nil {
					b, err := r.Unseal(piece)
					if err != nil {
						t.Fatal(err)
					}
					said += string(b)
				}
			}
			if want := map[bool]string{true: "select ", false: "row of "}[seq%2 == 0] + record.Request; said != want {
				t.Fatalf("round %d, before record %d was said %q, want %q", round, seq, said, want)
			}
		}
	}
}

func TestStateSaysWhatIsSignedAfterARestartToo(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Options{Dir: dir})
	if s := l.State(); s.Records != 0 || s.Signed != 0 || !s.SignedAt.IsZero() || s.Failed != nil {
		t.Errorf("an empty log: %+v", s)
	}
	exchange(t, l, "s", 1)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	before := l.State()
	l = open(t, Options{Dir: dir})
	after := l.State()
	if after.Records != 2 || after.Signed != 2 || string(after.Note) != string(before.Note) || !after.SignedAt.Equal(before.SignedAt) || after.Key != before.Key {
		t.Errorf("before %+v\nafter %+v", before, after)
	}
}

func TestTheTimesOfTheLogDoNotGoBackWithTheClock(t *testing.T) {
	dir, at := t.TempDir(), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var last time.Time
	append1 := func(l *Log, n int) {
		t.Helper()
		r := intent("a", n)
		if err := l.Append(r).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r.Time.Before(last) {
			t.Errorf("record %d is of %s, and one before it of %s", r.Seq, r.Time, last)
		}
		last = r.Time
	}
	for run := range 2 {
		l := open(t, Options{Dir: dir, Now: func() time.Time { return at }})
		append1(l, 2*run)
		at = at.Add(-time.Hour)
		append1(l, 2*run+1)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	checkLog(t, dir)
}
