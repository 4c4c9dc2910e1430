// Package conversation makes sessions of requests that come one by one: the requests of one client, with one credential,
// for one target, are one conversation of one subject. Both carriers, HTTP and gRPC, come in through its Door.
//
// It refuses to know what a request says and how a protocol says no. Start at Door.Enter.
package conversation

import (
	"net"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
)

// Sentence is all that a refusal tells a person, on one line.
func Sentence(r *access.Refusal) string {
	s := r.Message
	if r.Rule != "" && !strings.Contains(s, r.Rule) {
		s += " (rule " + r.Rule + ")"
	}
	if r.Hint != "" {
		s += "; hint: " + r.Hint
	}
	if r.Ref != "" {
		s += "; reference " + r.Ref
	}
	return s
}

// Host is an address without its port.
func Host(address string) string {
	h, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return h
}

// Program is what a client calls itself, fit for the record.
func Program(agent string) string {
	if len(agent) > 80 {
		agent = agent[:80]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, agent)
}
