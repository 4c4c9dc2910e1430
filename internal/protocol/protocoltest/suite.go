package protocoltest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/audit"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
)

// Suite is what a dialect tells of itself.
type Suite struct {
	New func() httpwire.Dialect
	// Upstream is a stand-in for the engine. It answers Read with a JSON document in which Canary stands where Protection
	// hides values.
	Upstream   http.Handler
	Protection *access.Protection
	Read       Request
	Write      Request
	// LookUps are the paths at which the gateway itself asks the engine something with POST.
	LookUps []string
	// Twice is a document for Read's path that names a member twice.
	Twice string
	// Lines, of a dialect that takes lines of JSON, is a request with one line that ends in a line feed.
	Lines Request
	// Unfulfillable is refused under Protection, because what it asks for would tell what is hidden.
	Unfulfillable Request
	// Large makes an answer to Read of about n bytes, in which Canary stands in every record.
	Large func(n int) string
	// Nested shows what the path of a field rule means.
	Nested *Nested
	// Usable says whether the engine's own clients can show a denial to a person.
	Usable func(status int, body string) error
}

// Run is the suite.
func Run(t *testing.T, s *Suite) {
	for name, check := range map[string]func(*testing.T, *Suite){
		"an unknown operation is judged, written down and not sent on":    unknownOperation,
		"a document that readers read differently is refused":             ambiguousDocument,
		"lines of JSON are read strictly, each for itself":                lines,
		"a document that is too large is refused":                         oversize,
		"a document of unannounced length is read as any other":           unannounced,
		"a document that breaks off is refused":                           brokenOff,
		"an obligation that cannot be fulfilled refuses":                  unfulfillable,
		"a filter narrows what is sent on, or refuses":                    filtered,
		"a hidden value reaches neither the client nor the record":        hidden,
		"a field rule means what it means everywhere":                     nested,
		"a large answer is hidden at every size":                          large,
		"an answer that cannot be masked is withheld":                     unmaskable,
		"an answer that breaks off in the middle is seen to":              broken,
		"a denial can be used and is no invitation to try again":          denial,
		"a held request runs once when it is released":                    holdAndRelease,
		"a held request that leads elsewhere by now is not sent":          holdAndMove,
		"a released request that leads elsewhere by now is held again":    resendAfterMove,
		"a held request that cannot wait any longer is sent again":        holdAndResend,
		"a held request is abandoned when its client goes":                abandon,
		"credentials are seen by nobody":                                  credentials,
		"only one credential may come with a request":                     oneCredential,
		"only what was read is sent on":                                   allowList,
		"what cannot be written down does not happen":                     notRecorded,
		"a session that is cut off ends its requests":                     cutOff,
		"requests of one client are one session":                          oneSession,
		"the table is closed and in the vocabulary":                       table,
		"what the gateway sends on reads as the same request once again":  reread,
		"a policy that allows the unknown sends nothing unknown on":       unknownAllowed,
		"clients speak HTTP 1 and 2 over TLS":                             overTLS,
		"the path names the target where there are several":               severalTargets,
		"an engine that sends clients elsewhere or compresses is refused": elsewhere,
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) { check(t, s) })
	}
}

func refused(t *testing.T, w *World, a Answer, sent Request, code access.Code) {
	t.Helper()
	if a.Err != nil || a.Status < 400 || a.Status == http.StatusTooManyRequests || a.Status >= 502 {
		t.Errorf("answered %v", a)
	}
	if got := a.Header.Get("X-Vecgate-Code"); got != string(code) {
		t.Errorf("refused as %q, want %q: %v", got, code, a)
	}
	for _, r := range w.Received(sent) {
		if r.Body != "" || r.URI == sent.Path {
			t.Errorf("reached the target: %s %s", r.Method, r.URI)
		}
	}
}

