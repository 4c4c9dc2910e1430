package httpwire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"mime"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/protocol/conversation"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// Serve answers the clients of a listener until ctx ends.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	if s.config.TLS != nil {
		c := s.config.TLS.Clone()
		c.NextProtos = []string{"h2", "http/1.1"}
		ln = tls.NewListener(ln, c)
	}
	defer func() {
		for _, t := range s.targets {
			t.client.CloseIdleConnections()
		}
	}()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(s.config.H2C && s.config.TLS == nil)
	return s.door.Serve(ctx, &http.Server{
		Protocols: protocols, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 256}, ConnState: s.config.Connections,
		Handler: http.HandlerFunc(s.handle), ReadHeaderTimeout: s.config.Limits.SignIn, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}, ln)
}

// Ready says whether every target answers.
func (s *Server) Ready(ctx context.Context) error {
	var faults []error
	for name, t := range s.targets {
		if err := t.healthy(ctx); err != nil {
			faults = append(faults, fmt.Errorf("target %s: %w", name, err))
		}
	}
	return errors.Join(faults...)
}

// ReadyFor says whether a target answers. One that cannot be reached here is no fault.
func (s *Server) ReadyFor(ctx context.Context, target string) error {
	if t := s.targets[target]; t != nil {
		return t.healthy(ctx)
	}
	return nil
}

// handle is the life of a request: who speaks, to whom, in which session; read it; down the road.
func (s *Server) handle(w http.ResponseWriter, r *http.Request) {
	if s.config.GRPC != nil && r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
		s.config.GRPC.ServeHTTP(w, r)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")

	path, query, fault := address(r.RequestURI)
	t := s.only
	if t == nil && len(path) > 0 {
		t = s.targets[path[0]]
		path = path[1:]
	}
	in := gate.SignIn{Client: conversation.Host(r.RemoteAddr), Method: "token"}
	if t == nil {
		refusal := s.door.Refuse(r.Context(), in, &access.Refusal{
			Code: access.CodeScope, Message: "the path names no target that can be reached here", Hint: "begin the path with the name of a target",
		})
		say(w, plain(refusal, http.StatusNotFound), refusal)
		return
	}
	in.Target = t.Gate.Name
	if fault == nil && !shown(r.Header) {
		if route, _ := t.routes.find(r.Method, path); route != nil && route.Open != nil {
			s.openly(w, route)
			return
		}
	}
	token, refusal := credential(r.Header)
	if refusal != nil {
		say(w, t.errorOf(s.door.Refuse(r.Context(), in, refusal)), refusal)
		return
	}
	v, refusal := s.door.Enter(r.Context(), token, t.Gate, in, conversation.Program(r.UserAgent()))
	if refusal != nil {
		say(w, t.errorOf(refusal), refusal)
		return
	}
	defer v.Leave()
	ctx, end := v.Within(r.Context())
	defer end()

	x := &exchange{target: t, session: v.Session(), writer: w, hider: s.config.Hider}
	release := s.read(ctx, x, r, path, query, fault)
	defer release()
	if err := x.session.Serve(ctx, x); err != nil {
		s.log.DebugContext(ctx, "request ended its connection", "session", x.session.ID(), "error", err)
	}
	if x.broken {
		panic(http.ErrAbortHandler) // the client sees that its answer is not complete
	}
}

