package gate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/audit"
)

// Serve walks one exchange down the road. Its error, if any, means that the session cannot go on (the connection broke,
// the subject was cut off); a refusal that the client was told about is not an error.
//
// Serve may be called from several goroutines at a time. ctx ends when the client goes, or takes back a request that waits.
func (s *Session) Serve(ctx context.Context, x Exchange) error {
	w := &walk{Session: s, exchange: x, op: x.Operation()}
	name := make([]byte, 0, 48)
	w.request = string(strconv.AppendUint(append(append(name, s.id...), '.'), s.requests.Add(1), 10))
	w.tape = tape{journal: s.gate.Journal, request: w.request}
	w.began = s.gate.Now()
	return w.serve(ctx)
}

// walk is one exchange on its way.
type walk struct {
	*Session
	exchange Exchange
	op       *access.Operation
	request  string // names the exchange in the log
	began    time.Time
	grant    string        // the access request that the next record names
	change   access.Change // what the decision rests on, when it looked at a ticket
	tape     tape
	written  audit.Record // where its records are put together, one after the other: the journal keeps none
}

// envelope is that of the session.
func (w *walk) envelope(t audit.Type, request string) *audit.Record {
	w.fill(&w.written, t, request)
	return &w.written
}

func (w *walk) serve(ctx context.Context) error {
	g, x, op := w.gate, w.exchange, w.op

	// 1. Is the subject still who it was when the session was opened?
	if refusal := w.cutOff(w.began); refusal != nil {
		if err := w.refuse(ctx, access.Decision{}, refusal); err != nil {
			return err
		}
		return refusal
	}

	// 2. Decide, and hold what a person must release; the decision that counts is the one made last.
	about := w.about()
	decision := w.decide(ctx, &about)
	if refusal := w.cutOff(g.Now()); about.Change != nil && refusal != nil { // while the ticket was looked up
		if err := w.refuse(ctx, decision, refusal); err != nil {
			return err
		}
		return refusal
	}
	if decision.Effect == access.Hold && !op.Prepared {
		// What could not be carried out even if it were released is not put before people.
		if err := x.Oblige(&decision.Obligations); err != nil {
			return w.refuse(ctx, decision, asRefusal(err, access.CodeObligation))
		}
		var refusal *access.Refusal
		decision, refusal = w.hold(ctx, about, decision)
		if refusal != nil {
			return w.refuse(ctx, decision, refusal)
		}
		w.began = g.Now()
	}
	if decision.Effect != access.Allow && !(decision.Effect == access.Hold && op.Prepared) {
		return w.refuse(ctx, decision, refusalOf(decision))
	}

	// 3. Take on the obligations, all of them or none.
	if err := x.Oblige(&decision.Obligations); err != nil {
		return w.refuse(ctx, decision, asRefusal(err, access.CodeObligation))
	}

	// 4. Write down what is about to happen. Writes wait until that is durable; reads too, unless the target says that
	// they may run meanwhile.
	w.tape.level = w.level(decision.Obligations.Record)
	if err := w.tape.begin(x.Wire()); err != nil {
		return w.refuse(ctx, decision, notRecorded(err))
	}
	intent := w.record(audit.TypeIntent, decision)
	if op.Prepared {
		intent.Detail = "prepared; nothing runs yet"
	}
	commit := g.Journal.Append(intent)
	overlap := w.target.Reads == BeforeRelease && !writes(op)
	if !overlap {
		if err := commit.Wait(ctx); err != nil {
			return w.refuse(ctx, decision, notRecorded(err))
		}
	}

	// 5. Lease the credential and forward.
	credential, err := w.lease(ctx)
	if err != nil {
		return w.ended(ctx, access.Outcome{}, err)
	}
	if err := x.Forward(ctx, credential, &w.tape); err != nil {
		return w.ended(ctx, access.Outcome{}, err)
	}

	// 6. Stream the answer, not before its record is durable.
	if overlap {
		if err := commit.Wait(ctx); err != nil {
			return w.ended(ctx, access.Outcome{}, fmt.Errorf("answer withheld: %w", notRecorded(err)))
		}
	}
	outcome, err := x.Reply(ctx, &w.tape)
	return w.ended(ctx, outcome, err)
}

