package approval_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/approval"
	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/store"
)

var _ gate.Approvals = (*approval.Desk)(nil)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// paper is a Recorder that remembers, and can be out of order.
type paper struct {
	mu    sync.Mutex
	lines []string
	err   error
	first func(access.Request) // called before a line is written
}

func (p *paper) Request(_ context.Context, r access.Request, v *access.Vote) error {
	if p.first != nil {
		p.first(r)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return p.err
	}
	line := string(r.State)
	if v != nil {
		line = fmt.Sprintf("%s by %s:%v", line, v.Person, v.Approve)
	}
	p.lines = append(p.lines, line)
	return nil
}

func (p *paper) all() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, ", ")
}

type office struct {
	*approval.Desk
	clock *clock
	paper *paper
	path  string
	db    *store.DB
}

func open(t *testing.T) *office {
	t.Helper()
	o := &office{clock: &clock{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}, paper: &paper{}, path: filepath.Join(t.TempDir(), "state.db")}
	o.start(t)
	t.Cleanup(func() { o.db.Close() })
	return o
}

// start opens the desk on what its file holds, as after a restart.
func (o *office) start(t *testing.T) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	db, err := store.Open(t.Context(), store.Options{Path: o.path, Gateway: "gw", Log: log, Now: o.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	o.db = db
	o.Desk = &approval.Desk{
		Store: db.Requests(), Recorder: o.paper, BaseURL: "https://gw.example.com", Poll: 10 * time.Millisecond, Log: log, Now: o.clock.Now,
	}
}

func person(name string, groups ...string) *access.Subject {
	return &access.Subject{ID: "corp:" + name, Name: name, Kind: access.Person, Person: name, Groups: groups}
}

var (
	alice = person("alice", "Vector-Read", "Vector-Approve") // may approve, but not her own
	bob   = person("bob", "Vector-Approve")
	carol = person("carol", "Vector-Approve")
)

func ask(subject *access.Subject, digest string, persons int) access.Ask {
	return access.Ask{
		Digest: digest, Subject: subject, Target: "products", Policy: "p1",
		Operation: &access.Operation{Text: "DELETE FROM items WHERE id = 1", Accesses: []access.Access{{Action: access.Delete}}},
		Terms:     access.HoldTerms{Rule: "writes", Groups: []string{"Vector-Approve"}, Persons: persons, Within: 10 * time.Minute, Window: 5 * time.Minute},
	}
}

func (o *office) file(t *testing.T, a access.Ask) access.Request {
	t.Helper()
	r, err := o.Ask(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (o *office) approve(t *testing.T, id string, voters ...*access.Subject) access.Request {
	t.Helper()
	var r access.Request
	for _, v := range voters {
		var err error
		if r, err = o.Vote(t.Context(), id, v, true, "looks right"); err != nil {
			t.Fatalf("vote of %s: %v", v.ID, err)
		}
	}
	return r
}

func wantRefusal(t *testing.T, err error, code access.Code, words string) {
	t.Helper()
	r, ok := errors.AsType[*access.Refusal](err)
	if !ok {
		t.Errorf("got %v, want a refusal", err)
		return
	}
	if r.Code != code || !strings.Contains(r.Message, words) {
		t.Errorf("got %q, want code %s and %q", r, code, words)
	}
}

func TestAnApprovalIsUsedOnceAndEverythingIsOnRecord(t *testing.T) {
	o := open(t)
	r := o.file(t, ask(alice, "d1", 2))
	if r.State != access.StateOpen || o.URL(r.ID) != "https://gw.example.com/requests/"+r.ID {
		t.Errorf("filed %+v at %s", r, o.URL(r.ID))
	}
	if again := o.file(t, ask(alice, "d1", 2)); again.ID != r.ID {
		t.Errorf("asking again filed %s, want %s", again.ID, r.ID)
	}
	if r := o.approve(t, r.ID, bob); r.State != access.StateOpen {
		t.Errorf("after one of two votes: %s", r.State)
	}
	if _, err := o.Use(t.Context(), r.ID, "d1"); err == nil {
		t.Error("a request with one of two votes was used")
	}
	r = o.approve(t, r.ID, carol)
	if r.State != access.StateApproved {
		t.Errorf("after two votes: %s", r.State)
	}
	grant, err := o.Use(t.Context(), r.ID, "d1")
	if err != nil || strings.Join(grant.Persons, " ") != "bob carol" || grant.Rule != "writes" || grant.Digest != "d1" {
		t.Fatalf("grant %+v, %v", grant, err)
	}
	_, err = o.Use(t.Context(), r.ID, "d1")
	wantRefusal(t, err, access.CodeNotReleased, "is used") // replay
	if got, want := o.paper.all(), "open, open by bob:true, approved by carol:true, used"; got != want {
		t.Errorf("on record: %s\nwant: %s", got, want)
	}
	if next := o.file(t, ask(alice, "d1", 2)); next.ID == r.ID || next.State != access.StateOpen {
		t.Errorf("asking after use found %s %s, want a new open request", next.ID, next.State)
	}
}

func TestNobodyReleasesTheirOwnWork(t *testing.T) {
	second := person("alice", "Vector-Approve")
	second.ID = "other:a.smith" // another account of the same person
	bot := &access.Subject{ID: "ci:alice/bot", Kind: access.Workload, Person: "alice", Owner: "alice", Groups: []string{"Vector-Approve"}}
	orphan := &access.Subject{ID: "ci:orphan", Kind: access.Workload, Groups: []string{"Vector-Approve"}}
	disguised := &access.Subject{ID: "ci:alice/bot", Kind: access.Person, Person: "alice-bot", Owner: "alice", Groups: []string{"Vector-Approve"}}
	unresolved := person("mallory", "Vector-Approve")
	unresolved.Person = ""
	puppet := person("bob", "Vector-Approve")
	puppet.Actor = &access.Subject{ID: "ci:alice/bot", Kind: access.Workload}
	readOnly := person("bob", "Vector-Approve")
	readOnly.Scopes = []string{"read"}
	expired := person("bob", "Vector-Approve")
	expired.Expires = time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC)
	agent := person("dave", "Vector-Read")
	agent.Actor = &access.Subject{ID: "agent:x", Kind: access.Workload, Owner: "alice", Person: "alice"}
	deep := person("dave")
	for range 100 {
		deep = &access.Subject{ID: "agent:y", Actor: deep}
	}
	for name, c := range map[string]struct {
		requester, voter *access.Subject
		code             access.Code
		words            string
	}{
		"requester":                      {alice, alice, access.CodeSeparation, "own work"},
		"second account of the person":   {alice, second, access.CodeSeparation, "own work"},
		"own bot":                        {alice, bot, access.CodeSeparation, "only persons decide"},
		"any bot":                        {alice, orphan, access.CodeSeparation, "only persons decide"},
		"owner of the bot that asked":    {bot, alice, access.CodeSeparation, "own work"},
		"owner of a bot named otherwise": {disguised, alice, access.CodeSeparation, "own work"},
		"owner of the agent that acts":   {agent, alice, access.CodeSeparation, "own work"},
		"chain without an end":           {deep, bob, access.CodeSeparation, "own work"},
		"account of an unknown person":   {alice, unresolved, access.CodeSeparation, "not known which person"},
		"bot on behalf of an approver":   {alice, puppet, access.CodeSeparation, "persons decide on requests themselves"},
		"person of no approver group":    {alice, person("eve", "Vector-Read"), access.CodeDenied, "rule writes asks for group Vector-Approve"},
		"credential for reading only":    {alice, readOnly, access.CodeDenied, "may not be used to decide"},
		"expired credential":             {alice, expired, access.CodeExpired, "has expired"},
		"nobody":                         {alice, nil, access.CodeIdentity, "nobody"},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t)
			o.May = func(*access.Subject, *access.Request) *access.Refusal { return nil } // policy would let everybody
			r := o.file(t, ask(c.requester, "d1", 1))
			for _, yes := range []bool{true, false} {
				_, err := o.Vote(t.Context(), r.ID, c.voter, yes, "")
				wantRefusal(t, err, c.code, c.words)
			}
			if now, _ := o.Get(t.Context(), r.ID); now.State != access.StateOpen || len(now.Decisions) != 0 {
				t.Errorf("request is %s with %d votes", now.State, len(now.Decisions))
			}
		})
	}
}

