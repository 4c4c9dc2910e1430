package gate

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/audit"
	"github.com/vecgate/vecgate/internal/vault"
)

// world is everything around a gate, and a diary of what happened in which order.
type world struct {
	mu       sync.Mutex
	diary    []string
	records  []*audit.Record
	decide   func(*access.Operation, access.Context) access.Decision
	journal  error // what Append resolves to, for every record
	leaseErr error
	request  access.Request
	decided  chan access.State
	usedOnce bool
}

func (w *world) note(s string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.diary = append(w.diary, s)
}

func (w *world) Decide(_ *access.Subject, op *access.Operation, c access.Context) access.Decision {
	if op.First().Action == access.Connect {
		return access.Decision{Effect: access.Allow}
	}
	w.note("decide")
	return w.decide(op, c)
}

func (w *world) Append(r *audit.Record) audit.Commit {
	w.note("append " + string(r.Type))
	w.mu.Lock()
	defer w.mu.Unlock()
	kept := *r
	w.records = append(w.records, &kept)
	return audit.Resolved(uint64(len(w.records)-1), w.journal)
}

func (w *world) Body(_ string, d audit.Direction, p []byte) error {
	w.note("body " + string(d) + " " + string(p))
	return nil
}
func (w *world) Sync(context.Context) error { return w.journal }

func (w *world) Ask(_ context.Context, a access.Ask) (access.Request, error) {
	w.note("ask")
	if w.request.ID == "" {
		w.request = access.Request{ID: "7F3K", Digest: a.Digest, State: access.StateOpen}
	}
	return w.request, nil
}

func (w *world) Await(ctx context.Context, _ string) (access.Request, error) {
	select {
	case s := <-w.decided:
		w.request.State = s
		return w.request, nil
	case <-ctx.Done():
		return w.request, ctx.Err()
	}
}

func (w *world) Use(_ context.Context, id, digest string) (access.Grant, error) {
	if w.usedOnce || digest != w.request.Digest {
		return access.Grant{}, errors.New("already used")
	}
	w.usedOnce = true
	w.note("use")
	return access.Grant{Request: id, Digest: digest}, nil
}
func (w *world) Abandon(context.Context, string) error { w.note("abandon"); return nil }
func (w *world) URL(id string) string                  { return "https://gw.example.com/requests/" + id }

func (w *world) Lease(context.Context, string) (vault.Credential, error) {
	w.note("lease")
	return vault.Credential{Name: "c@1"}, w.leaseErr
}

// client is an exchange that writes down what is done with it.
type client struct {
	w          *world
	op         access.Operation
	obligeErr  error
	forwardErr error
	replyErr   error
	refusal    *access.Refusal
	notice     access.Notice
	obliged    access.Obligations // those of the last call
}

func (c *client) Operation() *access.Operation { return &c.op }
func (c *client) Wire() []byte                 { return []byte(c.op.Text) }
func (c *client) Waiting(n access.Notice, t Tape) error {
	if err := t.Answered([]byte("notice")); err != nil {
		return err
	}
	c.notice = n
	c.w.note("waiting")
	return nil
}

func (c *client) Oblige(o *access.Obligations) error {
	c.obliged = *o
	c.w.note("oblige")
	return c.obligeErr
}
func (c *client) Refuse(r *access.Refusal) error { c.refusal = r; c.w.note("refuse"); return nil }
func (c *client) Forward(_ context.Context, _ vault.Credential, _ Tape) error {
	c.w.note("forward")
	return c.forwardErr
}

func (c *client) Reply(_ context.Context, t Tape) (access.Outcome, error) {
	if err := t.Answered([]byte("rows")); err != nil {
		return access.Outcome{}, err
	}
	c.w.note("reply")
	return access.Outcome{Rows: 1, Bytes: 4}, c.replyErr
}

