package protocoltest

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // the client's compression
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/audit"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire/transcript"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// GRPCSuite is what a gRPC dialect tells of itself.
type GRPCSuite struct {
	New func() grpcwire.Dialect
	// Upstream is a stand-in for the engine. It answers Read with a message in which Canary stands where Protection hides
	// values.
	Upstream   Engine
	Protection *access.Protection
	// Look, if not nil, answers for the engine's HTTP interface what the dialect looks up there.
	Look func(path string) (status int, answer jsonstream.Value, err error)
	// Read and Write are calls of methods whose answer is one message.
	Read, Write GRPCRequest
	// Unfulfillable is refused under Protection, because what it asks for would tell what is hidden.
	Unfulfillable GRPCRequest
	// Large makes an answer to Read of about n bytes, in which Canary stands in every record.
	Large func(n int) proto.Message
	// Usable says whether the engine's own clients can show a denial to a person. Nil means that they show a status.
	Usable func(*GRPCAnswer) error
	// Silent says that the engine says no inside of an answer: a refusal has status OK and is told by Usable.
	Silent bool
}

// RunGRPC is the suite.
func RunGRPC(t *testing.T, s *GRPCSuite) {
	for name, check := range map[string]func(*testing.T, *GRPCSuite){
		"an unknown method is judged, written down and not sent on":       grpcUnknownMethod,
		"a message that readers read differently is refused":              grpcAmbiguousMessage,
		"a message that is too large is refused":                          grpcOversize,
		"an obligation that cannot be fulfilled refuses":                  grpcUnfulfillable,
		"a hidden value reaches neither the client nor the record":        grpcHidden,
		"a large answer is hidden at every size":                          grpcLarge,
		"an answer that cannot be masked is withheld":                     grpcUnmaskable,
		"an answer that breaks off in the middle is seen to":              grpcBroken,
		"a denial can be used and is no invitation to try again":          grpcDenial,
		"a held request runs once when it is released":                    grpcHoldAndRelease,
		"a held request that leads elsewhere by now is not sent":          grpcHoldAndMove,
		"a released request that leads elsewhere by now is held again":    grpcResendAfterMove,
		"a held request that cannot wait any longer is sent again":        grpcHoldAndResend,
		"a held request waits no longer than its client":                  grpcHoldUntilDeadline,
		"a held request is abandoned when its client goes":                grpcAbandon,
		"credentials are seen by nobody":                                  grpcCredentials,
		"only one credential may come with a call":                        grpcOneCredential,
		"only what was read is sent on":                                   grpcAllowList,
		"what cannot be written down does not happen":                     grpcNotRecorded,
		"a session that is cut off ends its calls":                        grpcCutOff,
		"calls of one client are one session":                             grpcOneSession,
		"the table is closed and in the vocabulary":                       grpcTable,
		"what the gateway sends on reads as the same request once again":  grpcReread,
		"a policy that allows the unknown sends nothing unknown on":       grpcUnknownAllowed,
		"clients speak HTTP 2 over TLS":                                   grpcOverTLS,
		"a call names its target where there are several":                 grpcSeveralTargets,
		"compressed messages are read, and bombs are not":                 grpcCompressed,
		"a deadline is passed on, and a client that goes ends its call":   grpcDeadline,
		"who shows no credential is told only what the engine tells all":  grpcOpen,
		"what was recorded can be told":                                   grpcRecorded,
		"an answer's metadata and trailers come from the gateway":         grpcTrailers,
		"a message of many small parts does not fill the gateway's space": grpcParts,
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) { check(t, s) })
	}
}

// says wants a refusal of that code that was not sent on.
func (w *GRPCWorld) says(s *GRPCSuite, a GRPCAnswer, sent GRPCRequest, code access.Code) {
	w.t.Helper()
	if a.Code() != string(code) {
		w.t.Errorf("refused as %q, want %q: %v", a.Code(), code, a)
	}
	switch a.Status.Code() {
	case codes.OK:
		if !s.Silent {
			w.t.Errorf("a refusal has status OK: %v", a)
		}
	case codes.Unavailable, codes.ResourceExhausted, codes.Aborted, codes.DeadlineExceeded, codes.Unknown:
		w.t.Errorf("a refusal is an invitation to try again: %v", a)
	}
	for _, c := range a.Status.Message() {
		if c < ' ' || c > '~' {
			w.t.Errorf("%q is not plain ASCII", a.Status.Message())
			break
		}
	}
	if n := len(w.Received(sent.Method)); n > 0 {
		w.t.Errorf("%s reached the target %d times", sent.Method, n)
	}
}

func (w *GRPCWorld) fine(a GRPCAnswer) {
	w.t.Helper()
	if a.Status.Code() != codes.OK || a.Code() != "" || a.Message == nil {
		w.t.Errorf("%v", a)
	}
}

func grpcUnknownMethod(t *testing.T, s *GRPCSuite) {
	w := StartGRPC(t, s)
	service := s.Read.Method[:strings.LastIndexByte(s.Read.Method, '/')]
	for i, method := range []string{
		service + "/NoSuchThing", "/no.Such/Thing", strings.ToUpper(s.Read.Method), s.Read.Method + "/", s.Read.Method + "?x=1", "/" + s.Read.Method, s.Read.Method + "%00",
		"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "/grpc.channelz.v1.Channelz/GetServers",
	} {
		r := s.Read
		r.Method = method
		a := w.Do(t.Context(), r)
		if a.Status.Code() != codes.Unimplemented || a.Code() != string(access.CodeUnclear) {
			t.Errorf("%s: %v", method, a)
		}
		found := w.Records(audit.TypeRefusal)
		if len(found) != i+1 || found[i].Unclear == "" {
			t.Fatalf("%s: %d refusals are recorded", method, len(found))
		}
	}
	if n := len(w.All()); n > 0 {
		t.Errorf("%d calls reached the target", n)
	}
	w.fine(w.Do(t.Context(), s.Read))
}