func unknownOperation(t *testing.T, s *Suite) {
	w := Start(t, s)
	for i, r := range []Request{
		{Method: "GET", Path: "/no/such/thing"},
		{Method: "DELETE", Path: s.Read.Path},
		{Method: "PROPFIND", Path: "/"},
		{Method: s.Read.Method, Path: "/" + s.Read.Path, Body: s.Read.Body},
		{Method: s.Read.Method, Path: s.Read.Path + "/", Body: s.Read.Body},
		{Method: s.Read.Method, Path: s.Read.Path + "/../x", Body: s.Read.Body},
		{Method: s.Read.Method, Path: s.Read.Path + "/%2e%2e/x", Body: s.Read.Body},
		{Method: s.Read.Method, Path: strings.Replace(s.Read.Path, "/", "/.%2f", 1), Body: s.Read.Body},
		{Method: s.Read.Method, Path: s.Read.Path + "%00", Body: s.Read.Body},
		{Method: s.Read.Method, Path: s.Read.Path + ";x=y", Body: s.Read.Body},
		{Method: s.Read.Method, Path: s.Read.Path + "?no_such_parameter=1", Body: s.Read.Body},
		{Method: s.Read.Method, Path: s.Read.Path + "?_method=DELETE&_method=GET", Body: s.Read.Body},
		{Method: s.Read.Method, Path: strings.ToUpper(s.Read.Path), Body: s.Read.Body},
	} {
		a := w.Do(t.Context(), r)
		refused(t, w, a, r, access.CodeUnclear)
		found := w.Records(audit.TypeRefusal)
		if len(found) != i+1 || found[i].Unclear == "" {
			t.Fatalf("%s %s: %d refusals are recorded", r.Method, r.Path, len(found))
		}
	}
	if n := len(w.All()); n > 0 {
		t.Errorf("%d requests reached the target", n)
	}
}

func ambiguousDocument(t *testing.T, s *Suite) {
	w := Start(t, s)
	bodies := []string{s.Twice, s.Read.Body + "{}", "\xef\xbb\xbf" + s.Read.Body, s.Read.Body[:len(s.Read.Body)-1] + `,"No_Such_Member":1}`, "[" + s.Read.Body + "]", "null", "\x00", strings.Repeat("[", 100)}
	for _, body := range bodies {
		r := s.Read
		r.Body = body
		refused(t, w, w.Do(t.Context(), r), r, access.CodeUnclear)
	}
	for _, h := range []http.Header{
		{"Content-Type": {"application/yaml"}}, {"Content-Type": {"application/json; charset=utf-16"}}, {"Content-Encoding": {"gzip"}}, {"Content-Encoding": {"identity"}},
	} {
		r := s.Read
		r.Header = h
		r.Header.Set("Authorization", "Bearer "+Token)
		refused(t, w, w.Do(t.Context(), r), r, access.CodeUnclear)
	}
}

func lines(t *testing.T, s *Suite) {
	for _, r := range s.New().Routes() {
		if r.Lines && s.Lines.Body == "" {
			t.Fatalf("%s takes lines, and the suite has none", r.Name)
		}
	}
	if s.Lines.Body == "" {
		return
	}
	w := Start(t, s)
	line := strings.TrimSuffix(s.Lines.Body, "\n")
	for _, body := range []string{"\n" + line, line + "\n\n", line + "\n\n" + line, line + line, "[" + line + "]", line + ",\n", line[:1] + "\n" + line[1:], line + "\n" + s.Twice, "\xef\xbb\xbf" + line, "\n", line + "\n\x00"} {
		r := s.Lines
		r.Body = body
		refused(t, w, w.Do(t.Context(), r), r, access.CodeUnclear)
	}
	for kind, spelled := range map[string]string{
		"application/x-ndjson": line + "\n", "application/json": line, "application/ndjson; charset=utf-8": " " + line + "\t\r\n", "text/plain;charset=UTF-8": line,
	} {
		r := s.Lines
		r.Body, r.Header = spelled, http.Header{"Content-Type": {kind}, "Authorization": {"Bearer " + Token}}
		before := len(w.Received(r))
		a := w.Do(t.Context(), r)
		got := w.Received(r)
		if a.Status >= 300 || len(got) != before+1 || got[before].Body != s.Lines.Body || got[before].Header.Get("Content-Type") != "application/x-ndjson" {
			t.Errorf("lines of %s: %v; sent on: %v", kind, a, got)
		}
	}
}

func oversize(t *testing.T, s *Suite) {
	w := Start(t, s, func(c *httpwire.Config, _ *httpwire.Target) { c.Limits.Body = 1024 })
	r := s.Read
	r.Body += strings.Repeat(" ", 1025)
	refused(t, w, w.Do(t.Context(), r), r, access.CodeUnclear)
	if a := w.Do(t.Context(), s.Read); a.Status != http.StatusOK {
		t.Errorf("afterwards: %v", a)
	}
}

