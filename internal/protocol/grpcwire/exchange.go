package grpcwire

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"sort"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire/transcript"
	"github.com/vecgate/vecgate/internal/vault"
)

// maxText is how much of a request people are shown; what they approve is bound to all of it.
const maxText = 64 << 10

// request is one message that a client sent, as it is judged. It is the part that the two kinds of exchange share.
type request struct {
	server  *Server
	target  *target
	session *gate.Session
	method  *Method // nil for a call that is not in the table

	call    *Call
	fault   *access.Refusal // why there is no call
	op      access.Operation
	wire    []byte
	sent    []byte // the call's message with its prefix, a part of what is recorded
	obliged *Obliged
	under   *access.Protection // what it was obliged under

	again  func(context.Context) (*Call, error) // reads it once more, from the bytes that came
	asker  *exchange                            // asks for it what must be looked up
	judged []access.Access                      // what look-ups may read from now on; anything while it is nil
	waited bool                                 // for a person
	asks   access.Obligations                   // what obliged fulfils
}

// set makes the operation of what was read.
func (q *request) set(name string, call *Call, fault error) {
	q.call = call
	if fault == nil {
		fault = q.render(name)
	}
	if fault == nil {
		return
	}
	q.call = nil
	q.op = access.Operation{
		Accesses: []access.Access{{Action: access.Unknown, Resource: access.Resource{Target: q.target.Gate.Name}}}, Unclear: fault.Error(),
	}
	q.fault = &access.Refusal{Code: access.CodeUnclear, Message: "the request could not be read: " + fault.Error()}
	if refusal, ok := errors.AsType[*access.Refusal](fault); ok {
		q.fault, q.op.Unclear = refusal, refusal.Message
	} else if unclear, ok := errors.AsType[*Unclear](fault); ok {
		q.op.Unclear = unclear.Why
		q.fault.Message = "the request could not be read: " + unclear.Why
	} else {
		q.fault = &access.Refusal{Code: access.CodeUnavailable, Message: "the gateway could not find out what the request means", Err: fault}
		q.op.Unclear = q.fault.Message
	}
	// Nothing of what could not be read is recorded but the name of the method.
	q.wire = transcript.AppendHead(nil, strconv.QuoteToASCII(name[:min(len(name), 256)]), nil)
	q.op.Text = string(bytes.TrimSpace(q.wire))
}

// render makes the canonical form of a request: what is sent and recorded, and what an approval is bound to.
func (q *request) render(name string) error {
	var metadata []string
	for k, v := range q.call.Metadata {
		metadata = append(metadata, k+": "+v)
	}
	sort.Strings(metadata)
	head := transcript.AppendHead(nil, name, metadata)
	said := q.call.Message
	canonical, err := appendFrame(head[:len(head):len(head)], said) // a message is recorded as it travels
	if err != nil {
		return err
	}
	q.sent, q.wire = canonical[len(head):], canonical
	if q.call.Record != nil {
		said = q.call.Record
		if q.wire, err = appendFrame(head[:len(head):len(head)], said); err != nil {
			return err
		}
	}
	q.op = access.Operation{Accesses: q.call.Accesses, Free: q.call.Free, Canonical: canonical, Tell: func() string {
		return string(bytes.TrimSuffix(head, []byte("\n"))) + transcript.Text(said, max(maxText-len(head)-4, 0), true)
	}}
	return nil
}

// Operation implements gate.Exchange.
func (q *request) Operation() *access.Operation { return &q.op }

// Wire implements gate.Exchange.
func (q *request) Wire() []byte { return q.wire }

// Waiting implements gate.Exchange. gRPC has no way to tell a client that it waits; that it went away ends the context
// that Serve was given.
func (q *request) Waiting(access.Notice, gate.Tape) error {
	q.waited = true
	return nil
}

// Oblige implements gate.Exchange.
func (q *request) Oblige(o *access.Obligations) error {
	if q.fault != nil {
		return q.fault
	}
	q.under, q.obliged, q.asks = o.Protection, &Obliged{}, *o
	if q.call.Oblige != nil {
		obliged, err := q.call.Oblige(o)
		if err != nil {
			return err
		}
		if obliged != nil {
			q.obliged = obliged
		}
	}
	if refusal := o.Unfiltered(&q.op); refusal != nil && !q.obliged.Filtered {
		return refusal
	}
	if q.obliged.Rows > 0 && q.obliged.Mask == nil {
		return &access.Refusal{Code: access.CodeObligation, Message: "the rows of the answer cannot be counted"} // Mask counts them
	}
	return nil
}