func always(e access.Effect) func(*access.Operation, access.Context) access.Decision {
	return func(*access.Operation, access.Context) access.Decision {
		d := access.Decision{Effect: e, Policy: "p1", Reason: access.Reason{Rule: "r", Sentence: "s"}}
		if e == access.Hold {
			d.Hold = &access.HoldTerms{Rule: "r", Persons: 1, Within: time.Minute}
		}
		return d
	}
}

func heldUntilGranted(_ *access.Operation, c access.Context) access.Decision {
	if c.Grant != nil {
		return always(access.Allow)(nil, c)
	}
	return always(access.Hold)(nil, c)
}

func open(t *testing.T, w *world, target Target) (*Gate, *Session) {
	t.Helper()
	g := &Gate{Policy: w, Journal: w, Approvals: w, Credentials: w, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: time.Now}
	target.Name = "products"
	s, refusal := g.Open(t.Context(), &access.Subject{ID: "corp:alice", Kind: access.Person}, target, OpenOptions{})
	if refusal != nil {
		t.Fatalf("Open: %v", refusal)
	}
	w.diary, w.records = nil, nil
	return g, s
}

func read(w *world) *client {
	return &client{w: w, op: access.Operation{Text: "select", Accesses: []access.Access{{Action: access.Search}}}}
}

func expect(t *testing.T, w *world, want ...string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.diary, want) {
		t.Errorf("what happened:\n %q\nwant:\n %q", w.diary, want)
	}
}

func TestIntentIsDurableBeforeForward(t *testing.T) {
	w := &world{decide: always(access.Allow)}
	_, s := open(t, w, Target{})
	if err := s.Serve(t.Context(), read(w)); err != nil {
		t.Fatal(err)
	}
	expect(t, w, "decide", "oblige", "body q select", "append intent", "lease", "forward", "body a rows", "reply", "append outcome")
}

func TestNothingIsForwardedThatCannotBeRecorded(t *testing.T) {
	for _, mode := range []Reads{BeforeForward, BeforeRelease} {
		w := &world{decide: always(access.Allow)}
		_, s := open(t, w, Target{Reads: mode})
		w.journal = errors.New("disk full")
		x := read(w)
		x.op.Accesses[0].Action = access.Upsert
		if err := s.Serve(t.Context(), x); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(w.diary, "forward") {
			t.Errorf("%s: a write was forwarded without a durable record: %q", mode, w.diary)
		}
		if x.refusal == nil || x.refusal.Code != access.CodeNotRecorded {
			t.Errorf("%s: refusal = %v, want %s", mode, x.refusal, access.CodeNotRecorded)
		}
	}
}

func TestBeforeReleaseWithholdsTheAnswerOfAnUnrecordedRead(t *testing.T) {
	w := &world{decide: always(access.Allow)}
	_, s := open(t, w, Target{Reads: BeforeRelease})
	w.journal = errors.New("disk full")
	x := read(w)
	if err := s.Serve(t.Context(), x); err == nil {
		t.Error("the session goes on although an answer had to be withheld")
	}
	if slices.Contains(w.diary, "reply") {
		t.Errorf("an answer was released without a durable record: %q", w.diary)
	}
	if x.refusal == nil || x.refusal.Code != access.CodeNotRecorded {
		t.Errorf("refusal = %v, want %s", x.refusal, access.CodeNotRecorded)
	}
}

func TestLockingReadIsTreatedAsAWrite(t *testing.T) {
	w := &world{decide: always(access.Allow)}
	_, s := open(t, w, Target{Reads: BeforeRelease})
	w.journal = errors.New("disk full")
	x := read(w)
	x.op.Accesses[0].Attributes.Lock = true
	_ = s.Serve(t.Context(), x)
	if slices.Contains(w.diary, "forward") {
		t.Errorf("SELECT ... FOR UPDATE was forwarded without a durable record: %q", w.diary)
	}
}

