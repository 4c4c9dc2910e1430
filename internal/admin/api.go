package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// API is the HTTP API. It takes bearer tokens only, never a cookie, so that no web page can use it in somebody's name.
type API struct {
	Service *Service
	// Authenticate says whose token it is. Errors for the client are *access.Refusal.
	Authenticate func(ctx context.Context, token string) (*access.Subject, error)
	// Refused is told of tokens that were not accepted, to write it down. It may be nil.
	Refused func(ctx context.Context, refusal *access.Refusal, client string)
	Log     *slog.Logger
}

// Prefix is where the API lives.
const Prefix = "/api/v1"

// Limits on what a client sends.
const (
	maxBody   = 64 << 10
	maxBearer = 20 << 10
)

// Handler serves everything below Prefix.
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range a.calls() {
		method, path, _ := strings.Cut(pattern, " ")
		mux.Handle(method+" "+Prefix+path, a.guard(h))
	}
	mux.HandleFunc(Prefix+"/", func(w http.ResponseWriter, r *http.Request) {
		harden(w)
		writeFault(w, Fault{Status: http.StatusNotFound, Code: CodeNotFound, Message: "the API has no " + r.Method + " at this path", Hint: "docs/reference/api.md lists what it has"})
	})
	return mux
}

// calls is everything that the API does; docs/reference/api.md describes it.
func (a *API) calls() map[string]handler {
	return map[string]handler{
		"GET /whoami":                  a.whoami,
		"GET /requests":                a.listRequests,
		"GET /requests/events":         a.watchRequests,
		"GET /requests/{id}":           a.request,
		"POST /requests/{id}/votes":    a.vote,
		"GET /sessions":                a.listSessions,
		"GET /sessions/{id}":           a.session,
		"POST /sessions/{id}/kill":     a.kill,
		"GET /sessions/{id}/replay":    a.replay,
		"GET /log":                     a.logState,
		"GET /log/records":             a.listRecords,
		"GET /log/records/{seq}":       a.record,
		"GET /log/records/{seq}/proof": a.proof,
		"GET /identities":              a.listIdentities,
		"POST /identities/suspend":     a.suspend,
		"POST /identities/reinstate":   a.reinstate,
		"POST /credentials/end":        a.endCredential,
		"GET /policy":                  a.policy,
		"POST /policy/explain":         a.explain,
		"GET /targets":                 a.listTargets,
	}
}

// handler answers one call, or returns an error that becomes a Fault. After it began to write its answer, an error only
// ends the connection.
type handler func(w http.ResponseWriter, r *http.Request, c Caller) error

func (a *API) guard(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		harden(w)
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		c, err := a.caller(r)
		if err == nil {
			err = h(w, r, c)
		}
		switch {
		case errors.Is(err, errBroken):
			panic(http.ErrAbortHandler) // an answer that is cut must not look whole
		case err != nil:
			writeFault(w, FaultOf(r.Context(), a.Log, err))
		}
	})
}

func harden(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

func (a *API) caller(r *http.Request) (Caller, error) {
	c := Caller{Client: ClientOf(r)}
	token := bearer(r)
	if token == "" {
		return c, &access.Refusal{Code: access.CodeIdentity, Message: "the API needs a token: Authorization: Bearer …", Hint: "vecgate token prints one"}
	}
	who, err := a.Authenticate(r.Context(), token)
	if refusal, ok := errors.AsType[*access.Refusal](err); ok && a.Refused != nil {
		a.Refused(r.Context(), refusal, c.Client)
	}
	if err != nil {
		return c, err
	}
	c.Subject = who
	if refusal := a.Service.signedIn(c); refusal != nil {
		return c, refusal
	}
	return c, nil
}

// bearer returns the token that a request shows, "" for none.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") || len(token) > maxBearer {
		return ""
	}
	return strings.TrimSpace(token)
}

// ClientOf is the address that a request came from.
func ClientOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func (a *API) whoami(w http.ResponseWriter, _ *http.Request, c Caller) error {
	writeJSON(w, http.StatusOK, map[string]any{
		"subject": c.Subject, "auditor": a.Service.Auditor(c), "operator": a.Service.Operator(c), "gateway": a.Service.Gateway, "version": a.Service.Version,
	})
	return nil
}

func (a *API) listRequests(w http.ResponseWriter, r *http.Request, c Caller) error {
	q := query{r.URL.Query(), nil}
	f := RequestFilter{
		Target: q.text("target"), Before: q.time("before"), Limit: q.number("limit"), Mine: q.flag("mine"), Waiting: q.flag("waiting"),
	}
	for _, s := range q.list("state") {
		f.States = append(f.States, access.State(s))
	}
	if q.err != nil {
		return q.err
	}
	list, more, err := a.Service.ListRequests(r.Context(), c, f)
	if err != nil {
		return err
	}
	next := ""
	if more && len(list) > 0 {
		next = list[len(list)-1].Created.Format(time.RFC3339Nano)
	}
	return answer(w, "requests", list, next)
}

