package ticket

import (
	"context"
	"fmt"

	"github.com/vecgate/vecgate/internal/access"
)

// described is a system that the operator describes: where a ticket is, and what its JSON says.
type described struct {
	approved, by, authors *expression
	opens, closes, at     *expression
}

func newDescribed(c Config) (*described, error) {
	d := &described{}
	for _, e := range []struct {
		key, text string
		want      gives
		into      **expression
		needed    bool
	}{
		{"approved", c.Approved, truth, &d.approved, true},
		{"reviewed_by", c.By, people, &d.by, true},
		{"authors", c.Authors, people, &d.authors, false},
		{"opens", c.Opens, moment, &d.opens, false},
		{"closes", c.Closes, moment, &d.closes, false},
		{"reviewed_at", c.At, moment, &d.at, c.MaxAge > 0},
	} {
		if e.text == "" {
			if e.needed {
				return nil, fmt.Errorf("%s: is missing; it says %s, by the ticket", e.key, e.want)
			}
			continue
		}
		compiled, err := compileExpression(e.text, false, e.want)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.key, err)
		}
		*e.into = compiled
	}
	return d, nil
}

// get implements source.
func (d *described) get(ctx context.Context, s *system, name string, groups []string) (review, map[string]any, error) {
	found, err := s.fetch(ctx, fill(s.URL, name, groups), "application/json")
	if err != nil {
		return review{}, nil, err
	}
	document, ok := found.(map[string]any)
	if !ok {
		return review{}, nil, &access.Refusal{Message: fmt.Sprintf("what %s says of it is not an object", s.Name), Hint: operator}
	}
	r, err := d.read(s, name, document)
	return r, document, err
}

// read maps the document. An expression that fails, as one does on a member that is not there, is not a review.
func (d *described) read(s *system, name string, document map[string]any) (review, error) {
	v := variables{"ticket": document, "name": name}
	odd := func(key string, err error) error {
		return &access.Refusal{Message: fmt.Sprintf("what %s says of it does not tell %s", s.Name, key), Hint: fmt.Sprintf("fill in all of the ticket in %s, or attach another ticket", s.Name), Err: err}
	}
	r := review{standing: "by tickets[].approved of " + s.Name}
	var err error
	if r.approved, err = d.approved.truth(v); err != nil {
		return r, odd("whether it is approved", err)
	}
	if !r.approved {
		return r, nil // what else it says need not be there yet
	}
	if r.by, err = d.by.people(v); err != nil {
		return r, odd("who reviewed it", err)
	}
	if d.authors != nil {
		if r.authors, err = d.authors.people(v); err != nil {
			return r, odd("who wrote it", err)
		}
	}
	if d.opens != nil {
		if r.opens, err = d.opens.moment(v); err != nil {
			return r, odd("when its window opens", err)
		}
	}
	if d.closes != nil {
		if r.closes, err = d.closes.moment(v); err != nil {
			return r, odd("when its window closes", err)
		}
	}
	if d.at != nil {
		at, err := d.at.moment(v)
		if err != nil {
			return r, odd("when it was reviewed", err)
		}
		for i := range r.by {
			r.by[i].at = at
		}
	}
	return r, nil
}
