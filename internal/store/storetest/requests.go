// Package storetest defines what the stores of the gateway's state do: every implementation passes its suites.
//
// It refuses to know how anything is kept. Start at CheckRequests. The suite of identity.Store is in identitytest.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/approval"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

func request(n int) access.Request {
	return access.Request{
		ID: fmt.Sprintf("%04d-AAAA", n), Digest: fmt.Sprintf("digest-%d", n),
		Subject:  access.Subject{ID: "corp:alice", Kind: access.Person, Person: "alice", Groups: []string{"Vector-Read"}},
		Target:   "products",
		Accesses: []access.Access{{Action: access.Upsert, Resource: access.Resource{Target: "products", Namespace: "public", Collection: "items"}}},
		Text:     "INSERT INTO items VALUES ('\u00fc', 'it''s')",
		Terms:    access.HoldTerms{Rule: "writes", Groups: []string{"Vector-Approve"}, Persons: 2, Within: time.Hour, Window: time.Minute},
		State:    access.StateOpen, Created: start.Add(time.Duration(n) * time.Second), Expires: start.Add(time.Hour),
	}
}

// CheckRequests defines approval.Store. open returns an empty store; it is called once per case.
func CheckRequests(t *testing.T, open func(t *testing.T) approval.Store) {
	ctx := context.Background()

	t.Run("a request comes back as it was filed", func(t *testing.T) {
		s, r := open(t), request(1)
		decided := start.Add(time.Minute)
		r.Decisions, r.Decided = []access.Vote{{Person: "bob", Subject: "corp:bob", Approve: true, Reason: "ok", At: start}}, &decided
		check(t, s.Create(ctx, r))
		got, _, err := s.Get(ctx, r.ID)
		check(t, err)
		if diff := cmp.Diff(r, got); diff != "" {
			t.Errorf("Get (-want +got):\n%s", diff)
		}
		if _, _, err := s.Get(ctx, "none"); !errors.Is(err, approval.ErrNotFound) {
			t.Errorf("Get of none: %v, want ErrNotFound", err)
		}
	})

	t.Run("one digest has one live request", func(t *testing.T) {
		s := open(t)
		first, second := request(1), request(2)
		second.Digest = first.Digest
		check(t, s.Create(ctx, first))
		if err := s.Create(ctx, second); !errors.Is(err, approval.ErrConflict) {
			t.Fatalf("Create of a second live one: %v, want ErrConflict", err)
		}
		same := request(3)
		same.ID = first.ID
		if err := s.Create(ctx, same); !errors.Is(err, approval.ErrConflict) {
			t.Fatalf("Create of a taken ID: %v, want ErrConflict", err)
		}
		for _, state := range []access.State{access.StateApproved, access.StateUsed} {
			got, v, err := s.Live(ctx, first.Digest)
			check(t, err)
			got.State = state
			check(t, s.Update(ctx, got, v))
		}
		if _, _, err := s.Live(ctx, first.Digest); !errors.Is(err, approval.ErrNotFound) {
			t.Errorf("Live of a used one: %v, want ErrNotFound", err)
		}
		check(t, s.Create(ctx, second))
	})

	t.Run("of two who change the same request one loses", func(t *testing.T) {
		s, r := open(t), request(1)
		check(t, s.Create(ctx, r))
		_, v, err := s.Get(ctx, r.ID)
		check(t, err)
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for range 8 {
			wg.Go(func() {
				mine := r
				mine.State = access.StateUsed
				err := s.Update(ctx, mine, v)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					won++
				case !errors.Is(err, approval.ErrConflict):
					t.Errorf("Update: %v, want nil or ErrConflict", err)
				}
			})
		}
		wg.Wait()
		if won != 1 {
			t.Errorf("%d updates of one version succeeded, want 1", won)
		}
		if err := s.Update(ctx, request(9), v); !errors.Is(err, approval.ErrConflict) {
			t.Errorf("Update of none: %v, want ErrConflict", err)
		}
	})

	t.Run("requests are listed newest first and by what they are", func(t *testing.T) {
		s := open(t)
		for n := range 5 {
			r := request(n)
			if n == 3 {
				r.Subject, r.Target, r.State = access.Subject{ID: "ci:x", Person: "bob"}, "docs", access.StateDenied
			}
			check(t, s.Create(ctx, r))
		}
		for name, c := range map[string]struct {
			filter approval.Filter
			want   string
		}{
			"all":         {approval.Filter{}, "4 3 2 1 0"},
			"page":        {approval.Filter{Limit: 2}, "4 3"},
			"next page":   {approval.Filter{Limit: 2, Before: request(3).Created}, "2 1"},
			"by state":    {approval.Filter{States: []access.State{access.StateDenied, access.StateUsed}}, "3"},
			"by subject":  {approval.Filter{Subject: "ci:x"}, "3"},
			"by person":   {approval.Filter{Person: "alice", Limit: 1}, "4"},
			"by target":   {approval.Filter{Target: "docs"}, "3"},
			"nothing":     {approval.Filter{Target: "docs", Subject: "corp:alice"}, ""},
			"not a query": {approval.Filter{Target: "docs' OR '1'='1"}, ""},
		} {
			list, err := s.List(ctx, c.filter)
			check(t, err)
			got := ""
			for _, r := range list {
				if got != "" {
					got += " "
				}
				got += r.ID[3:4]
			}
			if got != c.want {
				t.Errorf("%s: %q, want %q", name, got, c.want)
			}
		}
	})

	t.Run("open requests are counted by subject and due ones found", func(t *testing.T) {
		s := open(t)
		for n, state := range []access.State{access.StateOpen, access.StateOpen, access.StateApproved, access.StateUsed} {
			r := request(n)
			r.State, r.Expires = state, start.Add(time.Duration(10-n)*time.Minute)
			check(t, s.Create(ctx, r))
		}
		other := request(9)
		other.Subject.ID, other.Expires = "ci:x", start.Add(2*time.Hour)
		check(t, s.Create(ctx, other))
		for subject, want := range map[string]int{"corp:alice": 2, "ci:x": 1, "ci:y": 0, "": 3} {
			if n, err := s.CountOpen(ctx, subject); err != nil || n != want {
				t.Errorf("CountOpen(%q) = %d, %v, want %d", subject, n, err, want)
			}
		}
		ids, err := s.Due(ctx, start.Add(9*time.Minute), 10)
		check(t, err)
		if diff := cmp.Diff([]string{"0002-AAAA", "0001-AAAA"}, ids); diff != "" {
			t.Errorf("Due (-want +got):\n%s", diff)
		}
		ids, err = s.Due(ctx, start.Add(time.Hour), 1)
		check(t, err)
		if len(ids) != 1 {
			t.Errorf("Due with a limit of 1 returned %d", len(ids))
		}
	})
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
