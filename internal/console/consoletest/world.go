// Package consoletest is a gateway made of memory, for looking at the console and testing it: some people, some jobs, what
// they asked for and what was recorded, texts that try to break the pages among it.
//
// It enforces just enough to be believed: votes count persons, nobody decides on their own request. Start at New.
package consoletest

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/admin"
	"github.com/vecgate/vecgate/internal/gate"
)

// World is everything there is. It implements the interfaces of admin.Service.
type World struct {
	Now func() time.Time

	mu         sync.Mutex
	requests   []access.Request
	followers  map[chan access.Request]bool
	live, past []gate.SessionInfo
	exchanges  map[string][]admin.Exchange
	records    []json.RawMessage
	suspended  []admin.Suspension
	ended      []string
	text       string
	killed     map[string]error
}

// Service is an admin.Service over the world.
func (w *World) Service() *admin.Service {
	return &admin.Service{
		Gateway: "vecgate-1", Version: "dev",
		Requests: (*requests)(w), Sessions: (*sessions)(w), Recordings: w, Records: (*records)(w), Identities: (*identities)(w), Policy: (*policy)(w),
		Targets: (*targets)(w), Journal: w, Roles: admin.Roles{Auditors: []string{"Auditors"}, Operators: []string{"Vector-Admin"}},
		Log: slog.New(slog.DiscardHandler), Now: w.Now,
		TicketLink: func(ticket string) string { return "https://changes.example.com/" + ticket },
	}
}

// Ask files an access request while people look, and returns its ID.
func (w *World) Ask(r access.Request) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.ID == "" {
		r.ID = fmt.Sprintf("N%03d-LIVE", len(w.requests))
	}
	if r.Created.IsZero() {
		r.Created, r.Expires = w.Now(), w.Now().Add(15*time.Minute)
	}
	if r.State == "" {
		r.State = access.StateOpen
	}
	w.requests = append(w.requests, r)
	w.tell(r)
	return r.ID
}

// Get returns a request as it is now.
func (w *World) Get(id string) access.Request {
	r, _ := (*requests)(w).Get(context.Background(), id)
	return r
}

// Admit refuses who is suspended.
func (w *World) Admit(_ context.Context, who *access.Subject) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.suspended {
		if s.Who == who.ID || s.Who == who.Person {
			return &access.Refusal{Code: access.CodeExpired, Message: who.Display() + " was cut off: " + s.Reason, Hint: "ask the operator of the gateway"}
		}
	}
	return nil
}

// Details returns what the journal's records say was done.
func (w *World) Details() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for _, raw := range w.records {
		var r admin.Record
		if json.Unmarshal(raw, &r) == nil && r.Detail != "" {
			all = append(all, r.Detail)
		}
	}
	return all
}

// Did implements admin.Journal.
func (w *World) Did(_ context.Context, who *access.Subject, client, what, session string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.record(map[string]any{"type": "admin", "session": session, "subject": who.ID, "name": who.Name, "kind": who.Kind, "client": client, "detail": what})
	return nil
}

// record appends a record. The caller holds mu.
func (w *World) record(fields map[string]any) {
	fields["seq"] = len(w.records)
	if fields["time"] == nil {
		fields["time"] = w.Now().UTC()
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		panic(err) // the fields are ours
	}
	w.records = append(w.records, raw)
}

func (w *World) tell(r access.Request) {
	for f := range w.followers {
		select {
		case f <- r:
		default:
			delete(w.followers, f)
			close(f)
		}
	}
}

type requests World

func (q *requests) List(_ context.Context, f admin.RequestFilter) ([]access.Request, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var list []access.Request
	for _, r := range q.requests {
		if (len(f.States) == 0 || slices.Contains(f.States, r.State)) && (f.Target == "" || f.Target == r.Target) && (f.Before.IsZero() || r.Created.Before(f.Before)) {
			list = append(list, r)
		}
	}
	slices.SortStableFunc(list, func(a, b access.Request) int { return b.Created.Compare(a.Created) })
	return list[:min(len(list), f.Limit)], nil
}

func (q *requests) Get(_ context.Context, id string) (access.Request, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range q.requests {
		if r.ID == id {
			return r, nil
		}
	}
	return access.Request{}, admin.ErrNotFound
}