// watchRequests sends changes as Server-Sent Events: "request" with a request, "again" when the list should be read anew.
func (a *API) watchRequests(w http.ResponseWriter, r *http.Request, c Caller) error {
	token := bearer(r)
	welcome := func(ctx context.Context) (Caller, error) {
		who, err := a.Authenticate(ctx, token)
		return Caller{Subject: who, Client: c.Client}, err
	}
	return Events(w, r, a.Service, c, welcome, func(v Request) any { return v })
}

func (a *API) request(w http.ResponseWriter, r *http.Request, c Caller) error {
	v, err := a.Service.Request(r.Context(), c, r.PathValue("id"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, v)
	return nil
}

func (a *API) vote(w http.ResponseWriter, r *http.Request, c Caller) error {
	var body struct {
		Approve *bool  `json:"approve"`
		Reason  string `json:"reason"`
	}
	if err := read(r, &body); err != nil {
		return err
	}
	if body.Approve == nil {
		return &access.Refusal{Code: access.CodeLimit, Message: `the body says neither yes nor no: "approve" is missing`}
	}
	v, err := a.Service.Decide(r.Context(), c, r.PathValue("id"), *body.Approve, body.Reason)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, v)
	return nil
}

func (a *API) listSessions(w http.ResponseWriter, r *http.Request, c Caller) error {
	q := query{r.URL.Query(), nil}
	f := SessionFilter{Subject: q.text("subject"), Person: q.text("person"), Target: q.text("target"), Before: q.time("before"), Limit: q.number("limit")}
	live := q.flag("live")
	if q.err != nil {
		return q.err
	}
	if live {
		list, err := a.Service.LiveSessions(r.Context(), c)
		if err != nil {
			return err
		}
		return answer(w, "sessions", f.Choose(list), "")
	}
	list, more, err := a.Service.PastSessions(r.Context(), c, f)
	if err != nil {
		return err
	}
	next := ""
	if more && len(list) > 0 {
		next = list[len(list)-1].Opened.Format(time.RFC3339Nano)
	}
	return answer(w, "sessions", list, next)
}

// Choose keeps the sessions that the filter names.
func (f SessionFilter) Choose(list []Session) []Session {
	kept := list[:0]
	for _, s := range list {
		if (f.Subject == "" || f.Subject == s.Subject.ID) && (f.Person == "" || f.Person == s.Subject.Person) && (f.Target == "" || f.Target == s.Target) {
			kept = append(kept, s)
		}
	}
	return kept
}

func (a *API) session(w http.ResponseWriter, r *http.Request, c Caller) error {
	v, err := a.Service.Session(r.Context(), c, r.PathValue("id"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, v)
	return nil
}

func (a *API) kill(w http.ResponseWriter, r *http.Request, c Caller) error {
	var body struct {
		Reason string `json:"reason"`
	}
	if err := read(r, &body); err != nil {
		return err
	}
	if err := a.Service.KillSession(r.Context(), c, r.PathValue("id"), body.Reason); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// replay sends one exchange per line, so that a long session needs no memory.
func (a *API) replay(w http.ResponseWriter, r *http.Request, c Caller) error {
	q := query{r.URL.Query(), nil}
	from, limit := q.number("from"), q.number("limit")
	if q.err != nil {
		return q.err
	}
	control := http.NewResponseController(w)
	lines := json.NewEncoder(w)
	begun := false
	_, err := a.Service.Replay(r.Context(), c, r.PathValue("id"), from, limit, func(e Exchange) error {
		if !begun {
			w.Header().Set("Content-Type", "application/x-ndjson")
			begun = true
		}
		if err := control.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		return lines.Encode(e)
	})
	if err != nil && begun {
		a.Log.WarnContext(r.Context(), "replay broke off", "session", r.PathValue("id"), "error", err)
		return errBroken
	}
	if err == nil && !begun {
		w.Header().Set("Content-Type", "application/x-ndjson")
	}
	return err
}

// errBroken says that an answer ended before it was whole.
var errBroken = errors.New("the answer broke off")

func (a *API) logState(w http.ResponseWriter, r *http.Request, c Caller) error {
	v, err := a.Service.LogState(r.Context(), c)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, v)
	return nil
}

func (a *API) listRecords(w http.ResponseWriter, r *http.Request, c Caller) error {
	q := query{r.URL.Query(), nil}
	f := RecordFilter{
		Subject: q.text("subject"), Target: q.text("target"), Session: q.text("session"), Request: q.text("request"), Types: q.list("type"),
		Effect: access.Effect(q.text("effect")), Since: q.time("since"), Until: q.time("until"), Before: uint64(q.number("before")), Limit: q.number("limit"),
	}
	if q.err != nil {
		return q.err
	}
	list, more, err := a.Service.ListRecords(r.Context(), c, f)
	if err != nil {
		return err
	}
	leaves := make([]json.RawMessage, len(list))
	for i := range list {
		leaves[i] = list[i].Leaf
	}
	next := ""
	if more && len(list) > 0 {
		next = strconv.FormatUint(list[len(list)-1].Seq, 10)
	}
	return answer(w, "records", leaves, next)
}

func (a *API) record(w http.ResponseWriter, r *http.Request, c Caller) error {
	seq, err := seqOf(r)
	if err != nil {
		return err
	}
	v, err := a.Service.Record(r.Context(), c, seq)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(v.Leaf) // the client may have gone
	return nil
}

func (a *API) proof(w http.ResponseWriter, r *http.Request, c Caller) error {
	seq, err := seqOf(r)
	if err != nil {
		return err
	}
	proof, err := a.Service.Proof(r.Context(), c, seq)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(proof) // the client may have gone
	return nil
}

func seqOf(r *http.Request) (uint64, error) {
	seq, err := strconv.ParseUint(r.PathValue("seq"), 10, 63)
	if err != nil {
		return 0, ErrNotFound
	}
	return seq, nil
}

func (a *API) listIdentities(w http.ResponseWriter, r *http.Request, c Caller) error {
	q := query{r.URL.Query(), nil}
	f := IdentityFilter{Subject: q.text("subject"), Person: q.text("person"), Before: q.time("before"), Limit: q.number("limit")}
	if q.err != nil {
		return q.err
	}
	list, suspended, more, err := a.Service.ListIdentities(r.Context(), c, f)
	if err != nil {
		return err
	}
	next := ""
	if more && len(list) > 0 {
		next = list[len(list)-1].LastSeen.Format(time.RFC3339Nano)
	}
	body := map[string]any{"identities": orEmpty(list), "suspensions": orEmpty(suspended)}
	if next != "" {
		body["next"] = next
	}
	writeJSON(w, http.StatusOK, body)
	return nil
}

func (a *API) suspend(w http.ResponseWriter, r *http.Request, c Caller) error {
	var body struct {
		Who    string `json:"who"`
		Reason string `json:"reason"`
	}
	if err := read(r, &body); err != nil {
		return err
	}
	if err := a.Service.Suspend(r.Context(), c, body.Who, body.Reason); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *API) reinstate(w http.ResponseWriter, r *http.Request, c Caller) error {
	var body struct {
		Who string `json:"who"`
	}
	if err := read(r, &body); err != nil {
		return err
	}
	if err := a.Service.Reinstate(r.Context(), c, body.Who); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *API) endCredential(w http.ResponseWriter, r *http.Request, c Caller) error {
	var body struct {
		Credential string `json:"credential"`
		Reason     string `json:"reason"`
	}
	if err := read(r, &body); err != nil {
		return err
	}
	if err := a.Service.EndCredential(r.Context(), c, body.Credential, body.Reason); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *API) policy(w http.ResponseWriter, r *http.Request, c Caller) error {
	v, err := a.Service.CurrentPolicy(r.Context(), c)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, v)
	return nil
}

