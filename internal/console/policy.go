package console

import (
	"net/http"
	"sort"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/admin"
)

type policyData struct {
	frame
	Policy   *admin.PolicyText // nil for those who may only ask about themselves
	Lines    []policyLine
	Question admin.Question
	Groups   string
	Answer   *admin.Explanation
	Error    string
	Actions  []string
}

type policyLine struct {
	Number int
	Name   string // of the statement that begins here
	Spans  []Span
}

// policy shows the policy in force and says what it would decide.
func (s *Console) policy(w http.ResponseWriter, r *http.Request, c admin.Caller) error {
	q := r.URL.Query()
	d := policyData{frame: s.frame(r, c, "Policy", "policy"), Groups: field(q, "groups")}
	for _, a := range access.Actions() {
		d.Actions = append(d.Actions, string(a))
	}
	sort.Strings(d.Actions)
	if d.Auditor || d.Operator {
		p, err := s.Service.CurrentPolicy(r.Context(), c)
		if err != nil {
			return err
		}
		d.Policy = &p
		for i, l := range strings.Split(strings.TrimRight(p.Text, "\n"), "\n") {
			d.Lines = append(d.Lines, policyLine{i + 1, statementName(l), yaml(l)})
		}
	}
	d.Question = admin.Question{
		Subject: field(q, "subject"), Kind: access.Kind(field(q, "kind")), Action: access.Action(field(q, "action")), Resource: field(q, "on"),
	}
	for g := range strings.FieldsFuncSeq(d.Groups, func(r rune) bool { return r == ',' || r == ' ' }) {
		d.Question.Groups = append(d.Question.Groups, g)
	}
	if d.Question.Action != "" && d.Question.Resource != "" {
		answer, err := s.Service.Explain(r.Context(), c, d.Question)
		if err != nil {
			f := admin.FaultOf(r.Context(), s.Log, err)
			if f.Status >= 500 {
				return err
			}
			d.Error = f.Message
		} else {
			d.Answer = &answer
		}
	}
	s.render(w, r, http.StatusOK, "policy", d)
	return nil
}

// yaml colours one line of a policy: its comment and its keys.
func yaml(line string) []Span {
	body, comment := line, ""
	if i := strings.Index(line, "#"); i == 0 || i > 0 && line[i-1] == ' ' && strings.Count(line[:i], `"`)%2 == 0 {
		body, comment = line[:i], line[i:]
	}
	var list []Span
	if i := strings.Index(body, ":"); i > 0 && (i+1 == len(body) || body[i+1] == ' ') {
		key := strings.TrimLeft(body[:i], " -")
		list = append(list, spans(body[:i-len(key)], "")...)
		list = append(list, spans(key, "kw")...)
		body = body[i:]
	}
	list = append(list, spans(body, "")...)
	return append(list, spans(comment, "com")...)
}

// statementName returns the name that a line gives to a statement, so that rules can be linked to.
func statementName(line string) string {
	rest, ok := strings.CutPrefix(strings.TrimLeft(line, " -"), "name:")
	if !ok {
		return ""
	}
	return strings.Trim(strings.TrimSpace(rest), `"'`)
}
