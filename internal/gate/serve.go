package gate

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/audit"
)

// Serve walks one exchange down the road. Its error, if any, means that the session cannot go on (the connection broke,
// the subject was cut off); a refusal that the client was told about is not an error.
//
// Serve is called from one goroutine at a time. ctx ends when the client goes, or takes back a request that waits.
func (s *Session) Serve(ctx context.Context, x Exchange) error {
	g := s.gate
	began := g.Now()
	op := x.Operation()
	request := s.id + "." + strconv.FormatUint(s.requests.Add(1), 10)

	// 1. Is the subject still who it was when the session was opened?
	if refusal := s.cutOff(began); refusal != nil {
		if err := s.refuse(ctx, x, request, op, access.Decision{}, refusal); err != nil {
			return err
		}
		return refusal
	}

	// 2. Decide, and hold what a person must release; the decision that counts is the one made last.
	about := s.context(began)
	decision := g.Policy.Decide(s.subject, op, about)
	if decision.Effect == access.Hold && !op.Prepared {
		var refusal *access.Refusal
		decision, refusal = s.hold(ctx, x, request, op, about, decision)
		if refusal != nil {
			return s.refuse(ctx, x, request, op, decision, refusal)
		}
		began = g.Now()
	}
	if decision.Effect != access.Allow && !(decision.Effect == access.Hold && op.Prepared) {
		return s.refuse(ctx, x, request, op, decision, refusalOf(decision))
	}

	// 3. Take on the obligations, all of them or none.
	if err := x.Oblige(&decision.Obligations); err != nil {
		return s.refuse(ctx, x, request, op, decision, asRefusal(err, access.CodeObligation))
	}

	// 4. Write down what is about to happen. Writes wait until that is durable; reads too, unless the target says that
	// they may run meanwhile.
	level := s.level(decision.Obligations.Record)
	tape := &s.tape
	tape.begin(request, level)
	if level != access.LevelEnvelope {
		if err := g.Journal.Body(request, audit.Asked, x.Wire()); err != nil {
			return s.refuse(ctx, x, request, op, decision, notRecorded(err))
		}
	}
	intent := s.record(audit.TypeIntent, request, op, decision)
	commit := g.Journal.Append(intent)
	overlap := s.target.Reads == BeforeRelease && !writes(op)
	if !overlap {
		if err := commit.Wait(ctx); err != nil {
			return s.refuse(ctx, x, request, op, decision, notRecorded(err))
		}
	}

	// 5. Lease the credential and forward.
	credential, err := s.lease(ctx)
	if err != nil {
		return s.ended(ctx, x, request, began, access.Outcome{}, err)
	}
	if err := x.Forward(ctx, credential, tape); err != nil {
		return s.ended(ctx, x, request, began, access.Outcome{}, err)
	}

	// 6. Stream the answer, not before its record is durable.
	if overlap {
		if err := commit.Wait(ctx); err != nil {
			return s.ended(ctx, x, request, began, access.Outcome{}, fmt.Errorf("answer withheld: %w", notRecorded(err)))
		}
	}
	outcome, err := x.Reply(ctx, tape)
	return s.ended(ctx, x, request, began, outcome, err)
}

// ended writes down how a forwarded exchange ended, and renders a refusal that came late.
func (s *Session) ended(ctx context.Context, x Exchange, request string, began time.Time, outcome access.Outcome, err error) error {
	r := s.envelope(audit.TypeOutcome, request)
	r.Rows, r.Bytes, r.Error = outcome.Rows, outcome.Bytes, outcome.Code
	took := s.gate.Now().Sub(began)
	r.Micros = took.Microseconds()
	r.Effect = access.Allow
	code := access.CodeAllowed
	var refusal *access.Refusal
	if err != nil {
		r.Effect = access.Deny
		code = access.CodeUnavailable
		if refusal = findRefusal(err); refusal != nil {
			code, r.Rule = refusal.Code, refusal.Rule
		}
		r.Code = code
	}
	s.rows.Add(outcome.Rows)
	s.bytes.Add(outcome.Bytes)
	commit := s.gate.Journal.Append(r)
	s.meter(r.Effect, code, took)
	if err == nil {
		return nil
	}
	// The client may have seen a part of the answer: how it ended is on disk before the client reads that it did.
	if werr := commit.Wait(context.WithoutCancel(ctx)); werr != nil {
		s.gate.Log.ErrorContext(ctx, "outcome not recorded", "session", s.id, "request", request, "error", werr)
	}
	s.gate.Log.ErrorContext(ctx, "exchange ended early", "session", s.id, "request", request, "code", code, "error", err, "cause", causeOf(refusal))
	usable := refusal != nil && error(refusal) == err //nolint:errorlint // identity: only a bare refusal leaves the session usable
	if refusal == nil {
		refusal = asRefusal(err, code)
	}
	refusal.Ref = request
	if rerr := x.Refuse(refusal); rerr != nil {
		return rerr
	}
	if usable {
		return nil
	}
	return err
}