// decide asks the policy. When what it says hangs on a change ticket, the ticket is looked up and the policy asked again.
func (w *walk) decide(ctx context.Context, about *access.Context) access.Decision {
	g := w.gate
	decision := g.Policy.Decide(w.subject, w.op, *about)
	if !decision.LookUp || g.Tickets == nil {
		return decision
	}
	w.lookUp(ctx, about)
	about.Now = g.Now()
	return g.Policy.Decide(w.subject, w.op, *about)
}

// lookUp waits for what the ticket's system says, no longer than the session lasts.
func (w *walk) lookUp(ctx context.Context, about *access.Context) {
	ctx, end := w.alive(ctx)
	defer end()
	w.change = w.gate.Tickets.LookUp(ctx, w.subject, about.Ticket, writes(w.op))
	about.Change = w.change
}

// ended writes down how a forwarded exchange ended, and renders a refusal that came late.
func (w *walk) ended(ctx context.Context, outcome access.Outcome, err error) error {
	r := w.envelope(audit.TypeOutcome, w.request)
	r.Rows, r.Bytes, r.Error = outcome.Rows, outcome.Bytes, outcome.Code
	took := w.gate.Now().Sub(w.began)
	r.Micros = took.Microseconds()
	r.Effect = access.Allow
	code := access.CodeAllowed
	var refusal *access.Refusal
	if err != nil {
		r.Effect = access.Deny
		code = access.CodeUnavailable
		if refusal = findRefusal(err); refusal != nil {
			code, r.Rule, r.Detail = refusal.Code, refusal.Rule, refusal.Message
		}
		r.Code = code
	}
	w.rows.Add(outcome.Rows)
	w.bytes.Add(outcome.Bytes)
	commit := w.gate.Journal.Append(r)
	w.meter(r.Effect, code, took)
	if err == nil {
		return nil
	}
	// The client may have seen a part of the answer: how it ended is on disk before the client reads that it did.
	if werr := commit.Wait(context.WithoutCancel(ctx)); werr != nil {
		w.gate.Log.ErrorContext(ctx, "outcome not recorded", "session", w.id, "request", w.request, "error", werr)
	}
	w.gate.Log.ErrorContext(ctx, "exchange ended early", "session", w.id, "request", w.request, "code", code, "error", err, "cause", causeOf(refusal))
	usable := refusal != nil && error(refusal) == err //nolint:errorlint // identity: only a bare refusal leaves the session usable
	if refusal == nil {
		refusal = asRefusal(err, code)
	}
	refusal.Ref = w.request
	if rerr := w.exchange.Refuse(refusal); rerr != nil {
		return rerr
	}
	if usable {
		return nil
	}
	return err
}

// refuse writes the refusal down, waits until that is durable, and tells the client. The session goes on.
func (w *walk) refuse(ctx context.Context, d access.Decision, refusal *access.Refusal) error {
	if refusal.Ref == "" {
		refusal.Ref = w.request
	}
	if d.Effect == access.Allow || d.Effect == "" {
		d.Effect = access.Deny
	}
	d.Reason.Code = refusal.Code
	if refusal.Rule != "" {
		d.Reason.Rule = refusal.Rule
	}
	if refusal.Code != access.CodeNotRecorded {
		w.tape.level = w.level("")
		_ = w.tape.begin(w.exchange.Wire()) // the append below reports the same trouble
	}
	r := w.record(audit.TypeRefusal, d)
	if refusal.Code != access.CodeUnclear { // whose words may quote the request
		r.Detail = refusal.Message
	}
	commit := w.gate.Journal.Append(r)
	if err := commit.Wait(context.WithoutCancel(ctx)); err != nil {
		w.gate.Log.ErrorContext(ctx, "refusal not recorded", "session", w.id, "request", w.request, "error", err)
	}
	w.meter(d.Effect, refusal.Code, 0)
	level := w.gate.Log.InfoContext
	if refusal.Err != nil {
		level = w.gate.Log.ErrorContext
	}
	level(ctx, "refused", "session", w.id, "request", w.request, "subject", w.subject.ID, "target", w.target.Name,
		"operation", w.op.Summary(), "code", refusal.Code, "rule", refusal.Rule, "error", refusal.Err)
	return w.exchange.Refuse(refusal)
}