func unfulfillable(t *testing.T, s *Suite) {
	w := Start(t, s)
	w.Oblige(access.Obligations{Protection: s.Protection})
	refused(t, w, w.Do(t.Context(), s.Unfulfillable), s.Unfulfillable, access.CodeObligation)
}

// filtered wants a value of the filter to stand in what is sent on for a read. A write, which carries no such value, and
// what the filter's field cannot be put into a condition of, must not arrive.
func filtered(t *testing.T, s *Suite) {
	const value = "tenant-4f1e"
	filters := []access.FilterRule{{Pattern: "**", Field: "tenant", Values: []string{value}, Rule: "own-tenant"}}
	w := Start(t, s)
	w.Oblige(access.Obligations{Filters: filters})
	a := w.Do(t.Context(), s.Read)
	if code := a.Header.Get("X-Vecgate-Code"); code != "" && code != string(access.CodeObligation) || code == "" && a.Status != http.StatusOK {
		t.Errorf("a read: %v", a)
	} else if code == "" {
		narrowed := false
		for _, r := range w.All() { // look-ups of the gateway's own among them
			narrowed = narrowed || strings.Contains(r.Body+r.URI, value)
			if r.URI == s.Read.Path && !strings.Contains(r.Body+r.URI, value) {
				t.Errorf("sent on without the filter: %s %s %s", r.Method, r.URI, r.Body)
			}
		}
		if !narrowed {
			t.Error("answered, and nothing with the filter was sent on")
		}
	}
	w = Start(t, s)
	w.Oblige(access.Obligations{Filters: filters})
	refused(t, w, w.Do(t.Context(), s.Write), s.Write, access.CodeObligation)
	w.Oblige(access.Obligations{Filters: []access.FilterRule{{Pattern: "elsewhere/**", Field: "tenant", Values: []string{value}, Rule: "own-tenant"}}})
	if a := w.Do(t.Context(), s.Read); a.Status != http.StatusOK {
		t.Errorf("a read under a filter on something else: %v", a)
	}
}

func hidden(t *testing.T, s *Suite) {
	w := Start(t, s)
	a := w.Do(t.Context(), s.Read)
	if a.Status != http.StatusOK || !strings.Contains(a.Body, Canary) {
		t.Fatalf("the stand-in has no canary to hide: %v", a)
	}
	w = Start(t, s)
	w.Oblige(access.Obligations{Protection: s.Protection})
	a = w.Do(t.Context(), s.Read)
	if a.Status != http.StatusOK || a.Body == "" {
		t.Errorf("%v", a)
	}
	if strings.Contains(a.Body, Canary) || strings.Contains(w.Written(), Canary) {
		t.Error("the canary reached the client or the record")
	}
	// The engine's own errors may quote it.
	w.fail(fmt.Sprintf(`{"error":"X","message":"value %s is odd"}`, Canary))
	if a = w.Do(t.Context(), s.Read); a.Status != http.StatusBadRequest || strings.Contains(a.Body, Canary) || strings.Contains(w.Written(), Canary) {
		t.Errorf("an error of the engine: %v", a)
	}
	// Whoever searches with the vectors of another model is told at least that.
	w.fail(fmt.Sprintf(`{"error":"X","message":"Vector dimension error: expected dim: 3, got 2, in %s"}`, Canary))
	if a = w.Do(t.Context(), s.Read); !strings.Contains(a.Body, "a vector has not the length") || strings.Contains(a.Body, Canary) {
		t.Errorf("an error of the engine about the length of a vector: %v", a)
	}
}

// only answers what clients send, and leaves look-ups to the stand-in.
func (w *World) only(s *Suite, h http.HandlerFunc) {
	w.Upstream(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && s.Read.Method != http.MethodGet || slices.Contains(s.LookUps, r.RequestURI) {
			s.Upstream.ServeHTTP(rw, r)
			return
		}
		h(rw, r)
	}))
}

func (w *World) fail(body string) {
	w.Upstream(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(http.StatusBadRequest)
		_, _ = rw.Write([]byte(body))
	}))
}