func TestPersonsAreCountedNotAccounts(t *testing.T) {
	o := open(t)
	second := person("bob", "Vector-Approve")
	second.ID = "other:bob"
	r := o.file(t, ask(alice, "d1", 2))
	o.approve(t, r.ID, bob)
	_, err := o.Vote(t.Context(), r.ID, second, true, "")
	wantRefusal(t, err, access.CodeSeparation, "has already decided")
	if now, _ := o.Get(t.Context(), r.ID); now.State != access.StateOpen {
		t.Errorf("request is %s after two votes of one person", now.State)
	}
}

func TestAnApprovalOfOneThingReleasesNoOther(t *testing.T) {
	o := open(t)
	a, b := o.file(t, ask(alice, "harmless", 1)), ask(alice, "harmful", 1)
	o.approve(t, a.ID, bob)
	_, err := o.Use(t.Context(), a.ID, b.Digest)
	wantRefusal(t, err, access.CodeNotReleased, "something else")
	if _, err := o.Use(t.Context(), a.ID, "harmless"); err != nil {
		t.Errorf("the right one: %v", err)
	}
	stolen := ask(carol, "d3", 1)
	o.file(t, ask(alice, "d3", 1))
	if _, err := o.Ask(t.Context(), stolen); err == nil {
		t.Error("one subject found the request of another")
	}
}