// odd are messages that must not be read as what b is.
func odd(b []byte) map[string][]byte {
	unknown := protowire.AppendTag(bytes.Clone(b), 18999, protowire.VarintType)
	return map[string][]byte{
		"an unknown field":            protowire.AppendVarint(unknown, 1),
		"an unknown group":            protowire.AppendTag(protowire.AppendTag(bytes.Clone(b), 18999, protowire.StartGroupType), 18999, protowire.EndGroupType),
		"half a tag":                  append(bytes.Clone(b), 0x80),
		"half a field":                append(protowire.AppendTag(bytes.Clone(b), 1, protowire.BytesType), 0x05, 'x'),
		"a field number of zero":      append(bytes.Clone(b), 0x00, 0x00),
		"a length that goes too far":  append(protowire.AppendTag(bytes.Clone(b), 1, protowire.BytesType), 0xff, 0xff, 0xff, 0xff, 0x0f),
		"a number of eleven bytes":    append(bytes.Clone(b), 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
		"a group that was not opened": protowire.AppendTag(bytes.Clone(b), 1, protowire.EndGroupType),
	}
}

func grpcAmbiguousMessage(t *testing.T, s *GRPCSuite) {
	w := StartGRPC(t, s)
	b, err := proto.Marshal(s.Read.Message)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range odd(b) {
		r := s.Read
		r.Raw = text
		if a := w.Do(t.Context(), r); a.Code() != string(access.CodeUnclear) {
			t.Errorf("%s: %v", name, a)
		}
	}
	if n := len(w.Received(s.Read.Method)); n > 0 {
		t.Errorf("%d calls reached the target", n)
	}
	for _, r := range w.Records(audit.TypeRefusal) {
		if r.Unclear == "" {
			t.Error("a refusal is recorded without its reason")
		}
	}
	// What no client of gRPC sends.
	post := func(body string, h http.Header) *http.Response { return w.post(s.Read.Method, body, h) }
	call := func(more ...string) http.Header { return grpcHead(more...) }
	whole := string(grpcFrame(0, b))
	for name, try := range map[string]struct {
		body string
		head http.Header
	}{
		"no message":                          {"", call()},
		"half a prefix":                       {"\x00\x00", call()},
		"half a message":                      {whole[:len(whole)-1] + "", call()},
		"two messages":                        {whole + whole, call()},
		"a message and half a prefix":         {whole + "\x00", call()},
		"a flag that is none":                 {"\x02" + whole[1:], call()},
		"compressed without an encoding":      {string(grpcFrame(1, squeeze(b))), call()},
		"compressed as identity":              {string(grpcFrame(1, squeeze(b))), call("Grpc-Encoding", "identity")},
		"compressed by what nobody knows":     {string(grpcFrame(1, squeeze(b))), call("Grpc-Encoding", "br")},
		"compressed, and not as it says":      {string(grpcFrame(1, []byte("xxxxxxxxxxxxxxxxxxxxxxxx"))), call("Grpc-Encoding", "gzip")},
		"a deadline that is none":             {whole, call("Grpc-Timeout", "soon")},
		"a deadline that is negative":         {whole, call("Grpc-Timeout", "-1S")},
		"a message that ends before it began": {"\x00\xff\xff\xff\xff", call()},
	} {
		resp := post(try.body, try.head)
		if resp.StatusCode != http.StatusOK || resp.Trailer.Get("X-Vecgate-Code") != string(access.CodeUnclear) {
			t.Errorf("%s: %d %v", name, resp.StatusCode, resp.Trailer)
		}
	}
	for _, kind := range []string{"application/json", "", "application/grpcx", "application/grpc-web+proto"} {
		h := call()
		h.Set("Content-Type", kind)
		if resp := post(whole, h); resp.StatusCode != http.StatusUnsupportedMediaType {
			t.Errorf("content type %q: %d", kind, resp.StatusCode)
		}
	}
	if n := len(w.Received(s.Read.Method)); n > 0 {
		t.Errorf("%d calls reached the target", n)
	}
	if resp := post(whole, call("Content-Type", "application/grpc+proto")); resp.Trailer.Get("Grpc-Status") != "0" || len(w.Received(s.Read.Method)) != 1 {
		t.Errorf("application/grpc+proto: %v", resp.Trailer)
	}
}

// grpcHead is the head of a call.
func grpcHead(more ...string) http.Header {
	h := http.Header{"Content-Type": {"application/grpc"}, "Authorization": {"Bearer " + Token}, "Te": {"trailers"}}
	for i := 0; i < len(more); i += 2 {
		h.Set(more[i], more[i+1])
	}
	return h
}

// post sends what no client of gRPC would. The answer has been read.
func (w *GRPCWorld) post(method, body string, h http.Header) *http.Response {
	w.t.Helper()
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, "http://"+w.Address+method, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header = h
	resp, err := tr.RoundTrip(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp
}

func grpcFrame(flag byte, b []byte) []byte {
	f := []byte{flag, byte(len(b) >> 24), byte(len(b) >> 16), byte(len(b) >> 8), byte(len(b))}
	return append(f, b...)
}

func squeeze(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(b) // into memory
	_ = z.Close()
	return out.Bytes()
}

func grpcOversize(t *testing.T, s *GRPCSuite) {
	w := StartGRPC(t, s, func(c *grpcwire.Config, _ *grpcwire.Target) { c.Limits.Message, c.Limits.Messages = 64<<10, 256<<10 })
	r := s.Read
	r.Raw = bytes.Repeat([]byte{0x0a, 0x00}, 33<<10)
	w.says(s, w.Do(t.Context(), r), r, access.CodeUnclear)
	w.fine(w.Do(t.Context(), s.Read))
}

// grpcParts sends what two bytes on the wire make a message of.
func grpcParts(t *testing.T, s *GRPCSuite) {
	w := StartGRPC(t, s, func(c *grpcwire.Config, _ *grpcwire.Target) { c.Limits.Message, c.Limits.Messages = 1<<20, 4<<20 })
	m := s.Write.Message.ProtoReflect().Descriptor()
	for i := range m.Fields().Len() {
		fd := m.Fields().Get(i)
		if fd.Message() == nil || !fd.IsList() {
			continue
		}
		one := protowire.AppendBytes(protowire.AppendTag(nil, fd.Number(), protowire.BytesType), nil)
		r := s.Write
		r.Raw = bytes.Repeat(one, (1<<20)/len(one))
		a := w.Do(t.Context(), r)
		if a.Code() != string(access.CodeLimit) && a.Code() != string(access.CodeUnclear) {
			t.Errorf("field %s a %d times over: %v", fd.Name(), (1<<20)/len(one), a)
		}
	}
	if n := len(w.Received(s.Write.Method)); n > 0 {
		t.Errorf("%d calls reached the target", n)
	}
	w.fine(w.Do(t.Context(), s.Read))
}

func grpcUnfulfillable(t *testing.T, s *GRPCSuite) {
	w := StartGRPC(t, s)
	w.Oblige(access.Obligations{Protection: s.Protection})
	w.says(s, w.Do(t.Context(), s.Unfulfillable), s.Unfulfillable, access.CodeObligation)
}

// leaks says whether the canary is in an answer.
func (a *GRPCAnswer) leaks() bool {
	return bytes.Contains(a.Raw, []byte(Canary)) || strings.Contains(a.Status.String(), Canary) || strings.Contains(fmt.Sprint(a.Status.Proto(), a.Trailer, a.Header), Canary)
}

func grpcHidden(t *testing.T, s *GRPCSuite) {
	w := StartGRPC(t, s)
	if a := w.Do(t.Context(), s.Read); a.Status.Code() != codes.OK || !a.leaks() {
		t.Fatalf("the stand-in has no canary to hide: %v", a)
	}
	w = StartGRPC(t, s)
	w.Oblige(access.Obligations{Protection: s.Protection})
	a := w.Do(t.Context(), s.Read)
	w.fine(a)
	if a.leaks() || strings.Contains(w.Written(), Canary) {
		t.Error("the canary reached the client or the record")
	}
	// What the gateway does not know cannot be masked.
	w.only(s, func(ctx context.Context, method string, request proto.Message) (proto.Message, error) {
		m, err := s.Upstream(ctx, method, request)
		if err == nil {
			b := protowire.AppendTag(nil, 18999, protowire.BytesType)
			m.ProtoReflect().SetUnknown(protowire.AppendString(b, Canary))
		}
		return m, err
	})
	if a = w.Do(t.Context(), s.Read); a.leaks() || strings.Contains(w.Written(), Canary) {
		t.Error("a field that the gateway does not know reached the client or the record")
	}
	// The engine's own errors may quote it.
	w.only(s, func(context.Context, string, proto.Message) (proto.Message, error) {
		st, err := status.New(codes.InvalidArgument, "value "+Canary+" is odd").WithDetails(status.New(codes.Internal, Canary).Proto())
		if err != nil {
			t.Error(err)
		}
		return nil, st.Err()
	})
	if a = w.Do(t.Context(), s.Read); a.Status.Code() != codes.InvalidArgument || a.leaks() || strings.Contains(w.Written(), Canary) {
		t.Errorf("an error of the engine: %v", a)
	}
	// Whoever searches with the vectors of another model is told at least that.
	w.only(s, func(context.Context, string, proto.Message) (proto.Message, error) {
		return nil, status.Error(codes.InvalidArgument, "vector lengths don't match: 3 vs 2, in "+Canary)
	})
	if a = w.Do(t.Context(), s.Read); !strings.Contains(a.Status.Message(), "a vector has not the length") || a.leaks() {
		t.Errorf("an error of the engine about the length of a vector: %v", a)
	}
}

// only answers Read, and leaves look-ups to the stand-in.
func (w *GRPCWorld) only(s *GRPCSuite, e Engine) {
	w.Upstream(func(ctx context.Context, method string, request proto.Message) (proto.Message, error) {
		if method != s.Read.Method {
			return s.Upstream(ctx, method, request)
		}
		return e(ctx, method, request)
	})
}

func grpcLarge(t *testing.T, s *GRPCSuite) {
	w := StartGRPC(t, s)
	for _, protection := range []*access.Protection{nil, s.Protection} {
		w.Oblige(access.Obligations{Protection: protection})
		for _, n := range []int{1, 1 << 10, 1 << 16, 1 << 20, 1 << 23} {
			whole := s.Large(n)
			w.only(s, func(context.Context, string, proto.Message) (proto.Message, error) { return whole, nil })
			a := w.Do(t.Context(), s.Read)
			w.fine(a)
			if a.leaks() != (protection == nil) || len(a.Raw) < n/4 {
				t.Errorf("an answer of %d bytes: %d bytes, canary %v, protected %v", n, len(a.Raw), a.leaks(), protection != nil)
			}
		}
	}
	w = StartGRPC(t, s, func(c *grpcwire.Config, _ *grpcwire.Target) { c.Limits.Answer = 1 << 16 })
	w.Oblige(access.Obligations{Protection: s.Protection})
	whole := s.Large(1 << 20)
	w.only(s, func(context.Context, string, proto.Message) (proto.Message, error) { return whole, nil })
	if a := w.Do(t.Context(), s.Read); a.Code() == "" || a.leaks() {
		t.Errorf("an answer that is too large to be masked: %.300v", a)
	}
}

// answerRaw makes the upstream answer Read with bytes of its own.
func (w *GRPCWorld) answerRaw(s *GRPCSuite, send func(grpc.ServerStream) error) {
	w.mu.Lock()
	w.engine = nil
	w.mu.Unlock()
	w.Stream(func(_ any, call grpc.ServerStream) error {
		name, _ := grpc.MethodFromServerStream(call)
		var b []byte
		if err := call.RecvMsg(&b); err != nil {
			return err
		}
		request, err := w.arrived(call.Context(), name, b)
		if err != nil {
			return err
		}
		if name == s.Read.Method {
			return send(call)
		}
		m, err := s.Upstream(call.Context(), name, request)
		if err != nil {
			return err
		}
		out, err := proto.Marshal(m)
		if err != nil {
			return err
		}
		return call.SendMsg(out)
	})
}

func grpcUnmaskable(t *testing.T, s *GRPCSuite) {
	w := StartGRPC(t, s)
	w.Oblige(access.Obligations{Protection: s.Protection})
	for _, b := range [][]byte{[]byte(Canary), append([]byte{0x0a, 0x7f}, Canary...), bytes.Repeat([]byte{0xff}, 40)} {
		w.answerRaw(s, func(call grpc.ServerStream) error { return call.SendMsg(b) })
		if a := w.Do(t.Context(), s.Read); a.Code() != string(access.CodeObligation) || a.leaks() {
			t.Errorf("%x: %v", b, a)
		}
	}
	b, err := proto.Marshal(s.Large(1))
	if err != nil {
		t.Fatal(err)
	}
	w.answerRaw(s, func(call grpc.ServerStream) error { return errorsOf(call.SendMsg(b), call.SendMsg(b)) })
	if a := w.Do(t.Context(), s.Read); a.Code() == "" || a.leaks() {
		t.Errorf("two answers: %v", a)
	}
}

func errorsOf(all ...error) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}

func grpcBroken(t *testing.T, s *GRPCSuite) {
	// An engine that ends in the middle of an answer, or that is something else: what a gRPC server cannot be made to do.
	b, err := proto.Marshal(s.Large(1 << 20))
	if err != nil {
		t.Fatal(err)
	}
	whole := grpcFrame(0, b)
	for name, serve := range map[string]http.HandlerFunc{
		"half a message": func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/grpc")
			_, _ = rw.Write(whole[:len(whole)/2])
		},
		"half a message and a status": func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/grpc")
			_, _ = rw.Write(whole[:len(whole)/2])
			rw.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
		},
		"no status": func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/grpc")
			_, _ = rw.Write(whole)
		},
		"another protocol": func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "text/html")
			_, _ = rw.Write([]byte(Canary))
		},
		"elsewhere": func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, "http://169.254.169.254/", http.StatusFound)
		},
		"an abort": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		for _, protection := range []*access.Protection{nil, s.Protection} {
			broken := httptest.NewUnstartedServer(nil)
			w := StartGRPC(t, s, func(_ *grpcwire.Config, target *grpcwire.Target) {
				engine := target.Address
				broken.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					if r.URL.Path == s.Read.Method {
						serve(rw, r)
						return
					}
					passOn(t, engine, rw, r)
				})
				broken.Config.Protocols = new(http.Protocols)
				broken.Config.Protocols.SetUnencryptedHTTP2(true)
				broken.Start()
				target.Address = broken.Listener.Addr().String()
			})
			t.Cleanup(broken.Close)
			w.Oblige(access.Obligations{Protection: protection})
			a := w.Do(t.Context(), s.Read)
			if a.Status.Code() == codes.OK && !(s.Silent && a.Code() != "") || protection != nil && a.leaks() || strings.Contains(a.Status.Message(), "169.254") {
				t.Errorf("%s: %.300v", name, a)
			}
			Eventually(t, "the outcome of "+name+" is recorded as a refusal", func() bool {
				for _, r := range w.Records(audit.TypeOutcome) {
					if r.Effect == access.Deny && r.Code != "" {
						return true
					}
				}
				return false
			})
		}
	}
}

