package policy

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
)

// phrases put an action into a sentence before the resource; an action without one is "do X on".
var phrases = map[access.Action]string{
	access.Search: "search", access.Fetch: "fetch from", access.Scroll: "scroll through", access.ListIDs: "list the ids of",
	access.Count: "count", access.Aggregate: "aggregate over", access.Export: "export",
	access.Insert: "insert into", access.Upsert: "upsert into", access.Update: "update", access.UpdateVectors: "update the vectors of",
	access.Delete: "delete from", access.DeleteByFilter: "delete by filter from", access.DeleteAll: "delete everything from", access.Import: "import into",
	access.SchemaList: "list the schema of", access.SchemaRead: "read the schema of", access.SchemaCreate: "create", access.SchemaAlter: "alter",
	access.SchemaRename: "rename", access.SchemaTruncate: "truncate", access.SchemaDrop: "drop",
	access.IndexCreate: "create an index on", access.IndexDrop: "drop an index of", access.IndexRebuild: "rebuild an index of",
	access.AliasRead: "read the aliases of", access.AliasWrite: "change the aliases of",
	access.TenantRead: "read the tenants of", access.TenantCreate: "create tenants of", access.TenantAlter: "alter tenants of", access.TenantDrop: "drop tenants of",
	access.SnapshotList: "list the snapshots of", access.SnapshotCreate: "make a snapshot of", access.SnapshotDelete: "delete a snapshot of",
	access.SnapshotDownload: "download a snapshot of", access.SnapshotRestore: "restore a snapshot of",
	access.ClusterRead: "read the state of", access.ClusterAdmin: "administer",
	access.MetaHealth: "ask for the health of", access.MetaMetrics: "read the metrics of", access.MetaDiagnostics: "diagnose",
	access.CodeExec: "run code on", access.SessionSet: "change session settings on", access.RawRead: "read the raw storage of",
	access.IAMRead: "read the rights on", access.IAMWrite: "change the rights on", access.Connect: "connect to",
	access.Unknown: "send what could not be read to",
}

// deed is "upsert into products/public/items", or "drop products/public/items (schema.drop)": a sentence, and the action
// by the name that policies and the log know it by.
func deed(q question) string {
	where := q.resource.String()
	if where == "" {
		where = "the target"
	}
	phrase, ok := phrases[q.action]
	switch {
	case !ok:
		return "do " + string(q.action) + " on " + where
	case strings.Contains(phrase, string(q.action)) || q.action == access.Unknown:
		return phrase + " " + where
	}
	return phrase + " " + where + " (" + string(q.action) + ")"
}

// because appends what a statement says to the person.
func because(r string) string {
	if r == "" {
		return ""
	}
	return ": " + r
}

func deniedByRule(s *access.Subject, q question, r *rule) access.Reason {
	return access.Reason{
		Code: access.CodeDenied, Rule: r.name, Position: r.position,
		Sentence: fmt.Sprintf("%s may not %s: rule %s forbids it%s", s.Display(), deed(q), r.name, because(r.because)),
	}
}

// deniedByDefault says that nothing allows it; why is what could not be read, when that is the case.
func deniedByDefault(v *view, q question, why string) access.Reason {
	reason := access.Reason{Code: access.CodeNoRule, Sentence: fmt.Sprintf("%s may not %s: no rule allows it", v.subject.Display(), deed(q))}
	switch q.action {
	case access.Unknown:
		reason.Code = access.CodeUnclear
		if why != "" {
			reason.Sentence = fmt.Sprintf("%s may not %s: %s", v.subject.Display(), deed(q), why)
		}
		reason.Hint = "write it in a plainer way, or leave it out; only a rule that names unknown would let it pass"
		return reason
	case access.Connect:
		reason.Sentence = fmt.Sprintf("%s may not connect to %s: no rule allows anything there", v.subject.Display(), q.resource.Target)
	}
	if r := v.policy.wouldAllow(v.subject, q); r != nil {
		reason.Hint = fmt.Sprintf("ask to be added to %s; rule %s allows it to that group", oneOf(r.who.groups), r.name)
	} else {
		reason.Hint = "ask an administrator of the gateway for a rule that allows it"
	}
	return reason
}

