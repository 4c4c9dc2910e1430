package config

import "time"

// Ticket is a system that keeps change tickets, and what makes one of its tickets good enough for `after: {ticket: reviewed}`.
type Ticket struct {
	// Name of the system, for people and the records.
	Name string `yaml:"name" required:"true"`
	// Kind of the system; http is any that answers with JSON, described below.
	Kind string `yaml:"kind" required:"true" enum:"http|servicenow|github"`
	// Match is a regular expression that fits the whole name of every ticket of this system, and of no other's.
	Match string `yaml:"match" required:"true"`
	// URL of one ticket for http, with {ticket} for its name and {1} for what the first group of match fits. For servicenow
	// the instance, for github the API (https://api.github.com).
	URL string `yaml:"url" required:"true"`
	// Link is where people look at a ticket, with {ticket} as in url.
	Link string `yaml:"link"`
	// Credential that the gateway shows to the system.
	Credential TicketCredential `yaml:"credential"`
	// CA are the authorities to trust for the system, in PEM; the system's own when left out.
	CA PEM `yaml:"ca"`
	// Account makes, of what the system says of a reviewer, the ID of the same person's account here: corp:{email}. The
	// members of an account are its own for http ({account} when it is a text), user_name and email for servicenow, login
	// and id for github.
	Account string `yaml:"account"`
	// Accounts are those that account cannot make: the name there, and the account here. They go before it; without
	// account, nobody else's approval counts.
	Accounts map[string]string `yaml:"accounts"`
	// Reviewers is how many persons must have approved, besides the change's authors, who asks, and who answers for who asks.
	Reviewers int `yaml:"reviewers" default:"1" min:"1"`
	// Covers is a CEL condition that says whether the ticket is about what is asked: ticket is what the system says, name its
	// name; access has action, target, namespace, collection and resource, subject has id, kind, person, owner and instance.
	// Without it, a ticket that was reviewed is good for everything that the policy's rule is about.
	Covers string `yaml:"covers"`
	// MaxAge is how long a review counts; 0 means for ever.
	MaxAge time.Duration `yaml:"max_age"`
	// Keep is how long an answer is used for what reads.
	Keep time.Duration `yaml:"keep" default:"60s" min:"1s"`
	// Fresh is how long it is used for what writes; 0 asks the system every time.
	Fresh time.Duration `yaml:"fresh" default:"60s"`
	// Wait is the longest that a request waits for the system.
	Wait time.Duration `yaml:"wait" default:"5s" min:"100ms"`
	// Approved is a CEL condition, for http: the change is approved, and may be made.
	Approved string `yaml:"approved"`
	// ReviewedBy is CEL for the accounts that approved, for http: a list of texts, or of objects that have account, name,
	// login, user_name, username or email.
	ReviewedBy string `yaml:"reviewed_by"`
	// Authors is CEL for the accounts whose change it is, for http; their approval does not count.
	Authors string `yaml:"authors"`
	// Opens is CEL for the time from which the change may be made, for http: RFC 3339, or seconds since 1970.
	Opens string `yaml:"opens"`
	// Closes is CEL for the time from which it may no longer be made, for http.
	Closes string `yaml:"closes"`
	// ReviewedAt is CEL for the time of the review, for http; max_age needs it.
	ReviewedAt string `yaml:"reviewed_at"`
	// States in which a change may be made, for servicenow; -2 (Scheduled) and -1 (Implement) when left out.
	States []string `yaml:"states"`
	// Repository whose pull requests are the tickets, for github: owner/name.
	Repository string `yaml:"repository"`
}

// TicketCredential is what the gateway shows to a ticket system: with user by Basic, in header as it is, else as a bearer
// token.
type TicketCredential struct {
	// User at the system.
	User string `yaml:"user"`
	// Token, or the user's password.
	Token Secret `yaml:"token"`
	// Header that takes the token, such as PRIVATE-TOKEN.
	Header string `yaml:"header"`
}

// The kinds of Ticket.
const (
	TicketsHTTP       = "http"
	TicketsServiceNow = "servicenow"
	TicketsGitHub     = "github"
)