func large(t *testing.T, s *Suite) {
	w := Start(t, s)
	w.Oblige(access.Obligations{Protection: s.Protection})
	for _, n := range []int{1, 1 << 10, 1 << 16, 1 << 20, 1 << 23} {
		text := s.Large(n)
		w.only(s, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			for rest := text; rest != ""; {
				cut := min(len(rest), 3001)
				_, _ = rw.Write([]byte(rest[:cut]))
				rest = rest[cut:]
			}
		})
		a := w.Do(t.Context(), s.Read)
		if a.Err != nil || a.Status != http.StatusOK || strings.Contains(a.Body, Canary) || len(a.Body) < n/4 {
			t.Errorf("an answer of %d bytes: %d bytes, status %d, %v; canary %v", len(text), len(a.Body), a.Status, a.Err, strings.Contains(a.Body, Canary))
		}
	}
}

func unmaskable(t *testing.T, s *Suite) {
	w := Start(t, s)
	w.Oblige(access.Obligations{Protection: s.Protection})
	for _, kind := range []string{"text/html", "application/x-ndjson", "", "application/json; charset=utf-16"} {
		w.only(s, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header()["Content-Type"] = []string{kind}
			_, _ = rw.Write([]byte(`"` + Canary + `"`))
		})
		if a := w.Do(t.Context(), s.Read); a.Header.Get("X-Vecgate-Code") != string(access.CodeObligation) || strings.Contains(a.Body, Canary) {
			t.Errorf("content type %q: %v", kind, a)
		}
	}
	w.only(s, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		_, _ = rw.Write([]byte(`{"x":"` + Canary + `" `))
	})
	if a := w.Do(t.Context(), s.Read); a.Status < 400 || strings.Contains(a.Body, Canary) {
		t.Errorf("half a document: %v", a)
	}
}

func broken(t *testing.T, s *Suite) {
	w := Start(t, s)
	w.Oblige(access.Obligations{Protection: s.Protection})
	text := s.Large(1 << 20)
	w.only(s, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		_, _ = rw.Write([]byte(text[:len(text)-len(text)/4]))
		_, _ = rw.Write([]byte(`]}]]}} "` + Canary))
	})
	a := w.Do(t.Context(), s.Read)
	if a.Err == nil || strings.Contains(a.Body, Canary) {
		t.Errorf("the client takes it for complete: %v, %d bytes", a.Err, len(a.Body))
	}
	Eventually(t, "the outcome is recorded as a refusal", func() bool {
		for _, r := range w.Records(audit.TypeOutcome) {
			if r.Effect == access.Deny && r.Code != "" {
				return true
			}
		}
		return false
	})
}

func denial(t *testing.T, s *Suite) {
	w := Start(t, s)
	w.Rule(func(*access.Operation, access.Context) access.Decision {
		return access.Decision{Effect: access.Deny, Reason: access.Reason{Code: access.CodeDenied, Rule: "no-such-luck", Sentence: "alice may not", Hint: "ask nicely"}}
	})
	a := w.Do(t.Context(), s.Write)
	refused(t, w, a, s.Write, access.CodeDenied)
	if a.Status != http.StatusForbidden || a.Header.Get("X-Vecgate-Ref") == "" {
		t.Errorf("%v", a)
	}
	for _, word := range []string{"alice may not", "no-such-luck", "ask nicely", a.Header.Get("X-Vecgate-Ref")} {
		if !strings.Contains(a.Body, word) {
			t.Errorf("%q does not say %q", a.Body, word)
		}
	}
	if err := s.Usable(a.Status, a.Body); err != nil {
		t.Error(err)
	}
}

func holdAndRelease(t *testing.T, s *Suite) {
	w := Start(t, s)
	w.Rule(held)
	done := make(chan Answer, 1)
	go func() { done <- w.Do(t.Context(), s.Write) }()
	Eventually(t, "an access request", func() bool { return w.Request().State == access.StateOpen })
	if n := len(w.Received(s.Write)); n > 0 {
		t.Fatalf("reached the target %d times before it was released", n)
	}
	w.Release(access.StateApproved)
	if a := <-done; a.Status >= 300 || a.Err != nil {
		t.Errorf("%v", a)
	}
	if n := len(w.Received(s.Write)); n != 1 {
		t.Errorf("reached the target %d times", n)
	}
	if r := w.Records(audit.TypeIntent); len(r) == 0 || r[len(r)-1].Grant != "7F3K-92QX" {
		t.Error("the intent does not name the access request")
	}
}

