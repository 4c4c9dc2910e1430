package gate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

func TestStrangersDoNotDecideHowFastTheLogGrows(t *testing.T) {
	w := &world{}
	now := time.Unix(1_000_000, 0)
	g := &Gate{Journal: w, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: func() time.Time { return now }}
	refusal := &access.Refusal{Code: access.CodeIdentity, Message: "no"}
	for i := range 500 {
		g.RefuseSignIn(t.Context(), SignIn{Client: fmt.Sprintf("2001:db8::%x", i)}, refusal)
	}
	g.RefuseSignIn(t.Context(), SignIn{Client: "192.0.2.7"}, refusal)
	if n := len(w.records); n != knocksPerClient+1 {
		t.Errorf("%d records of 500 failed sign-ins of one network and one of another, want %d", n, knocksPerClient+1)
	}
	g.tellOfKnocks()
	last := w.records[len(w.records)-1]
	if last.Client != "2001:db8::/64" || !strings.Contains(last.Detail, "480 more") {
		t.Errorf("the others are told of as %+v", last)
	}
	for i := range 20_000 {
		g.RefuseSignIn(t.Context(), SignIn{Client: fmt.Sprintf("10.%d.%d.1", i>>8, i&255)}, refusal)
	}
	if n := len(w.records) - knocksPerClient - 2; n != knocksInAll {
		t.Errorf("%d records of 20000 addresses within a minute, want %d", n, knocksInAll)
	}
	if n := len(g.knocks.of); n > knockers+1 {
		t.Errorf("%d addresses are remembered", n)
	}
	before := len(w.records)
	now = now.Add(knocksWithin)
	g.RefuseSignIn(t.Context(), SignIn{Client: "192.0.2.7"}, refusal)
	told := 0
	for _, r := range w.records[before:] {
		if strings.Contains(r.Detail, "more refused") {
			told++
		}
	}
	if told == 0 || told > knockers+1 {
		t.Errorf("%d records tell of the minute that is over", told)
	}
}

func TestACredentialInTheWrongFieldIsNotRecorded(t *testing.T) {
	w := &world{}
	var log strings.Builder
	g := &Gate{Journal: w, Log: slog.New(slog.NewTextHandler(&log, nil)), Now: time.Now}
	for _, token := range []string{"eyJhbGciOi.e.s", strings.Repeat("secret", 20), "vg_abcdef", "aaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbb.cccccc"} {
		g.RefuseSignIn(t.Context(), SignIn{Client: "192.0.2.7", Target: token, Claimed: token}, &access.Refusal{Code: access.CodeIdentity})
		if r := w.records[len(w.records)-1]; strings.Contains(r.Target+r.Name, token) || strings.Contains(log.String(), token) {
			t.Errorf("%q is recorded", token)
		}
	}
}

func TestTheOperatorsLogSaysWhyASignInWasRefused(t *testing.T) {
	var log strings.Builder
	g := &Gate{Journal: &world{}, Log: slog.New(slog.NewTextHandler(&log, nil)), Now: time.Now}
	g.RefuseSignIn(t.Context(), SignIn{Client: "192.0.2.7"}, &access.Refusal{Code: access.CodeIdentity, Message: "token of corp not accepted: it expired at noon"})
	g.RefuseSignIn(t.Context(), SignIn{Client: "192.0.2.7"}, &access.Refusal{Code: access.CodeIdentity, Message: "the short of it", Err: errors.New("the long of it")})
	g.RefuseSignIn(t.Context(), SignIn{Client: "192.0.2.7"}, &access.Refusal{Code: access.CodeNoRule, Message: "there is no target vg_secret"})
	for _, want := range []string{"it expired at noon", "the long of it", "code=no-rule error=<nil>"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %q in\n%s", want, log.String())
		}
	}
	for _, never := range []string{"the short of it", "vg_secret"} {
		if strings.Contains(log.String(), never) {
			t.Errorf("%q in\n%s", never, log.String())
		}
	}
}

func TestNobodySlipsInWhileBeingCutOff(t *testing.T) {
	w := &world{}
	g := &Gate{Policy: w, Journal: w, Approvals: w, Credentials: w, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: time.Now}
	suspended := false
	g.Admit = func(_ context.Context, s *access.Subject) *access.Refusal {
		// What a suspension does, at the worst moment: it is written, and everybody who is in is cut off.
		if !suspended {
			suspended = true
			if n := g.CutOff(func(*access.Subject) bool { return true }, errCutOff); n != 1 {
				t.Errorf("CutOff saw %d sessions: one that opens now would be missed", n)
			}
		}
		return &access.Refusal{Code: access.CodeExpired, Message: s.ID + " was suspended"}
	}
	s, refusal := g.Open(t.Context(), &access.Subject{ID: "corp:alice", Kind: access.Person}, Target{Name: "products"}, OpenOptions{})
	if s != nil || refusal == nil || refusal.Code != access.CodeExpired {
		t.Errorf("Open: %v, %v", s, refusal)
	}
	if n := len(g.Sessions()); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}