// reread reads a request that waited for a person once more: an alias may lead elsewhere now, or a name belong to another
// collection. What would do anything else than what was released is not sent.
func (q *request) reread(ctx context.Context) error {
	call, err := q.again(ctx)
	var sent []byte
	if err == nil {
		sent, err = appendFrame(nil, call.Message)
	}
	if err == nil && (!reflect.DeepEqual(call.Accesses, q.call.Accesses) || !maps.Equal(call.Metadata, q.call.Metadata) || !bytes.Equal(sent, q.sent)) {
		err = errors.New("it is read as something else now")
	}
	if err != nil {
		return &access.Refusal{
			Code: access.CodeNotReleased, Message: "what the request would do has changed while it was held", Hint: "send it again to ask anew", Err: err,
		}
	}
	q.call = call
	return q.Oblige(&q.asks)
}

// outgoing is the message as it is sent under its obligations, with its prefix, once nothing speaks against that.
func (q *request) outgoing(ctx context.Context) ([]byte, error) {
	if q.waited {
		if err := q.reread(ctx); err != nil {
			return nil, err
		}
	}
	if q.obliged.Check != nil {
		q.asker.judged = q.call.Accesses
		if err := q.obliged.Check(ctx); err != nil {
			if refusal, ok := errors.AsType[*access.Refusal](err); ok {
				return nil, refusal
			}
			return nil, &access.Refusal{Code: access.CodeUnavailable, Message: "the gateway could not find out which points the request would reach", Err: err}
		}
	}
	if q.obliged.Message == nil {
		return q.sent, nil
	}
	return appendFrame(nil, q.obliged.Message)
}

// exchange is one call and its answer. It implements gate.Exchange.
type exchange struct {
	request
	reply  *reply
	hider  *mask.Hider
	stream *stream // the further messages of the client, where there may be some
	answer *answer
	until  time.Time // the client's deadline; zero when it has none
	cancel context.CancelFunc
	broken bool // the answer cannot be completed, and no status can say so
	// failure is the code with which the engine said no inside of the answer
	failure string
}

// Forward implements gate.Exchange.
func (x *exchange) Forward(ctx context.Context, c vault.Credential, _ gate.Tape) error {
	message, err := x.outgoing(ctx)
	if err != nil {
		return err
	}
	if !x.until.IsZero() {
		ctx, x.cancel = context.WithDeadline(ctx, x.until)
	}
	var body io.Reader = bytes.NewReader(message)
	if x.stream != nil {
		body = x.stream.begin(ctx, x, message)
	}
	if c, err = x.target.Narrow.For(c, x.session.Subject().ID, x.call.Accesses); err != nil {
		return err
	}
	x.answer, err = x.target.send(ctx, x.server, x.method.Name, x.call.Metadata, body, c)
	return x.because(ctx, err)
}

// because says why a call did not get on: what ended it goes before what broke for that.
func (x *exchange) because(ctx context.Context, err error) error {
	if x.stream != nil {
		if refusal := x.stream.refused(); refusal != nil {
			return refusal
		}
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(context.Cause(ctx), gate.ErrShuttingDown):
		return &access.Refusal{Code: access.CodeShuttingDown, Message: "the gateway is shutting down", Hint: "connect again in a moment", Err: err}
	case x.session.Cause() != nil:
		return &access.Refusal{Code: access.CodeExpired, Message: "the session was ended while the call ran", Err: err}
	case !x.until.IsZero() && !time.Now().Before(x.until):
		return &access.Refusal{Code: access.CodeCanceled, Message: "the client's deadline has passed", Err: err}
	case ctx.Err() != nil:
		return &access.Refusal{Code: access.CodeCanceled, Message: "the client went away", Err: err}
	}
	return err
}

// Reply implements gate.Exchange.
func (x *exchange) Reply(ctx context.Context, tape gate.Tape) (access.Outcome, error) {
	out := &outlet{x: x, tape: tape}
	end, err := x.messages(out)
	outcome := access.Outcome{Rows: out.rows, Bytes: out.sent}
	if err == nil && end == nil {
		err = errors.New("its answer has no status")
	}
	if err = x.because(ctx, err); err == nil {
		if end.Code() != codes.OK {
			outcome.Code = codeName(end.Code())
			end = x.complaint(end)
		} else {
			outcome.Code = x.failure
		}
		err = out.end(end)
	}
	if err == nil {
		if outcome.Code == "" && x.call.Done != nil {
			x.call.Done()
		}
		return outcome, nil
	}
	if refusal, ok := errors.AsType[*access.Refusal](err); ok {
		return outcome, refusal
	}
	return outcome, &access.Refusal{Code: access.CodeUnavailable, Message: "the answer could not be completed", Err: err}
}

// close ends the call to the target, if there is one.
func (x *exchange) close() {
	if x.cancel != nil {
		x.cancel()
	}
	if x.answer != nil {
		x.answer.close()
	}
}

