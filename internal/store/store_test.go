package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/approval"
	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/identity"
	"github.com/vecgate/vecgate/internal/identity/identitytest"
	"github.com/vecgate/vecgate/internal/store/storetest"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func openAt(t *testing.T, path string) *DB {
	t.Helper()
	db, err := Open(t.Context(), Options{Path: path, Gateway: "gw", Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func openNew(t *testing.T) *DB {
	t.Helper()
	db := openAt(t, filepath.Join(t.TempDir(), "sub dir", "state?#.db"))
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestRequestsAreKeptAsApprovalAsks(t *testing.T) {
	storetest.CheckRequests(t, func(t *testing.T) approval.Store { return openNew(t).Requests() })
}

func TestRevocationsAndSecretsAreKeptAsIdentityAsks(t *testing.T) {
	identitytest.CheckStore(t, func(t *testing.T) identity.Store { return openNew(t).Identity() })
}

func TestNobodyElseCanOpenTheFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "var", "state.db")
	db := openAt(t, path)
	if err := db.Identity().RevokeToken(t.Context(), "x", now); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Dir(path) + "/*")
	if len(files) < 2 {
		t.Fatalf("files are %v; a write-ahead log was expected too", files)
	}
	for _, f := range append(files, filepath.Dir(path)) {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", f, info.Mode())
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), Options{Path: path, Now: func() time.Time { return now }})
	if err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a store that others can read was opened: %v", err)
	}
}

func TestAStoreOfANewerProgramIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	db := openAt(t, path)
	if _, err := db.write.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), Options{Path: path, Now: func() time.Time { return now }})
	if err == nil || !strings.Contains(err.Error(), "use the newer program") {
		t.Errorf("Open = %v", err)
	}
}

func session(id, subject string, opened time.Duration) gate.SessionInfo {
	return gate.SessionInfo{
		ID: id, Subject: &access.Subject{ID: subject, Kind: access.Workload, Person: "alice", Groups: []string{"ci"}},
		Target: "products", Client: "10.0.0.1", Channel: "sql", Program: "psql", Opened: now.Add(opened), FirstSeq: 7,
	}
}

func TestTheRollKnowsSessionsAndIdentities(t *testing.T) {
	db := openNew(t)
	ctx, roll := t.Context(), db.Roll()
	a, b, c := session("a", "ci:train", 0), session("b", "ci:train", time.Minute), session("c", "ci:index", 2*time.Minute)
	for _, s := range []gate.SessionInfo{a, b, c} {
		roll.SessionOpened(s)
	}
	a.Closed, a.LastSeq, a.Requests, a.Rows, a.Bytes, a.Cause = now.Add(time.Hour), 99, 3, 40, 500, "credential-expired"
	roll.SessionClosed(a)
	roll.SessionClosed(a) // said twice, counted once in the session
	if err := roll.Sync(ctx); err != nil {
		t.Fatal(err)
	}

	got, err := roll.Session(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(a, got); diff != "" {
		t.Errorf("session (-want +got):\n%s", diff)
	}
	if _, err := roll.Session(ctx, "nope"); !errors.Is(err, ErrNotFound) {
		t.Errorf("Session of none: %v", err)
	}
	for name, f := range map[string]struct {
		filter SessionFilter
		want   string
	}{
		"all": {SessionFilter{}, "cba"}, "open": {SessionFilter{Open: true}, "cb"}, "subject": {SessionFilter{Subject: "ci:train"}, "ba"},
		"person": {SessionFilter{Person: "alice", Limit: 1}, "c"}, "since": {SessionFilter{Since: now.Add(time.Minute)}, "cb"},
		"before": {SessionFilter{Before: now.Add(time.Minute)}, "a"}, "target": {SessionFilter{Target: "docs"}, ""},
	} {
		list, err := roll.Sessions(ctx, f.filter)
		ids := ""
		for _, s := range list {
			ids += s.ID
		}
		if err != nil || ids != f.want {
			t.Errorf("%s: %q, %v, want %q", name, ids, err, f.want)
		}
	}

	seen, err := roll.Identities(ctx, IdentityFilter{})
	if err != nil || len(seen) != 2 {
		t.Fatalf("identities: %v, %v; two jobs of one account are two identities", seen, err)
	}
	if s := seen[0]; s.Subject.ID != "ci:train" || s.Sessions != 2 || !s.FirstSeen.Equal(now) || !s.LastSeen.Equal(now.Add(time.Hour)) {
		t.Errorf("seen last: %+v", s)
	}
}

func TestSessionsLeftOpenByACrashAreClosedAtStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	db := openAt(t, path)
	db.Roll().SessionOpened(session("a", "ci:train", 0))
	if err := db.Close(); err != nil { // the session never closed
		t.Fatal(err)
	}
	db = openAt(t, path)
	defer db.Close()
	got, err := db.Roll().Session(t.Context(), "a")
	if err != nil || got.Closed.IsZero() || got.Cause != "the gateway ended" {
		t.Errorf("session after restart: %+v, %v", got, err)
	}
}