// refuse writes the refusal down, waits until that is durable, and tells the client. The session goes on.
func (s *Session) refuse(ctx context.Context, x Exchange, request string, op *access.Operation, d access.Decision, refusal *access.Refusal) error {
	if refusal.Ref == "" {
		refusal.Ref = request
	}
	if d.Effect == access.Allow || d.Effect == "" {
		d.Effect = access.Deny
	}
	d.Reason.Code = refusal.Code
	if refusal.Rule != "" {
		d.Reason.Rule = refusal.Rule
	}
	if refusal.Code != access.CodeNotRecorded {
		if wire := x.Wire(); len(wire) > 0 && s.level("") != access.LevelEnvelope {
			_ = s.gate.Journal.Body(request, audit.Asked, wire) // the append below reports the same trouble
		}
	}
	commit := s.gate.Journal.Append(s.record(audit.TypeRefusal, request, op, d))
	if err := commit.Wait(context.WithoutCancel(ctx)); err != nil {
		s.gate.Log.ErrorContext(ctx, "refusal not recorded", "session", s.id, "request", request, "error", err)
	}
	s.meter(d.Effect, refusal.Code, 0)
	level := s.gate.Log.InfoContext
	if refusal.Err != nil {
		level = s.gate.Log.ErrorContext
	}
	level(ctx, "refused", "session", s.id, "request", request, "subject", s.subject.ID, "target", s.target.Name,
		"operation", op.Summary(), "code", refusal.Code, "rule", refusal.Rule, "error", refusal.Err)
	return x.Refuse(refusal)
}

// hold files an access request, keeps the client informed while people decide, and decides again with the grant.
func (s *Session) hold(ctx context.Context, x Exchange, request string, op *access.Operation, about access.Context, held access.Decision) (access.Decision, *access.Refusal) {
	g := s.gate
	digest := Digest(s.subject, s.target.Name, held.Policy, op)
	filed, err := g.Approvals.Ask(ctx, access.Ask{
		Digest: digest, Subject: s.subject, Target: s.target.Name, Operation: op, Terms: *held.Hold,
		Policy: held.Policy, Ticket: about.Ticket, Session: s.id,
	})
	if err != nil {
		return held, asRefusal(fmt.Errorf("file access request: %w", err), access.CodeInternal)
	}
	s.grant = filed.ID
	notice := access.Notice{Request: filed.ID, URL: g.Approvals.URL(filed.ID), Message: held.Reason.Sentence}
	if filed.State == access.StateOpen {
		if op.NoHold != "" {
			return held, &access.Refusal{
				Code: access.CodeHeld, Rule: held.Reason.Rule, Ref: filed.ID,
				Message: fmt.Sprintf("held for approval as request %s: %s; %s", filed.ID, held.Reason.Sentence, op.NoHold),
				Hint:    fmt.Sprintf("once it is approved at %s, send exactly the same request again", notice.URL),
			}
		}
		if filed, err = s.await(ctx, x, filed, notice); err != nil {
			return held, s.stoppedWaiting(ctx, filed, notice, err)
		}
	}
	if filed.State != access.StateApproved {
		return held, notReleased(filed, held)
	}
	grant, err := g.Approvals.Use(ctx, filed.ID, digest)
	if err != nil {
		return held, asRefusal(fmt.Errorf("use approval of request %s: %w", filed.ID, err), access.CodeNotReleased)
	}
	now := g.Now()
	if refusal := s.cutOff(now); refusal != nil {
		return held, refusal
	}
	about.Now, about.Grant = now, &grant
	again := g.Policy.Decide(s.subject, op, about)
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
func (s *Session) await(ctx context.Context, x Exchange, filed access.Request, notice access.Notice) (access.Request, error) {
	if s.target.Hold > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, s.target.Hold, errHeldLongEnough)
		defer cancel()
	}
	ctx, end := s.alive(ctx)
	defer end()
	for {
		if err := x.Waiting(notice); err != nil {
			return filed, fmt.Errorf("tell client: %w", err)
		}
		wait, stop := context.WithTimeout(ctx, noticeEvery)
		now, err := s.gate.Approvals.Await(wait, filed.ID)
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

var errHeldLongEnough = errors.New("held as long as this target allows")

// stoppedWaiting says what becomes of a request whose client was not kept waiting until the end.
func (s *Session) stoppedWaiting(ctx context.Context, filed access.Request, notice access.Notice, err error) *access.Refusal {
	resend := fmt.Sprintf("once it is approved at %s, send exactly the same request again", notice.URL)
	switch {
	case errors.Is(err, errHeldLongEnough):
		return &access.Refusal{Code: access.CodeHeld, Ref: filed.ID, Message: fmt.Sprintf("request %s is still open", filed.ID), Hint: resend}
	case errors.Is(err, ErrShuttingDown):
		return &access.Refusal{Code: access.CodeShuttingDown, Ref: filed.ID, Message: fmt.Sprintf("the gateway is restarting; request %s stays open", filed.ID), Hint: resend}
	case errors.Is(err, errCutOff):
		return s.cutOff(s.gate.Now())
	case ctx.Err() != nil:
		if aerr := s.gate.Approvals.Abandon(context.WithoutCancel(ctx), filed.ID); aerr != nil {
			s.gate.Log.ErrorContext(ctx, "abandon access request", "id", filed.ID, "error", aerr)
		}
		return &access.Refusal{Code: access.CodeCanceled, Ref: filed.ID, Message: fmt.Sprintf("request %s was taken back", filed.ID)}
	}
	return asRefusal(fmt.Errorf("wait for request %s: %w", filed.ID, err), access.CodeInternal)
}

// Digest is what an approval is bound to: who, where, under which policy, and exactly what.
func Digest(s *access.Subject, target, policy string, op *access.Operation) string {
	h := sha256.New()
	body := op.Canonical
	if body == nil {
		body = []byte(op.Text)
	}
	for _, part := range [][]byte{[]byte("vecgate request v1"), []byte(s.ID), []byte(target), []byte(policy), body} {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil))
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