// passOn is a proxy for look-ups.
func passOn(t *testing.T, engine string, rw http.ResponseWriter, r *http.Request) {
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host, out.RequestURI = "http", engine, ""
	resp, err := tr.RoundTrip(out)
	if err != nil {
		t.Error(err)
		return
	}
	defer resp.Body.Close()
	rw.Header().Set("Content-Type", "application/grpc")
	_, _ = io.Copy(rw, resp.Body)
	for _, name := range []string{"Grpc-Status", "Grpc-Message"} {
		v := resp.Trailer.Get(name)
		if v == "" {
			v = resp.Header.Get(name)
		}
		if v != "" {
			rw.Header().Set(http.TrailerPrefix+name, v)
		}
	}
}

func grpcDenial(t *testing.T, s *GRPCSuite) {
	w := StartGRPC(t, s)
	w.Rule(func(*access.Operation, access.Context) access.Decision {
		return access.Decision{Effect: access.Deny, Reason: access.Reason{Code: access.CodeDenied, Rule: "no-such-luck", Sentence: "alice may not", Hint: "ask nicely – or not"}}
	})
	a := w.Do(t.Context(), s.Write)
	w.says(s, a, s.Write, access.CodeDenied)
	if !s.Silent && a.Status.Code() != codes.PermissionDenied || a.Ref() == "" {
		t.Errorf("%v", a)
	}
	said := a.Status.Message()
	if s.Silent {
		said = transcript.Text(a.Message, 1<<20, false)
	}
	for _, word := range []string{"alice may not", "no-such-luck", "ask nicely", a.Ref()} {
		if !strings.Contains(said, word) {
			t.Errorf("%q does not say %q", said, word)
		}
	}
	if s.Usable != nil {
		if err := s.Usable(&a); err != nil {
			t.Error(err)
		}
	}
	w.Rule(func(*access.Operation, access.Context) access.Decision {
		return access.Decision{Effect: access.Deny, Reason: access.Reason{Code: access.CodeDenied, Sentence: strings.Repeat("é", 20000)}}
	})
	if a := w.Do(t.Context(), s.Write); len(a.Status.Message()) > 1024 || a.Code() != string(access.CodeDenied) {
		t.Errorf("a long refusal: %.300v", a)
	}
}