func (a *API) explain(w http.ResponseWriter, r *http.Request, c Caller) error {
	var q Question
	if err := read(r, &q); err != nil {
		return err
	}
	v, err := a.Service.Explain(r.Context(), c, q)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, v)
	return nil
}

func (a *API) listTargets(w http.ResponseWriter, r *http.Request, c Caller) error {
	list, err := a.Service.ListTargets(r.Context(), c)
	if err != nil {
		return err
	}
	return answer(w, "targets", list, "")
}

// answer writes one page of a list; next goes into "before" to get the page after it.
func answer[T any](w http.ResponseWriter, name string, list []T, next string) error {
	body := map[string]any{name: orEmpty(list)}
	if next != "" {
		body["next"] = next
	}
	writeJSON(w, http.StatusOK, body)
	return nil
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// read reads a JSON body strictly.
func read(r *http.Request, v any) error {
	bad := func(message string, err error) error {
		return &access.Refusal{Code: access.CodeUnclear, Message: message, Hint: "send one JSON object, Content-Type: application/json", Err: err}
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return bad("the body is not application/json", nil)
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return &access.Refusal{Code: access.CodeLimit, Message: fmt.Sprintf("the body is larger than %d bytes", large.Limit)}
		}
		return bad("the body cannot be read", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return bad("the body goes on after its end", nil)
	}
	return nil
}

// query reads parameters and keeps the first fault.
type query struct {
	url.Values
	err error
}

func (q *query) fault(name, want string) {
	if q.err == nil {
		q.err = &access.Refusal{Code: access.CodeUnclear, Message: "the parameter " + name + " is not " + want}
	}
}

func (q *query) text(name string) string {
	s := q.Get(name)
	if len(s) > 512 {
		q.fault(name, "shorter than 512 bytes")
		return ""
	}
	return s
}

func (q *query) list(name string) []string {
	all := q.Values[name]
	if len(all) > 32 {
		q.fault(name, "given at most 32 times")
		return nil
	}
	return all
}

func (q *query) number(name string) int {
	s := q.Get(name)
	if s == "" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 63)
	if err != nil || n < 0 {
		q.fault(name, "a number")
		return 0
	}
	return int(n)
}

func (q *query) time(name string) time.Time {
	s := q.Get(name)
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		q.fault(name, "a time such as 2026-05-01T12:00:00Z")
	}
	return t
}

func (q *query) flag(name string) bool {
	switch q.Get(name) {
	case "", "0", "false":
		return false
	case "1", "true":
		return true
	}
	q.fault(name, "true or false")
	return false
}