func (q *requests) Eligible(voter *access.Subject, r *access.Request) *access.Refusal {
	switch {
	case voter.Kind != access.Person:
		return &access.Refusal{Code: access.CodeSeparation, Message: "only persons decide on requests"}
	case voter.ID == r.Subject.ID || voter.Person == r.Subject.Person || voter.Person == r.Subject.Owner:
		return &access.Refusal{Code: access.CodeSeparation, Message: voter.Display() + " asked for request " + r.ID + ", or answers for who did; nobody releases their own work", Hint: "another person must decide"}
	case !slices.ContainsFunc(r.Terms.Groups, voter.InGroup):
		return &access.Refusal{Code: access.CodeDenied, Message: "rule " + r.Terms.Rule + " asks for group " + strings.Join(r.Terms.Groups, " or "), Hint: "somebody of that group must decide"}
	}
	return nil
}

func (q *requests) Vote(_ context.Context, id string, voter *access.Subject, approve bool, reason string) (access.Request, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range q.requests {
		r := &q.requests[i]
		if r.ID != id {
			continue
		}
		if refusal := q.Eligible(voter, r); refusal != nil {
			return *r, refusal
		}
		if r.State != access.StateOpen {
			return *r, &access.Refusal{Code: access.CodeNotReleased, Message: fmt.Sprintf("request %s is %s and cannot be decided any more", id, r.State)}
		}
		now := q.Now()
		r.Decisions = append(slices.Clip(r.Decisions), access.Vote{Person: voter.Person, Subject: voter.ID, Name: voter.Name, Approve: approve, Reason: reason, At: now})
		switch {
		case !approve:
			r.State, r.Decided = access.StateDenied, &now
		case len(r.Decisions) >= r.Terms.Persons:
			r.State, r.Decided = access.StateApproved, &now
		}
		(*World)(q).tell(*r)
		return *r, nil
	}
	return access.Request{}, admin.ErrNotFound
}

func (q *requests) Subscribe(ctx context.Context) <-chan access.Request {
	f := make(chan access.Request, 16)
	q.mu.Lock()
	q.followers[f] = true
	q.mu.Unlock()
	context.AfterFunc(ctx, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if q.followers[f] {
			delete(q.followers, f)
			close(f)
		}
	})
	return f
}

type sessions World

func (s *sessions) Live(context.Context) ([]gate.SessionInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.live), nil
}

func (s *sessions) Past(_ context.Context, f admin.SessionFilter) ([]gate.SessionInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []gate.SessionInfo
	for _, i := range s.past {
		if (f.Subject == "" || f.Subject == i.Subject.ID) && (f.Person == "" || f.Person == i.Subject.Person) && (f.Target == "" || f.Target == i.Target) &&
			(f.Before.IsZero() || i.Opened.Before(f.Before)) {
			list = append(list, i)
		}
	}
	return list[:min(len(list), f.Limit)], nil
}

func (s *sessions) Get(_ context.Context, id string) (gate.SessionInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range append(slices.Clone(s.live), s.past...) {
		if i.ID == id {
			return i, nil
		}
	}
	return gate.SessionInfo{}, admin.ErrNotFound
}

func (s *sessions) Kill(_ context.Context, id string, cause error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, l := range s.live {
		if l.ID == id {
			s.live = slices.Delete(s.live, i, i+1)
			l.Closed, l.Cause = s.Now(), cause.Error()
			s.past = slices.Insert(s.past, 0, l)
			return nil
		}
	}
	return admin.ErrNotFound
}

// Replay implements admin.Recordings.
func (w *World) Replay(_ context.Context, session string, from int, emit func(admin.Exchange) error) error {
	w.mu.Lock()
	list := w.exchanges[session]
	w.mu.Unlock()
	for _, e := range list {
		if e.Number >= from {
			if err := emit(e); err != nil {
				return err
			}
		}
	}
	return nil
}

type records World

func (l *records) State(context.Context) (admin.LogState, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, now := uint64(len(l.records)), l.Now()
	checked := now.Add(-4 * time.Second)
	return admin.LogState{
		Origin: "vecgate/vecgate-1", Size: n, Verified: n, Checked: &checked, Writable: true, Replayable: true, Key: "vecgate/vecgate-1+5c1e2f0a+AeFqZ…",
		Checkpoint: &admin.Checkpoint{Size: n, Root: "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=", Time: now.Add(-time.Second), Note: fmt.Sprintf("vecgate/vecgate-1\n%d\nn4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=\n\n— vecgate/vecgate-1 XB4v\n", n)},
	}, nil
}

func (l *records) List(_ context.Context, f admin.RecordFilter) ([]json.RawMessage, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []json.RawMessage
	for i := len(l.records) - 1; i >= 0 && len(list) < f.Limit; i-- {
		var r admin.Record
		if err := json.Unmarshal(l.records[i], &r); err != nil {
			return nil, err
		}
		if f.Before > 0 && r.Seq >= f.Before || f.Subject != "" && f.Subject != r.Subject || f.Target != "" && f.Target != r.Target ||
			f.Session != "" && f.Session != r.Session || f.Effect != "" && f.Effect != r.Effect || len(f.Types) > 0 && !slices.Contains(f.Types, r.Type) ||
			f.Request != "" && f.Request != r.Request {
			continue
		}
		list = append(list, l.records[i])
	}
	return list, nil
}

