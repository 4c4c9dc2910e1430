package httpwire

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
	"github.com/vecgate/vecgate/internal/vault"
)

// exchange is one request and its answer. It implements gate.Exchange.
type exchange struct {
	target  *target
	session *gate.Session
	writer  http.ResponseWriter
	hider   *mask.Hider

	call    *Call
	fault   *access.Refusal // why there is no call
	op      access.Operation
	came    []byte // the body, after the headroom; what was read is made of its bytes
	wire    []byte
	body    []byte // what the call sends, unless an obligation changes it
	kind    string // and as what type
	obliged *Obliged
	asked   *Request           // as it came, to be read again after a hold
	waited  bool               // for a person
	under   access.Obligations // what obliged fulfils
	judged  []access.Access    // what look-ups may read from now on; anything while it is nil
	resp    *http.Response
	begun   bool // a part of the answer has left
	broken  bool // the answer cannot be completed
}

// set makes the operation of what was read.
func (x *exchange) set(r *http.Request, call *Call, fault error) {
	x.call = call
	if fault == nil {
		x.body, x.kind = document(call.Body, call.Lines)
		x.wire = render(call.Method, call.Path, encode(call.Query, call.Lists), call.Headers, x.body, x.came)
		x.op = access.Operation{Accesses: call.Accesses, Free: call.Free, Canonical: x.wire}
		x.op.Tell = func() string { return string(x.wire[:min(len(x.wire), maxText)]) }
		return
	}
	x.op = access.Operation{
		Accesses: []access.Access{{Action: access.Unknown, Resource: access.Resource{Target: x.target.Gate.Name}}}, Unclear: fault.Error(),
	}
	x.fault = &access.Refusal{Code: access.CodeUnclear, Message: "the request could not be read: " + fault.Error()}
	if refusal, ok := errors.AsType[*access.Refusal](fault); ok {
		x.fault, x.op.Unclear = refusal, refusal.Message
	} else if _, ok := errors.AsType[*Unclear](fault); !ok {
		x.fault = &access.Refusal{Code: access.CodeUnavailable, Message: "the gateway could not find out what the request means", Err: fault}
		x.op.Unclear = x.fault.Message
	}
	// The path is recorded as it came, without its query, which could hold anything.
	path, _, _ := bytes.Cut([]byte(r.RequestURI), []byte("?"))
	x.wire = fmt.Appendf(nil, "%.16s %.512s", r.Method, strconv.QuoteToASCII(string(path[:min(len(path), 512)])))
	x.op.Text = string(x.wire)
}

// maxText is how much of a request people are shown; what they approve is bound to all of it.
const maxText = 64 << 10

// render is the canonical form of a request: what is recorded, and what an approval is bound to. A body that stands in
// came, after its headroom, is not copied when what goes before it has room there.
func render(method, path, query string, headers map[string]string, body, came []byte) []byte {
	out := append(make([]byte, 0, headroom), method...)
	out = append(append(out, ' '), path...)
	if query != "" {
		out = append(append(out, '?'), query...)
	}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		out = fmt.Appendf(out, " %s:%q", name, headers[name])
	}
	if body == nil {
		return out
	}
	out = append(out, '\n')
	if len(came) > headroom && len(body) > 0 && &body[0] == &came[headroom] && len(out) <= headroom {
		from := headroom - len(out)
		copy(came[from:], out)
		return came[from : headroom+len(body) : headroom+len(body)]
	}
	return append(slices.Grow(out, len(body)), body...)
}

// document is what is sent of a document or of lines, and as what type.
func document(body jsonstream.Value, lines []jsonstream.Value) (text []byte, kind string) {
	if lines == nil {
		return body.Raw(), "application/json"
	}
	for _, line := range lines {
		text = append(append(text, line.Raw()...), '\n')
	}
	return text, "application/x-ndjson"
}

// Operation implements gate.Exchange.
func (x *exchange) Operation() *access.Operation { return &x.op }

// Wire implements gate.Exchange.
func (x *exchange) Wire() []byte { return x.wire }

// Waiting implements gate.Exchange. HTTP has no way to tell a client that it waits; that it went away ends the context
// that Serve was given.
func (x *exchange) Waiting(access.Notice, gate.Tape) error {
	x.waited = true
	return nil
}

