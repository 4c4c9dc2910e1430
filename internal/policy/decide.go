package policy

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// Decide judges an operation: every access by itself, and the gravest verdict wins. See docs/reference/policy.md for
// the order of precedence; it is the order of the code in settle.
func (p *Policy) Decide(s *access.Subject, op *access.Operation, about access.Context) access.Decision {
	if s == nil || op == nil {
		return p.deny(access.Reason{Code: access.CodeIdentity, Sentence: "nobody is signed in"})
	}
	return p.view(s).answer(op, about)
}

// answer is Decide for the subject of the view.
func (v *view) answer(op *access.Operation, about access.Context) access.Decision {
	if len(op.Accesses) == 1 && op.Unclear == "" {
		a := &op.Accesses[0]
		j := v.judge(question{known(a.Action), a.Resource})
		if j.final.Effect != "" && !(v.readOnly && a.Attributes.Lock) {
			return j.final
		}
	}
	return v.decide(op, about)
}

// known maps what is outside the vocabulary to Unknown.
func known(a access.Action) access.Action {
	if !a.Known() {
		return access.Unknown
	}
	return a
}

func (p *Policy) deny(reason access.Reason) access.Decision {
	return access.Decision{Effect: access.Deny, Reason: reason, Policy: p.digest}
}

// decide is Decide where more than one access or more than the subject, the action and the resource matter.
func (v *view) decide(op *access.Operation, about access.Context) access.Decision {
	lookUp := false
	d := v.weigh(op, about, &lookUp)
	d.LookUp = lookUp
	return d
}

// weigh is decide, and says in lookUp whether it asked for a ticket that nobody has looked up.
func (v *view) weigh(op *access.Operation, about access.Context, lookUp *bool) access.Decision {
	accesses := op.Accesses
	if op.Unclear != "" && !hasUnknown(accesses) {
		// What could not be read may do anything, on the target that the rest is about.
		where := access.Resource{Target: op.First().Resource.Target}
		accesses = append([]access.Access{{Action: access.Unknown, Resource: where}}, accesses...)
	}
	if len(accesses) == 0 {
		if op.Free {
			return access.Decision{Effect: access.Allow, Policy: v.policy.digest, Reason: access.Reason{
				Code: access.CodeAllowed, Sentence: v.subject.Display() + " may do what touches no data",
			}}
		}
		return v.policy.deny(access.Reason{
			Code: access.CodeUnclear, Sentence: v.subject.Display() + " sent a request of which nothing is known",
		})
	}
	d := access.Decision{Effect: access.Allow, Policy: v.policy.digest}
	var terms *access.HoldTerms
	var holdWhy, holdPosition, holdTicket string
	var holdAt question
	var holding []*rule   // conditional protects that hold for any access
	var filtering []*rule // protects whose filter concerns any access
	for i := range accesses {
		a := &accesses[i]
		q := question{known(a.Action), a.Resource}
		j := v.judge(q)
		if settled := &j.final; settled.Effect == access.Allow && !(v.readOnly && a.Attributes.Lock) {
			if i == 0 {
				d.Reason = settled.Reason
			}
			o := &d.Obligations
			o.Rows, o.TopK, o.Record = least(o.Rows, j.rows), least(o.TopK, j.topK), most(o.Record, j.record)
			continue
		}
		f := &facts{subject: v.subject, access: &access.Access{Action: q.action, Resource: a.Resource, Attributes: a.Attributes}, context: &about}
		verdict := v.settle(q, j, f, op)
		*lookUp = *lookUp || f.lookUp
		if verdict.effect == access.Deny {
			return v.policy.deny(verdict.reason)
		}
		for _, held := range verdict.holds {
			if terms == nil {
				terms, holdAt, holdWhy, holdPosition = termsOf(held.rule), q, held.why(), held.rule.position
				if verdict.ticket != nil && about.Ticket != "" {
					holdTicket = fmt.Sprintf("; rule %s does not let it pass at once: %s", verdict.ticket.rule, verdict.ticket.what)
				}
			} else if terms.Rule != held.rule.name {
				merged, ok := merge(terms, termsOf(held.rule))
				if !ok {
					return v.policy.deny(noCommonApprover(v.subject, terms, termsOf(held.rule)))
				}
				terms = merged
			}
		}
		if i == 0 {
			d.Reason = verdict.reason
		}
		holding = v.oblige(&d.Obligations, j, q, f, holding)
		filtering = filtersOf(j, q, holding, filtering)
	}
	if r := v.policy.uncovered(accesses); r != nil {
		return v.policy.deny(uncovers(v.subject, accesses, r))
	}
	d.Obligations.Protection = v.guard(accesses[0].Resource.Target, holding)
	if len(filtering) > 0 {
		if no := v.narrow(&d.Obligations, filtering, &facts{subject: v.subject, access: &access.Access{}, context: &about}); no != nil {
			return v.policy.deny(*no)
		}
	}
	if terms == nil {
		return d
	}
	if why := fits(about.Grant, terms, v.subject, v.policy.digest, about.Now); why == "" {
		d.Reason = released(v.subject, holdAt, terms, holdPosition, about.Grant)
		return d
	} else if about.Grant != nil && holdWhy == "" {
		holdWhy = why
	}
	d.Effect, d.Hold = access.Hold, terms
	d.Reason = heldFor(v.subject, holdAt, terms, holdPosition, holdWhy, holdTicket)
	return d
}