func holdAndResend(t *testing.T, s *Suite) {
	w := Start(t, s, func(_ *httpwire.Config, t *httpwire.Target) { t.Gate.Hold = time.Millisecond })
	w.Rule(held)
	a := w.Do(t.Context(), s.Write)
	refused(t, w, a, s.Write, access.CodeHeld)
	if !strings.Contains(a.Body, "7F3K-92QX") || !strings.Contains(a.Body, "again") || a.Header.Get("X-Vecgate-Ref") != "7F3K-92QX" {
		t.Errorf("%v", a)
	}
	w.Release(access.StateApproved)
	if a := w.Do(t.Context(), s.Write); a.Status >= 300 {
		t.Errorf("sent again: %v", a)
	}
	if a := w.Do(t.Context(), s.Write); a.Header.Get("X-Vecgate-Code") != string(access.CodeHeld) {
		t.Errorf("a second time: %v", a)
	}
	if n := len(w.Received(s.Write)); n != 1 {
		t.Errorf("reached the target %d times", n)
	}
}

func abandon(t *testing.T, s *Suite) {
	w := Start(t, s)
	w.Rule(held)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan Answer, 1)
	go func() { done <- w.Do(ctx, s.Write) }()
	Eventually(t, "an access request", func() bool { return w.Request().State == access.StateOpen })
	cancel()
	<-done
	Eventually(t, "the access request is abandoned", func() bool { return w.Request().State == access.StateAbandoned })
	if n := len(w.Received(s.Write)); n > 0 {
		t.Errorf("reached the target %d times", n)
	}
}

// where clients put a token.
func places() []http.Header {
	return []http.Header{
		{"Authorization": {"Bearer " + Token}},
		{"Authorization": {"bearer " + Token}},
		{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("me:"+Token))}},
		{"Api-Key": {Token}},
		{"X-Chroma-Token": {Token}},
	}
}

func credentials(t *testing.T, s *Suite) {
	w := Start(t, s)
	for _, h := range places() {
		r := s.Read
		r.Header = h
		if a := w.Do(t.Context(), r); a.Status != http.StatusOK {
			t.Errorf("%v: %v", h, a)
		} else if strings.Contains(fmt.Sprint(a), Secret) {
			t.Error("the client sees the database's credential")
		}
	}
	for _, r := range w.All() {
		if strings.Contains(fmt.Sprint(*r), Token) {
			t.Errorf("the caller's token reached the target: %v", r)
		}
		if r.Header.Get("Authorization") != "Bearer "+Secret {
			t.Errorf("%s %s went without the gateway's credential", r.Method, r.URI)
		}
	}
	if text := w.Written(); strings.Contains(text, Token) || strings.Contains(text, Secret) || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte("me:"+Token))) {
		t.Error("a credential is in the record")
	}
}

func oneCredential(t *testing.T, s *Suite) {
	w := Start(t, s)
	for _, h := range []http.Header{
		{},
		{"Authorization": {""}},
		{"Authorization": {"Bearer wrong"}},
		{"Authorization": {"Digest x"}},
		{"Authorization": {"Basic !"}},
		{"Api-Key": {Token, Token}},
		{"Authorization": {"Bearer " + Token}, "Api-Key": {Token}},
		{"Authorization": {"Bearer " + Token, "Bearer wrong"}},
		{"X-Chroma-Token": {"wrong"}},
	} {
		r := s.Read
		r.Header = h
		a := w.Do(t.Context(), r)
		refused(t, w, a, r, access.CodeIdentity)
		if a.Status != http.StatusUnauthorized || a.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%v: %v", h, a)
		}
	}
	if n := len(w.Records(audit.TypeSignIn)); n != 9 {
		t.Errorf("%d of 9 failed sign-ins are recorded", n)
	}
	if n := len(w.All()); n > 0 {
		t.Errorf("%d requests reached the target", n)
	}
}