// Oblige implements gate.Exchange.
func (x *exchange) Oblige(o *access.Obligations) error {
	if x.fault != nil {
		return x.fault
	}
	x.obliged, x.under = &Obliged{}, *o
	if x.call.Oblige != nil {
		obliged, err := x.call.Oblige(o)
		if err != nil {
			return err
		}
		x.obliged = obliged
	}
	if refusal := o.Unfiltered(&x.op); refusal != nil && !x.obliged.Filtered {
		return refusal
	}
	return nil
}

// again reads a request that waited for a person once more: an alias may lead elsewhere now, or a name belong to another
// collection. What would do anything else than what was released is not sent.
func (x *exchange) again(ctx context.Context) error {
	call, err := x.target.Dialect.Read(ctx, x.asked)
	if err == nil {
		body, _ := document(call.Body, call.Lines)
		now := render(call.Method, call.Path, encode(call.Query, call.Lists), call.Headers, body, nil)
		if !reflect.DeepEqual(call.Accesses, x.call.Accesses) || !bytes.Equal(now, x.wire) {
			err = errors.New("it is read as something else now")
		}
	}
	if err != nil {
		return &access.Refusal{
			Code: access.CodeNotReleased, Message: "what the request would do has changed while it was held", Hint: "send it again to ask anew", Err: err,
		}
	}
	x.call = call
	x.body, x.kind = document(call.Body, call.Lines)
	return x.Oblige(&x.under)
}

// Forward implements gate.Exchange.
func (x *exchange) Forward(ctx context.Context, c vault.Credential, _ gate.Tape) error {
	if x.waited {
		if err := x.again(ctx); err != nil {
			return err
		}
	}
	if x.obliged.Check != nil {
		x.judged = x.call.Accesses
		if err := x.obliged.Check(ctx); err != nil {
			if refusal, ok := errors.AsType[*access.Refusal](err); ok {
				return refusal
			}
			return &access.Refusal{Code: access.CodeUnavailable, Message: "the gateway could not find out which points the request would reach", Err: err}
		}
	}
	body, kind := x.body, x.kind
	if x.obliged.Body.Raw() != nil || x.obliged.Lines != nil {
		body, kind = document(x.obliged.Body, x.obliged.Lines)
	}
	ask := Instead{x.call.Method, x.call.Path, x.call.Query}
	if x.obliged.Query != nil {
		ask.Query = x.obliged.Query
	}
	lists := x.call.Lists
	if x.obliged.Instead != nil {
		ask, lists = *x.obliged.Instead, nil
		body, kind = document(x.obliged.Body, x.obliged.Lines)
	}
	r, err := x.target.request(ctx, ask.Method, ask.Path, encode(ask.Query, lists), body)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	if body != nil {
		r.Header.Set("Content-Type", kind)
	}
	for name, value := range x.call.Headers {
		r.Header.Set(name, value)
	}
	if c, err = x.target.Narrow.For(c, x.session.Subject().ID, x.call.Accesses); err != nil {
		return err
	}
	x.resp, err = x.target.send(r, c)
	return err
}

// Reply implements gate.Exchange.
func (x *exchange) Reply(_ context.Context, tape gate.Tape) (access.Outcome, error) {
	defer x.resp.Body.Close()
	out := newOutlet(x, tape, x.resp.StatusCode, x.resp.Header.Get("Content-Type"))
	outcome := access.Outcome{}
	var err error
	if x.call.Failure != nil && out.status < 300 {
		outcome.Code = x.call.Failure(x.beginning())
	}
	switch {
	case out.status >= 400:
		outcome.Code = strconv.Itoa(out.status)
		err = x.complaint(out)
	case x.obliged.Rewrite != nil:
		outcome.Rows, err = x.rewritten(out)
	case x.obliged.Mask != nil:
		outcome.Rows, err = x.masked(out)
	default:
		err = carry(out, x.resp.Body)
	}
	if err == nil {
		err = out.end()
	}
	outcome.Bytes = out.sent
	if err == nil {
		out.free()
		if x.call.Done != nil && outcome.Code == "" {
			x.call.Done()
		}
		return outcome, nil
	}
	if refusal, ok := errors.AsType[*access.Refusal](err); ok {
		return outcome, refusal
	}
	return outcome, &access.Refusal{Code: access.CodeUnavailable, Message: "the answer could not be completed", Err: err}
}

