// Package ticket asks the systems that keep change tickets whether a change was reviewed by peers. It knows a few systems by
// themselves (Kinds) and any other by an operator's description, and judges what all of them say by the same rules.
//
// It refuses to know rules of policy, protocols and the form of the log: it says of one ticket, subject and access whether
// the review counts, and hands what it rests on to a Recorder before anybody may rest on it. Start at Book.LookUp; what
// counts as reviewed is change.Reviewed.
package ticket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// Config says where the tickets of one system are, and what makes one of them good enough.
type Config struct {
	Name  string
	Kind  string
	Match string // of the names that it answers for: a regular expression that fits the whole name
	// URL is the ticket's own for KindHTTP, with {ticket} for its name and {1} for what the first group of Match fits; for
	// the other kinds the address of the system.
	URL string
	// Link is where people look at the ticket, with {ticket} as in URL.
	Link string
	// Credential returns what is shown to the system, at every request anew: with a user by Basic, else as a bearer token,
	// or as it is in Header. Nil or an empty secret shows nothing.
	Credential func() (user, secret string, err error)
	Header     string
	// Transport carries the requests; nil means one that trusts the system's authorities.
	Transport http.RoundTripper

	// Account returns which account of the gateway's an account there is. An error means that it is nobody's.
	Account func(claims map[string]any) (string, error)
	// Accounts are those that Account cannot tell, by the name that the system knows them by; they go before it.
	Accounts map[string]string

	Reviewers int           // persons who must have approved; at least one
	MaxAge    time.Duration // since the review; 0 means any
	Covers    string        // condition on ticket and access; empty covers everything
	Keep      time.Duration // how long an answer is good for reading
	Fresh     time.Duration // and for writing; 0 asks every time
	Wait      time.Duration // the longest that a request waits for an answer

	// For KindHTTP: expressions over the answer.
	Approved, By, Authors, Opens, Closes, At string
	// For KindServiceNow: the states in which a change may be carried out.
	States []string
	// For KindGitHub: owner/name, and what is read of it.
	Repository string
}

// The kinds of system.
const (
	KindHTTP       = "http"
	KindServiceNow = "servicenow"
	KindGitHub     = "github"
)

// Kinds are the systems that can be asked.
var Kinds = []string{KindHTTP, KindServiceNow, KindGitHub}

// Shown is what a system showed of a ticket, for the log.
type Shown struct {
	Ticket, System string
	Digest         string // SHA-256 of Snapshot, in hex
	Snapshot       []byte // canonical JSON
}

// Recorder writes down what decisions rest on.
type Recorder interface {
	// Ticket returns once it is durable in the log.
	Ticket(context.Context, Shown) error
}

// Options are what a Book needs of the gateway.
type Options struct {
	Recorder Recorder
	// Person returns who an account of the gateway's is; nil means that every account is a person of its own.
	Person func(account string) string
	Log    *slog.Logger
	Now    func() time.Time
}

// Limits of what is kept and asked for at once.
const (
	maxKept      = 1000
	maxBytes     = 16 << 20 // of what systems said, all together
	maxFlights   = 32
	maxPerPerson = 4
	keepFailure  = 5 * time.Second // a no, or no answer
	recordAgain  = time.Hour
)

// Book knows the systems and what they said a short while ago. It implements gate.Tickets and policy.Tickets.
type Book struct {
	opts    Options
	systems atomic.Pointer[[]*system]

	ctx   context.Context // ends the requests to systems
	end   context.CancelFunc
	asked sync.WaitGroup

	mu      sync.Mutex
	pages   map[string]*page // by ticket
	flights int
	asking  map[string]int // by subject
}

// page is what is known of one ticket. Its fields are owned by Book.mu.
type page struct {
	system   *system
	change   *change
	at       time.Time     // when it was asked for
	flight   chan struct{} // closed when what is being asked for is there; nil when nothing is
	recorded string        // digest of what the log has
	noted    time.Time
}

// system is a Config, compiled.
type system struct {
	Config
	match  *regexp.Regexp
	client *http.Client
	covers *expression
	source source
}

// source asks a system for one ticket.
type source interface {
	// get returns what the system says, and everything that it rests on, for the log and for expressions.
	get(ctx context.Context, s *system, name string, groups []string) (review, map[string]any, error)
}

// NewBook checks the configuration. All faults are reported at once.
func NewBook(configs []Config, o Options) (*Book, error) {
	b := &Book{opts: o, pages: map[string]*page{}, asking: map[string]int{}}
	b.ctx, b.end = context.WithCancel(context.Background())
	return b, b.Replace(configs)
}

// Check reports every fault of a configuration without using it.
func Check(configs []Config) error {
	_, err := compile(configs)
	return err
}

// Replace puts other systems in force, all or none, and forgets what was kept.
func (b *Book) Replace(configs []Config) error {
	systems, err := compile(configs)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.systems.Store(&systems)
	for name, p := range b.pages {
		p.change, p.at = nil, time.Time{}
		if p.flight == nil {
			delete(b.pages, name)
		}
	}
	return nil
}