func grpcHoldAndRelease(t *testing.T, s *GRPCSuite) {
	w := StartGRPC(t, s)
	w.Rule(held)
	done := make(chan GRPCAnswer, 1)
	go func() { done <- w.Do(t.Context(), s.Write) }()
	Eventually(t, "an access request", func() bool { return w.Request().State == access.StateOpen })
	if n := len(w.Received(s.Write.Method)); n > 0 {
		t.Fatalf("reached the target %d times before it was released", n)
	}
	if !strings.HasPrefix(w.Request().Text, "gRPC "+s.Write.Method) {
		t.Errorf("the approver reads %.300q", w.Request().Text)
	}
	w.Release(access.StateApproved)
	w.fine(<-done)
	if n := len(w.Received(s.Write.Method)); n != 1 {
		t.Errorf("reached the target %d times", n)
	}
	if r := w.Records(audit.TypeIntent); len(r) == 0 || r[len(r)-1].Grant != "7F3K-92QX" {
		t.Error("the intent does not name the access request")
	}
}

func grpcHoldAndResend(t *testing.T, s *GRPCSuite) {
	w := StartGRPC(t, s, func(_ *grpcwire.Config, t *grpcwire.Target) { t.Gate.Hold = time.Millisecond })
	w.Rule(held)
	a := w.Do(t.Context(), s.Write)
	w.says(s, a, s.Write, access.CodeHeld)
	said := a.Status.Message()
	if s.Silent {
		said = transcript.Text(a.Message, 1<<20, false)
	}
	if !strings.Contains(said, "7F3K-92QX") || !strings.Contains(said, "again") || a.Ref() != "7F3K-92QX" {
		t.Errorf("%v", a)
	}
	w.Release(access.StateApproved)
	w.fine(w.Do(t.Context(), s.Write))
	if a := w.Do(t.Context(), s.Write); a.Code() != string(access.CodeHeld) {
		t.Errorf("a second time: %v", a)
	}
	if n := len(w.Received(s.Write.Method)); n != 1 {
		t.Errorf("reached the target %d times", n)
	}
}

