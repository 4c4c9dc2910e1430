package policy

import (
	"fmt"
	"sort"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
)

// Explanation says why an access is decided as it is: the decision, and what every statement had to do with it.
type Explanation struct {
	Action   access.Action     `json:"action"`
	Resource string            `json:"resource"`
	Effect   access.Effect     `json:"effect"`
	Reason   access.Reason     `json:"reason"`
	Hold     *access.HoldTerms `json:"hold,omitempty"`
	Masks    []string          `json:"masks,omitempty"` // what would be hidden, in words
	Policy   string            `json:"policy"`
	Steps    []Step            `json:"statements"`
}

// Step is what one statement had to do with a decision.
type Step struct {
	Statement string `json:"statement"` // allow[2]
	Name      string `json:"name"`
	Position  string `json:"position"`
	Applies   bool   `json:"applies"`
	Why       string `json:"why"`
}

// Explain decides on one access and says why.
func (p *Policy) Explain(s *access.Subject, a access.Access, about access.Context) Explanation {
	op := &access.Operation{Accesses: []access.Access{a}}
	v := newView(p, s)
	d := v.answer(op, about)
	x := Explanation{Masks: append(maskWords(d.Obligations.Protection), filterWords(d.Obligations.Filters)...), Action: a.Action, Resource: a.Resource.String(), Effect: d.Effect, Reason: d.Reason, Hold: d.Hold, Policy: p.digest}
	q := question{known(a.Action), a.Resource}
	f := &facts{subject: s, access: &a, context: &about}
	used := false
	held := map[*rule]access.Pattern{} // by what a part asks
	for _, at := range v.judge(q).parts {
		if r, _ := v.asks(&at, f); r != nil && held[r] == "" {
			held[r] = at.name
		}
	}
	for _, r := range p.denies {
		x.Steps = append(x.Steps, explainRule(r, q, f, "forbids it"))
	}
	order := append([]*rule(nil), p.allows...)
	sort.SliceStable(order, func(i, j int) bool { return order[i].asksLess(order[j]) })
	for _, r := range order {
		st := explainRule(r, q, f, "")
		switch {
		case held[r] != "" && (used || !st.Applies):
			st.Applies, st.Why = true, fmt.Sprintf("is about %s, which is part of it, after %s", held[r], showTerms(termsOf(r)))
		case !st.Applies:
		case q.action == access.Connect:
			st.Why = "could let something pass on " + a.Resource.Target
		case used:
			st.Applies, st.Why = false, "matches, but another one asks less"
		case r.after != nil && r.after.ticket && v.ticket(f) != nil:
			st.Applies, st.Why = false, "wants a reviewed change ticket: "+v.ticket(f).what
		case r.needsPersons():
			used, st.Why = true, "matches, after "+showTerms(termsOf(r))
		default:
			used, st.Why = true, "matches, and asks least"
		}
		x.Steps = append(x.Steps, st)
	}
	for _, r := range p.protects {
		x.Steps = append(x.Steps, explainProtect(r, q, f))
	}
	for _, sep := range p.separations {
		st := Step{Statement: "separate[" + itoa(sep.index) + "]", Name: sep.name, Position: sep.position, Why: "the subject does not hold what it keeps apart"}
		if sep.approve && len(sep.duties) < 2 {
			st.Why = "is about who decides on requests"
		}
		if c := v.conflict(q); c != nil && c.rule == sep {
			st.Applies, st.Why = true, fmt.Sprintf("the subject holds %s (rule %s) and %s (rule %s)", c.does, c.doesBy.name, c.also, c.alsoBy.name)
		}
		x.Steps = append(x.Steps, st)
	}
	return x
}

func explainRule(r *rule, q question, f *facts, applies string) Step {
	st := Step{Statement: statementPath(r), Name: r.name, Position: r.position}
	st.Why = whyNotAbout(r, f.subject)
	unknownDeny := r.kind == kindDeny && q.action == access.Unknown && onTarget(r.on, q.resource.Target)
	connects := r.kind == kindAllow && q.action == access.Connect && onTarget(r.on, q.resource.Target)
	switch {
	case st.Why != "":
	case !r.can[q.action] && !(r.kind == kindDeny && r.forbids(q)) && !unknownDeny && !connects:
		st.Why = fmt.Sprintf("is not about %s", q.action)
	case !matchAny(r.on, q.resource) && !(r.kind == kindDeny && r.forbids(q)) && !unknownDeny && !connects:
		st.Why = fmt.Sprintf("%s is not on %s", q.resource, showPatterns(r.on))
	case connects:
		st.Applies = true
	case r.kind == kindDeny && q.takesWhole() && r.when.asksNameIn(q.resource):
		st.Applies, st.Why = true, applies+"; its condition asks for names of what is inside"
	default:
		st.Applies, st.Why = whyCondition(r, f, r.kind == kindAllow, applies)
	}
	return st
}

