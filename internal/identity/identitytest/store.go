package identitytest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/internal/identity"
	"github.com/vecgate/vecgate/internal/identity/secret"
)

// CheckStore defines what an identity.Store does.
func CheckStore(t *testing.T, open func(t *testing.T) identity.Store) {
	ctx := context.Background()
	now := time.Now().UTC().Truncate(time.Second)

	t.Run("a revoked token stays revoked and no other is", func(t *testing.T) {
		s := open(t)
		check(t, s.RevokeToken(ctx, "a", now.Add(time.Hour)))
		check(t, s.RevokeToken(ctx, "a", now.Add(time.Hour)))
		for jti, want := range map[string]bool{"a": true, "b": false, "": false} {
			if got, err := s.TokenRevoked(ctx, jti); err != nil || got != want {
				t.Errorf("TokenRevoked(%q) = %v, %v, want %v", jti, got, err, want)
			}
		}
	})

	t.Run("suspensions are replaced, listed in order and lifted", func(t *testing.T) {
		s := open(t)
		first := identity.Suspension{Who: "corp:zoe", Reason: "left", By: "root", At: now}
		second := identity.Suspension{Who: "alice", Reason: "leaked key", By: "root", At: now}
		check(t, s.Suspend(ctx, identity.Suspension{Who: "corp:zoe", Reason: "older", By: "x", At: now.Add(-time.Hour)}))
		check(t, s.Suspend(ctx, first))
		check(t, s.Suspend(ctx, second))
		got, err := s.Suspensions(ctx)
		check(t, err)
		if diff := cmp.Diff([]identity.Suspension{second, first}, got); diff != "" {
			t.Errorf("Suspensions (-want +got):\n%s", diff)
		}
		check(t, s.Reinstate(ctx, "alice"))
		check(t, s.Reinstate(ctx, "nobody"))
		got, err = s.Suspensions(ctx)
		check(t, err)
		if diff := cmp.Diff([]identity.Suspension{first}, got); diff != "" {
			t.Errorf("Suspensions after Reinstate (-want +got):\n%s", diff)
		}
	})

	t.Run("secrets come back as they were put, until they are deleted", func(t *testing.T) {
		s := open(t)
		v, err := secret.NewVerifier("password")
		check(t, err)
		want := secret.Entry{Name: "vg_a", Holder: "corp:alice", Verifier: v, Subject: []byte(`{"subject":{"id":"corp:alice"}}`), Expires: now.Add(time.Hour)}
		check(t, s.PutSecret(ctx, want, now, 1))
		got, err := s.Secret(ctx, "vg_a")
		check(t, err)
		got.Expires = got.Expires.UTC()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Secret (-want +got):\n%s", diff)
		}
		if _, err := s.Secret(ctx, "vg_b"); !errors.Is(err, secret.ErrUnknown) {
			t.Errorf("Secret of an unknown name: %v, want ErrUnknown", err)
		}
		check(t, s.DeleteSecret(ctx, "vg_a"))
		check(t, s.DeleteSecret(ctx, "vg_a"))
		if _, err := s.Secret(ctx, "vg_a"); !errors.Is(err, secret.ErrUnknown) {
			t.Errorf("Secret after DeleteSecret: %v, want ErrUnknown", err)
		}
	})

	t.Run("a holder has as many living secrets as there is room for", func(t *testing.T) {
		s := open(t)
		v, err := secret.NewVerifier("password")
		check(t, err)
		put := func(name, holder string, expires, at time.Time) error {
			return s.PutSecret(ctx, secret.Entry{Name: name, Holder: holder, Verifier: v, Subject: []byte(`{}`), Expires: expires}, at, 2)
		}
		check(t, put("vg_a", "corp:alice", now.Add(time.Minute), now))
		check(t, put("vg_b", "corp:alice", now.Add(time.Hour), now))
		if err := put("vg_c", "corp:alice", now.Add(time.Hour), now); !errors.Is(err, secret.ErrTooMany) {
			t.Errorf("a third: %v, want ErrTooMany", err)
		}
		if _, err := s.Secret(ctx, "vg_c"); !errors.Is(err, secret.ErrUnknown) {
			t.Errorf("what there was no room for is there: %v", err)
		}
		check(t, put("vg_d", "corp:bob", now.Add(time.Hour), now))
		// One expires and is forgotten; one is deleted. Others keep theirs.
		check(t, put("vg_e", "corp:alice", now.Add(time.Hour), now.Add(time.Minute)))
		if _, err := s.Secret(ctx, "vg_a"); !errors.Is(err, secret.ErrUnknown) {
			t.Errorf("an expired secret is kept: %v", err)
		}
		check(t, s.DeleteSecret(ctx, "vg_b"))
		check(t, put("vg_f", "corp:alice", now.Add(time.Hour), now.Add(time.Minute)))
		if _, err := s.Secret(ctx, "vg_d"); err != nil {
			t.Errorf("another holder's: %v", err)
		}
	})

	t.Run("two that come at once do not both get the last place", func(t *testing.T) {
		s := open(t)
		v, err := secret.NewVerifier("password")
		check(t, err)
		const asked, room = 16, 5
		results := make(chan error, asked)
		for i := range asked {
			go func() {
				results <- s.PutSecret(ctx, secret.Entry{Name: fmt.Sprintf("vg_%d", i), Holder: "corp:alice", Verifier: v, Subject: []byte(`{}`), Expires: now.Add(time.Hour)}, now, room)
			}()
		}
		made := 0
		for range asked {
			switch err := <-results; {
			case err == nil:
				made++
			case !errors.Is(err, secret.ErrTooMany):
				t.Errorf("PutSecret: %v", err)
			}
		}
		if made != room {
			t.Errorf("%d were made, want %d", made, room)
		}
	})
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