func hasUnknown(accesses []access.Access) bool {
	for i := range accesses {
		if known(accesses[i].Action) == access.Unknown {
			return true
		}
	}
	return false
}

// oblige adds what an access brings in obligations, and returns the conditional protects that hold, for the protection.
func (v *view) oblige(o *access.Obligations, j *judgement, q question, f *facts, holding []*rule) []*rule {
	o.Rows, o.TopK, o.Record = least(o.Rows, j.rows), least(o.TopK, j.topK), most(o.Record, j.record)
	for _, r := range j.protects {
		if !r.when.holds(f, r.protect.gives()) {
			continue
		}
		caps := judgement{}
		caps.protect(r, q)
		o.Rows, o.TopK, o.Record = least(o.Rows, caps.rows), least(o.TopK, caps.topK), most(o.Record, caps.record)
		if !contains(holding, r) {
			holding = append(holding, r)
		}
	}
	return holding
}

// filtersOf adds the statements whose filters concern a question.
func filtersOf(j *judgement, q question, holding, filtering []*rule) []*rule {
	for _, r := range j.filters {
		if !contains(filtering, r) {
			filtering = append(filtering, r)
		}
	}
	for _, r := range j.protects {
		if contains(holding, r) && r.concerns(q) && !contains(filtering, r) {
			filtering = append(filtering, r)
		}
	}
	return filtering
}

// verdict is what is said about one access.
type verdict struct {
	effect access.Effect
	reason access.Reason
	holds  []holding // what holds it, when that is the effect
	ticket *noTicket // why a rule with a ticket was passed over before
}

// noTicket is why a rule that wants a reviewed ticket was passed over.
type noTicket struct {
	rule, what, hint string
}

// holding is an allow that lets something pass only after persons have released it, and the part of a whole that it is about.
type holding struct {
	rule *rule
	part access.Pattern // empty when the rule is about the whole
}

// why says why one waits, beyond the rule's name.
func (h holding) why() string {
	if h.part == "" || h.rule.because != "" {
		return h.rule.because
	}
	return "it is about " + string(h.part) + ", which is part of it"
}

// settle judges one access: the credential's scope, what is denied, what duties are kept apart, and then the allow that
// asks least among those that match and whose ticket, if they want one, is in order.
func (v *view) settle(q question, j *judgement, f *facts, op *access.Operation) verdict {
	// 1. A credential never does more than its scope says, and nowhere else.
	if !v.subject.MayReach(q.resource.Target) || v.scope != "" && q.action != access.Connect || v.readOnly && (q.action.Writes() || f.access.Attributes.Lock) {
		return verdict{effect: access.Deny, reason: deniedByScope(v, q)}
	}
	// 2. A deny wins over every allow.
	for _, r := range j.denies {
		if r.when.holds(f, false) || q.takesWhole() && r.when.asksNameIn(q.resource) {
			return verdict{effect: access.Deny, reason: deniedByRule(v.subject, q, r)}
		}
	}
	// 3. Connecting asks for nothing but a rule that could apply.
	if q.action == access.Connect {
		return v.connect(q)
	}
	// 4. Nobody combines what a separation keeps apart.
	if j.conflict != nil {
		return verdict{effect: access.Deny, reason: deniedBySeparation(v.subject, q, j.conflict)}
	}
	// 5. Of the allows that match, the one that asks least.
	var short *noTicket
	var shortOf *rule
	for _, r := range j.allows {
		if !r.when.holds(f, true) {
			continue
		}
		if r.after != nil && r.after.ticket {
			if why := v.ticket(f); why != nil {
				if short == nil {
					short, shortOf = why, r
					short.rule = r.name
				}
				continue
			}
		}
		given := verdict{effect: access.Allow, reason: allowedBy(v.subject, q, r)}
		if r.needsPersons() {
			given = verdict{effect: access.Hold, holds: []holding{{rule: r}}, ticket: short}
		}
		// 6. Taking a whole asks no less than taking each of its parts.
		return v.withParts(given, j.parts, f)
	}
	if short != nil {
		return verdict{effect: access.Deny, reason: needsTicket(v, q, shortOf, short)}
	}
	why := ""
	if op != nil {
		why = op.Unclear
	}
	return verdict{effect: access.Deny, reason: deniedByDefault(v, q, why)}
}

