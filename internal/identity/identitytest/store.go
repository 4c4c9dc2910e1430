package identitytest

import (
	"context"
	"errors"
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
		want := secret.Entry{Name: "vg_a", Verifier: v, Subject: []byte(`{"subject":{"id":"corp:alice"}}`), Expires: now.Add(time.Hour)}
		check(t, s.PutSecret(ctx, want))
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
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
