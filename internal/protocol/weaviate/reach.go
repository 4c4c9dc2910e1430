package weaviate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// mostLookups is how many objects the gateway looks at before it lets a request pass.
const mostLookups = 1000

// reaching finds out whether objects that are named by their ids pass the obligation's filters. One that there is not is as
// one that may not be reached, so that nobody can tell them apart, unless it is about to be written.
func (c *call) reaching(rules []access.FilterRule, found *class, tenant string, writing bool, ids ...string) func(context.Context) error {
	if len(rules) == 0 || len(ids) == 0 {
		return nil
	}
	return func(ctx context.Context) error {
		if len(ids) > mostLookups {
			return tooManyNamed(found, rules[0])
		}
		status, answer, err := c.Post(ctx, "/v1/graphql", empty.With("query", jsonstream.String(lookupOf(rules, found, tenant, ids))))
		if err != nil {
			return err
		}
		list := answer.Get("data").Get("Get").Get(found.name)
		if status >= 300 || list.Kind() != jsonstream.Array || answer.Get("errors").Len() > 0 {
			return &access.Refusal{Code: access.CodeUnavailable, Message: "the target does not tell which objects may be reached"}
		}
		met := map[string]bool{}
		for stored := range list.Items() {
			id, _ := stored.Get("_additional").Get("id").Text()
			met[id] = passes(rules, stored) == nil
		}
		return unmet(met, ids, writing, rules[0], c.of(found, tenant))
	}
}

// lookupOf asks for the fields of objects by which they may be reached.
func lookupOf(rules []access.FilterRule, found *class, tenant string, ids []string) string {
	var wanted []string
	for _, f := range rules {
		if !slices.Contains(wanted, f.Field) {
			wanted = append(wanted, f.Field)
		}
	}
	if tenant != "" {
		tenant = fmt.Sprintf("tenant:%q,", tenant)
	}
	return fmt.Sprintf(`{Get{%s(%slimit:%d,where:{operator:ContainsAny,path:["id"],valueText:["%s"]}){%s _additional{id}}}}`,
		found.name, tenant, len(ids), strings.Join(ids, `","`), strings.Join(wanted, " "))
}

// unmet refuses ids of objects that may not be reached.
func unmet(met map[string]bool, ids []string, writing bool, rule access.FilterRule, place access.Resource) error {
	for _, id := range ids {
		passes, there := met[id]
		if passes || !there && writing {
			continue
		}
		return &access.Refusal{
			Code: access.CodeObligation, Rule: rule.Rule,
			Message: "among the objects of " + place.String() + " that may be reached there is none with the id " + id,
		}
	}
	return nil
}

func tooManyNamed(found *class, rule access.FilterRule) *access.Refusal {
	return &access.Refusal{
		Code: access.CodeLimit, Rule: rule.Rule, Message: fmt.Sprintf("a request may name %d objects of %s at most here", mostLookups, found.name),
		Hint: "send smaller batches",
	}
}

// passes says which of the filters an object's properties do not pass.
func passes(rules []access.FilterRule, properties jsonstream.Value) *access.FilterRule {
	for i := range rules {
		value, ok := properties.Get(rules[i].Field).Text()
		if !ok || !slices.Contains(rules[i].Values, value) {
			return &rules[i]
		}
	}
	return nil
}

// astray is what is said of an object that would be written where its writer may not reach.
func astray(f *access.FilterRule, place access.Resource) *access.Refusal {
	return &access.Refusal{
		Code: access.CodeObligation, Rule: f.Rule,
		Message: "an object of " + place.String() + " must have one of these values in its field " + f.Field + ": " + strings.Join(f.Values, ", "),
	}
}

// every runs checks one after the other.
func every(checks []func(context.Context) error) func(context.Context) error {
	if len(checks) == 0 {
		return nil
	}
	return func(ctx context.Context) error {
		for _, check := range checks {
			if err := check(ctx); err != nil {
				return err
			}
		}
		return nil
	}
}