// wouldAllow finds an allow that only the subject's groups keep from matching. Workloads are not told which groups help.
func (p *Policy) wouldAllow(s *access.Subject, q question) *rule {
	if s.Kind != access.Person {
		return nil
	}
	for _, r := range p.allows {
		about := matchAny(r.on, q.resource) && r.can[q.action] || q.action == access.Connect && onTarget(r.on, q.resource.Target)
		if !about || len(r.who.groups) == 0 {
			continue
		}
		without := *r.who
		without.groups = nil
		if without.match(s) && !r.who.match(s) {
			return r
		}
	}
	return nil
}

func deniedBySeparation(s *access.Subject, q question, c *conflict) access.Reason {
	return access.Reason{
		Code: access.CodeSeparation, Rule: c.rule.name, Position: c.rule.position,
		Sentence: fmt.Sprintf("%s may not %s: rule %s keeps %s and %s apart, and %s holds both (rules %s and %s)%s",
			s.Display(), deed(q), c.rule.name, c.does, c.also, s.Display(), c.doesBy.name, c.alsoBy.name, because(c.rule.because)),
		Hint: fmt.Sprintf("ask for %s or %s to be taken away", c.does, c.also),
	}
}

func deniedByScope(v *view, q question) access.Reason {
	if !v.subject.MayReach(q.resource.Target) {
		return access.Reason{
			Code:     access.CodeScope,
			Sentence: fmt.Sprintf("%s may not %s: the credential is good for %s only", v.subject.Display(), deed(q), oneOf(v.subject.Targets)),
			Hint:     "use a credential that is not narrowed to other targets",
		}
	}
	if v.scope != "" {
		return access.Reason{
			Code:     access.CodeScope,
			Sentence: fmt.Sprintf("%s may not %s: the credential is narrowed to the scope %q, which is not known here", v.subject.Display(), deed(q), v.scope),
			Hint:     "use a credential with the scope read, write, or none",
		}
	}
	return access.Reason{
		Code:     access.CodeScope,
		Sentence: fmt.Sprintf("%s may not %s: the credential is for reading only", v.subject.Display(), deed(q)),
		Hint:     "use a credential without the scope read",
	}
}

func allowedBy(s *access.Subject, q question, r *rule) access.Reason {
	return access.Reason{
		Code: access.CodeAllowed, Rule: r.name, Position: r.position,
		Sentence: fmt.Sprintf("%s may %s (rule %s)", s.Display(), deed(q), r.name),
	}
}

func needsTicket(v *view, q question, r *rule, why *noTicket) access.Reason {
	return access.Reason{
		Code: access.CodeTicket, Rule: r.name, Position: r.position, Hint: why.hint,
		Sentence: fmt.Sprintf("%s may %s only with a reviewed change ticket (rule %s): %s%s", v.subject.Display(), deed(q), r.name, why.what, because(r.because)),
	}
}

// attach is how any client attaches a ticket.
const attach = "attach a ticket: SET vecgate.ticket = 'CHG-7' in SQL, the header X-Vecgate-Ticket over HTTP or gRPC, or a token of vecgate token --ticket CHG-7"

// persons is "2 members of Vector-Approve".
func persons(n int, groups []string) string {
	if n == 1 {
		return "a member of " + oneOf(groups)
	}
	return strconv.Itoa(n) + " members of " + oneOf(groups)
}

func heldFor(s *access.Subject, q question, terms *access.HoldTerms, position, why, ticket string) access.Reason {
	verb := "releases"
	if terms.Persons > 1 {
		verb = "release"
	}
	return access.Reason{
		Code: access.CodeHeld, Rule: terms.Rule, Position: position,
		Sentence: fmt.Sprintf("%s may %s only after %s %s it (rule %s)%s", s.Display(), deed(q), persons(terms.Persons, terms.Groups), verb, terms.Rule, because(why)) + ticket,
		Hint:     fmt.Sprintf("ask %s to release it", persons(terms.Persons, terms.Groups)),
	}
}

func released(s *access.Subject, q question, terms *access.HoldTerms, position string, g *access.Grant) access.Reason {
	return access.Reason{
		Code: access.CodeAllowed, Rule: terms.Rule, Position: position,
		Sentence: fmt.Sprintf("%s may %s: request %s was released by %s (rule %s)", s.Display(), deed(q), g.Request, strings.Join(g.Persons, ", "), terms.Rule),
	}
}
