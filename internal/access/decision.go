package access

import (
	"strings"
	"time"
)

// Effect is the verdict of a decision.
type Effect string

// The effects. The zero value is not one of them: a decision that nobody made does not pass.
const (
	Allow Effect = "allow"
	Deny  Effect = "deny"
	Hold  Effect = "hold"
)

// Decision is what policy says about one operation.
type Decision struct {
	Effect      Effect
	Obligations Obligations // the zero value asks nothing
	Reason      Reason
	Hold        *HoldTerms // set when Effect is Hold
	Policy      string     // digest of the policy that decided
	// LookUp says that the attached change ticket counts and Context had no Change: with one, it may be decided otherwise.
	LookUp bool
}

// Reason says why, for machines (Code, Rule) and for the person (Sentence).
type Reason struct {
	// Code is one of the Code constants of refusal.go, or "allowed".
	Code Code `json:"code"`
	// Rule is the name of the policy statement that decided; empty when no rule matched.
	Rule string `json:"rule,omitempty"`
	// Sentence names the subject, the action, the resource: "alice@example.com may not delete from products/public/items".
	Sentence string `json:"sentence"`
	// Hint is the way out, when there is one.
	Hint string `json:"hint,omitempty"`
	// Position is where the rule stands: policy.yaml:14.
	Position string `json:"position,omitempty"`
}

// HoldTerms say who may release a held request.
type HoldTerms struct {
	Rule    string        `json:"rule"`
	Groups  []string      `json:"groups"`            // approvers are in one of these
	Persons int           `json:"persons"`           // how many distinct persons must agree
	Within  time.Duration `json:"within"`            // how long the request stays open
	Window  time.Duration `json:"window"`            // how long a grant may be used once given
	Exclude []string      `json:"exclude,omitempty"` // persons who may not decide, besides the requester
}

// Level is how much of a conversation is recorded.
type Level string

// The levels. The zero value means the configured default.
const (
	LevelDefault  Level = ""
	LevelFull     Level = "full"     // requests with parameters, and the full response as the client got it
	LevelRequests Level = "requests" // requests with parameters only
	LevelEnvelope Level = "envelope" // who, what, when, how it ended
)

// Obligations must be fulfilled for an allow to stand; a gate that cannot fulfil one refuses.
type Obligations struct {
	// Protection says which fields are masked and whether vectors are withheld, for this subject on this target. It is
	// interned by the policy: the same pointer means the same protection, so that work done for it can be kept.
	Protection *Protection
	// Rows caps what one request may return; TopK caps the k of a search. Zero asks nothing.
	Rows int64
	TopK int64
	// Filters narrow what the request may touch, all at once: a point must pass every filter of its collection, whether it
	// is found, fetched, counted, written or deleted. They are for this very request; nothing may be kept for them.
	Filters []FilterRule
	// Record is the recording level asked for.
	Record Level
}

// FilterRule lets a subject reach the points of some collections only: those whose field has one of the values.
type FilterRule struct {
	Pattern Pattern
	Field   string
	Values  []string // at least one
	Rule    string   // the protect rule that asks for it
}

// FiltersOn are the filters that a resource's points must pass. A whole namespace or target has those of everything in it.
func (o *Obligations) FiltersOn(r Resource) []FilterRule {
	var on []FilterRule
	for _, f := range o.Filters {
		if f.Pattern.Reaches(r) {
			on = append(on, f)
		}
	}
	return on
}

// Unfiltered refuses an operation one of whose accesses is under a filter; nil means that none is. It is for whoever
// cannot put a condition on what they do.
func (o *Obligations) Unfiltered(op *Operation) *Refusal {
	if len(o.Filters) == 0 {
		return nil
	}
	accesses := op.Accesses
	if op.Unclear != "" {
		accesses = []Access{{Action: Unknown, Resource: Resource{Target: op.First().Resource.Target}}}
	}
	for i := range accesses {
		a := &accesses[i]
		if !a.Action.ReachesPoints() {
			continue
		}
		if on := o.FiltersOn(a.Resource); len(on) > 0 {
			return &Refusal{
				Code: CodeObligation, Rule: on[0].Rule,
				Message: "rule " + on[0].Rule + " lets you reach only the points of " + a.Resource.String() + " whose " + on[0].Field + " is yours, and " + string(a.Action) + " cannot be narrowed to them here",
				Hint:    "use a request that takes a filter",
			}
		}
	}
	return nil
}

