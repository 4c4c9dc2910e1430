package ticket

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// review is what every system says of a ticket, in one form.
type review struct {
	approved bool
	standing string    // in the system's words, when it is not approved
	authors  []account // who wrote the change or asked for it
	by       []account // who approved it
	opens    time.Time // zero when the change may be made at any time before closes
	closes   time.Time // zero when it may be made at any time from opens on
}

// account is somebody as a ticket system knows them.
type account struct {
	name    string         // the system's own, unique there
	claims  map[string]any // what else it says of them
	machine bool
	at      time.Time // of an approval; zero when the system does not say
}

// change is one answer of a system. It never changes and implements access.Change.
type change struct {
	name     string
	system   *system
	person   func(string) string
	fault    *access.Refusal // why there is no answer
	review   review
	document map[string]any // when expressions look at it
	size     int
	snapshot []byte
	digest   string
	recorded bool
}

// Digest implements access.Change.
func (c *change) Digest() string { return c.digest }

// Reviewed implements access.Change. What is missing or odd is not reviewed.
func (c *change) Reviewed(s *access.Subject, a *access.Access, now time.Time) error {
	// 1. There is an answer, and it says that the change is approved.
	if c.fault != nil {
		return c.fault
	}
	r, name := &c.review, c.system.Name
	another := "or attach another ticket"
	if !r.approved {
		return &access.Refusal{Message: fmt.Sprintf("%s does not have it approved (%s)", name, cmp.Or(r.standing, "it does not say why")), Hint: fmt.Sprintf("have it approved in %s, %s", name, another)}
	}
	// 2. It is open now.
	if !r.opens.IsZero() && now.Before(r.opens) {
		return &access.Refusal{Message: "its change window opens at " + r.opens.UTC().Format(time.RFC3339), Hint: "wait for that, " + another}
	}
	if !r.closes.IsZero() && !now.Before(r.closes) {
		return &access.Refusal{Message: "its change window closed at " + r.closes.UTC().Format(time.RFC3339), Hint: fmt.Sprintf("have it planned and reviewed anew in %s, %s", name, another)}
	}
	if !r.opens.IsZero() && !r.closes.IsZero() && !r.opens.Before(r.closes) {
		return &access.Refusal{Message: "its change window ends before it begins", Hint: fmt.Sprintf("set it right in %s", name)}
	}
	// 3. Enough persons reviewed it, not too long ago, who are not the subject, nor answer for it.
	if err := c.peers(s, now); err != nil {
		return err
	}
	// 4. It is about this.
	if c.system.covers == nil {
		return nil
	}
	covers, err := c.system.covers.truth(variables{"ticket": c.document, "name": c.name, "subject": subjectOf(s), "access": accessOf(a)})
	switch {
	case err != nil:
		return &access.Refusal{Message: fmt.Sprintf("whether it covers %s on %s cannot be told (tickets[].covers of %s)", a.Action, a.Resource, name), Hint: fmt.Sprintf("fill in all of the ticket in %s, %s", name, another), Err: err}
	case !covers:
		return &access.Refusal{Message: fmt.Sprintf("it does not cover %s on %s (tickets[].covers of %s)", a.Action, a.Resource, name), Hint: "attach the ticket that was reviewed for this"}
	}
	return nil
}

// peers says why too few persons reviewed the change, nil when enough did.
func (c *change) peers(s *access.Subject, now time.Time) error {
	if c.review.approved && s.Person == "" && s.Owner == "" {
		return &access.Refusal{
			Message: fmt.Sprintf("nobody is known to answer for %s, so nobody can be told apart from them", s.Display()),
			Hint:    "the operator of the gateway names the owner, in identity.persons or by the provider's owner",
		}
	}
	needed, name := c.system.Reviewers, c.system.Name
	var authors []string
	for _, a := range c.review.authors {
		if who, err := c.who(a); err == nil {
			authors = append(authors, who)
		}
	}
	var peers, passed []string
	pass := func(a account, why string) { passed = append(passed, fmt.Sprintf("%.60q %s", a.name, why)) }
	for _, a := range c.review.by {
		who, err := c.who(a)
		switch {
		case a.machine:
			pass(a, "is not a person")
		case slices.ContainsFunc(c.review.authors, func(o account) bool { return strings.EqualFold(o.name, a.name) }):
			pass(a, "is the change's own author")
		case err != nil:
			pass(a, "is nobody whom the gateway knows")
		case slices.ContainsFunc(authors, func(o string) bool { return strings.EqualFold(o, who) }):
			pass(a, "is the change's own author")
		case c.is(s, a, who):
			pass(a, "is who asks, or answers for who asks")
		case c.system.MaxAge > 0 && a.at.IsZero():
			pass(a, fmt.Sprintf("approved it at a time that is not known, and a review counts for %s only", span(c.system.MaxAge)))
		case c.system.MaxAge > 0 && now.Sub(a.at) > c.system.MaxAge:
			pass(a, fmt.Sprintf("approved it at %s, and a review counts for %s only", a.at.UTC().Format(time.RFC3339), span(c.system.MaxAge)))
		case !slices.ContainsFunc(peers, func(o string) bool { return strings.EqualFold(o, who) }):
			peers = append(peers, who)
		}
	}
	if len(peers) >= needed {
		return nil
	}
	message := fmt.Sprintf("%d of %d peers reviewed it in %s", len(peers), needed, name)
	if len(c.review.by) == 0 {
		message = fmt.Sprintf("nobody reviewed it in %s", name)
	}
	if len(passed) > 0 {
		message += ": " + strings.Join(passed[:min(len(passed), 3)], ", ")
	}
	return &access.Refusal{Message: message, Hint: fmt.Sprintf("have somebody else approve it in %s, or attach another ticket", name)}
}

var errNobody = errors.New("the system does not name them")

// who is the person whose account there this is.
func (c *change) who(a account) (string, error) {
	if a.name == "" {
		return "", errNobody
	}
	id := ""
	for there, here := range c.system.Accounts {
		if strings.EqualFold(there, a.name) {
			id = here
		}
	}
	if id == "" {
		if c.system.Account == nil {
			return "", errNobody
		}
		var err error
		if id, err = c.system.Account(a.claims); err != nil {
			return "", err
		}
	}
	if c.person == nil {
		return id, nil
	}
	return c.person(id), nil
}

// is reports whether a reviewer is the subject, who acts for it, or who answers for it. Accounts are compared besides
// persons, so that a mapping that is not right does not make two of one.
func (c *change) is(s *access.Subject, a account, who string) bool {
	var handles []string
	for depth := 0; s != nil; s = s.Actor {
		if depth++; depth > 8 {
			return true
		}
		handles = append(handles, s.Person, s.Owner, s.ID, s.Name)
		for _, name := range []string{"email", "preferred_username", "upn", "login", "username"} {
			handles = append(handles, text(s.Claims, name))
		}
		if _, own, ok := strings.Cut(s.ID, ":"); ok {
			handles = append(handles, own)
		}
	}
	theirs := []string{who, a.name}
	for _, name := range []string{"email", "login", "user_name", "username"} {
		theirs = append(theirs, text(a.claims, name))
	}
	for _, h := range handles {
		if h != "" && slices.ContainsFunc(theirs, func(t string) bool { return strings.EqualFold(t, h) }) {
			return true
		}
	}
	return false
}

// span is a duration as the configuration writes it.
func span(d time.Duration) string {
	if day := 24 * time.Hour; d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	return d.String()
}