func TestPruneLeavesWhatIsStillNeeded(t *testing.T) {
	db := openNew(t)
	ctx := context.Background()
	ids := db.Identity()
	for jti, until := range map[string]time.Time{"old": now.Add(-2 * time.Hour), "new": now.Add(time.Hour)} {
		if err := ids.RevokeToken(ctx, jti, until); err != nil {
			t.Fatal(err)
		}
	}
	old, live := session("old", "ci:train", -48*time.Hour), session("live", "ci:train", -48*time.Hour)
	old.Closed = now.Add(-47 * time.Hour)
	db.Roll().SessionOpened(live)
	db.Roll().SessionClosed(old)
	if err := db.Roll().Sync(ctx); err != nil {
		t.Fatal(err)
	}
	reqs := db.Requests()
	for id, state := range map[string]access.State{"1": access.StateOpen, "2": access.StateUsed} {
		r := access.Request{ID: id, Digest: id, State: state, Expires: now.Add(-48 * time.Hour)}
		if err := reqs.Create(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Prune(ctx, 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	for jti, want := range map[string]bool{"old": false, "new": true} {
		if got, err := ids.TokenRevoked(ctx, jti); got != want || err != nil {
			t.Errorf("TokenRevoked(%s) = %v, %v", jti, got, err)
		}
	}
	if _, err := db.Roll().Session(ctx, "old"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an old session is still there: %v", err)
	}
	if _, err := db.Roll().Session(ctx, "live"); err != nil {
		t.Errorf("an open session is gone: %v", err)
	}
	if _, _, err := reqs.Get(ctx, "2"); !errors.Is(err, approval.ErrNotFound) {
		t.Errorf("an old request is still there: %v", err)
	}
	if _, _, err := reqs.Get(ctx, "1"); err != nil {
		t.Errorf("an open request is gone: %v", err)
	}
}

func TestMigrationsNeverChange(t *testing.T) {
	// A database that has run a migration will not run it again: write a new file instead of changing one.
	known := map[string]string{
		"00001_first.sql":     "a8dba00228127a20fb8d2eeac48292e3046e08a17b4a22734c887da2d5c6cb52",
		"00002_holders.sql":   "b5ba30bf5731240855dd3b456b95a8fa8dd831ba98e4d0c83c264f16fba0fc32",
		"00003_readiness.sql": "ae26ceec57e1560b79967cd41733d225d14cb58c509315148b136dc20123e6c9",
	}
	files, err := migrations.ReadDir("migrations")
	if err != nil || len(files) != len(known) {
		t.Fatalf("%d migrations, %v; list the new one here", len(files), err)
	}
	for _, f := range files {
		text, err := migrations.ReadFile("migrations/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(text)); got != known[f.Name()] {
			t.Errorf("%s has changed: its digest is %s", f.Name(), got)
		}
	}
}