// messages passes on the answer's messages, and says how it ended.
func (x *exchange) messages(out *outlet) (*status.Status, error) {
	if x.method.ServerStreams {
		if err := out.open(); err != nil {
			return nil, err
		}
	}
	for n := 0; ; n++ {
		compressed, size, err := x.answer.head()
		if errors.Is(err, io.EOF) {
			return x.answer.status(), nil
		}
		if err == nil && n > 0 && !x.method.ServerStreams {
			err = errors.New("it answers with more than one message")
		}
		if err != nil {
			return nil, err
		}
		o := x.covering()
		if len(o.masks) == 0 && !compressed && x.call.Failure == nil {
			err = out.copy(x.answer.from, size)
		} else {
			err = x.masked(out, o, compressed, size)
		}
		if err == nil && x.method.ServerStreams {
			err = x.reply.flush()
		}
		if err != nil {
			return nil, err
		}
	}
}

// covering is what all answers pass through at this moment.
func (x *exchange) covering() *cover {
	if x.stream != nil {
		return x.stream.covering()
	}
	return newCover(&x.request)
}

// masked reads a message, hides in it what must be hidden, and passes on what is left.
func (x *exchange) masked(out *outlet, o *cover, compressed bool, size int64) error {
	b, err := x.answer.body(compressed, size)
	defer x.answer.release()
	if _, unclear := errors.AsType[*Unclear](err); unclear {
		return unmaskable(err)
	}
	if err != nil {
		return err
	}
	if len(o.masks) == 0 && x.call.Failure == nil {
		return out.message(b)
	}
	m, err := decodeAnswer(x.method.Response, b)
	if err != nil {
		return unmaskable(err)
	}
	if x.call.Failure != nil {
		x.failure = cmp.Or(x.failure, x.call.Failure(m))
	}
	if len(o.masks) == 0 {
		return out.message(b)
	}
	rows, err := o.apply(x.hider, m)
	if err != nil {
		return unmaskable(err)
	}
	if out.rows += rows; o.rows > 0 && out.rows > o.rows {
		return &access.Refusal{Code: access.CodeLimit, Message: fmt.Sprintf("a request may return %d rows at most here, and the answer has more", o.rows)}
	}
	if b, err = (proto.MarshalOptions{}).MarshalAppend(make([]byte, prefix), m); err != nil {
		return unmaskable(err)
	}
	binary.BigEndian.PutUint32(b[1:], uint32(len(b)-prefix))
	return out.write(b)
}

func unmaskable(err error) error {
	if refusal, ok := errors.AsType[*access.Refusal](err); ok {
		return refusal
	}
	return &access.Refusal{Code: access.CodeObligation, Message: "the answer is not of a form in which its values can be hidden", Err: err}
}

// complaint is the engine's own error, without its words when they may quote what is hidden; but not that there is no such
// thing, which quotes nothing that is stored.
func (x *exchange) complaint(s *status.Status) *status.Status {
	if !x.covering().mute || s.Code() == codes.NotFound {
		return s
	}
	if mask.WrongLength(s.Message()) {
		return status.New(s.Code(), mask.OfLengths)
	}
	return status.New(s.Code(), fmt.Sprintf("the database refused the request with %s; its message is withheld because it could quote protected values", codeName(s.Code())))
}

// toTell is what the client is told of a refusal. Of a request that could not be read because the target does not answer,
// that: no plainer words would help.
func (x *exchange) toTell(refusal *access.Refusal) *access.Refusal {
	if refusal.Code != access.CodeUnclear || x.fault == nil || x.fault.Code != access.CodeUnavailable {
		return refusal
	}
	told := *x.fault
	told.Ref = refusal.Ref
	told.Hint = cmp.Or(told.Hint, "try again later; the log of the gateway has the details")
	return &told
}

// Refuse implements gate.Exchange.
func (x *exchange) Refuse(refusal *access.Refusal) error {
	if x.reply.torn {
		x.broken = true
		return nil
	}
	x.server.refuse(x.reply, x.target, x.method, x.toTell(refusal))
	return nil
}

// cover is what hides and bounds an answer.
type cover struct {
	masks []func(*mask.Hider, proto.Message) (int64, error)
	rows  int64
	mute  bool
}

func newCover(q *request) *cover {
	c := &cover{rows: q.obliged.Rows, mute: q.obliged.Mute}
	if q.obliged.Mask != nil {
		c.masks = append(c.masks, q.obliged.Mask)
	}
	return c
}

func (c *cover) apply(h *mask.Hider, m proto.Message) (rows int64, err error) {
	for _, hide := range c.masks {
		n, err := hide(h, m)
		if err != nil {
			return rows, err
		}
		rows = max(rows, n)
	}
	return rows, nil
}