func grpcHoldUntilDeadline(t *testing.T, s *GRPCSuite) {
	w := StartGRPC(t, s)
	w.Rule(held)
	b, err := proto.Marshal(s.Write.Message)
	if err != nil {
		t.Fatal(err)
	}
	resp := w.post(s.Write.Method, string(grpcFrame(0, b)), grpcHead("Grpc-Timeout", "100m"))
	if resp.Trailer.Get("X-Vecgate-Code") != string(access.CodeHeld) || resp.Trailer.Get("X-Vecgate-Ref") != "7F3K-92QX" {
		t.Errorf("%v", resp.Trailer)
	}
	if w.Request().State != access.StateOpen {
		t.Errorf("the access request is %s", w.Request().State)
	}
	w.Release(access.StateApproved)
	w.fine(w.Do(t.Context(), s.Write))
}

func grpcAbandon(t *testing.T, s *GRPCSuite) {
	w := StartGRPC(t, s)
	w.Rule(held)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan GRPCAnswer, 1)
	go func() { done <- w.Do(ctx, s.Write) }()
	Eventually(t, "an access request", func() bool { return w.Request().State == access.StateOpen })
	cancel()
	<-done
	Eventually(t, "the access request is abandoned", func() bool { return w.Request().State == access.StateAbandoned })
	if n := len(w.Received(s.Write.Method)); n > 0 {
		t.Errorf("reached the target %d times", n)
	}
}

// where clients put a token.
func grpcPlaces() []metadata.MD {
	return []metadata.MD{
		metadata.Pairs("authorization", "Bearer "+Token),
		metadata.Pairs("authorization", "bearer "+Token),
		metadata.Pairs("authorization", base64.StdEncoding.EncodeToString([]byte("me:"+Token))),
		metadata.Pairs("authorization", base64.StdEncoding.EncodeToString([]byte(Token))),
		metadata.Pairs("api-key", Token),
	}
}

func grpcCredentials(t *testing.T, s *GRPCSuite) {
	w := StartGRPC(t, s)
	for _, md := range grpcPlaces() {
		r := s.Read
		r.Metadata = md
		a := w.Do(t.Context(), r)
		w.fine(a)
		if strings.Contains(fmt.Sprint(a), Secret) {
			t.Error("the client sees the database's credential")
		}
	}
	for _, r := range w.All() {
		if strings.Contains(fmt.Sprint(r.Metadata), Token) {
			t.Errorf("the caller's token reached the target: %v", r.Metadata)
		}
		if first(r.Metadata, "authorization") != "Bearer "+Secret {
			t.Errorf("%s went without the gateway's credential", r.Method)
		}
	}
	if text := w.Written(); strings.Contains(text, Token) || strings.Contains(text, Secret) || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte("me:"+Token))) {
		t.Error("a credential is in the record")
	}
	for scheme, want := range map[grpcwire.Scheme][2]string{
		grpcwire.APIKey: {"api-key", Secret},
		grpcwire.Basic:  {"authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("app:"+Secret))},
		grpcwire.Milvus: {"authorization", base64.StdEncoding.EncodeToString([]byte("app:" + Secret))},
	} {
		w := StartGRPC(t, s, func(_ *grpcwire.Config, t *grpcwire.Target) { t.Shows = scheme })
		w.fine(w.Do(t.Context(), s.Read))
		if got := w.Received(s.Read.Method); len(got) != 1 || first(got[0].Metadata, want[0]) != want[1] {
			t.Errorf("%s is not shown as it should be", scheme)
		}
	}
}