// whyCondition says whether the condition of a statement lets it apply.
func whyCondition(r *rule, f *facts, gives bool, applies string) (bool, string) {
	if r.when == nil {
		return true, applies
	}
	if r.when.asksAccess && known(f.access.Action) == access.Unknown {
		return !gives, "its condition asks what could not be read, which counts against the request"
	}
	holds, err := r.when.eval(f)
	switch {
	case err != nil:
		return !gives, fmt.Sprintf("its condition could not be evaluated (%v), which counts against the request", err)
	case !holds:
		return false, "its condition does not hold: " + r.when.text
	}
	return true, applies
}

func explainProtect(r *rule, q question, f *facts) Step {
	st := Step{Statement: statementPath(r), Name: r.name, Position: r.position}
	p := r.protect
	switch {
	case p.gives() && !r.who.allOf(f.subject) || !p.gives() && !r.who.anyOf(f.subject):
		st.Why = "is not about the subject"
	case r.except != nil && (p.gives() && r.except.anyOf(f.subject) || !p.gives() && r.except.allOf(f.subject)):
		st.Why = "the subject is excepted"
	default:
		var does []string
		for _, pattern := range p.fields {
			does = append(does, fmt.Sprintf("%s %s", p.treat.Mask, pattern))
		}
		if matchAny(r.on, q.resource) {
			if p.vectors != "" {
				does = append(does, p.vectors+" vectors")
			}
			if p.topK > 0 {
				does = append(does, fmt.Sprintf("top_k %d", p.topK))
			}
			if p.rows > 0 {
				does = append(does, fmt.Sprintf("rows %d", p.rows))
			}
			if p.record != "" {
				does = append(does, "record "+string(p.record))
			}
		}
		if r.concerns(q) {
			does = append(does, fmt.Sprintf("only points whose %s is one of %s", p.filter.field, p.filter.source()))
		}
		if len(does) == 0 {
			st.Why = fmt.Sprintf("%s is not on %s", q.resource, showPatterns(r.on))
			break
		}
		st.Applies, st.Why = whyCondition(r, f, p.gives(), strings.Join(does, ", "))
	}
	return st
}

// whyNotAbout says why a statement is not about a subject, "" when it is.
func whyNotAbout(r *rule, s *access.Subject) string {
	if r.kind == kindDeny {
		if !r.who.anyOf(s) {
			return r.who.why(s)
		}
		if r.except != nil && r.except.allOf(s) {
			return "the subject is excepted"
		}
		return ""
	}
	return r.who.why(s)
}

// why says which dimension does not match, "" when all do.
func (w *who) why(s *access.Subject) string {
	if w.match(s) {
		return ""
	}
	without := *w
	without.except = nil
	switch {
	case without.match(s):
		return "the subject is excepted"
	case w.kind != "" && w.kind != s.Kind:
		return fmt.Sprintf("is about a %s, and the subject is a %s", w.kind, s.Kind)
	case w.id != "" && !access.Glob(w.id, s.ID):
		return fmt.Sprintf("is about %s, and the subject is %s", w.id, s.ID)
	}
	if w.groups != nil && !inAnyGroup(s, w.groups) {
		return "the subject is not in " + oneOf(w.groups)
	}
	if w.persons != nil && (s.Person == "" || !anyGlob(w.persons, s.Person)) {
		return "the subject is not " + oneOf(w.persons)
	}
	if w.persons != nil && s.Kind != access.Person && w.gives && w.kind == "" {
		return "is about a person, not the workloads that the person owns"
	}
	return "the subject does not come from " + oneOf(w.providers)
}

func showPatterns(on []access.Pattern) string {
	names := make([]string, len(on))
	for i, p := range on {
		names[i] = string(p)
	}
	return oneOf(names)
}