// maxBeginning is how much of an answer is looked at before it is passed on.
const maxBeginning = 4 << 10

// beginning is that of the answer, which is still read from there.
func (x *exchange) beginning() []byte {
	head := make([]byte, maxBeginning)
	n, _ := io.ReadFull(x.resp.Body, head) // what went wrong goes wrong again after it
	x.resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head[:n]), x.resp.Body), x.resp.Body}
	return head[:n]
}

// masked streams the answer through the mask.
func (x *exchange) masked(out *outlet) (int64, error) {
	if !isJSON(out.kind) {
		return 0, x.unmaskable(fmt.Errorf("content type %q", out.kind))
	}
	return x.mask(out, x.resp.Body)
}

func (x *exchange) mask(out *outlet, answer io.Reader) (int64, error) {
	m := maskers.Get().(*jsonstream.Masker)
	m.Reset(out, x.obliged.Mask, x.hider)
	m.Limit(x.obliged.Rows)
	err := carry(m, answer)
	if err == nil {
		err = m.Close()
	}
	rows := m.Counted()
	if err == nil {
		m.Reset(nil, nil, nil)
		maskers.Put(m)
	}
	if fault, ok := errors.AsType[*jsonstream.Fault](err); ok {
		err = x.unmaskable(fault)
	}
	if errors.Is(err, jsonstream.ErrTooMany) {
		err = &access.Refusal{Code: access.CodeLimit, Message: fmt.Sprintf("a request may return %d rows at most here, and the answer has more", x.obliged.Rows)}
	}
	return rows, err
}

// maxRewritten is the longest answer that is read as a whole.
const maxRewritten = 16 << 20

// rewritten reads the answer, and sends what is made of it.
func (x *exchange) rewritten(out *outlet) (int64, error) {
	if !isJSON(out.kind) {
		return 0, x.unmaskable(fmt.Errorf("content type %q", out.kind))
	}
	text, err := io.ReadAll(io.LimitReader(x.resp.Body, maxRewritten+1))
	if err != nil {
		return 0, err
	}
	if len(text) > maxRewritten {
		return 0, &access.Refusal{
			Code: access.CodeLimit, Message: fmt.Sprintf("the answer is longer than %d MiB, which is more than the gateway looks through", maxRewritten>>20),
			Hint: "ask for less at once",
		}
	}
	v, err := jsonstream.ReadInPlace(text)
	if err == nil {
		v, err = x.obliged.Rewrite(v)
	}
	if err != nil {
		return 0, x.unmaskable(err)
	}
	if x.obliged.Mask != nil {
		return x.mask(out, bytes.NewReader(v.Raw()))
	}
	_, err = out.Write(v.Raw())
	return 0, err
}

func (x *exchange) unmaskable(err error) error {
	return &access.Refusal{Code: access.CodeObligation, Message: "the answer is not of a form in which its values can be hidden", Err: err}
}

// maxComplaint is how much of an engine's error is passed on.
const maxComplaint = 64 << 10

// complaint passes the engine's own error on, without its words when they may quote what is hidden.
func (x *exchange) complaint(out *outlet) error {
	if x.obliged.Mute && out.status != http.StatusNotFound { // that there is no such thing quotes nothing that is stored
		message := fmt.Sprintf("the database refused the request with status %d; its message is withheld because it could quote protected values", out.status)
		said, err := io.ReadAll(io.LimitReader(x.resp.Body, maxComplaint))
		if err == nil && mask.WrongLength(string(said)) {
			message = mask.OfLengths
		}
		_, body := x.target.Dialect.Error(&access.Refusal{Code: access.CodeObligation, Message: message})
		out.kind = "application/json"
		_, err = out.Write(body)
		return err
	}
	_, err := io.Copy(out, io.LimitReader(x.resp.Body, maxComplaint))
	return err
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
	if x.begun {
		x.broken = true
		return nil
	}
	refusal = x.toTell(refusal)
	say(x.writer, x.target.errorOf(refusal), refusal)
	return nil
}
