package approval

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/vecgate/vecgate/internal/access"
)

const (
	maxText          = 64 << 10 // of what will run, for people to read; the digest binds all of it
	maxAccesses      = 256
	defaultWithin    = 15 * time.Minute
	defaultOpen      = 20
	defaultOpenInAll = 1000
)

// Ask implements gate.Approvals: it files a request, or finds the one that asks for exactly the same.
func (d *Desk) Ask(ctx context.Context, ask access.Ask) (access.Request, error) {
	if ask.Digest == "" || ask.Subject == nil || ask.Operation == nil {
		return access.Request{}, errors.New("ask: who, what and its digest are needed")
	}
	if len(ask.Terms.Groups) == 0 {
		return access.Request{}, &access.Refusal{
			Code: access.CodeDenied, Rule: ask.Terms.Rule,
			Message: fmt.Sprintf("rule %s holds this until persons release it, and names nobody who may", ask.Terms.Rule),
			Hint:    "ask the operator to name approvers in the policy",
		}
	}
	unlock, err := d.lock(ctx)
	if err != nil {
		return access.Request{}, err
	}
	defer unlock()

	// 1. Is the same thing asked for already?
	now := d.Now()
	found, v, err := d.Store.Live(ctx, ask.Digest)
	switch {
	case err == nil && found.Subject.ID != ask.Subject.ID:
		return access.Request{}, fmt.Errorf("digest %s belongs to %s's request %s, not to %s", ask.Digest, found.Subject.ID, found.ID, ask.Subject.ID)
	case err == nil && now.Before(found.Expires):
		return found, nil
	case err == nil:
		if err := d.expire(ctx, found, v, now); err != nil {
			return access.Request{}, err
		}
	case !errors.Is(err, ErrNotFound):
		return access.Request{}, fmt.Errorf("find request: %w", err)
	}

	// What is put before people, and before the rules about who may decide, names everything that would be touched.
	if listed(ask.Operation.Accesses) == nil && len(ask.Operation.Accesses) > 0 {
		return access.Request{}, &access.Refusal{
			Code: access.CodeLimit, Rule: ask.Terms.Rule,
			Message: fmt.Sprintf("it would do more than %d different things, and no more can be put before those who release it", maxAccesses),
			Hint:    "send it in parts",
		}
	}

	// 2. Nobody may bury the people who decide under requests.
	if err := d.tooMany(ctx, ask); err != nil {
		return access.Request{}, err
	}

	// 3. Write it down, then file it.
	r := newRequest(ask, now)
	for range 8 {
		r.ID = newID()
		if _, _, err = d.Store.Get(ctx, r.ID); errors.Is(err, ErrNotFound) {
			break
		}
	}
	if err := d.Recorder.Request(ctx, r, nil); err != nil {
		return access.Request{}, &access.Refusal{
			Code: access.CodeNotRecorded, Rule: ask.Terms.Rule, Err: fmt.Errorf("record request: %w", err),
			Message: "the access request could not be written to the audit log, so it was not filed",
			Hint:    "tell the operator of the gateway; its log has the details",
		}
	}
	if err := d.Store.Create(context.WithoutCancel(ctx), r); err != nil {
		if found, _, ferr := d.Store.Live(ctx, ask.Digest); ferr == nil && found.Subject.ID == ask.Subject.ID {
			gone := r
			gone.State = access.StateAbandoned
			return found, d.Recorder.Request(ctx, gone, nil) // another replica filed it first
		}
		return access.Request{}, fmt.Errorf("file request %s: %w", r.ID, err)
	}
	d.tell(r)
	return r, nil
}

// tooMany says whether the subject, or all subjects together, have as many requests open as may be.
func (d *Desk) tooMany(ctx context.Context, ask access.Ask) error {
	for _, c := range []struct {
		whose, words string
		limit        int
	}{
		{ask.Subject.ID, ask.Subject.Display() + " has", cmp.Or(d.OpenPerSubject, defaultOpen)},
		{"", "all subjects together have", cmp.Or(d.OpenInAll, defaultOpenInAll)},
	} {
		open, err := d.Store.CountOpen(ctx, c.whose)
		if err != nil {
			return fmt.Errorf("count open requests: %w", err)
		}
		if open >= c.limit {
			return &access.Refusal{
				Code: access.CodeLimit, Rule: ask.Terms.Rule,
				Message: fmt.Sprintf("%s %d requests waiting for a decision, and no more may wait", c.words, open),
				Hint:    "wait until some are decided or have expired, or take them back",
			}
		}
	}
	return nil
}

func newRequest(ask access.Ask, now time.Time) access.Request {
	terms := ask.Terms
	terms.Persons = max(terms.Persons, 1)
	if terms.Within <= 0 {
		terms.Within = defaultWithin
	}
	if terms.Window <= 0 {
		terms.Window = terms.Within
	}
	text := ask.Operation.Text
	if text == "" {
		text = ask.Operation.Summary()
	}
	text = cut(text, maxText)
	accesses := listed(ask.Operation.Accesses)
	if more := len(ask.Operation.Accesses) - len(accesses); more > 0 {
		text += fmt.Sprintf("\n[%d further effects of the same kinds are not listed]", more)
	}
	return access.Request{
		Digest: ask.Digest, Subject: *ask.Subject, Target: ask.Target, Accesses: accesses, Text: text, Terms: terms,
		Policy: ask.Policy, Ticket: ask.Ticket, State: access.StateOpen, Created: now, Expires: now.Add(terms.Within),
		Session: ask.Session,
	}
}

// listed are the accesses that are kept of a request: all of them, or where there are many at least one of each action on
// each resource, since who may decide depends on these. Of more than can be kept there are none.
func listed(all []access.Access) []access.Access {
	if len(all) <= maxAccesses {
		return all
	}
	type kind struct {
		action   access.Action
		resource access.Resource
	}
	seen := make(map[kind]bool)
	first := make([]bool, len(all))
	for i := range all {
		k := kind{all[i].Action, all[i].Resource}
		first[i] = !seen[k]
		seen[k] = true
	}
	room := maxAccesses - len(seen)
	if room < 0 {
		return nil
	}
	kept := make([]access.Access, 0, maxAccesses)
	for i := range all {
		if !first[i] && room == 0 {
			continue
		}
		if !first[i] {
			room--
		}
		kept = append(kept, all[i])
	}
	return kept
}

// cut shortens text for people, and says so: an approver must know that there is more than can be read.
func cut(text string, limit int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= limit {
		return text
	}
	end := limit
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return fmt.Sprintf("%s\n[cut here: %d more bytes]", text[:end], len(text)-end)
}
