package admin

import (
	"context"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// Requests are the access requests.
type Requests interface {
	// List returns requests, newest first.
	List(context.Context, RequestFilter) ([]access.Request, error)
	// Get returns a request, or ErrNotFound; id may be typed carelessly.
	Get(ctx context.Context, id string) (access.Request, error)
	// Vote is the voter's word on an open request. What stands against it is an *access.Refusal.
	Vote(ctx context.Context, id string, voter *access.Subject, approve bool, reason string) (access.Request, error)
	// Eligible says why the voter may not decide on the request, whatever its state, or nil.
	Eligible(voter *access.Subject, r *access.Request) *access.Refusal
	// Subscribe sends every change of a request. The channel is closed when ctx ends or the reader falls behind.
	Subscribe(context.Context) <-chan access.Request
}

// RequestFilter chooses requests.
type RequestFilter struct {
	States []access.State // empty means all
	Target string
	Before time.Time // filed before; for the next page
	Limit  int

	// Mine chooses what the caller asked for, Waiting what waits for the caller's own word. A Requests need not know them.
	Mine, Waiting bool
}

// Request is an access request as one caller sees it.
type Request struct {
	access.Request
	// Mine says that the caller asked for it, or answers for who did.
	Mine bool `json:"mine"`
	// May says that the caller can decide on it now; Why says why not, when somebody still can.
	May bool `json:"may_decide"`
	Why *Why `json:"why_not,omitempty"`
	// TicketLink is where the change ticket can be looked at.
	TicketLink string `json:"ticket_link,omitempty"`
	// Yes is how many distinct persons have agreed so far.
	Yes int `json:"approvals"`
}

// Why is a refusal in words.
type Why struct {
	Code    access.Code `json:"code"`
	Message string      `json:"message"`
	Hint    string      `json:"hint,omitempty"`
}

// view shows a request to a caller, or says that the caller may not see it.
func (s *Service) view(c Caller, r access.Request) (Request, bool) {
	v := Request{Request: r, Mine: same(c.Subject, &r.Subject), TicketLink: s.LinkTo(r.Ticket)}
	persons := map[string]bool{}
	voted := false
	for _, d := range r.Decisions {
		voted = voted || c.Subject.Person != "" && d.Person == c.Subject.Person
		if d.Approve {
			persons[d.Person] = true
		}
	}
	v.Yes = len(persons)
	no := s.Requests.Eligible(c.Subject, &r)
	switch {
	case r.State != access.StateOpen || !s.Now().Before(r.Expires):
	case no != nil:
		v.Why = &Why{no.Code, no.Message, no.Hint}
	case voted:
		v.Why = &Why{access.CodeSeparation, "you have decided already; persons are counted, not accounts", "another person must decide"}
	default:
		v.May = true
	}
	return v, v.Mine || no == nil || voted || s.Auditor(c)
}

// maxScan bounds how many requests are looked through for one page.
const maxScan = 5000

// ListRequests returns the requests that the caller may see, newest first; more says that there are older ones.
func (s *Service) ListRequests(ctx context.Context, c Caller, f RequestFilter) (list []Request, more bool, err error) {
	if r := s.signedIn(c); r != nil {
		return nil, false, r
	}
	limit := page(f.Limit)
	f.Limit = pageMax
	for scanned := 0; scanned < maxScan; {
		batch, err := s.Requests.List(ctx, f)
		if err != nil {
			return nil, false, err
		}
		full := len(batch) == f.Limit
		if full {
			var again int
			f.Before, again = following(batch, func(r access.Request) time.Time { return r.Created })
			batch = batch[:len(batch)-again]
		}
		for _, r := range batch {
			v, ok := s.view(c, r)
			if !ok || f.Mine && !v.Mine || f.Waiting && !v.May {
				continue
			}
			if n := len(list); n > 0 && whole(n, limit, list[n-1].Created, r.Created) {
				return list, true, nil
			}
			list = append(list, v)
		}
		if !full {
			return list, false, nil
		}
		scanned += len(batch)
	}
	return list, true, nil
}

// Request returns one request.
func (s *Service) Request(ctx context.Context, c Caller, id string) (Request, error) {
	if r := s.signedIn(c); r != nil {
		return Request{}, r
	}
	r, err := s.Requests.Get(ctx, id)
	if err != nil {
		return Request{}, err
	}
	v, ok := s.view(c, r)
	if !ok {
		return Request{}, ErrNotFound
	}
	return v, nil
}

// Decide is the caller's word on a request.
func (s *Service) Decide(ctx context.Context, c Caller, id string, approve bool, reason string) (Request, error) {
	before, err := s.Request(ctx, c, id)
	if err != nil {
		return before, err
	}
	if !approve && reason == "" {
		return before, &access.Refusal{Code: access.CodeLimit, Ref: before.ID, Message: "a no needs a reason", Hint: "say why, so that the requester knows what to change"}
	}
	r, err := s.Requests.Vote(ctx, before.ID, c.Subject, approve, reason)
	if err != nil {
		return before, err
	}
	v, _ := s.view(c, r)
	return v, nil
}

// WatchRequests calls seen for every change of a request that the caller may see, and idle at once and then every so
// often, until ctx ends, the caller is no longer welcome, seen or idle fails, or the caller falls behind; it then returns
// nil, and the caller reads the list anew. It asks whether the caller is welcome before every call.
func (s *Service) WatchRequests(ctx context.Context, c Caller, every time.Duration, welcome Welcome, seen func(Request) error, idle func() error) error {
	if r := s.signedIn(c); r != nil {
		return r
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	changes := s.Requests.Subscribe(ctx)
	tick := time.NewTicker(every)
	defer tick.Stop()
	again := func() error {
		now, err := welcome(ctx)
		if err != nil {
			return err
		}
		if no := s.signedIn(now); no != nil {
			return no
		}
		c = now
		return nil
	}
	if err := idle(); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case r, ok := <-changes:
			if !ok {
				return nil
			}
			if err := again(); err != nil {
				return err
			}
			if v, ok := s.view(c, r); ok {
				if err := seen(v); err != nil {
					return err
				}
			}
		case <-tick.C:
			if err := again(); err != nil {
				return err
			}
			if err := idle(); err != nil {
				return err
			}
		}
	}
}
