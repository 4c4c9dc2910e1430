package pinecone

import (
	"context"
	"slices"

	"github.com/vecgate/vecgate/internal/access"
)

// record is a stored or written record as filters see it: the texts in a field, and whether the field holds one text and
// nothing else.
type record func(field string) (texts []string, one bool)

// may says whether a record that is read passes all filters, as the engine itself would say: a list passes when one of its
// texts does.
func may(rec record, rules []access.FilterRule) bool {
	for _, r := range rules {
		texts, _ := rec(r.Field)
		if !slices.ContainsFunc(texts, func(s string) bool { return slices.Contains(r.Values, s) }) {
			return false
		}
	}
	return true
}

// owns says whether a record belongs to who has the filters, and to nobody else.
func owns(rec record, rules []access.FilterRule) bool {
	for _, r := range rules {
		if _, one := rec(r.Field); !one {
			return false
		}
	}
	return may(rec, rules)
}

// carries refuses a record that is to be written without the value that makes it the writer's own.
func carries(rec record, rules []access.FilterRule, at access.Resource) error {
	for _, r := range rules {
		if !owns(rec, []access.FilterRule{r}) {
			return &access.Refusal{
				Code: access.CodeObligation, Rule: r.Rule, Message: "every record that you write to " + at.String() + " must have in its field " + r.Field + " one value that is yours",
				Hint: "set " + r.Field + " to " + oneOf(r.Values),
			}
		}
	}
	return nil
}

// keeps refuses an update that would give a record away.
func keeps(set record, has func(field string) bool, rules []access.FilterRule, at access.Resource) error {
	for _, r := range rules {
		if has(r.Field) {
			if err := carries(set, []access.FilterRule{r}, at); err != nil {
				return err
			}
		}
	}
	return nil
}

func oneOf(values []string) string {
	s := ""
	for i, v := range values {
		if i == 5 {
			return s + ", …"
		}
		if i > 0 {
			s += " or "
		}
		s += v
	}
	return s
}

// lookup fetches records by id on the gateway's own account; those that do not exist are left out.
type lookup func(ctx context.Context, namespace string, ids []string) (map[string]record, error)

// atOnce is how many records are looked up at once: the answer holds their vectors.
const atOnce = 50

// mostOwned is how many records one request may name by id under a filter.
const mostOwned = 1000

// owned makes the check that named records are the caller's own. New says that those that do not exist may be named; else a
// record of somebody else and one that does not exist are the same, so that nobody learns which ids others use.
func owned(find lookup, at access.Resource, namespace string, ids []string, rules []access.FilterRule, may bool) (func(context.Context) error, error) {
	if len(rules) == 0 || len(ids) == 0 {
		return nil, nil
	}
	if len(ids) > mostOwned {
		return nil, tooMany(mostOwned, int64(len(ids)), "name fewer records at once")
	}
	return func(ctx context.Context) error {
		for part := range slices.Chunk(ids, atOnce) {
			found, err := find(ctx, namespace, part)
			if err != nil {
				return err
			}
			for _, id := range part {
				rec, ok := found[id]
				if !ok && may || ok && owns(rec, rules) {
					continue
				}
				return &access.Refusal{
					Code: access.CodeObligation, Rule: rules[0].Rule, Message: "one of the records that the request names in " + at.String() + " is not yours",
					Hint: "name records only whose " + rules[0].Field + " is yours",
				}
			}
		}
		return nil
	}, nil
}

// checks runs several checks, one after the other.
func checks(all ...func(context.Context) error) func(context.Context) error {
	all = slices.DeleteFunc(all, func(c func(context.Context) error) bool { return c == nil })
	if len(all) == 0 {
		return nil
	}
	return func(ctx context.Context) error {
		for _, c := range all {
			if err := c(ctx); err != nil {
				return err
			}
		}
		return nil
	}
}