// hold files an access request, keeps the client informed while people decide, and decides again with the grant.
func (w *walk) hold(ctx context.Context, about access.Context, held access.Decision) (access.Decision, *access.Refusal) {
	g, op := w.gate, w.op
	if op.Text == "" && op.Tell != nil {
		op.Text = op.Tell()
	}
	ticket := ""
	if about.Change != nil {
		ticket = about.Ticket
	}
	digest := Digest(w.subject, w.target.Name, held.Policy, ticket, op)
	filed, err := g.Approvals.Ask(ctx, access.Ask{
		Digest: digest, Subject: w.subject, Target: w.target.Name, Operation: op, Terms: *held.Hold,
		Policy: held.Policy, Ticket: about.Ticket, Session: w.id,
	})
	if err != nil {
		return held, asRefusal(fmt.Errorf("file access request: %w", err), access.CodeInternal)
	}
	w.grant = filed.ID
	notice := access.Notice{Request: filed.ID, URL: g.Approvals.URL(filed.ID), Message: held.Reason.Sentence}
	if filed.State == access.StateOpen {
		if op.NoHold != "" {
			return held, &access.Refusal{
				Code: access.CodeHeld, Rule: held.Reason.Rule, Ref: filed.ID,
				Message: fmt.Sprintf("held for approval as request %s: %s; %s", filed.ID, held.Reason.Sentence, op.NoHold),
				Hint:    fmt.Sprintf("once it is approved at %s, send exactly the same request again", notice.URL),
			}
		}
		w.tape.level = w.level(held.Obligations.Record)
		if err := w.tape.begin(w.exchange.Wire()); err != nil {
			return held, notRecorded(err)
		}
		if filed, err = w.await(ctx, filed, notice); err != nil {
			return held, w.stoppedWaiting(ctx, filed, notice, err)
		}
	}
	if filed.State != access.StateApproved {
		return held, notReleased(filed, held)
	}
	if about.Change != nil {
		// People took their time: the ticket may be another one now. Who is refused for that keeps the approval.
		w.lookUp(ctx, &about)
		about.Now = g.Now()
		if now := g.Policy.Decide(w.subject, op, about); now.Effect == access.Deny {
			return now, refusalOf(now)
		}
	}
	grant, err := g.Approvals.Use(ctx, filed.ID, digest)
	if err != nil {
		return held, asRefusal(fmt.Errorf("use approval of request %s: %w", filed.ID, err), access.CodeNotReleased)
	}
	now := g.Now()
	if refusal := w.cutOff(now); refusal != nil {
		return held, refusal
	}
	about.Now, about.Grant = now, &grant
	again := w.decide(ctx, &about)
	if again.Effect == access.Hold {
		return again, &access.Refusal{
			Code: access.CodeNotReleased, Rule: again.Reason.Rule, Ref: filed.ID,
			Message: fmt.Sprintf("the approval of request %s no longer applies: the policy changed after it was asked for", filed.ID),
			Hint:    "send the request again to ask anew",
		}
	}
	return again, nil
}

// noticeEvery is how often a waiting client hears that its request still waits; it keeps idle-connection killers away.
const noticeEvery = 30 * time.Second