// openly answers who shows no credential. Nothing is recorded: whoever asks is told the same.
func (s *Server) openly(w http.ResponseWriter, route *Route) {
	var d Discovery
	if s.config.Discovery != nil {
		d = s.config.Discovery()
	}
	status, body := route.Open(d)
	if len(body) > 0 {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone hears nothing
}

// read makes an operation of a request. What cannot be read is an operation too, an unclear one.
func (s *Server) read(ctx context.Context, x *exchange, r *http.Request, path []string, query string, fault error) (release func()) {
	release = func() {}
	route, params := x.target.routes.find(r.Method, path)
	ask := &Request{Route: route, Target: x.target.Gate.Name, Params: params, Subject: x.session.Subject().ID, Ask: x.ask, Post: x.post, May: x.session.May}
	switch {
	case fault != nil:
	case route == nil:
		fault = &Unclear{fmt.Sprintf("this gateway knows no operation %.16q at that path", r.Method)}
	default:
		ask.Query, ask.Lists, fault = parameters(query, route)
	}
	if fault == nil {
		if x.came, release, fault = s.body(x, r, route); fault == nil && x.came != nil {
			if route.Lines {
				ask.Lines, fault = jsonstream.ReadLines(x.came[headroom:], maxLines)
			} else {
				ask.Body, fault = jsonstream.ReadInPlace(x.came[headroom:])
			}
			if fault != nil {
				fault = &Unclear{"its body is not strict JSON: " + fault.Error()}
			}
		}
	}
	if fault == nil {
		ask.Headers, fault = carried(r.Header, route)
	}
	ticket, err := conversation.Ticket(r.Header)
	if err != nil && fault == nil {
		fault = &Unclear{err.Error()}
	}
	var call *Call
	if fault == nil {
		asked := *ask
		asked.Params, asked.Query = maps.Clone(ask.Params), maps.Clone(ask.Query)
		x.asked = &asked
		call, fault = x.target.Dialect.Read(ctx, ask)
	}
	x.set(r, call, fault)
	x.op.Ticket = ticket
	return release
}

// maxLines is how many documents may come as the lines of one body.
const maxLines = 100_000

// carried are the headers that the engine is to see.
func carried(h http.Header, route *Route) (map[string]string, error) {
	var headers map[string]string
	for _, name := range route.Headers {
		values := h.Values(name)
		switch {
		case len(values) == 0:
			continue
		case slices.ContainsFunc(values, func(v string) bool { return v != values[0] }): // some clients say the same thing twice
			return nil, &Unclear{"it carries the header " + name + " twice"}
		case len(values[0]) > 256 || strings.ContainsFunc(values[0], func(c rune) bool { return c < ' ' || c > '~' }):
			return nil, &Unclear{"its header " + name + " is long, or not printable ASCII"}
		}
		if headers == nil {
			headers = map[string]string{}
		}
		headers[name] = values[0]
	}
	return headers, nil
}

func isJSON(contentType string) bool { return isType(contentType, "application/json") }

// document says whether something is JSON, in UTF-8.
func (a *Accents) document(contentType string) bool {
	return isJSON(contentType) || contains(a.JSON, a.plain(contentType))
}

// lines says whether something is lines of JSON, in UTF-8; some clients send them as plain text.
func (a *Accents) lines(contentType string) bool {
	return isType(contentType, "application/x-ndjson") || isType(contentType, "application/ndjson") || isType(contentType, "text/plain") || contains(a.Lines, a.plain(contentType))
}

// plain is the media type, when it has no parameter but those that it may have.
func (a *Accents) plain(contentType string) string {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return ""
	}
	for name := range params {
		if contains(a.TypeParams, name) {
			delete(params, name)
		}
	}
	if !inUTF8(params) {
		return ""
	}
	return kind
}

// isType says whether something is of a type, in UTF-8.
func isType(contentType, wanted string) bool {
	kind, params, err := mime.ParseMediaType(contentType)
	return err == nil && kind == wanted && inUTF8(params)
}

func inUTF8(params map[string]string) bool {
	for name, value := range params {
		if name != "charset" || !strings.EqualFold(value, "utf-8") {
			return false
		}
	}
	return true
}

func contains(list []string, s string) bool {
	for _, item := range list {
		if item == s {
			return true
		}
	}
	return false
}

// answer is a refusal ready to be sent.
type answer struct {
	status int
	body   []byte
}

// errorOf puts a refusal into the words of the target's dialect.
func (t *target) errorOf(refusal *access.Refusal) answer {
	status, body := t.Dialect.Error(refusal)
	return answer{status, body}
}

func plain(refusal *access.Refusal, status int) answer {
	body := jsonstream.AppendString([]byte(`{"error":"refused","message":`), Sentence(refusal))
	return answer{status, append(body, '}')}
}

// Sentence is all that a refusal tells a person, on one line.
func Sentence(r *access.Refusal) string { return conversation.Sentence(r) }

// Status is the HTTP status of a refusal for dialects that have no other idea. Only one of them is an invitation to try
// again, and it is the only refusal after which that helps.
func Status(code access.Code) int {
	switch code {
	case access.CodeIdentity, access.CodeExpired:
		return http.StatusUnauthorized
	case access.CodeUnclear:
		return http.StatusBadRequest
	case access.CodeShuttingDown:
		return http.StatusServiceUnavailable
	case access.CodeUnavailable, access.CodeNotRecorded, access.CodeInternal:
		return http.StatusInternalServerError
	}
	return http.StatusForbidden
}

// say sends a refusal. Its headers say the same for clients that do not show the body.
func say(w http.ResponseWriter, a answer, refusal *access.Refusal) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Vecgate-Code", string(refusal.Code))
	if refusal.Ref != "" {
		h.Set("X-Vecgate-Ref", refusal.Ref)
	}
	if a.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="vecgate"`)
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // a client that has gone hears nothing
}
