package grpcwire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/protocol/conversation"
	"github.com/vecgate/vecgate/internal/vault"
)

// Serve answers the clients of a listener until ctx ends.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	if s.config.TLS == nil {
		protocols.SetUnencryptedHTTP2(true)
	} else {
		c := s.config.TLS.Clone()
		c.NextProtos = []string{"h2"}
		ln = tls.NewListener(ln, c)
	}
	defer s.Close()
	return s.door.Serve(ctx, &http.Server{
		Handler: s, Protocols: protocols, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: s.config.Limits.Streams},
		ReadHeaderTimeout: s.config.Limits.SignIn, IdleTimeout: 10 * time.Minute, MaxHeaderBytes: 64 << 10,
		ConnState: s.config.Connections, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}, ln)
}

// Tend ends sessions that are silent, old or expired until ctx ends, for a server whose calls come through another's listener.
func (s *Server) Tend(ctx context.Context) { s.door.Tend(ctx) }

// Close ends the connections to targets that nobody uses.
func (s *Server) Close() {
	for _, t := range s.targets {
		t.client.CloseIdleConnections()
	}
}

// Ready says whether every target answers. What it answers does not matter, as long as it is not that it cannot serve: not
// every engine has a health check, or one for everybody.
func (s *Server) Ready(ctx context.Context) error {
	var faults []error
	for name, t := range s.targets {
		if err := t.healthy(ctx, s); err != nil {
			faults = append(faults, fmt.Errorf("target %s: %w", name, err))
		}
	}
	return errors.Join(faults...)
}

// ReadyFor says whether a target answers. One that cannot be reached here is no fault.
func (s *Server) ReadyFor(ctx context.Context, target string) error {
	if t := s.targets[target]; t != nil {
		return t.healthy(ctx, s)
	}
	return nil
}

func (t *target) healthy(ctx context.Context, s *Server) error {
	ctx, cancel := context.WithTimeout(ctx, dialing)
	defer cancel()
	a, err := t.send(ctx, s, "/grpc.health.v1.Health/Check", nil, strings.NewReader("\x00\x00\x00\x00\x00"), vault.Credential{})
	if err != nil {
		return errors.Unwrap(err)
	}
	defer a.close()
	if _, err := io.Copy(io.Discard, io.LimitReader(a.from, maxLookup)); err != nil {
		return err
	}
	switch st := a.status(); {
	case st == nil:
		return errors.New("its answer has no status")
	case st.Code() == codes.Unavailable:
		return st.Err()
	}
	return nil
}

// Speaks says whether a request is a call of gRPC.
func Speaks(r *http.Request) bool {
	kind := r.Header.Values("Content-Type")
	return r.ProtoMajor == 2 && len(kind) == 1 && (kind[0] == "application/grpc" || strings.HasPrefix(kind[0], "application/grpc+") || strings.HasPrefix(kind[0], "application/grpc;"))
}

// ServeHTTP is the life of a call: who speaks, to whom, in which session; read it; down the road.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !Speaks(r) {
		http.Error(w, "this port speaks gRPC", http.StatusUnsupportedMediaType)
		return
	}
	out := &reply{w: w}
	in := gate.SignIn{Client: conversation.Host(r.RemoteAddr), Method: "token"}
	t := s.target(r)
	if t == nil {
		s.refuse(out, nil, nil, s.door.Refuse(r.Context(), in, &access.Refusal{
			Code: access.CodeScope, Message: "the call names no target that can be reached here", Hint: "name the target in the metadata x-vecgate-target",
		}))
		return
	}
	in.Target = t.Gate.Name
	m := t.methods[r.RequestURI]
	if m != nil && m.Open != nil && !shown(r.Header) {
		s.openly(out, m)
		return
	}
	token, refusal := credential(r.Header)
	if refusal != nil {
		s.refuse(out, t, m, s.door.Refuse(r.Context(), in, refusal))
		return
	}
	v, refusal := s.door.Enter(r.Context(), token, t.Gate, in, conversation.Program(r.UserAgent()))
	if refusal != nil {
		s.refuse(out, t, m, refusal)
		return
	}
	defer v.Leave()
	ctx, end := v.Within(r.Context())
	defer end()
	s.serve(ctx, &visitor{w: w, r: r, rc: http.NewResponseController(w), session: v.Session()}, t, m, out)
}