// withParts adds to what a whole asks what its parts ask.
func (v *view) withParts(given verdict, parts []part, f *facts) verdict {
	for i := range parts {
		r, no := v.asks(&parts[i], f)
		if no != nil {
			return verdict{effect: access.Deny, reason: *no}
		}
		if r == nil || slices.ContainsFunc(given.holds, func(h holding) bool { return h.rule == r }) {
			continue
		}
		given = verdict{effect: access.Hold, holds: append(given.holds, holding{rule: r, part: parts[i].name}), ticket: given.ticket}
	}
	return given
}

func (v *view) connect(q question) verdict {
	for _, r := range v.allows {
		if len(r.can) > 0 && onTarget(r.on, q.resource.Target) {
			return verdict{effect: access.Allow, reason: allowedBy(v.subject, q, r)}
		}
	}
	return verdict{effect: access.Deny, reason: deniedByDefault(v, q, "")}
}

// ticket says why the attached ticket does not do, nil when it does.
func (v *view) ticket(f *facts) *noTicket {
	switch {
	case v.policy.tickets == nil:
		return &noTicket{what: "this gateway has no ticket system to ask", hint: "tell the operator of the gateway that no ticket system is connected"}
	case f.context.Ticket == "":
		return &noTicket{what: "none is attached", hint: attach}
	}
	f.lookUp = f.lookUp || f.context.Change == nil
	err := v.policy.tickets.Reviewed(f.context, v.subject, f.access)
	if err == nil {
		return nil
	}
	if refusal, ok := errors.AsType[*access.Refusal](err); ok {
		return &noTicket{what: f.context.Ticket + ": " + refusal.Message, hint: refusal.Hint}
	}
	return &noTicket{what: fmt.Sprintf("%s: %v", f.context.Ticket, err), hint: attach}
}

// finish returns the whole decision about a question when neither attributes nor context can change it.
func (v *view) finish(q question, j *judgement) access.Decision {
	undecided := access.Decision{}
	for _, r := range j.denies {
		if r.when != nil {
			return undecided
		}
	}
	if len(j.protects) > 0 || len(j.filters) > 0 || len(j.parts) > 0 {
		return undecided
	}
	if q.action != access.Connect && len(j.denies) == 0 && j.conflict == nil && len(j.allows) > 0 {
		if first := j.allows[0]; first.when != nil || first.after != nil {
			return undecided
		}
	}
	// With no condition and no ticket in the way, settle looks at the question only.
	f := &facts{subject: v.subject, access: &access.Access{Action: q.action, Resource: q.resource}, context: &access.Context{}}
	verdict := v.settle(q, j, f, nil)
	if verdict.effect == access.Deny {
		return v.policy.deny(verdict.reason)
	}
	return access.Decision{
		Effect: verdict.effect, Reason: verdict.reason, Policy: v.policy.digest,
		Obligations: access.Obligations{Protection: v.guard(q.resource.Target, nil), Rows: j.rows, TopK: j.topK, Record: j.record},
	}
}

// fits says why a grant does not release what is held, "" when it does. That the grant is for exactly this operation
// has been checked by whoever handed it out: it is bound to the operation's digest and can be used once.
func fits(g *access.Grant, terms *access.HoldTerms, s *access.Subject, policy string, now time.Time) string {
	switch {
	case g == nil || g.Request == "" || g.Digest == "":
		return "nobody has released it"
	case g.Rule != terms.Rule:
		return fmt.Sprintf("request %s was released under rule %s", g.Request, g.Rule)
	case g.Policy != "" && g.Policy != policy:
		return fmt.Sprintf("request %s was released under another policy", g.Request)
	case !now.Before(g.Expires):
		return fmt.Sprintf("the approval of request %s is over", g.Request)
	}
	counted := map[string]bool{}
	for _, person := range g.Persons {
		if person != "" && !isRequester(person, s) && !containsText(terms.Exclude, person) {
			counted[person] = true
		}
	}
	if len(counted) < terms.Persons {
		return fmt.Sprintf("request %s was released by %d of %d persons", g.Request, len(counted), terms.Persons)
	}
	return ""
}

func containsText(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}
