package approval

import (
	"context"
	"fmt"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/vecgate/vecgate/internal/access"
)

// maxReason bounds the words that a person gives with a vote, in characters.
const maxReason = 1000

// Vote is a person's word on an open request. One person's no closes it; it is approved when as many persons as its
// terms ask for have said yes. A refusal says why a vote does not count.
func (d *Desk) Vote(ctx context.Context, id string, voter *access.Subject, approve bool, reason string) (access.Request, error) {
	if !utf8.ValidString(reason) || utf8.RuneCountInString(reason) > maxReason {
		return access.Request{}, &access.Refusal{
			Code: access.CodeLimit, Message: fmt.Sprintf("the reason is longer than %d characters, or not text", maxReason), Hint: "shorten it",
		}
	}
	unlock, err := d.lock(ctx)
	if err != nil {
		return access.Request{}, err
	}
	defer unlock()

	r, version, err := d.get(ctx, id)
	if err != nil {
		return r, err
	}
	now := d.Now()
	if refusal := d.eligible(voter, &r, now); refusal != nil {
		refusal.Ref = r.ID
		return r, refusal
	}
	if r.State == access.StateOpen && !now.Before(r.Expires) {
		if err := d.expire(ctx, r, version, now); err != nil {
			return r, err
		}
		r.State = access.StateExpired
	}
	if r.State != access.StateOpen {
		return r, &access.Refusal{
			Code: access.CodeNotReleased, Ref: r.ID, Message: fmt.Sprintf("request %s is %s and cannot be decided any more", r.ID, r.State),
			Hint: "the requester can send it again to ask anew",
		}
	}
	if slices.ContainsFunc(r.Decisions, func(v access.Vote) bool { return v.Person == voter.Person }) {
		return r, &access.Refusal{
			Code: access.CodeSeparation, Ref: r.ID, Message: fmt.Sprintf("%s has already decided on request %s; persons are counted, not accounts", voter.Person, r.ID),
			Hint: "another person must decide",
		}
	}

	vote := access.Vote{Person: voter.Person, Subject: voter.ID, Name: voter.Name, Approve: approve, Reason: clean(reason), At: now}
	r.Decisions = append(slices.Clip(r.Decisions), vote)
	switch {
	case !approve:
		r.State, r.Decided = access.StateDenied, &now
	case len(approvers(r.Decisions)) >= max(r.Terms.Persons, 1):
		r.State, r.Decided = access.StateApproved, &now
		r.Expires = now.Add(r.Terms.Window)
	}
	return r, d.change(ctx, r, version, &vote)
}

// Eligible says why the voter may not decide on the request, whatever its state, or nil.
func (d *Desk) Eligible(voter *access.Subject, r *access.Request) *access.Refusal {
	return d.eligible(voter, r, d.Now())
}

// eligible is what the desk insists on, whatever the policy says: a person decides, speaking for nobody else, whom the
// terms name, and who is neither the requester nor answerable for it.
func (d *Desk) eligible(voter *access.Subject, r *access.Request, now time.Time) *access.Refusal {
	separation := func(message, hint string) *access.Refusal {
		return &access.Refusal{Code: access.CodeSeparation, Rule: r.Terms.Rule, Message: message, Hint: hint}
	}
	if voter == nil {
		return &access.Refusal{Code: access.CodeIdentity, Message: "nobody is signed in", Hint: "sign in first"}
	}
	if e := voter.Expires; !e.IsZero() && !now.Before(e) {
		return &access.Refusal{Code: access.CodeExpired, Message: fmt.Sprintf("the credential of %s has expired", voter.Display()), Hint: "sign in again"}
	}
	if voter.Kind != access.Person {
		return separation(fmt.Sprintf("%s is a workload, and only persons decide on requests", voter.Display()), "a person must decide")
	}
	if voter.Actor != nil {
		return separation(fmt.Sprintf("%s acts on behalf of %s, and persons decide on requests themselves", voter.Actor.Display(), voter.Display()), "sign in yourself")
	}
	if voter.Person == "" {
		return separation(fmt.Sprintf("it is not known which person %s is", voter.Display()), "ask the operator to list the account under identity.persons")
	}
	if len(voter.Scopes) > 0 && !slices.Contains(voter.Scopes, ScopeApprove) {
		return &access.Refusal{Code: access.CodeDenied, Message: "this credential may not be used to decide on requests", Hint: "sign in without a scope, or with the scope " + ScopeApprove}
	}
	if !voter.MayReach(r.Target) {
		return &access.Refusal{
			Code: access.CodeScope, Message: fmt.Sprintf("the credential of %s is not good for target %s", voter.Display(), r.Target),
			Hint: "sign in without --target, or for this target",
		}
	}
	if sameParty(voter, &r.Subject) {
		return separation(fmt.Sprintf("%s asked for request %s, or answers for who did; nobody releases their own work", voter.Display(), r.ID), "another person must decide")
	}
	if slices.Contains(r.Terms.Exclude, voter.Person) || slices.Contains(r.Terms.Exclude, voter.ID) {
		return separation(fmt.Sprintf("rule %s keeps %s from deciding on request %s", r.Terms.Rule, voter.Display(), r.ID), "another person must decide")
	}
	if !slices.ContainsFunc(r.Terms.Groups, voter.InGroup) {
		return &access.Refusal{
			Code: access.CodeDenied, Rule: r.Terms.Rule,
			Message: fmt.Sprintf("not allowed: %s may not decide on request %s; rule %s asks for %s", voter.Display(), r.ID, r.Terms.Rule, groupsOf(r.Terms.Groups)),
			Hint:    "somebody of that group must decide",
		}
	}
	if d.May != nil {
		return d.May(voter, r)
	}
	return nil
}

// ScopeApprove lets a narrowed credential decide on requests.
const ScopeApprove = "approve"

// sameParty reports whether the voter is the requester, its owner, or whoever acts for it, under any account.
func sameParty(voter, requester *access.Subject) bool {
	for depth := 0; requester != nil && depth < 16; requester, depth = requester.Actor, depth+1 {
		for _, name := range []string{requester.ID, requester.Person, requester.Owner} {
			if name != "" && (name == voter.ID || name == voter.Person) {
				return true
			}
		}
	}
	return requester != nil // a chain that long is not read to its end
}

// approvers are the distinct persons who said yes.
func approvers(votes []access.Vote) []string {
	var persons []string
	for _, v := range votes {
		if v.Approve && v.Person != "" && !slices.Contains(persons, v.Person) {
			persons = append(persons, v.Person)
		}
	}
	return persons
}

func groupsOf(groups []string) string {
	switch len(groups) {
	case 0:
		return "nobody"
	case 1:
		return "group " + groups[0]
	}
	return fmt.Sprintf("one of the groups %v", groups)
}

// clean replaces control characters, which have no place in a sentence that terminals will print.
func clean(reason string) string {
	runes := []rune(reason)
	for i, c := range runes {
		if c != '\n' && (unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c)) {
			runes[i] = ' '
		}
	}
	return string(runes)
}