func allowList(t *testing.T, s *Suite) {
	w := Start(t, s)
	r := s.Read
	r.Header = http.Header{
		"Authorization": {"Bearer " + Token}, "X-Forwarded-For": {"10.0.0.1"}, "X-Http-Method-Override": {"DELETE"}, "Cookie": {"a=b"}, "Sourceid": {"x"},
		"X-Openai-Baseurl": {"http://evil.example.com"}, "Forwarded": {"for=1"}, "Traceparent": {"00-1-1-01"}, "User-Agent": {"chroma/1"}, "X-Vecgate-Ticket": {"CHG-7"},
	}
	if a := w.Do(t.Context(), r); a.Status != http.StatusOK {
		t.Fatalf("%v", a)
	}
	known := map[string]bool{"Authorization": true, "Accept": true, "Accept-Encoding": true, "Content-Type": true, "Content-Length": true, "User-Agent": true}
	for _, got := range w.All() {
		for name := range got.Header {
			if !known[name] {
				t.Errorf("header %s reached the target", name)
			}
		}
		if got.Header.Get("User-Agent") != "vecgate" || got.Header.Get("Accept-Encoding") != "identity" {
			t.Errorf("headers %v", got.Header)
		}
	}
	if r := w.Records(audit.TypeIntent); len(r) != 1 || r[0].Ticket != "CHG-7" {
		t.Error("the ticket is not in the record")
	}
}

func notRecorded(t *testing.T, s *Suite) {
	w := Start(t, s)
	if a := w.Do(t.Context(), s.Read); a.Status != http.StatusOK {
		t.Fatalf("%v", a)
	}
	w.Lose()
	before := len(w.Received(s.Write))
	a := w.Do(t.Context(), s.Write)
	if a.Header.Get("X-Vecgate-Code") != string(access.CodeNotRecorded) || len(w.Received(s.Write)) != before && s.Read.Method != s.Write.Method {
		t.Errorf("%v", a)
	}
	for _, r := range w.All() {
		if s.Write.Body != "" && r.Body == s.Write.Body {
			t.Error("the write reached the target")
		}
	}
}

func cutOff(t *testing.T, s *Suite) {
	w := Start(t, s)
	arrived := make(chan struct{})
	w.only(s, func(rw http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	done := make(chan Answer, 1)
	go func() { done <- w.Do(t.Context(), s.Read) }()
	<-arrived
	if n := w.Gate.CutOff(func(*access.Subject) bool { return true }, context.Canceled); n != 1 {
		t.Fatalf("%d sessions were cut off", n)
	}
	if a := <-done; a.Status == http.StatusOK {
		t.Errorf("%v", a)
	}
	Eventually(t, "the session is closed", func() bool { return len(w.Records(audit.TypeSessionClose)) == 1 })
}

func oneSession(t *testing.T, s *Suite) {
	w := Start(t, s, func(c *httpwire.Config, _ *httpwire.Target) { c.Limits.Idle = 100 * time.Millisecond })
	all := make(chan Answer)
	for range 8 {
		go func() { all <- w.Do(t.Context(), s.Read) }()
	}
	for range 8 {
		if a := <-all; a.Status != http.StatusOK {
			t.Errorf("%v", a)
		}
	}
	if n := len(w.Records(audit.TypeSessionOpen)); n != 1 {
		t.Errorf("%d sessions were opened", n)
	}
	Eventually(t, "the silent session is closed", func() bool { return len(w.Gate.Sessions()) == 0 })
	if a := w.Do(t.Context(), s.Read); a.Status != http.StatusOK {
		t.Errorf("%v", a)
	}
	if n := len(w.Records(audit.TypeSessionOpen)); n != 2 {
		t.Errorf("%d sessions were opened", n)
	}
}

func table(t *testing.T, s *Suite) {
	names := map[string]bool{}
	for _, r := range s.New().Routes() {
		if r.Name == "" || names[r.Name] || len(r.Actions) == 0 || !strings.HasPrefix(r.Path, "/") {
			t.Errorf("route %q", r.Name)
		}
		names[r.Name] = true
		for _, a := range r.Actions {
			if !a.Known() {
				t.Errorf("%s: action %s is not in the vocabulary", r.Name, a)
			}
		}
	}
}

// reread sends what reached the target through the gate once again: it must be read as the same operation.
func reread(t *testing.T, s *Suite) {
	for _, r := range []Request{s.Read, s.Write} {
		var ops []string
		w := Start(t, s)
		w.Rule(func(op *access.Operation, _ access.Context) access.Decision {
			ops = append(ops, fmt.Sprintf("%+v", op.Accesses))
			return access.Decision{Effect: access.Allow}
		})
		w.Do(t.Context(), r)
		sent := w.Received(r)
		if len(sent) != 1 {
			t.Fatalf("%s %s reached the target %d times", r.Method, r.Path, len(sent))
		}
		w.Do(t.Context(), Request{Method: sent[0].Method, Path: sent[0].URI, Body: sent[0].Body})
		again := w.Received(r)
		if len(ops) != 2 || ops[0] != ops[1] || len(again) != 2 || again[1].Body != sent[0].Body || again[1].URI != sent[0].URI {
			t.Errorf("%s %s: read as %v, sent on as %q and %q", r.Method, r.Path, ops, sent[0].Body, again[len(again)-1].Body)
		}
	}
}

func elsewhere(t *testing.T, s *Suite) {
	w := Start(t, s)
	w.only(s, func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, "http://169.254.169.254/", http.StatusFound)
	})
	if a := w.Do(t.Context(), s.Read); a.Header.Get("X-Vecgate-Code") != string(access.CodeUnavailable) || a.Header.Get("Location") != "" {
		t.Errorf("a redirect: %v", a)
	}
	w.only(s, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("Content-Encoding", "gzip")
		_, _ = rw.Write([]byte("\x1f\x8b"))
	})
	if a := w.Do(t.Context(), s.Read); a.Header.Get("X-Vecgate-Code") != string(access.CodeObligation) {
		t.Errorf("a compressed answer: %v", a)
	}
	w.only(s, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("Set-Cookie", "a=b")
		rw.Header().Set("Access-Control-Allow-Origin", "*")
		rw.Header().Set("Server", "engine/1")
		_, _ = rw.Write([]byte("{}"))
	})
	if a := w.Do(t.Context(), s.Read); a.Status != http.StatusOK || a.Header.Get("Set-Cookie")+a.Header.Get("Access-Control-Allow-Origin")+a.Header.Get("Server") != "" {
		t.Errorf("headers of the engine: %v %v", a, a.Header)
	}
}