// Mask is a way of hiding a value.
type Mask string

// The masks. The zero value hides nothing.
const (
	MaskNone    Mask = ""
	MaskRedact  Mask = "redact"  // text becomes [redacted]; a value of another type becomes null
	MaskNull    Mask = "null"    // the value becomes null
	MaskDrop    Mask = "drop"    // the field is left out where the protocol allows it, null elsewhere
	MaskHash    Mask = "hash"    // a keyed digest: equal values stay equal
	MaskPartial Mask = "partial" // the last four characters stay
	MaskInside  Mask = "inside"  // a document keeps its form, and what rules are about in it is hidden; never in a rule
	MaskRound   Mask = "round"   // a number keeps two decimals, and three digits from 10 on: how the distance of a withheld vector is shown; never in a rule
)

// Treatment is what happens to one field.
type Treatment struct {
	Mask Mask
	Rule string // the protect rule that asks for it
	// Predicates says whether the field may shape which rows come back, in spite of its mask: "deny" (default, also when
	// empty), "equality" (field = constant at top level), "knn" (ORDER BY distance to a constant, with LIMIT; the default
	// for vectors), "allow".
	Predicates string
	// Derived says what happens to a value computed from the field: "deny" (default) or "null".
	Derived string
	// Distance says what happens to a distance from a withheld vector: "deny", "round" (two decimals, three digits from 10 on; the default), "allow".
	Distance string
}

// FieldRule masks the fields that match Pattern on this subject's requests.
type FieldRule struct {
	Pattern   FieldPattern
	Treatment Treatment
}

// Protection is the compiled set of protect rules that apply to one subject on one target. It is immutable.
type Protection struct {
	// ID tells protections apart in caches and logs; equal protections share one pointer and one ID.
	ID uint64
	// Fields are the rules by pattern, the strictest first; see Field for what several say of one field.
	Fields []FieldRule
	// Vectors is the treatment of every vector-typed field that no field rule names, on resources VectorsOn matches;
	// MaskNone means that vectors are granted.
	Vectors []VectorRule
}

// VectorRule withholds the vectors of the resources that Pattern matches.
type VectorRule struct {
	Pattern   Pattern
	Treatment Treatment
}

// Empty reports whether nothing at all is protected.
func (p *Protection) Empty() bool { return p == nil || len(p.Fields) == 0 && len(p.Vectors) == 0 }

// Pattern matches resources: "products/**", "products/public/items", "*/public/*". A segment is a name, "*" (one
// segment) or, last only, "**" (any rest, including none). Inside a segment "*" matches any run of characters.
type Pattern string

// Match reports whether the resource matches. A resource that is a whole namespace or target is matched by its own
// segments followed by nothing, so "products/**" matches the target products itself and "products/public/items" does not.
func (p Pattern) Match(r Resource) bool {
	segments := [3]string{r.Target, r.Namespace, r.Collection}
	n := 1
	if r.Namespace != "" {
		n = 2
	}
	if r.Collection != "" {
		n = 3
	}
	return matchSegments(string(p), segments[:n])
}

// Reaches reports whether the resource, or anything that can be in it, matches.
func (p Pattern) Reaches(r Resource) bool {
	s := string(p)
	for _, segment := range []string{r.Target, r.Namespace, r.Collection} {
		if segment == "" || s == "**" {
			return true
		}
		head, rest, more := strings.Cut(s, "/")
		if !glob(head, segment) {
			return false
		}
		if !more {
			return p.Match(r)
		}
		s = rest
	}
	return p.Match(r)
}

func matchSegments(pattern string, segments []string) bool {
	for {
		if pattern == "**" {
			return true
		}
		head, rest, more := strings.Cut(pattern, "/")
		if len(segments) == 0 || !glob(head, segments[0]) {
			return false
		}
		segments = segments[1:]
		if !more {
			return len(segments) == 0
		}
		pattern = rest
	}
}

// Glob reports whether s matches pattern, in which "*" stands for any run of characters.
func Glob(pattern, s string) bool { return glob(pattern, s) }

func glob(pattern, s string) bool {
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, mark = i, j
			i++
		case i < len(pattern) && pattern[i] == s[j]:
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(pattern) && pattern[i] == '*' {
		i++
	}
	return i == len(pattern)
}