func TestDenialIsRecordedBeforeTheClientHearsOfIt(t *testing.T) {
	w := &world{decide: always(access.Deny)}
	_, s := open(t, w, Target{})
	x := read(w)
	if err := s.Serve(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	expect(t, w, "decide", "body q select", "append refusal", "refuse")
	if r := w.records[0]; r.Effect != access.Deny || r.Rule != "r" || r.Subject != "corp:alice" {
		t.Errorf("record = %+v", r)
	}
}

func TestObligationThatCannotBeFulfilledRefuses(t *testing.T) {
	w := &world{decide: always(access.Allow)}
	_, s := open(t, w, Target{})
	x := read(w)
	x.obligeErr = &access.Refusal{Code: access.CodeObligation, Message: "masked"}
	if err := s.Serve(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	expect(t, w, "decide", "oblige", "body q select", "append refusal", "refuse")
}

func TestInternalErrorsDoNotReachTheClient(t *testing.T) {
	w := &world{decide: always(access.Allow)}
	_, s := open(t, w, Target{})
	x := read(w)
	x.obligeErr = errors.New("password=hunter2")
	_ = s.Serve(t.Context(), x)
	if x.refusal.Message != "internal error" || x.refusal.Ref == "" {
		t.Errorf("refusal = %+v, want words without the cause, and a reference", x.refusal)
	}
}

func TestHeldRequestRunsOnceReleased(t *testing.T) {
	w := &world{decide: heldUntilGranted, decided: make(chan access.State, 1)}
	_, s := open(t, w, Target{})
	w.decided <- access.StateApproved
	x := read(w)
	if err := s.Serve(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	expect(t, w, "decide", "oblige", "ask", "body q select", "body a notice", "waiting", "use", "decide", "oblige", "append intent", "lease", "forward", "body a rows", "reply", "append outcome")
	if w.records[0].Grant != "7F3K" {
		t.Errorf("intent names grant %q, want 7F3K", w.records[0].Grant)
	}
	x = read(w)
	_ = s.Serve(t.Context(), x)
	if x.refusal == nil || x.refusal.Code != access.CodeNotReleased {
		t.Errorf("second run with one approval: refusal = %v, want %s", x.refusal, access.CodeNotReleased)
	}
}

func TestAReleasedRequestIsObligedAsTheSecondDecisionSays(t *testing.T) {
	w := &world{decided: make(chan access.State, 1)}
	w.decide = func(op *access.Operation, c access.Context) access.Decision {
		d := heldUntilGranted(op, c)
		value := "before"
		if c.Grant != nil {
			value = "after"
		}
		d.Obligations = access.Obligations{Filters: []access.FilterRule{{Pattern: "**", Field: "tenant", Values: []string{value}}}}
		return d
	}
	_, s := open(t, w, Target{Name: "products"})
	c := read(w)
	w.decided <- access.StateApproved
	if err := s.Serve(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if len(c.obliged.Filters) != 1 || c.obliged.Filters[0].Values[0] != "after" || c.refusal != nil {
		t.Errorf("obliged by %+v, refused %v", c.obliged.Filters, c.refusal)
	}
}

func TestPolicyThatChangedWhileHeldVoidsTheApproval(t *testing.T) {
	w := &world{decide: always(access.Hold), decided: make(chan access.State, 1)}
	_, s := open(t, w, Target{})
	w.decided <- access.StateApproved
	x := read(w)
	_ = s.Serve(t.Context(), x)
	if x.refusal == nil || x.refusal.Code != access.CodeNotReleased || slices.Contains(w.diary, "forward") {
		t.Errorf("refusal = %v, diary %q", x.refusal, w.diary)
	}
}

func TestDeniedAndExpiredRequestsDoNotRun(t *testing.T) {
	for _, state := range []access.State{access.StateDenied, access.StateExpired, access.StateAbandoned, access.StateUsed} {
		w := &world{decide: heldUntilGranted, decided: make(chan access.State, 1)}
		_, s := open(t, w, Target{})
		w.decided <- state
		x := read(w)
		_ = s.Serve(t.Context(), x)
		if x.refusal == nil || x.refusal.Code != access.CodeNotReleased || slices.Contains(w.diary, "forward") {
			t.Errorf("%s: refusal = %v, diary %q", state, x.refusal, w.diary)
		}
	}
}

func TestRequestIsAbandonedWhenItsClientGoes(t *testing.T) {
	w := &world{decide: heldUntilGranted, decided: make(chan access.State)}
	_, s := open(t, w, Target{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for {
			w.mu.Lock()
			waiting := slices.Contains(w.diary, "waiting")
			w.mu.Unlock()
			if waiting {
				cancel()
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	x := read(w)
	_ = s.Serve(ctx, x)
	if !slices.Contains(w.diary, "abandon") || x.refusal.Code != access.CodeCanceled {
		t.Errorf("refusal = %v, diary %q", x.refusal, w.diary)
	}
}

func TestRequestSurvivesADrainAndItsClientIsToldToResend(t *testing.T) {
	w := &world{decide: heldUntilGranted, decided: make(chan access.State)}
	g, s := open(t, w, Target{})
	drained := make(chan struct{})
	go func() { defer close(drained); g.Drain(t.Context(), time.Second) }()
	x := read(w)
	_ = s.Serve(t.Context(), x)
	if x.refusal == nil || x.refusal.Code != access.CodeShuttingDown || x.refusal.Ref != "7F3K" {
		t.Errorf("refusal = %+v", x.refusal)
	}
	if slices.Contains(w.diary, "abandon") {
		t.Error("the request was abandoned by a restart")
	}
	s.Close(nil)
	<-drained
}

func TestRequestThatCannotWaitIsRefusedWithItsReference(t *testing.T) {
	w := &world{decide: heldUntilGranted}
	_, s := open(t, w, Target{})
	x := read(w)
	x.op.NoHold = "the transaction holds locks"
	_ = s.Serve(t.Context(), x)
	if x.refusal == nil || x.refusal.Code != access.CodeHeld || x.refusal.Ref != "7F3K" {
		t.Fatalf("refusal = %+v", x.refusal)
	}
	// Approved meanwhile: the same request now goes through, without waiting.
	w.request.State = access.StateApproved
	x = read(w)
	x.op.NoHold = "the transaction holds locks"
	if err := s.Serve(t.Context(), x); err != nil || x.refusal != nil {
		t.Errorf("resent after approval: %v, %v", err, x.refusal)
	}
}

func TestPreparingAHeldOperationPassesAndRunningItIsHeld(t *testing.T) {
	w := &world{decide: always(access.Hold)}
	_, s := open(t, w, Target{})
	x := read(w)
	x.op.Prepared = true
	if err := s.Serve(t.Context(), x); err != nil || x.refusal != nil || slices.Contains(w.diary, "ask") {
		t.Errorf("prepare: %v %v %q", err, x.refusal, w.diary)
	}
}

func TestExpiredCredentialEndsALiveSession(t *testing.T) {
	w := &world{decide: always(access.Allow)}
	g, s := open(t, w, Target{})
	s.subject.Expires = time.Now().Add(time.Hour)
	g.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	x := read(w)
	err := s.Serve(t.Context(), x)
	if err == nil || x.refusal == nil || x.refusal.Code != access.CodeExpired || slices.Contains(w.diary, "forward") {
		t.Errorf("Serve = %v, refusal %v, diary %q", err, x.refusal, w.diary)
	}
}

func TestKilledSessionServesNothingMore(t *testing.T) {
	w := &world{decide: always(access.Allow)}
	_, s := open(t, w, Target{})
	s.Kill(errors.New("off-boarded"))
	<-s.Done()
	x := read(w)
	if err := s.Serve(t.Context(), x); err == nil || x.refusal.Code != access.CodeExpired {
		t.Errorf("Serve = %v, refusal %v", err, x.refusal)
	}
}

func TestCredentialExpiryEndsAWait(t *testing.T) {
	w := &world{decide: heldUntilGranted, decided: make(chan access.State)}
	_, s := open(t, w, Target{})
	s.subject.Expires = time.Now().Add(50 * time.Millisecond)
	x := read(w)
	_ = s.Serve(t.Context(), x)
	if x.refusal == nil || x.refusal.Code != access.CodeExpired {
		t.Errorf("refusal = %v", x.refusal)
	}
}

func TestLateRefusalIsNeverRecordedAsASuccess(t *testing.T) {
	w := &world{decide: always(access.Allow)}
	_, s := open(t, w, Target{})
	x := read(w)
	x.replyErr = &access.Refusal{Code: access.CodeLimit, Rule: "bulk", Message: "more rows than allowed"}
	if err := s.Serve(t.Context(), x); err != nil {
		t.Errorf("a refusal that the client was told about ended the session: %v", err)
	}
	last := w.records[len(w.records)-1]
	if last.Type != audit.TypeOutcome || last.Effect != access.Deny || last.Code != access.CodeLimit || last.Detail != "more rows than allowed" {
		t.Errorf("outcome = %+v", last)
	}
}

func TestDigestBindsEverythingThatMatters(t *testing.T) {
	alice, bob := &access.Subject{ID: "alice"}, &access.Subject{ID: "bob"}
	op := func(text string, canonical []byte) *access.Operation {
		return &access.Operation{Text: text, Canonical: canonical}
	}
	drop := access.Access{Action: access.SchemaDrop, Resource: access.Resource{Target: "t", Namespace: "n", Collection: "c"}}
	elsewhere := drop
	elsewhere.Resource.Collection = "d"
	all := map[string]string{
		"base":       Digest(alice, "t", "p", "", op("q", nil)),
		"subject":    Digest(bob, "t", "p", "", op("q", nil)),
		"target":     Digest(alice, "u", "p", "", op("q", nil)),
		"policy":     Digest(alice, "t", "r", "", op("q", nil)),
		"text":       Digest(alice, "t", "p", "", op("Q", nil)),
		"parameters": Digest(alice, "t", "p", "", op("q", []byte("q\x00x"))),
		"shifted":    Digest(alice, "tp", "", "", op("q", nil)),
		"ticket":     Digest(alice, "t", "p", "CHG-7", op("q", nil)),
		"effect":     Digest(alice, "t", "p", "", &access.Operation{Text: "q", Accesses: []access.Access{drop}}),
		"elsewhere":  Digest(alice, "t", "p", "", &access.Operation{Text: "q", Accesses: []access.Access{elsewhere}}),
		"both":       Digest(alice, "t", "p", "", &access.Operation{Text: "q", Accesses: []access.Access{drop, elsewhere}}),
	}
	if all["both"] != Digest(alice, "t", "p", "", &access.Operation{Text: "q", Accesses: []access.Access{elsewhere, drop}}) {
		t.Error("the order in which effects are found makes another request")
	}
	seen := map[string]string{}
	for name, d := range all {
		if other, ok := seen[d]; ok {
			t.Errorf("%s and %s have one digest", name, other)
		}
		seen[d] = name
	}
}

func TestNamesThatLookLikeCredentialsAreNotRecorded(t *testing.T) {
	for _, name := range []string{"eyJhbGciOi", "vg_secret", string(make([]byte, 100)), "aaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbb.cccccccccc"} {
		if got := claimed(name); got == name {
			t.Errorf("claimed(%q) was kept", name)
		}
	}
	if got := claimed("alice"); got != "alice" {
		t.Errorf("claimed(alice) = %q", got)
	}
}

func TestOneSubjectCannotTakeEverySession(t *testing.T) {
	w := &world{decide: always(access.Allow)}
	g, first := open(t, w, Target{})
	g.MaxSessions, g.MaxPerSubject = 2, 1
	if _, refusal := g.Open(t.Context(), first.Subject(), Target{Name: "products"}, OpenOptions{}); refusal == nil || refusal.Code != access.CodeLimit {
		t.Errorf("second session of one subject: %v", refusal)
	}
	bob := &access.Subject{ID: "corp:bob"}
	if _, refusal := g.Open(t.Context(), bob, Target{Name: "products"}, OpenOptions{}); refusal != nil {
		t.Errorf("another subject: %v", refusal)
	}
	if _, refusal := g.Open(t.Context(), &access.Subject{ID: "corp:carol"}, Target{Name: "products"}, OpenOptions{}); refusal == nil || refusal.Code != access.CodeLimit {
		t.Errorf("third session of all: %v", refusal)
	}
	first.Close(nil)
	if _, refusal := g.Open(t.Context(), first.Subject(), Target{Name: "products"}, OpenOptions{}); refusal != nil {
		t.Errorf("after the first was closed: %v", refusal)
	}
}

func TestOffBoardingCutsEverySessionOfTheSubject(t *testing.T) {
	w := &world{decide: always(access.Allow)}
	g, s := open(t, w, Target{})
	n := g.CutOff(func(who *access.Subject) bool { return who.ID == "corp:alice" }, errors.New("off-boarded"))
	if n != 1 || s.Cause() == nil {
		t.Errorf("CutOff ended %d sessions, cause %v", n, s.Cause())
	}
}

func TestCredentialForOneTargetOpensNoOther(t *testing.T) {
	w := &world{decide: always(access.Allow)}
	g, _ := open(t, w, Target{})
	who := &access.Subject{ID: "corp:alice", Targets: []string{"staging"}}
	if _, refusal := g.Open(t.Context(), who, Target{Name: "products"}, OpenOptions{}); refusal == nil || refusal.Code != access.CodeScope {
		t.Errorf("Open = %v, want %s", refusal, access.CodeScope)
	}
	if r := w.records[len(w.records)-1]; r.Type != audit.TypeSessionOpen || r.Effect != access.Deny {
		t.Errorf("record = %+v", r)
	}
}

func TestWhatCannotBeObligedIsNotPutBeforePeople(t *testing.T) {
	w := &world{decide: heldUntilGranted}
	_, s := open(t, w, Target{})
	x := read(w)
	x.obligeErr = &access.Refusal{Code: access.CodeObligation, Message: "masked"}
	_ = s.Serve(t.Context(), x)
	if slices.Contains(w.diary, "ask") || x.refusal == nil || x.refusal.Code != access.CodeObligation {
		t.Errorf("refusal = %v, diary %q", x.refusal, w.diary)
	}
}

// change is a ticket as its system showed it.
type change struct{ digest, says string }

func (c change) Reviewed(*access.Subject, *access.Access, time.Time) error {
	if c.says != "" {
		return errors.New(c.says)
	}
	return nil
}
func (c change) Digest() string { return c.digest }

// clerk looks tickets up, and shows one answer after the other.
type clerk struct {
	w       *world
	shows   []change
	writes  []bool
	meaning func() // what happens meanwhile
}

func (k *clerk) LookUp(_ context.Context, _ *access.Subject, ticket string, write bool) access.Change {
	k.w.note("look up " + ticket)
	if k.meaning != nil {
		k.meaning()
	}
	c := k.shows[0]
	if len(k.shows) > 1 {
		k.shows = k.shows[1:]
	}
	k.writes = append(k.writes, write)
	return c
}

// reviewed decides as a rule with a ticket does; then is what it gives.
func reviewed(then func(*access.Operation, access.Context) access.Decision) func(*access.Operation, access.Context) access.Decision {
	return func(op *access.Operation, c access.Context) access.Decision {
		d := access.Decision{Effect: access.Deny, LookUp: c.Ticket != "" && c.Change == nil, Reason: access.Reason{Code: access.CodeTicket, Rule: "r", Sentence: "no"}}
		if c.Change == nil || c.Change.Reviewed(nil, nil, c.Now) != nil {
			return d
		}
		return then(op, c)
	}
}

func TestATicketThatADecisionHangsOnIsLookedUpAndNamedWithItsDigest(t *testing.T) {
	w := &world{decide: reviewed(always(access.Allow))}
	g, s := open(t, w, Target{})
	k := &clerk{w: w, shows: []change{{digest: "d1"}}}
	g.Tickets = k
	x := read(w)
	x.op.Ticket, x.op.Accesses[0].Action = "CHG-7", access.Upsert
	if err := s.Serve(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	expect(t, w, "decide", "look up CHG-7", "decide", "oblige", "body q select", "append intent", "lease", "forward", "body a rows", "reply", "append outcome")
	if r := w.records[0]; r.Ticket != "CHG-7" || r.TicketHash != "d1" || !k.writes[0] {
		t.Errorf("record %+v", r)
	}

	// Without one there is nothing to look up, and what needs none does not wait for it.
	w.diary = nil
	_ = s.Serve(t.Context(), read(w))
	expect(t, w, "decide", "body q select", "append refusal", "refuse")
	w.diary, w.decide = nil, always(access.Allow)
	_ = s.Serve(t.Context(), x)
	expect(t, w, "decide", "oblige", "body q select", "append intent", "lease", "forward", "body a rows", "reply", "append outcome")
}

func TestWhoIsCutOffWhileATicketIsLookedUpDoesNothingMore(t *testing.T) {
	w := &world{decide: reviewed(always(access.Allow))}
	g, s := open(t, w, Target{})
	g.Tickets = &clerk{w: w, shows: []change{{digest: "d1"}}, meaning: func() { s.Kill(errors.New("off-boarded")) }}
	x := read(w)
	x.op.Ticket = "CHG-7"
	if err := s.Serve(t.Context(), x); err == nil || slices.Contains(w.diary, "forward") || x.refusal == nil || x.refusal.Code != access.CodeExpired {
		t.Errorf("%v, refusal %v, diary %q", err, x.refusal, w.diary)
	}
}

func TestATicketIsLookedUpAgainBeforeAnApprovalIsUsed(t *testing.T) {
	for _, c := range []struct {
		now change
		ran bool
	}{{change{digest: "d2"}, true}, {change{digest: "d2", says: "taken back"}, false}} {
		w := &world{decide: reviewed(heldUntilGranted), decided: make(chan access.State, 1)}
		g, s := open(t, w, Target{})
		g.Tickets = &clerk{w: w, shows: []change{{digest: "d1"}, c.now}}
		x := read(w)
		x.op.Ticket = "CHG-7"
		w.decided <- access.StateApproved
		if err := s.Serve(t.Context(), x); err != nil {
			t.Fatal(err)
		}
		if ran := slices.Contains(w.diary, "forward"); ran != c.ran || w.usedOnce != c.ran {
			t.Errorf("ran %v, approval used %v, want %v; diary %q", ran, w.usedOnce, c.ran, w.diary)
		}
		if r := w.records[0]; r.TicketHash != "d2" {
			t.Errorf("the record names %s, not what the decision rests on", r.TicketHash)
		}
	}
}

func TestATicketOfTheRequestGoesBeforeThatOfTheSession(t *testing.T) {
	var seen []string
	w := &world{decide: func(_ *access.Operation, c access.Context) access.Decision {
		seen = append(seen, c.Ticket)
		return access.Decision{Effect: access.Allow}
	}}
	_, s := open(t, w, Target{})
	s.SetTicket("CHG-1")
	x := read(w)
	_ = s.Serve(t.Context(), x)
	x = read(w)
	x.op.Ticket = "CHG-2"
	_ = s.Serve(t.Context(), x)
	if !slices.Equal(seen, []string{"CHG-1", "CHG-2"}) {
		t.Errorf("tickets seen: %q", seen)
	}
	for i, want := range map[int]string{0: "CHG-1", 2: "CHG-2"} {
		if got := w.records[i].Ticket; got != want {
			t.Errorf("record %d names ticket %q, want %q", i, got, want)
		}
	}
}