func (l *records) Get(_ context.Context, seq uint64) (json.RawMessage, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if seq >= uint64(len(l.records)) {
		return nil, admin.ErrNotFound
	}
	return l.records[seq], nil
}

func (l *records) Proof(_ context.Context, seq uint64) ([]byte, error) {
	return fmt.Appendf(nil, "c2sp.org/tlog-proof@v1\nindex %d\nwBz9r2vLvNHyPpGk0PTgLR4RqY1bqTQ4vH0PvzPzVKI=\nE1bDq0m3eFzXz1j8Y3oZk0Gk2bP6n5rj8pXl8kqS8o4=\n\nvecgate/vecgate-1\n…\n", seq), nil
}

type identities World

func (i *identities) List(_ context.Context, f admin.IdentityFilter) ([]admin.Identity, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.Now()
	var list []admin.Identity
	for n, s := range subjects() {
		if f.Subject != "" && f.Subject != s.ID || f.Person != "" && f.Person != s.Person {
			continue
		}
		list = append(list, admin.Identity{
			Subject: s, FirstSeen: now.AddDate(0, 0, -20+n), LastSeen: now.Add(-time.Duration(n*n*7) * time.Minute),
			Sessions: int64(40 / (n + 1)), Requests: int64(9000 / (n + 1)), Rows: int64(124000 / (n + 1)), Client: "10.1.4.7", Target: "products",
		})
	}
	return list[:min(len(list), f.Limit)], nil
}

func (i *identities) Suspensions(context.Context) ([]admin.Suspension, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.suspended), nil
}

func (i *identities) Suspend(_ context.Context, s admin.Suspension) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.suspended = append(i.suspended, s)
	return nil
}

func (i *identities) Reinstate(_ context.Context, who string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.suspended = slices.DeleteFunc(i.suspended, func(s admin.Suspension) bool { return s.Who == who })
	return nil
}

func (i *identities) End(_ context.Context, credential string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if credential != Secret {
		return admin.ErrNotFound
	}
	i.ended = append(i.ended, credential)
	return nil
}

// Secret is the name of the only credential that can be ended.
const Secret = "vg_k7m2p9q4x5z8w3nd"

// Ended returns the credentials that were ended.
func (w *World) Ended() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.ended)
}

type policy World

func (p *policy) Current(context.Context) (admin.PolicyText, error) {
	return admin.PolicyText{File: "policy.yaml", Digest: strings.Repeat("9c41e7", 11)[:64], Statements: 8, Since: p.Now().Add(-50 * time.Hour), Text: p.text}, nil
}

func (p *policy) Explain(_ context.Context, q admin.Question) (admin.Explanation, error) {
	return admin.Explanation{
		Effect: access.Hold,
		Reason: access.Reason{Code: access.CodeHeld, Rule: "scientists-write-after-approval", Sentence: q.Subject + " may " + string(q.Action) + " on " + q.Resource + " once a person releases it", Position: "policy.yaml:14"},
		Hold:   &access.HoldTerms{Rule: "scientists-write-after-approval", Groups: []string{"Vector-Approve"}, Persons: 1, Within: 15 * time.Minute},
		Masks:  []string{"customers.email: redact", "vectors withheld"},
		Steps: []admin.Step{
			{Kind: "allow", Name: "scientists-read", Position: "policy.yaml:8", Why: "the action is not one of read"},
			{Kind: "allow", Name: "scientists-write-after-approval", Position: "policy.yaml:14", Matched: true, Why: "group Vector-Read, duty write, products/**; needs an approval"},
		},
	}, nil
}

type targets World

func (t *targets) List(context.Context) ([]admin.Target, error) {
	now := t.Now()
	return []admin.Target{
		{Name: "products", Engine: "postgres", Address: "db.internal:5432", Database: "products", TLS: "verify-full", Reads: "before-forward", Record: "full", Version: "PostgreSQL 18.4, pgvector 0.8.1", Ready: true, Checked: now.Add(-3 * time.Second)},
		{Name: "support", Engine: "postgres", Address: "10.0.8.3:5432", Database: "support", TLS: "verify-full", Reads: "before-release", Record: "requests", Fault: "dial tcp 10.0.8.3:5432: connection refused", Checked: now.Add(-9 * time.Second)},
	}, nil
}