func unknownAllowed(t *testing.T, s *Suite) {
	w := Start(t, s)
	w.Unclear = true
	r := s.Read
	r.Body = s.Twice
	refused(t, w, w.Do(t.Context(), r), r, access.CodeUnclear)
	r = Request{Method: "GET", Path: "/no/such/thing"}
	refused(t, w, w.Do(t.Context(), r), r, access.CodeUnclear)
}

func overTLS(t *testing.T, s *Suite) {
	certified := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate
	defer certified.Close()
	w := Start(t, s, func(c *httpwire.Config, _ *httpwire.Target) {
		c.TLS = &tls.Config{Certificates: certified.TLS.Certificates}
	})
	w.roots = x509.NewCertPool()
	w.roots.AddCert(certified.Certificate())
	if a := w.Do(t.Context(), s.Read); a.Status != http.StatusOK || a.Proto != "HTTP/2.0" {
		t.Errorf("%s: %v", a.Proto, a)
	}
	w.scheme = "http"
	if a := w.Do(t.Context(), s.Read); a.Err == nil && a.Status != http.StatusBadRequest || len(w.Received(s.Read)) != 1 {
		t.Errorf("without TLS: %v", a)
	}
}

func severalTargets(t *testing.T, s *Suite) {
	w := Start(t, s, func(c *httpwire.Config, target *httpwire.Target) {
		other := *target
		other.Gate.Name, other.Dialect = "other", s.New()
		c.Targets["other"] = other
	})
	for path, want := range map[string]int{"/" + Target + s.Read.Path: http.StatusOK, "/other" + s.Read.Path: http.StatusOK, s.Read.Path: http.StatusNotFound, "/third" + s.Read.Path: http.StatusNotFound} {
		r := s.Read
		r.Path = path
		if a := w.Do(t.Context(), r); a.Status != want {
			t.Errorf("%s: %v", path, a)
		}
	}
	if opened := w.Records(audit.TypeSessionOpen); len(opened) != 2 || opened[0].Target == opened[1].Target {
		t.Errorf("%d sessions were opened", len(opened))
	}
}
