package config

import (
	"fmt"
	"maps"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
)

var headerForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,63}$`)

func checkTickets(c *Config, r *report) {
	var people []string
	for _, p := range c.Identity.Providers {
		if p.Kind == access.Person {
			people = append(people, p.Name)
		}
	}
	programs := make([]*syntax.Prog, len(c.Tickets))
	for i := range c.Tickets {
		t, path := &c.Tickets[i], fmt.Sprintf("tickets[%d]", i)
		checkName(r, path+".name", t.Name)
		checkTicketAccounts(t, path, people, r)
		if programs[i] = program(t.Match); programs[i] == nil && t.Match != "" {
			r.at(path+".match", "%s is not a regular expression (RE2)", r.shown(path+".match", t.Match))
		}
		for j := range i {
			if both := common(programs[i], programs[j]); both != "" {
				r.at(path+".match", "%q fits tickets[%d].match (%s) as well: a ticket's name must say which system keeps it", both, j, c.Tickets[j].Name)
			}
		}
		if t.URL != "" {
			checkTicketURL(r, path+".url", t.URL, t.Kind == TicketsHTTP)
		}
		if t.Link != "" {
			checkTicketURL(r, path+".link", t.Link, true)
		}
		if h := t.Credential.Header; h != "" && (!headerForm.MatchString(h) || t.Credential.User != "") {
			r.at(path+".credential.header", "%s: one header that takes the token, without a user", r.shown(path+".credential.header", h))
		}
		if t.Credential.Token.IsZero() && (t.Credential.User != "" || t.Credential.Header != "") {
			r.at(path+".credential.token", "is missing")
		}
		if t.Fresh > t.Keep {
			r.at(path+".fresh", "%s is longer than keep", r.shown(path+".fresh", t.Fresh.String()))
		}
		checkTicketKind(t, path, r)
		if t.Covers == "" {
			r.warn(path+".covers", "there is none: one reviewed ticket is good for everything that a rule with a ticket is about")
		}
	}
	unique(r, "tickets", "name", c.Tickets, func(t Ticket) string { return t.Name })
}

// checkTicketAccounts wants reviewers to become accounts of a provider for persons: a slip would count them as somebody else.
func checkTicketAccounts(t *Ticket, path string, people []string, r *report) {
	if t.Account == "" && len(t.Accounts) == 0 {
		r.at(path+".account", "is missing: nobody's approval would count; write %s:{email}, or list accounts", example(people))
	}
	checkTemplate(r, path+".account", t.Account, true)
	one := func(path, id string) {
		provider, rest, ok := strings.Cut(id, ":")
		switch {
		case !ok || rest == "" || strings.Contains(rest, "*"):
			r.at(path, "%s is not a subject ID; they look like %s:…", r.shown(path, id), example(people))
		case !slices.Contains(people, provider):
			r.at(path, "%s begins with no provider of persons: %s", r.shown(path, id), oneOf(fmt.Sprintf("%q", provider), provider, people))
		}
	}
	if t.Account != "" {
		one(path+".account", t.Account)
	}
	seen := map[string]string{}
	for _, there := range slices.Sorted(maps.Keys(t.Accounts)) {
		here := t.Accounts[there]
		at := path + ".accounts." + there
		one(at, here)
		if other, ok := seen[strings.ToLower(there)]; ok {
			r.at(at, "is %s already, in other letters", other)
		}
		seen[strings.ToLower(there)] = there
	}
}

var ticketPlace = regexp.MustCompile(`\{(?:ticket|[1-9])\}`)

// checkTicketURL wants a ticket's name to go anywhere but to another host.
func checkTicketURL(r *report, path, text string, named bool) {
	address, _, _ := strings.Cut(text, "?")
	_, rest, _ := strings.Cut(address, "://")
	host, _, _ := strings.Cut(rest, "/")
	switch {
	case strings.ContainsAny(host, "{}"):
		r.at(path, "%s: the ticket's name may not choose the host", r.shown(path, text))
	case named && !ticketPlace.MatchString(text):
		r.at(path, "%s does not say where the ticket's name goes: {ticket}", r.shown(path, text))
	case !named && strings.ContainsAny(text, "?{}"):
		r.at(path, "%s: the address of the system, without a query or {ticket}", r.shown(path, text))
	default:
		checkURL(r, path, ticketPlace.ReplaceAllString(address, "x"), true)
	}
}

// checkTicketKind wants what the kind needs, and nothing that it does not read.
func checkTicketKind(t *Ticket, path string, r *report) {
	for _, k := range []struct {
		key, value, kind string
		needed           bool
	}{
		{"approved", t.Approved, TicketsHTTP, true},
		{"reviewed_by", t.ReviewedBy, TicketsHTTP, true},
		{"authors", t.Authors, TicketsHTTP, false},
		{"opens", t.Opens, TicketsHTTP, false},
		{"closes", t.Closes, TicketsHTTP, false},
		{"reviewed_at", t.ReviewedAt, TicketsHTTP, t.MaxAge > 0},
		{"states", strings.Join(t.States, " "), TicketsServiceNow, false},
		{"repository", t.Repository, TicketsGitHub, true},
	} {
		at := path + "." + k.key
		switch {
		case t.Kind == "":
		case k.value != "" && t.Kind != k.kind:
			r.at(at, "has no use: it is for kind: %s", k.kind)
		case k.value == "" && t.Kind == k.kind && k.needed:
			r.at(at, "is missing, which kind: %s needs", k.kind)
		}
	}
}

// program is a pattern that fits a whole name; nil when it is none.
func program(pattern string) *syntax.Prog {
	if pattern == "" {
		return nil
	}
	re, err := syntax.Parse(`\A(?:`+pattern+`)\z`, syntax.Perl)
	if err != nil {
		return nil
	}
	p, err := syntax.Compile(re.Simplify())
	if err != nil {
		return nil
	}
	return p
}

// Limits of the search for a name that fits two patterns. What it does not find is refused when it is used.
const (
	maxPairs = 4000
	inNames  = "0123456789-_.#/!abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// common returns the shortest name that both patterns fit, empty when none is found. It walks both at once.
func common(a, b *syntax.Prog) string {
	if a == nil || b == nil {
		return ""
	}
	type pair struct {
		a, b []uint32
		name string
	}
	queue := []pair{{closure(a, []uint32{uint32(a.Start)}, true), closure(b, []uint32{uint32(b.Start)}, true), ""}}
	seen := map[string]bool{}
	for len(queue) > 0 && len(seen) < maxPairs {
		p := queue[0]
		queue = queue[1:]
		if p.name != "" && ends(a, p.a) && ends(b, p.b) {
			return p.name
		}
		for _, c := range inNames {
			next := pair{step(a, p.a, c), step(b, p.b, c), p.name + string(c)}
			if len(next.a) == 0 || len(next.b) == 0 {
				continue
			}
			key := fmt.Sprint(next.a, next.b)
			if !seen[key] {
				seen[key] = true
				queue = append(queue, next)
			}
		}
	}
	return ""
}

// closure are the instructions that can be reached without a letter, in order.
func closure(p *syntax.Prog, from []uint32, start bool) []uint32 {
	var all []uint32
	todo := slices.Clone(from)
	for len(todo) > 0 {
		pc := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if slices.Contains(all, pc) {
			continue
		}
		all = append(all, pc)
		switch i := &p.Inst[pc]; i.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			todo = append(todo, i.Out, i.Arg)
		case syntax.InstCapture, syntax.InstNop:
			todo = append(todo, i.Out)
		case syntax.InstEmptyWidth:
			if op := syntax.EmptyOp(i.Arg); op&syntax.EmptyEndText == 0 && (start || op&syntax.EmptyBeginText == 0) {
				todo = append(todo, i.Out)
			}
		}
	}
	slices.Sort(all)
	return all
}

func step(p *syntax.Prog, at []uint32, c rune) []uint32 {
	var next []uint32
	for _, pc := range at {
		i := &p.Inst[pc]
		switch i.Op {
		case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			if i.MatchRune(c) {
				next = append(next, i.Out)
			}
		}
	}
	return closure(p, next, false)
}

// ends reports whether the name may end here.
func ends(p *syntax.Prog, at []uint32) bool {
	seen := map[uint32]bool{}
	todo := slices.Clone(at)
	for len(todo) > 0 {
		pc := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[pc] {
			continue
		}
		seen[pc] = true
		switch i := &p.Inst[pc]; i.Op {
		case syntax.InstMatch:
			return true
		case syntax.InstAlt, syntax.InstAltMatch:
			todo = append(todo, i.Out, i.Arg)
		case syntax.InstCapture, syntax.InstNop, syntax.InstEmptyWidth:
			todo = append(todo, i.Out)
		}
	}
	return false
}