func TestOfTwoRacersOneUsesTheApproval(t *testing.T) {
	o := open(t)
	r := o.file(t, ask(alice, "d1", 1))
	o.approve(t, r.ID, bob)
	// Another replica on the same store, which shares no lock with the first.
	other := &approval.Desk{Store: o.db.Requests(), Recorder: &paper{}, Log: slog.New(slog.DiscardHandler), Now: o.clock.Now}
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for n := range 16 {
		desk := o.Desk
		if n%2 == 1 {
			desk = other
		}
		wg.Go(func() {
			if _, err := desk.Use(context.Background(), r.ID, "d1"); err == nil {
				mu.Lock()
				won++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d racers used one approval", won)
	}
}

func TestOnePersonsNoClosesTheRequest(t *testing.T) {
	o := open(t)
	r := o.file(t, ask(alice, "d1", 2))
	o.approve(t, r.ID, bob)
	r, err := o.Vote(t.Context(), r.ID, carol, false, "not on a Friday\x1b[2J")
	if err != nil || r.State != access.StateDenied || r.Decisions[1].Reason != "not on a Friday [2J" {
		t.Fatalf("%+v, %v", r, err)
	}
	_, err = o.Vote(t.Context(), r.ID, person("dave", "Vector-Approve"), true, "")
	wantRefusal(t, err, access.CodeNotReleased, "cannot be decided any more")
	_, err = o.Use(t.Context(), r.ID, "d1")
	wantRefusal(t, err, access.CodeNotReleased, "is denied")
}

func TestAWaitEndsWhenPeopleDecide(t *testing.T) {
	o := open(t)
	o.Poll = time.Hour // only the change itself may wake it
	r := o.file(t, ask(alice, "d1", 1))
	got := make(chan access.Request)
	for range 2 {
		go func() {
			r, err := o.Await(context.Background(), r.ID)
			if err != nil {
				t.Error(err)
			}
			got <- r
		}()
	}
	o.approve(t, r.ID, bob)
	for range 2 {
		if r := <-got; r.State != access.StateApproved {
			t.Errorf("woke up with %s", r.State)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	open := o.file(t, ask(alice, "d2", 1))
	if _, err := o.Await(ctx, open.ID); !errors.Is(err, context.Canceled) {
		t.Errorf("Await without a client: %v", err)
	}
}

func TestAWaitNoticesADecisionMadeElsewhere(t *testing.T) {
	o := open(t)
	r := o.file(t, ask(alice, "d1", 1))
	got := make(chan access.Request)
	go func() {
		r, _ := o.Await(context.Background(), r.ID)
		got <- r
	}()
	replica := &approval.Desk{Store: o.db.Requests(), Recorder: o.paper, Log: o.Log, Now: o.clock.Now}
	if _, err := replica.Vote(t.Context(), r.ID, bob, true, ""); err != nil {
		t.Fatal(err)
	}
	if r := <-got; r.State != access.StateApproved {
		t.Errorf("woke up with %s", r.State)
	}
}

func TestARequestExpiresWhileItsClientWaits(t *testing.T) {
	o := open(t)
	r := o.file(t, ask(alice, "d1", 1))
	got := make(chan access.Request)
	go func() {
		r, err := o.Await(context.Background(), r.ID)
		if err != nil {
			t.Error(err)
		}
		got <- r
	}()
	o.clock.pass(10 * time.Minute)
	if r := <-got; r.State != access.StateExpired {
		t.Errorf("woke up with %s", r.State)
	}
	if got, want := o.paper.all(), "open, expired"; got != want {
		t.Errorf("on record: %s, want %s", got, want)
	}
}

func TestAVoteAfterTheEndDoesNotCount(t *testing.T) {
	o := open(t)
	r := o.file(t, ask(alice, "d1", 1))
	o.clock.pass(10 * time.Minute)
	_, err := o.Vote(t.Context(), r.ID, bob, true, "")
	wantRefusal(t, err, access.CodeNotReleased, "is expired")
	if next := o.file(t, ask(alice, "d1", 1)); next.ID == r.ID {
		t.Error("asking anew found the expired request")
	}
}

func TestAGrantEnds(t *testing.T) {
	o := open(t)
	r := o.file(t, ask(alice, "d1", 1))
	o.approve(t, r.ID, bob)
	o.clock.pass(5 * time.Minute)
	_, err := o.Use(t.Context(), r.ID, "d1")
	wantRefusal(t, err, access.CodeNotReleased, "ended at")
	if now, _ := o.Get(t.Context(), r.ID); now.State != access.StateExpired {
		t.Errorf("request is %s", now.State)
	}
}

func TestAVoteOfSomebodyOffBoardedSinceDoesNotCount(t *testing.T) {
	o := open(t)
	gone := ""
	o.Stands = func(_ context.Context, v access.Vote, _ *access.Request) *access.Refusal {
		if v.Person == gone {
			return &access.Refusal{Code: access.CodeSeparation, Message: v.Person + " was suspended"}
		}
		return nil
	}
	r := o.file(t, ask(alice, "d1", 2))
	o.approve(t, r.ID, bob, carol)
	gone = "carol"
	_, err := o.Use(t.Context(), r.ID, "d1")
	wantRefusal(t, err, access.CodeNotReleased, "carol was suspended")
	gone = ""
	_, err = o.Use(t.Context(), r.ID, "d1")
	wantRefusal(t, err, access.CodeNotReleased, "is expired") // it does not come back
}

func TestOpenRequestsSurviveARestart(t *testing.T) {
	o := open(t)
	r := o.file(t, ask(alice, "d1", 2))
	o.approve(t, r.ID, bob)
	if err := o.db.Close(); err != nil {
		t.Fatal(err)
	}
	o.start(t)
	if again := o.file(t, ask(alice, "d1", 2)); again.ID != r.ID || len(again.Decisions) != 1 {
		t.Fatalf("after the restart: %+v", again)
	}
	o.approve(t, r.ID, carol)
	if _, err := o.Use(t.Context(), r.ID, "d1"); err != nil {
		t.Error(err)
	}
}

func TestARequestIsTakenBackWhenItsLastClientGoes(t *testing.T) {
	o := open(t)
	r := o.file(t, ask(alice, "d1", 1))
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		_, err := o.Await(ctx, r.ID)
		gone <- err
	}()
	for o.Waiting(r.ID) == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := o.Abandon(t.Context(), r.ID); err != nil { // one client goes, another still waits
		t.Fatal(err)
	}
	if now, _ := o.Get(t.Context(), r.ID); now.State != access.StateOpen {
		t.Fatalf("request is %s though a client waits", now.State)
	}
	cancel()
	<-gone
	if err := o.Abandon(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	if now, _ := o.Get(t.Context(), r.ID); now.State != access.StateAbandoned {
		t.Errorf("request is %s", now.State)
	}
	_, err := o.Vote(t.Context(), r.ID, bob, true, "")
	wantRefusal(t, err, access.CodeNotReleased, "is abandoned")

	approved := o.file(t, ask(alice, "d2", 1))
	o.approve(t, approved.ID, bob)
	if err := o.Abandon(t.Context(), approved.ID); err != nil {
		t.Fatal(err)
	}
	if now, _ := o.Get(t.Context(), approved.ID); now.State != access.StateApproved {
		t.Errorf("an approval was taken back: %s", now.State)
	}
}

func TestWhatCannotBeWrittenDownDoesNotHappen(t *testing.T) {
	o := open(t)
	r, approved := o.file(t, ask(alice, "d1", 1)), o.file(t, ask(alice, "d2", 1))
	o.approve(t, approved.ID, bob)
	o.paper.err = errors.New("disk full")
	_, err := o.Ask(t.Context(), ask(alice, "d3", 1))
	wantRefusal(t, err, access.CodeNotRecorded, "not filed")
	_, err = o.Vote(t.Context(), r.ID, bob, true, "")
	wantRefusal(t, err, access.CodeNotRecorded, "did not happen")
	_, err = o.Use(t.Context(), approved.ID, "d2")
	wantRefusal(t, err, access.CodeNotRecorded, "did not happen")
	list, lerr := o.List(t.Context(), approval.Filter{})
	if lerr != nil || len(list) != 2 {
		t.Fatalf("%d requests, %v", len(list), lerr)
	}
	for _, r := range list {
		if want := map[string]access.State{"d1": access.StateOpen, "d2": access.StateApproved}[r.Digest]; r.State != want {
			t.Errorf("%s is %s, want %s", r.Digest, r.State, want)
		}
	}
}

func TestTheRecordComesBeforeTheChange(t *testing.T) {
	o := open(t)
	o.paper.first = func(r access.Request) {
		now, err := o.Get(context.Background(), r.ID)
		if r.State == access.StateOpen && err == nil && len(now.Decisions) == len(r.Decisions) {
			t.Error("a request was filed before it was on record")
		}
		if r.State != access.StateOpen && now.State == r.State {
			t.Errorf("request was %s before that was on record", r.State)
		}
	}
	r := o.file(t, ask(alice, "d1", 1))
	o.approve(t, r.ID, bob)
	if _, err := o.Use(t.Context(), r.ID, "d1"); err != nil {
		t.Fatal(err)
	}
}

func TestOneSubjectCannotBuryTheApprovers(t *testing.T) {
	o := open(t)
	o.OpenPerSubject = 3
	for n := range 3 {
		o.file(t, ask(alice, fmt.Sprint(n), 1))
	}
	_, err := o.Ask(t.Context(), ask(alice, "one more", 1))
	wantRefusal(t, err, access.CodeLimit, "3 requests waiting")
	o.file(t, ask(carol, "another's", 1))
	o.file(t, ask(alice, "1", 1)) // found, not filed
	o.clock.pass(time.Hour)
	if err := o.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.file(t, ask(alice, "after they expired", 1))
	o.OpenInAll = 2
	o.file(t, ask(carol, "of another subject", 1))
	_, err = o.Ask(t.Context(), ask(bob, "of a third", 1))
	wantRefusal(t, err, access.CodeLimit, "all subjects together have 2 requests")
}

func TestWhatIsTooLongIsCutAndSaysSo(t *testing.T) {
	o := open(t)
	a := ask(alice, "d1", 1)
	a.Operation.Text = strings.Repeat("\u00fc", 50_000) + "; DROP TABLE items"
	a.Operation.Accesses = make([]access.Access, 1000)
	r := o.file(t, a)
	if len(r.Text) > 66_000 || !strings.Contains(r.Text, "[cut here: 34482 more bytes]") || !strings.Contains(r.Text, "744 further effects") || len(r.Accesses) != 256 {
		t.Errorf("text of %d bytes ends %q, %d accesses", len(r.Text), r.Text[len(r.Text)-80:], len(r.Accesses))
	}
	_, err := o.Vote(t.Context(), r.ID, bob, true, strings.Repeat("x", 1001))
	wantRefusal(t, err, access.CodeLimit, "longer than 1000")
}

// Who may decide depends on what would be touched: behind hundreds of harmless things there must be no other.
func TestNothingIsHiddenFromApproversBehindManyOtherThings(t *testing.T) {
	o := open(t)
	on := func(collection string) access.Access {
		return access.Access{Action: access.Upsert, Resource: access.Resource{Target: "products", Namespace: "public", Collection: collection}}
	}
	a := ask(alice, "d1", 1)
	a.Operation.Accesses = nil
	for range 300 {
		a.Operation.Accesses = append(a.Operation.Accesses, on("items"))
	}
	a.Operation.Accesses = append(a.Operation.Accesses, on("payroll"))
	r := o.file(t, a)
	if n := len(r.Accesses); n != 256 || r.Accesses[n-1].Resource.Collection != "payroll" || !strings.Contains(r.Text, "45 further effects of the same kinds") {
		t.Errorf("%d accesses, the last on %s: %s", n, r.Accesses[n-1].Resource, r.Text)
	}
	b := ask(alice, "d2", 1)
	b.Operation.Accesses = nil
	for i := range 300 {
		b.Operation.Accesses = append(b.Operation.Accesses, on(fmt.Sprint("items", i)))
	}
	_, err := o.Ask(t.Context(), b)
	wantRefusal(t, err, access.CodeLimit, "more than 256 different things")
}

func TestPolicyAndTermsCanKeepAPersonOut(t *testing.T) {
	o := open(t)
	o.May = func(v *access.Subject, _ *access.Request) *access.Refusal {
		if v.Person == "bob" {
			return &access.Refusal{Code: access.CodeSeparation, Message: "bob writes here"}
		}
		return nil
	}
	a := ask(alice, "d1", 1)
	a.Terms.Exclude = []string{"carol"}
	r := o.file(t, a)
	_, err := o.Vote(t.Context(), r.ID, bob, true, "")
	wantRefusal(t, err, access.CodeSeparation, "bob writes here")
	_, err = o.Vote(t.Context(), r.ID, carol, true, "")
	wantRefusal(t, err, access.CodeSeparation, "rule writes keeps")
	b := ask(alice, "d2", 1)
	b.Terms.Groups = nil
	_, err = o.Ask(t.Context(), b)
	wantRefusal(t, err, access.CodeDenied, "names nobody who may")
}

func TestFollowersHearEveryChangeOrThatTheyMissedSome(t *testing.T) {
	o := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	changes, slow := o.Subscribe(ctx), o.Subscribe(ctx)
	r := o.file(t, ask(alice, "d1", 1))
	o.approve(t, r.ID, bob)
	for _, want := range []access.State{access.StateOpen, access.StateApproved} {
		if got := <-changes; got.ID != r.ID || got.State != want {
			t.Errorf("heard %s %s, want %s", got.ID, got.State, want)
		}
	}
	o.OpenPerSubject = 1000
	for n := range 70 {
		o.file(t, ask(alice, fmt.Sprint("more ", n), 1))
		<-changes
	}
	n := 0
	for range slow {
		n++
	}
	if n != 64 {
		t.Errorf("the slow follower heard %d changes before it was cut off, want 64", n)
	}
	cancel()
	for range changes { // closed
	}
}

func TestAnIDSurvivesBeingTyped(t *testing.T) {
	o := open(t)
	r := o.file(t, ask(alice, "d1", 1))
	sloppy := strings.ToLower(strings.ReplaceAll(r.ID, "-", ""))
	sloppy = strings.NewReplacer("0", "o", "1", "l").Replace(sloppy)
	if got, err := o.Get(t.Context(), " "+sloppy+" "); err != nil || got.ID != r.ID {
		t.Errorf("Get(%q) = %s, %v", sloppy, got.ID, err)
	}
	for _, bad := range []string{"", "7F3K", "7F3K-92QXA", "7F3K-92QU", "../etc/passwd", strings.Repeat("7", 1000), "7F3K-92Q\x00"} {
		if _, err := o.Get(t.Context(), bad); !errors.Is(err, approval.ErrNotFound) {
			t.Errorf("Get(%q) = %v", bad, err)
		}
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("7F3K-92QX")
	f.Add("oil7-abcd")
	f.Fuzz(func(t *testing.T, text string) {
		id, ok := approval.ParseID(text)
		if !ok {
			return
		}
		if again, ok := approval.ParseID(id); !ok || again != id || len(id) != 9 || id[4] != '-' {
			t.Errorf("ParseID(%q) = %q, and of that %q", text, id, again)
		}
	})
}
