package ticket

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// LookUp implements gate.Tickets. The first request that names a ticket waits for its system, others join it; what the
// system said is kept for a short while.
func (b *Book) LookUp(ctx context.Context, s *access.Subject, ticket string, write bool) access.Change {
	sys, groups, fault := b.find(ticket)
	if fault != nil {
		return &change{fault: fault}
	}
	// Twice at most: what another request is being told may turn out to be of a system that was replaced meanwhile.
	for range 2 {
		b.mu.Lock()
		p := b.pages[ticket]
		if p == nil {
			b.makeRoom()
			p = &page{}
			b.pages[ticket] = p
		}
		if c := p.change; c != nil && p.system == sys && p.flight == nil && b.opts.Now().Before(p.at.Add(c.good(s, write, b.opts.Now()))) {
			b.mu.Unlock()
			return c
		}
		flight := p.flight
		if flight == nil {
			if b.flights >= maxFlights || b.asking[s.ID] >= maxPerPerson {
				b.forget(ticket, p)
				b.mu.Unlock()
				return &change{fault: busy(sys)}
			}
			flight = b.ask(p, sys, ticket, groups, s.ID)
		}
		b.mu.Unlock()

		select {
		case <-flight:
		case <-ctx.Done():
			return &change{fault: &access.Refusal{Message: fmt.Sprintf("%s was not waited for", sys.Name), Hint: askAgain, Err: ctx.Err()}}
		}
		b.mu.Lock()
		c, of := p.change, p.system
		b.mu.Unlock()
		if c != nil && of == sys {
			return c
		}
	}
	return &change{fault: busy(sys)}
}

// Reviewed implements policy.Tickets.
func (b *Book) Reviewed(about *access.Context, s *access.Subject, a *access.Access) error {
	if about.Change == nil {
		return &access.Refusal{Message: "it has not been looked up", Hint: askAgain}
	}
	return about.Change.Reviewed(s, a, about.Now)
}

const askAgain = "ask again in a moment"

func busy(s *system) *access.Refusal {
	return &access.Refusal{Message: fmt.Sprintf("too many tickets of %s are being looked up", s.Name), Hint: askAgain}
}

// good is how long an answer counts. One that does not satisfy is soon asked for again: somebody may be reviewing it.
func (c *change) good(s *access.Subject, write bool, now time.Time) time.Duration {
	long := c.system.Keep
	if write {
		long = min(long, c.system.Fresh)
	}
	if c.fault != nil || !c.review.approved || c.peers(s, now) != nil {
		return min(long, keepFailure)
	}
	return long
}

// ask starts to ask the system. The caller holds mu.
func (b *Book) ask(p *page, sys *system, ticket string, groups []string, subject string) chan struct{} {
	flight := make(chan struct{})
	p.flight = flight
	b.flights++
	b.asking[subject]++
	recorded, noted := p.recorded, p.noted
	at := b.opts.Now()
	b.asked.Go(func() {
		c := b.fetch(sys, ticket, groups, recorded, noted)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.flights--
		if b.asking[subject]--; b.asking[subject] == 0 {
			delete(b.asking, subject)
		}
		p.system, p.change, p.at, p.flight = sys, c, at, nil
		if c.fault == nil && (c.digest != recorded || c.recorded) {
			p.recorded, p.noted = c.digest, at
		}
		close(flight)
	})
	return flight
}

// fetch asks the system and writes down what it says, unless the log has it already.
func (b *Book) fetch(sys *system, ticket string, groups []string, recorded string, noted time.Time) *change {
	ctx, cancel := context.WithTimeout(b.ctx, sys.Wait)
	defer cancel()
	c := &change{name: ticket, system: sys, person: b.opts.Person}
	var err error
	if c.review, c.document, err = sys.source.get(ctx, sys, ticket, groups); err == nil {
		c.snapshot, err = canonical(c.document)
	}
	if err == nil && len(c.snapshot) > maxSnapshot {
		err = &access.Refusal{Message: fmt.Sprintf("what %s says of it is longer than %d bytes", sys.Name, maxSnapshot), Hint: operator}
	}
	if err != nil {
		c.fault = b.faultOf(ctx, sys, ticket, err)
		c.review, c.document, c.snapshot = review{}, nil, nil
		return c
	}
	c.digest = digest(c.snapshot)
	if c.digest != recorded || b.opts.Now().Sub(noted) > recordAgain {
		// Nothing rests on what is not on record.
		if err := b.opts.Recorder.Ticket(ctx, Shown{Ticket: ticket, System: sys.Name, Digest: c.digest, Snapshot: c.snapshot}); err != nil {
			b.opts.Log.ErrorContext(ctx, "ticket not recorded", "ticket", ticket, "system", sys.Name, "error", err)
			c.fault = &access.Refusal{Message: "what its system says could not be written to the audit log", Hint: "tell the operator of the gateway; its log has the details", Err: err}
			return c
		}
		c.recorded = true
	}
	if sys.covers == nil {
		c.document = nil
	} else {
		c.size = len(c.snapshot)
	}
	c.snapshot = nil
	return c
}

// faultOf says in words for the subject why a system gave no answer; the operator's log has the cause.
func (b *Book) faultOf(ctx context.Context, sys *system, ticket string, err error) *access.Refusal {
	if refusal, ok := errors.AsType[*access.Refusal](err); ok {
		if refusal.Err != nil {
			b.opts.Log.WarnContext(ctx, "ticket not read", "ticket", ticket, "system", sys.Name, "error", refusal.Err)
		}
		return refusal
	}
	b.opts.Log.WarnContext(ctx, "ticket not read", "ticket", ticket, "system", sys.Name, "error", err)
	if ctx.Err() != nil {
		return &access.Refusal{Message: fmt.Sprintf("%s did not answer within %s", sys.Name, sys.Wait), Hint: askAgain, Err: err}
	}
	return &access.Refusal{Message: fmt.Sprintf("%s could not be asked", sys.Name), Hint: askAgain + "; the log of the gateway's operator says why", Err: err}
}

// makeRoom forgets the oldest page when there are too many. The caller holds mu.
func (b *Book) makeRoom() {
	size := 0
	for _, p := range b.pages {
		size += p.size()
	}
	for len(b.pages) >= maxKept || size > maxBytes {
		oldest := ""
		for name, p := range b.pages {
			if p.flight == nil && (oldest == "" || p.at.Before(b.pages[oldest].at)) {
				oldest = name
			}
		}
		if oldest == "" {
			return // all are being asked for, and flights are few
		}
		size -= b.pages[oldest].size()
		delete(b.pages, oldest)
	}
}

func (p *page) size() int {
	if p.change == nil {
		return 0
	}
	return p.change.size
}

// forget drops a page that nothing was ever put on. The caller holds mu.
func (b *Book) forget(ticket string, p *page) {
	if p.change == nil && p.flight == nil {
		delete(b.pages, ticket)
	}
}