func grpcOneCredential(t *testing.T, s *GRPCSuite) {
	w := StartGRPC(t, s)
	tries := []metadata.MD{
		metadata.Pairs("x", "y"),
		metadata.Pairs("authorization", ""),
		metadata.Pairs("authorization", "Bearer"),
		metadata.Pairs("authorization", "Bearer wrong"),
		metadata.Pairs("authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("me:"+Token))),
		metadata.Pairs("authorization", Token), // neither a word and a token, nor base64
		metadata.Pairs("api-key", Token, "api-key", Token),
		metadata.Pairs("authorization", "Bearer "+Token, "api-key", Token),
		metadata.Pairs("authorization", "Bearer "+Token, "authorization", "Bearer wrong"),
		metadata.Pairs("api-key", "wrong"),
	}
	for _, md := range tries {
		r := s.Read
		r.Metadata = md
		a := w.Do(t.Context(), r)
		w.says(s, a, r, access.CodeIdentity)
		if !s.Silent && a.Status.Code() != codes.Unauthenticated {
			t.Errorf("%v: %v", md, a)
		}
	}
	if n := len(w.Records(audit.TypeSignIn)); n != len(tries) {
		t.Errorf("%d of %d failed sign-ins are recorded", n, len(tries))
	}
	if n := len(w.All()); n > 0 {
		t.Errorf("%d calls reached the target", n)
	}
}

func grpcAllowList(t *testing.T, s *GRPCSuite) {
	w := StartGRPC(t, s)
	r := s.Read
	r.Metadata = metadata.Pairs("authorization", "Bearer "+Token, "x-forwarded-for", "10.0.0.1", "sourceid", "x", "cookie", "a=b", "x-openai-baseurl", "http://evil.example.com",
		"traceparent", "00-1-1-01", "x-vecgate-ticket", "CHG-7", "secret-bin", "\x00\xff")
	w.fine(w.Do(t.Context(), r))
	known := map[string]bool{"authorization": true, "content-type": true, "user-agent": true, ":authority": true, "grpc-accept-encoding": true, "te": true}
	for _, name := range s.New().Metadata() {
		known[name] = true
	}
	for _, got := range w.All() {
		for name := range got.Metadata {
			if !known[name] {
				t.Errorf("metadata %s reached the target", name)
			}
		}
		if a := first(got.Metadata, "user-agent"); a != "vecgate" {
			t.Errorf("user agent %q", a)
		}
	}
	if r := w.Records(audit.TypeIntent); len(r) != 1 || r[0].Ticket != "CHG-7" {
		t.Error("the ticket is not in the record")
	}
	for _, name := range s.New().Metadata() {
		r := s.Read
		r.Metadata = metadata.Pairs("authorization", "Bearer "+Token, name, "a", name, "b")
		if a := w.Do(t.Context(), r); a.Code() != string(access.CodeUnclear) {
			t.Errorf("%s twice: %v", name, a)
		}
	}
}

func grpcNotRecorded(t *testing.T, s *GRPCSuite) {
	w := StartGRPC(t, s)
	w.fine(w.Do(t.Context(), s.Read))
	w.Lose()
	if a := w.Do(t.Context(), s.Write); a.Code() != string(access.CodeNotRecorded) {
		t.Errorf("%v", a)
	}
	if n := len(w.Received(s.Write.Method)); n > 0 && s.Read.Method != s.Write.Method {
		t.Error("the write reached the target")
	}
}

func grpcCutOff(t *testing.T, s *GRPCSuite) {
	w := StartGRPC(t, s)
	arrived := make(chan struct{})
	w.only(s, func(ctx context.Context, _ string, _ proto.Message) (proto.Message, error) {
		close(arrived)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	done := make(chan GRPCAnswer, 1)
	go func() { done <- w.Do(t.Context(), s.Read) }()
	<-arrived
	if n := w.Gate.CutOff(func(*access.Subject) bool { return true }, context.Canceled); n != 1 {
		t.Fatalf("%d sessions were cut off", n)
	}
	if a := <-done; a.Status.Code() == codes.OK && a.Code() == "" {
		t.Errorf("%v", a)
	}
	Eventually(t, "the session is closed", func() bool { return len(w.Records(audit.TypeSessionClose)) == 1 })
}

func grpcOneSession(t *testing.T, s *GRPCSuite) {
	w := StartGRPC(t, s, func(c *grpcwire.Config, _ *grpcwire.Target) { c.Limits.Idle = 100 * time.Millisecond })
	all := make(chan GRPCAnswer)
	for range 8 {
		go func() { all <- w.Do(t.Context(), s.Read) }()
	}
	for range 8 {
		w.fine(<-all)
	}
	if n := len(w.Records(audit.TypeSessionOpen)); n != 1 {
		t.Errorf("%d sessions were opened", n)
	}
	Eventually(t, "the silent session is closed", func() bool { return len(w.Gate.Sessions()) == 0 })
	w.fine(w.Do(t.Context(), s.Read))
	if n := len(w.Records(audit.TypeSessionOpen)); n != 2 {
		t.Errorf("%d sessions were opened", n)
	}
}

func grpcTable(t *testing.T, s *GRPCSuite) {
	names := map[string]bool{}
	for _, m := range s.New().Methods() {
		if strings.Count(m.Name, "/") != 2 || !strings.HasPrefix(m.Name, "/") || names[m.Name] || len(m.Actions) == 0 || m.Request == nil || m.Response == nil {
			t.Errorf("method %q", m.Name)
		}
		names[m.Name] = true
		for _, a := range m.Actions {
			if !a.Known() {
				t.Errorf("%s: action %s is not in the vocabulary", m.Name, a)
			}
		}
		if m.Open != nil && m.Open.ProtoReflect().Descriptor().FullName() != m.Response.Descriptor().FullName() {
			t.Errorf("%s answers openly with a %s", m.Name, m.Open.ProtoReflect().Descriptor().FullName())
		}
	}
	for _, name := range s.New().Metadata() {
		if name != strings.ToLower(name) || strings.HasSuffix(name, "-bin") || strings.HasPrefix(name, "grpc-") || name == "authorization" || name == "api-key" {
			t.Errorf("metadata %q", name)
		}
	}
}

// grpcReread sends what reached the target through the gate once again: it must be read as the same operation.
func grpcReread(t *testing.T, s *GRPCSuite) {
	for _, r := range []GRPCRequest{s.Read, s.Write} {
		var ops []string
		w := StartGRPC(t, s)
		w.Rule(func(op *access.Operation, _ access.Context) access.Decision {
			ops = append(ops, fmt.Sprintf("%+v %x", op.Accesses, op.Canonical))
			return access.Decision{Effect: access.Allow}
		})
		w.fine(w.Do(t.Context(), r))
		sent := w.Received(r.Method)
		if len(sent) != 1 {
			t.Fatalf("%s reached the target %d times", r.Method, len(sent))
		}
		w.fine(w.Do(t.Context(), GRPCRequest{Method: r.Method, Raw: sent[0].Raw}))
		again := w.Received(r.Method)
		if len(ops) != 2 || ops[0] != ops[1] || len(again) != 2 || !bytes.Equal(again[1].Raw, sent[0].Raw) {
			t.Errorf("%s: read as %.500v, sent on as %x and %x", r.Method, ops, sent[0].Raw, again[len(again)-1].Raw)
		}
	}
}

func grpcUnknownAllowed(t *testing.T, s *GRPCSuite) {
	w := StartGRPC(t, s)
	w.Unclear = true
	b, err := proto.Marshal(s.Read.Message)
	if err != nil {
		t.Fatal(err)
	}
	r := s.Read
	r.Raw = odd(b)["an unknown field"]
	w.says(s, w.Do(t.Context(), r), r, access.CodeUnclear)
	r = s.Read
	r.Method = "/no.Such/Thing"
	w.says(s, w.Do(t.Context(), r), r, access.CodeUnclear)
}

func grpcOverTLS(t *testing.T, s *GRPCSuite) {
	certified := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate
	defer certified.Close()
	w := StartGRPC(t, s, func(c *grpcwire.Config, _ *grpcwire.Target) {
		c.TLS = &tls.Config{Certificates: certified.TLS.Certificates, MinVersion: tls.VersionTLS12}
	})
	roots := x509.NewCertPool()
	roots.AddCert(certified.Certificate())
	conn := w.Dial(&tls.Config{RootCAs: roots, ServerName: "example.com", MinVersion: tls.VersionTLS12})
	w.fine(w.DoBy(t.Context(), conn, s.Read))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if a := w.Do(ctx, s.Read); a.Status.Code() == codes.OK || len(w.Received(s.Read.Method)) != 1 {
		t.Errorf("without TLS: %v", a)
	}
}

func grpcSeveralTargets(t *testing.T, s *GRPCSuite) {
	w := StartGRPC(t, s, func(c *grpcwire.Config, target *grpcwire.Target) {
		other := *target
		other.Gate.Name, other.Dialect = "other", s.New()
		c.Targets["other"] = other
	})
	for name, good := range map[string]bool{Target: true, "other": true, "third": false, "": false} {
		r := s.Read
		r.Metadata = metadata.Pairs("authorization", "Bearer "+Token)
		if name != "" {
			r.Metadata.Set("x-vecgate-target", name)
		}
		if a := w.Do(t.Context(), r); (a.Status.Code() == codes.OK) != good {
			t.Errorf("%q: %v", name, a)
		}
		if name == "" {
			continue
		}
		// By the host that the call was sent to.
		r.Metadata = nil
		r.Options = []grpc.CallOption{grpc.CallAuthority(name + ".gateway.example.com:6334")}
		if a := w.Do(t.Context(), r); (a.Status.Code() == codes.OK) != good {
			t.Errorf("host %q: %v", name, a)
		}
	}
	if opened := w.Records(audit.TypeSessionOpen); len(opened) != 2 || opened[0].Target == opened[1].Target {
		t.Errorf("%d sessions were opened", len(opened))
	}
}

func grpcCompressed(t *testing.T, s *GRPCSuite) {
	if encoding.GetCompressor("gzip") == nil {
		t.Fatal("the client cannot compress")
	}
	w := StartGRPC(t, s, func(c *grpcwire.Config, _ *grpcwire.Target) { c.Limits.Message, c.Limits.Messages = 64<<10, 512<<10 })
	r := s.Read
	r.Options = []grpc.CallOption{grpc.UseCompressor("gzip")}
	w.fine(w.Do(t.Context(), r))
	if n := len(w.Received(s.Read.Method)); n != 1 {
		t.Fatalf("reached the target %d times", n)
	}
	r.Raw = make([]byte, 8<<20) // eight kilobytes on the wire
	a := w.Do(t.Context(), r)
	if a.Code() != string(access.CodeUnclear) || len(w.Received(s.Read.Method)) != 1 {
		t.Errorf("a bomb: %v", a)
	}
	// An engine that compresses although it was not asked to.
	b, err := proto.Marshal(s.Large(1 << 10))
	if err != nil {
		t.Fatal(err)
	}
	for _, protection := range []*access.Protection{nil, s.Protection} {
		squeezing := httptest.NewUnstartedServer(nil)
		w = StartGRPC(t, s, func(_ *grpcwire.Config, target *grpcwire.Target) {
			engine := target.Address
			squeezing.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path != s.Read.Method {
					passOn(t, engine, rw, r)
					return
				}
				rw.Header().Set("Content-Type", "application/grpc")
				rw.Header().Set("Grpc-Encoding", "gzip")
				_, _ = rw.Write(grpcFrame(1, squeeze(b)))
				rw.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
			})
			squeezing.Config.Protocols = new(http.Protocols)
			squeezing.Config.Protocols.SetUnencryptedHTTP2(true)
			squeezing.Start()
			target.Address = squeezing.Listener.Addr().String()
		})
		t.Cleanup(squeezing.Close)
		w.Oblige(access.Obligations{Protection: protection})
		a := w.Do(t.Context(), s.Read)
		w.fine(a)
		if a.leaks() != (protection == nil) {
			t.Errorf("a compressed answer, protected %v: %v", protection != nil, a)
		}
	}
}

func grpcDeadline(t *testing.T, s *GRPCSuite) {
	w := StartGRPC(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	w.fine(w.Do(ctx, s.Read))
	if got := w.Received(s.Read.Method); len(got) != 1 || got[0].Deadline.IsZero() || time.Until(got[0].Deadline) > time.Minute {
		t.Error("the deadline did not reach the target")
	}
	arrived, gone := make(chan struct{}), make(chan struct{})
	w.only(s, func(ctx context.Context, _ string, _ proto.Message) (proto.Message, error) {
		close(arrived)
		<-ctx.Done()
		close(gone)
		return nil, ctx.Err()
	})
	ctx, cancel = context.WithCancel(t.Context())
	done := make(chan GRPCAnswer, 1)
	go func() { done <- w.Do(ctx, s.Read) }()
	<-arrived
	cancel()
	<-done
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
		t.Error("the target works on for a client that has gone")
	}
}

func grpcOpen(t *testing.T, s *GRPCSuite) {
	w := StartGRPC(t, s)
	for _, m := range s.New().Methods() {
		r := GRPCRequest{Method: m.Name, Message: m.Request.New().Interface(), Metadata: metadata.MD{}}
		a := w.Do(t.Context(), r)
		if m.Open == nil {
			if a.Code() != string(access.CodeIdentity) {
				t.Errorf("%s without a credential: %v", m.Name, a)
			}
			continue
		}
		if a.Status.Code() != codes.OK || !proto.Equal(a.Message, m.Open) {
			t.Errorf("%s without a credential: %v", m.Name, a)
		}
		r.Metadata = metadata.Pairs("authorization", "Bearer wrong")
		if a := w.Do(t.Context(), r); a.Code() != string(access.CodeIdentity) {
			t.Errorf("%s with a wrong credential: %v", m.Name, a)
		}
	}
	if n := len(w.All()); n > 0 {
		t.Errorf("%d calls reached the target", n)
	}
}

func grpcRecorded(t *testing.T, s *GRPCSuite) {
	w := StartGRPC(t, s)
	a := w.Do(t.Context(), s.Read)
	w.fine(a)
	recorded := w.Bodies()
	asked, answered, ok := strings.Cut(recorded, string(transcript.AppendMessage(nil, w.Received(s.Read.Method)[0].Raw)))
	if !ok || !transcript.Speaks([]byte(recorded)) {
		t.Fatalf("what was sent on is not in the record: %.500q", recorded)
	}
	asked += string(transcript.AppendMessage(nil, w.Received(s.Read.Method)[0].Raw))
	var lines []string
	_ = transcript.Lines(w.types, []byte(asked), []byte(answered), func(l access.Line) error {
		if l.Kind == "note" {
			return nil // metadata
		}
		text := l.Kind + " " + l.Text
		for _, c := range l.Cells {
			text += *c
		}
		lines = append(lines, text)
		return nil
	})
	want := []string{"statement " + s.Read.Method, "parameters {", "row {", "done status OK"}
	if len(lines) != len(want) {
		t.Fatalf("%.500q", lines)
	}
	for i := range want {
		if !strings.HasPrefix(lines[i], want[i]) {
			t.Errorf("%.500q", lines)
		}
	}
	if !strings.Contains(lines[2], Canary) {
		t.Errorf("the answer is told as %.500q", lines[2])
	}
}

func grpcTrailers(t *testing.T, s *GRPCSuite) {
	w := StartGRPC(t, s)
	b, err := proto.Marshal(s.Large(1))
	if err != nil {
		t.Fatal(err)
	}
	w.answerRaw(s, func(call grpc.ServerStream) error {
		md := metadata.Pairs("set-cookie", "a=b", "x-served-by", "engine/1", "access-control-allow-origin", "*", "x-vecgate-code", "forged")
		call.SetTrailer(md)
		return errorsOf(call.SetHeader(md), call.SendMsg(b))
	})
	a := w.Do(t.Context(), s.Read)
	w.fine(a)
	for _, m := range []metadata.MD{a.Header, a.Trailer} {
		for name := range m {
			switch name {
			case "content-type", "content-length", "grpc-accept-encoding":
			default:
				t.Errorf("%s reached the client", name)
			}
		}
	}
	// The engine's own errors come as they are.
	w.answerRaw(s, func(grpc.ServerStream) error {
		st, err := status.New(codes.FailedPrecondition, "50% is möglich\n").WithDetails(status.New(codes.Internal, "more").Proto())
		if err != nil {
			return err
		}
		return st.Err()
	})
	a = w.Do(t.Context(), s.Read)
	if a.Status.Code() != codes.FailedPrecondition || a.Status.Message() != "50% is möglich\n" || len(a.Status.Details()) != 1 {
		t.Errorf("an error of the engine: %v", a)
	}
	if r := w.Records(audit.TypeOutcome); len(r) != 2 || r[1].Error != "FAILED_PRECONDITION" {
		t.Errorf("outcomes %+v", r)
	}
}
