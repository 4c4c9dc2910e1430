package approval_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/approval"
	"github.com/vecgate/vecgate/internal/store"
)

// TestMain is also the process that TestAnApprovalOutlivesTheProcessOrNeverHappened kills.
func TestMain(m *testing.M) {
	if path := os.Getenv("VECGATE_APPROVAL_TEST_STORE"); path != "" {
		fmt.Println("error", approveForEver(path, os.Getenv("VECGATE_APPROVAL_TEST_RUN")))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func deskAt(path string) (*approval.Desk, *store.DB, error) {
	log := slog.New(slog.DiscardHandler)
	db, err := store.Open(context.Background(), store.Options{Path: path, Gateway: "gw", Log: log, Now: time.Now})
	if err != nil {
		return nil, nil, err
	}
	return &approval.Desk{Store: db.Requests(), Recorder: &paper{}, BaseURL: "https://gw.example.com", Log: log, Now: time.Now}, db, nil
}

// approveForEver asks and approves, by two persons, and says on standard output what it was told is so.
func approveForEver(path, run string) error {
	ctx := context.Background()
	desk, _, err := deskAt(path)
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		r, err := desk.Ask(ctx, ask(alice, fmt.Sprintf("%s-%d", run, n), 2))
		if err != nil {
			return err
		}
		fmt.Println("open", r.ID)
		for _, voter := range []*access.Subject{bob, carol} {
			if r, err = desk.Vote(ctx, r.ID, voter, true, ""); err != nil {
				return err
			}
			fmt.Println(r.State, r.ID, len(r.Decisions))
		}
		// A use frees the requester's room for open requests, and is what an approval is for.
		if _, err := desk.Use(ctx, r.ID, r.Digest); err != nil {
			return err
		}
		fmt.Println("used", r.ID)
	}
}

// kill -9 in the middle of an approval: what was said to be so is so afterwards, and a request is approved by two votes or
// is not approved.
func TestAnApprovalOutlivesTheProcessOrNeverHappened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	said := map[string]string{} // the last that was said of each request
	for run := range 4 {
		c := exec.CommandContext(t.Context(), os.Args[0])
		c.Env = append(os.Environ(), "VECGATE_APPROVAL_TEST_STORE="+path, fmt.Sprintf("VECGATE_APPROVAL_TEST_RUN=%d", run))
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			word, rest, _ := strings.Cut(lines.Text(), " ")
			if word == "error" {
				t.Fatal(lines.Text())
			}
			id, votes, _ := strings.Cut(rest, " ")
			said[id] = strings.TrimSpace(word + " " + votes)
			if n == 40+run { // after another step in every run; more was done by now, and what was said of it is read too
				if err := c.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = c.Wait() // it was killed
	}
	desk, db, err := deskAt(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rank := map[string]int{"open": 0, "open 1": 1, "approved 2": 2, "used": 3}
	for id, last := range said {
		r, err := desk.Get(t.Context(), id)
		if err != nil {
			t.Errorf("%s was %s: %v", id, last, err)
			continue
		}
		now, votes := string(r.State), len(r.Decisions)
		if now == "open" && votes == 1 || now == "approved" {
			now = fmt.Sprintf("%s %d", now, votes)
		}
		// The process may have got one step further than it could say.
		is, known := rank[now]
		was, wasKnown := rank[last]
		if !known || !wasKnown || is < was || is > was+1 || is >= 2 && votes != 2 {
			t.Errorf("%s was said to be %q, and is %q with %d votes", id, last, now, votes)
		}
	}
	if len(said) < 4*10 {
		t.Errorf("only %d requests were made", len(said))
	}
	// What was left goes on where it was.
	for id, last := range said {
		r, err := desk.Get(t.Context(), id)
		if err != nil || r.State != access.StateApproved {
			continue
		}
		if _, err := desk.Use(t.Context(), id, r.Digest); err != nil {
			t.Errorf("%s (%s): %v", id, last, err)
		}
	}
}
