package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/protocol/postgres/wire"
)

// reserved is the name under which a refused run is parsed at the target; no client can prepare anything by it.
const reserved = "vecgate_denied"

// sqlstates are the codes under which clients see refusals.
var sqlstates = map[access.Code]string{
	access.CodeNoRule: "42501", access.CodeDenied: "42501", access.CodeHeld: "42501", access.CodeNotReleased: "42501",
	access.CodeSeparation: "42501", access.CodeUnclear: "42501", access.CodeObligation: "42501", access.CodeLimit: "54000",
	access.CodeIdentity: "28000", access.CodeExpired: "57P01", access.CodeUnavailable: "08006", access.CodeNotRecorded: "58030",
	access.CodeInternal: "XX000", access.CodeCanceled: "57014", access.CodeShuttingDown: "57P01",
}

// refusalReport puts a refusal into PostgreSQL's form.
func refusalReport(r *access.Refusal) wire.Report {
	report := wire.Report{Severity: "ERROR", SQLSTATE: sqlstates[r.Code], Message: r.Message, Hint: r.Hint}
	if report.SQLSTATE == "" {
		report.SQLSTATE = "42501"
	}
	var detail []string
	if r.Rule != "" {
		detail = append(detail, "rule "+strconv.Quote(r.Rule))
	}
	if r.Ref != "" {
		detail = append(detail, "reference "+r.Ref)
	}
	report.Detail = strings.Join(detail, ", ")
	return report
}

// Refuse implements gate.Exchange.
//
// A refused run is not sent. In its place goes a text that no parser takes, so that the target itself raises the error
// that the client gets, in our words: whether the transaction fails, what of a pipeline is void and when the session is
// ready again is then exactly as it is for any other error.
func (x *exchange) Refuse(r *access.Refusal) error {
	x.stopWatching()
	s := x.s
	x.tape = nil
	report := refusalReport(r)
	if x.fault != nil && r.Code != access.CodeExpired && r.Code != access.CodeShuttingDown && r.Code != access.CodeNotRecorded {
		report.SQLSTATE, report.Message = x.fault.sqlstate, x.fault.message
		if x.fault.hint != "" || r.Code == access.CodeUnclear {
			report.Hint = x.fault.hint
		}
		if x.fault.position > 0 {
			report.Position = strconv.Itoa(x.fault.position)
		}
	} else if r.Code == access.CodeUnclear || x.op.Unclear != "" {
		if state := x.missing(); state != "" {
			report.SQLSTATE, report.Message, report.Hint = state, x.op.Unclear, "" // a slip of the pen, not something that policy could let pass
			if at := whereNamed(x.asked(), x.op.Unclear); at > 0 {
				report.Position = strconv.Itoa(at)
			}
		}
	}
	if r.Code == access.CodeExpired || r.Code == access.CodeShuttingDown {
		return x.fatal(report)
	}
	if x.forwarded {
		return x.refuseLate(r, report)
	}
	if x.held > 0 {
		s.drop(x)
	}
	if x.unasked {
		return x.fatal(report)
	}
	x.instead = &report
	return x.substitute(r.Ref)
}

// missing is the SQLSTATE of a statement whose only fault is that it names what does not exist.
func (x *exchange) missing() string {
	for i := range x.runs {
		if st := x.runs[i].of.statement(); st != nil && st.Unclear != "" {
			return st.Missing
		}
	}
	for i := range x.steps {
		if about := x.steps[i].about; about != nil && about.statement() != nil && about.statement().Unclear != "" {
			return about.statement().Missing
		}
	}
	return ""
}

// asked is the text that positions in errors refer to.
func (x *exchange) asked() string {
	if len(x.runs) > 0 && x.runs[0].portal == nil {
		if x.steps[0].kind == wire.Query {
			return x.queryText()
		}
		return x.runs[0].of.text
	}
	for i := range x.steps {
		if about := x.steps[i].about; about != nil && about.statement() != nil && about.statement().Unclear != "" {
			return about.text
		}
	}
	return ""
}