// visitor is a call on its way in.
type visitor struct {
	w       http.ResponseWriter
	r       *http.Request
	rc      *http.ResponseController
	session *gate.Session
}

// serve reads a call and takes it down the road.
func (s *Server) serve(ctx context.Context, v *visitor, t *target, m *Method, out *reply) {
	x := &exchange{request: request{server: s, target: t, session: v.session, method: m}, reply: out, hider: s.config.Hider}
	began := time.Now()
	timeout, fault := deadline(v.r.Header)
	// All messages of the client come from here; what the first one takes is held as long as the call.
	from := &frames{from: v.r.Body, encoding: v.r.Header.Get("Grpc-Encoding"), most: s.config.Limits.Message, budget: s.requests}
	defer from.release()
	s.read(ctx, v, &x.request, from, false, fault)
	first := from.taken
	from.taken = 0
	defer s.requests.Give(first)
	if timeout > 0 {
		// The client's deadline is the target's, and not the road's: the refusal of a request that was held for as long as its
		// client waits must still reach it.
		x.until = began.Add(timeout)
		x.op.Wait = max(timeout-min(max(timeout/10, 50*time.Millisecond), time.Second), time.Millisecond)
	}
	if m != nil && m.ClientStreams && x.fault == nil {
		x.stream = &stream{x: x, rc: v.rc, read: func(ctx context.Context) (*request, func(), error) {
			q := &request{server: s, target: t, session: v.session, method: m}
			if err := s.read(ctx, v, q, from, true, nil); err != nil {
				return nil, nil, err
			}
			return q, from.release, nil
		}}
		defer x.stream.finish()
	}
	defer x.close()
	if err := v.session.Serve(ctx, x); err != nil {
		s.log.DebugContext(ctx, "call ended its connection", "session", v.session.ID(), "error", err)
	}
	if x.broken {
		panic(http.ErrAbortHandler) // the client sees that its answer is not complete
	}
}

// target is who a call is for.
func (s *Server) target(r *http.Request) *target {
	switch named := r.Header.Values("X-Vecgate-Target"); {
	case len(named) == 1:
		return s.targets[named[0]]
	case len(named) > 1:
		return nil
	case s.only != nil:
		return s.only
	}
	label, _, _ := strings.Cut(conversation.Host(r.Host), ".")
	return s.targets[label]
}

// openly answers those who show no credential.
func (s *Server) openly(out *reply, m *Method) {
	b, err := appendFrame(nil, m.Open)
	if err == nil {
		err = out.write(b)
	}
	if err == nil {
		out.end(status.New(codes.OK, ""), nil)
	}
}

// sending is how long a client may take to send a message that it has begun.
const sending = 2 * time.Minute

// read makes an operation of a client's message. What cannot be read is an operation too, an unclear one. The error is
// io.EOF where no further message comes, or that the client went away.
func (s *Server) read(ctx context.Context, v *visitor, q *request, from *frames, more bool, fault error) error {
	name := v.r.RequestURI
	metadata := map[string]string{}
	if fault == nil && q.method == nil {
		fault = &Unclear{"this gateway knows no such method"}
	}
	if fault == nil {
		fault = meta(v.r.Header, q.target.metadata, metadata)
	}
	var call *Call
	if fault == nil {
		var b []byte
		b, fault = s.message(v, q.method, from, more)
		if more && fault != nil {
			_, unclear := errors.AsType[*Unclear](fault)
			if _, refused := errors.AsType[*access.Refusal](fault); !unclear && !refused {
				return fault
			}
		}
		if fault == nil {
			call, fault = s.call(ctx, q, from, b, metadata, more)
		}
	}
	ticket, err := conversation.Ticket(v.r.Header)
	if err != nil && fault == nil {
		fault = &Unclear{err.Error()}
	}
	q.set(name, call, fault)
	q.op.Ticket = ticket
	return nil
}