// await returns the request once people have decided on it, telling the client about it meanwhile.
func (w *walk) await(ctx context.Context, filed access.Request, notice access.Notice) (access.Request, error) {
	longest := w.target.Hold
	if patience := w.op.Wait; patience > 0 && (longest <= 0 || patience < longest) {
		longest = patience
	}
	if longest > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, longest, errHeldLongEnough)
		defer cancel()
	}
	ctx, end := w.alive(ctx)
	defer end()
	for {
		if err := w.exchange.Waiting(notice, &w.tape); err != nil {
			return filed, fmt.Errorf("tell client: %w", err)
		}
		wait, stop := context.WithTimeout(ctx, noticeEvery)
		now, err := w.gate.Approvals.Await(wait, filed.ID)
		stop()
		if err == nil {
			return now, nil
		}
		if ctx.Err() != nil {
			return filed, context.Cause(ctx)
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			return filed, err
		}
	}
}

var errHeldLongEnough = errors.New("held as long as this target allows, or its client waits")

// stoppedWaiting says what becomes of a request whose client was not kept waiting until the end.
func (w *walk) stoppedWaiting(ctx context.Context, filed access.Request, notice access.Notice, err error) *access.Refusal {
	resend := fmt.Sprintf("once it is approved at %s, send exactly the same request again", notice.URL)
	switch {
	case errors.Is(err, errHeldLongEnough):
		return &access.Refusal{Code: access.CodeHeld, Ref: filed.ID, Message: fmt.Sprintf("request %s is still open", filed.ID), Hint: resend}
	case errors.Is(err, ErrShuttingDown):
		return &access.Refusal{Code: access.CodeShuttingDown, Ref: filed.ID, Message: fmt.Sprintf("the gateway is restarting; request %s stays open", filed.ID), Hint: resend}
	case errors.Is(err, errCutOff):
		return w.cutOff(w.gate.Now())
	case ctx.Err() != nil:
		if aerr := w.gate.Approvals.Abandon(context.WithoutCancel(ctx), filed.ID); aerr != nil {
			w.gate.Log.ErrorContext(ctx, "abandon access request", "id", filed.ID, "error", aerr)
		}
		return &access.Refusal{Code: access.CodeCanceled, Ref: filed.ID, Message: fmt.Sprintf("request %s was taken back", filed.ID)}
	}
	return asRefusal(fmt.Errorf("wait for request %s: %w", filed.ID, err), access.CodeInternal)
}

// Digest is what an approval is bound to: who, where, under which policy and, when it counts, which change ticket, exactly
// what, and what that would do: the same words mean something else once an alias has been moved.
func Digest(s *access.Subject, target, policy, ticket string, op *access.Operation) string {
	h := sha256.New()
	body := op.Canonical
	if body == nil {
		body = []byte(op.Text)
	}
	parts := [][]byte{[]byte("vecgate request v3"), []byte(s.ID), []byte(target), []byte(policy), []byte(ticket), body}
	for _, part := range append(parts, effects(op.Accesses)...) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// effects are accesses in a form that does not depend on the order in which a front end found them.
func effects(accesses []access.Access) [][]byte {
	var all [][]byte
	for _, a := range accesses {
		for _, list := range []*[]string{&a.Attributes.Fields, &a.Attributes.FilterFields, &a.Attributes.IDs, &a.Attributes.OrderBy} {
			*list = slices.Sorted(slices.Values(*list))
		}
		text, _ := json.Marshal(a) // of strings, numbers and truths: it cannot fail
		all = append(all, text)
	}
	slices.SortFunc(all, bytes.Compare)
	return all
}

// causeOf is what a refusal hides from the client.
func causeOf(r *access.Refusal) error {
	if r == nil {
		return nil
	}
	return r.Err
}

func writes(op *access.Operation) bool {
	if op.Unclear != "" {
		return true
	}
	for i := range op.Accesses {
		if a := &op.Accesses[i]; a.Action.Writes() || a.Attributes.Lock {
			return true
		}
	}
	return false
}