// whereNamed is the position, in characters from 1, of the name that a message quotes first. It is 0 when the name does
// not stand in the text exactly once: no position is better than a wrong one.
func whereNamed(text, message string) int {
	_, rest, _ := strings.Cut(message, `"`)
	name, _, ok := strings.Cut(rest, `"`)
	if !ok || name == "" {
		return 0
	}
	lower, name := strings.ToLower(text), strings.ToLower(name)
	at := strings.Index(lower, name)
	if at < 0 || len(lower) != len(text) || strings.Contains(lower[at+1:], name) {
		return 0
	}
	word := func(i int) bool {
		return i >= 0 && i < len(text) && (text[i] == '_' || text[i] == '$' || text[i] == '.' || text[i] >= '0' && text[i] <= '9' || text[i]|0x20 >= 'a' && text[i]|0x20 <= 'z' || text[i] >= 0x80)
	}
	if word(at-1) || word(at+len(name)) {
		return 0
	}
	if at > 0 && text[at-1] == '"' {
		at--
	}
	return utf8.RuneCountInString(text[:at]) + 1
}

func (x *exchange) fatal(report wire.Report) error {
	report.Severity = "FATAL"
	x.s.told = true
	return x.s.write(report.Append(nil))
}

// substitute sends a text that cannot be parsed in place of the run, and relays how the target refuses it.
func (x *exchange) substitute(ref string) error {
	s := x.s
	text := marker(ref)
	last := x.steps[len(x.steps)-1].kind
	var out []byte
	if len(x.steps) == 1 && (last == wire.Query || last == wire.FunctionCall) {
		b, at := wire.Begin(nil, wire.Query)
		out = wire.End(wire.Text(b, text), at)
		x.steps = append(x.steps[:0], step{kind: wire.Query, effect: -1})
	} else {
		b, at := wire.Begin(nil, wire.Parse)
		b = append(wire.Text(wire.Text(b, reserved), text), 0, 0)
		out = wire.End(b, at)
		x.steps = append(x.steps[:0], step{kind: wire.Parse, effect: -1})
		if last == wire.Sync {
			out = wire.Empty(out, wire.Sync)
			x.steps = append(x.steps, step{kind: wire.Sync, effect: -1})
		} else {
			out = wire.Empty(out, wire.Flush)
		}
	}
	x.runs = x.runs[:0]
	x.at, x.passed, x.rest = 0, 0, 0
	if _, err := s.up.conn.Write(out); err != nil {
		return fmt.Errorf("send to target: %w", err)
	}
	if err := x.answer(context.Background()); err != nil {
		return err
	}
	if !x.errored && !s.told {
		return errors.New("target: took a text that cannot be parsed")
	}
	return nil
}

// marker is a text that PostgreSQL's parser refuses at its first word, and that an operator finds in the target's log.
func marker(ref string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, ref)
	return "VECGATE_DENIED_" + clean
}

// refuseLate tells the client that its answer ends here. The target has been heard to the end of the run.
func (x *exchange) refuseLate(r *access.Refusal, report wire.Report) error {
	s := x.s
	if x.cut != r { //nolint:errorlint // identity: any other refusal leaves the target in the middle of something
		return x.fatal(report)
	}
	ready := x.finished
	if !x.errored && ready && s.status == 'I' && x.work {
		report.Detail = strings.TrimPrefix(report.Detail+", the statement itself was carried out", ", ")
	}
	if !x.errored && (s.status == 'T' || !ready) {
		// The target was done before it heard that it should stop. The client gets an error, so the transaction fails.
		x.muted, x.instead, x.errored, x.finished = true, nil, false, false
		if !ready {
			x.steps = append(x.steps[:0], step{kind: wire.Parse})
		} else {
			x.steps = append(x.steps[:0], step{kind: wire.Query})
		}
		if err := x.substitute(r.Ref); err != nil {
			return err
		}
	}
	s.out = report.Append(s.out[:0])
	if ready {
		s.out = wire.Ready(s.out, s.status)
	}
	err := s.write(s.out)
	s.out = s.out[:0]
	return err
}

func notTaken(err error) error {
	return fmt.Errorf("take down the data: %w", &access.Refusal{
		Code: access.CodeNotRecorded, Err: err,
		Message: "the data could not be recorded, so it was not carried out", Hint: "tell the operator of the gateway; its log has the details",
	})
}

var _ gate.Exchange = (*exchange)(nil)