// message returns the bytes of the client's next message.
func (s *Server) message(v *visitor, m *Method, from *frames, more bool) ([]byte, error) {
	// Who sends slowly holds a part of the budget: not for ever. A stream may be silent between messages. The deadline is
	// lifted so that a held request may wait.
	if !more {
		_ = v.rc.SetReadDeadline(time.Now().Add(sending)) // every connection of net/http can
	}
	compressed, n, err := from.head()
	if err == nil {
		_ = v.rc.SetReadDeadline(time.Now().Add(sending))
	}
	var b []byte
	if err == nil {
		b, err = from.body(compressed, n)
	}
	if err == nil && !m.ClientStreams {
		if _, _, end := from.head(); !errors.Is(end, io.EOF) {
			err = &Unclear{"it goes on after its message"}
		}
	}
	if err == nil || !more {
		_ = v.rc.SetReadDeadline(time.Time{})
	}
	switch {
	case errors.Is(err, io.EOF) && !more:
		return nil, &Unclear{"it holds no message"}
	case err != nil && !more:
		_, unclear := errors.AsType[*Unclear](err)
		if _, refused := errors.AsType[*access.Refusal](err); !unclear && !refused {
			return nil, &Unclear{"it ends early"}
		}
	}
	return b, err
}

// call reads a message.
func (s *Server) call(ctx context.Context, q *request, from *frames, b []byte, metadata map[string]string, more bool) (*Call, error) {
	message, parts, err := decode(q.method.Request, b)
	if err != nil {
		return nil, err
	}
	if err := from.take(int64(parts) * partCost); err != nil {
		return nil, err
	}
	ask := &exchange{request: *q}
	q.asker = ask
	understand := func(ctx context.Context, message proto.Message) (*Call, error) {
		r := &Request{
			Method: q.method, Target: q.target.Gate.Name, Message: message, Metadata: maps.Clone(metadata), Later: more, Ask: ask.ask, May: q.session.May,
		}
		if q.target.Look != nil {
			r.Look = ask.look
		}
		call, err := q.target.Dialect.Read(ctx, r)
		if err == nil && (call == nil || call.Message == nil) {
			err = fmt.Errorf("%s: the dialect made no call of it", q.method.Name)
		}
		return call, err
	}
	q.again = func(ctx context.Context) (*Call, error) {
		message, _, err := decode(q.method.Request, b)
		if err != nil {
			return nil, err
		}
		return understand(ctx, message)
	}
	return understand(ctx, message)
}

// meta takes the metadata that a dialect asks for, each once.
func meta(h http.Header, names []string, into map[string]string) error {
	for _, name := range names {
		switch values := h.Values(name); {
		case len(values) > 1:
			return &Unclear{"its metadata names " + name + " twice"}
		case len(values) == 1:
			if len(values[0]) > maxMessage || plainText(values[0]) != values[0] {
				return &Unclear{"its metadata " + name + " is not plain text"}
			}
			into[name] = values[0]
		}
	}
	return nil
}

// deadline is how long the client waits; 0 when it does not say.
func deadline(h http.Header) (time.Duration, error) {
	values := h.Values("Grpc-Timeout")
	if len(values) == 0 {
		return 0, nil
	}
	units := map[byte]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond}
	text := values[0]
	if len(values) == 1 && len(text) >= 2 && len(text) <= 9 {
		n, err := strconv.ParseUint(text[:len(text)-1], 10, 32)
		if unit := units[text[len(text)-1]]; err == nil && unit > 0 {
			const longest = 1000 * time.Hour
			return min(max(time.Duration(n), 1), longest/unit) * unit, nil
		}
	}
	return 0, &Unclear{"its deadline is not well-formed"}
}