// Close gives up what is being asked for, and waits until nobody asks any more.
func (b *Book) Close() {
	b.end()
	b.asked.Wait()
}

func compile(configs []Config) ([]*system, error) {
	var all []*system
	var faults []error
	for i := range configs {
		s, err := newSystem(configs[i])
		if err != nil {
			faults = append(faults, fmt.Errorf("tickets[%d].%w", i, err))
			continue
		}
		all = append(all, s)
	}
	return all, errors.Join(faults...)
}

func newSystem(c Config) (*system, error) {
	s := &system{Config: c}
	s.Reviewers = max(c.Reviewers, 1)
	s.Keep, s.Fresh, s.Wait = cmp.Or(c.Keep, time.Minute), c.Fresh, cmp.Or(c.Wait, 5*time.Second)
	var err error
	if s.match, err = regexp.Compile(`\A(?:` + c.Match + `)\z`); err != nil || c.Match == "" {
		return nil, fmt.Errorf("match: %q is not a regular expression", c.Match)
	}
	if c.Account == nil && len(c.Accounts) == 0 {
		return nil, errors.New("account: nothing says who its reviewers are")
	}
	if err := checkAddress(c.URL, c.Kind == KindHTTP); err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	if c.Link != "" {
		if err := checkAddress(c.Link, true); err != nil {
			return nil, fmt.Errorf("link: %w", err)
		}
	}
	if c.Covers != "" {
		if s.covers, err = compileExpression(c.Covers, true, truth); err != nil {
			return nil, fmt.Errorf("covers: %w", err)
		}
	}
	switch c.Kind {
	case KindHTTP:
		s.source, err = newDescribed(c)
	case KindServiceNow:
		s.source, err = newServiceNow(c)
	case KindGitHub:
		s.source, err = newGitHub(c)
	default:
		err = fmt.Errorf("kind: %q is not one of %s", c.Kind, strings.Join(Kinds, ", "))
	}
	if err != nil {
		return nil, err
	}
	s.client = newClient(c.Transport)
	return s, nil
}

// checkAddress wants https, or http on this machine, and {ticket} nowhere but after the host.
func checkAddress(text string, named bool) error {
	u, err := url.Parse(placeholder.ReplaceAllString(text, "x"))
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("%q is not an address such as https://changes.example.com", text)
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return fmt.Errorf("%q is not https; only an address of this machine may go without", text)
	}
	_, rest, _ := strings.Cut(text, "://")
	host, _, _ := strings.Cut(rest, "/")
	host, _, _ = strings.Cut(host, "?")
	switch {
	case strings.ContainsAny(host, "{}"):
		return fmt.Errorf("%q: the ticket's name may not choose the host", text)
	case u.Fragment != "":
		return fmt.Errorf("%q has a fragment, which is never sent", text)
	case named && !placeholder.MatchString(text):
		return fmt.Errorf("%q does not say where the ticket's name goes: {ticket}", text)
	case !named && (u.RawQuery != "" || strings.ContainsAny(text, "{}")):
		return fmt.Errorf("%q: the address of the system, without a query or {ticket}", text)
	}
	return nil
}

// Link is where people look at a ticket; empty when nobody says.
func (b *Book) Link(ticket string) string {
	s, groups, fault := b.find(ticket)
	if fault != nil || s.Config.Link == "" {
		return ""
	}
	return fill(s.Config.Link, ticket, groups)
}

// find returns the one system that answers for a name, and what the groups of its pattern fit.
func (b *Book) find(ticket string) (*system, []string, *access.Refusal) {
	if !named(ticket) {
		return nil, nil, &access.Refusal{Message: "this is not the name of a ticket: letters, digits and . _ - # / ! only", Hint: "attach the ticket by its name, such as CHG-7"}
	}
	var found *system
	var groups []string
	for _, s := range *b.systems.Load() {
		m := s.match.FindStringSubmatch(ticket)
		if m == nil {
			continue
		}
		if found != nil {
			return nil, nil, &access.Refusal{
				Message: fmt.Sprintf("both %s and %s of the gateway's ticket systems answer for this name", found.Name, s.Name),
				Hint:    "tell the operator of the gateway: tickets[].match must tell them apart",
			}
		}
		found, groups = s, m
	}
	if found == nil {
		return nil, nil, &access.Refusal{Message: "no ticket system of the gateway answers for this name", Hint: "attach a ticket of " + b.known()}
	}
	return found, groups, nil
}

func (b *Book) known() string {
	var words []string
	for _, s := range *b.systems.Load() {
		words = append(words, s.Name+", whose names are like "+s.Config.Match)
	}
	return cmp.Or(strings.Join(words, "; or of "), "another system, once the operator has connected one")
}

// named reports whether a text can be the name of a ticket. Nothing else ever gets near an address.
func named(s string) bool {
	if s == "" || len(s) > 128 || strings.Contains(s, "..") || strings.Contains(s, "//") || strings.Contains(s, "/./") || strings.HasPrefix(s, ".") || strings.HasSuffix(s, ".") {
		return false
	}
	for _, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && !strings.ContainsRune("._-#/!", rune(c)) {
			return false
		}
	}
	return true
}
