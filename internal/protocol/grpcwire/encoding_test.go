package grpcwire_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

// squeezed is a message in each encoding that libraries of gRPC have besides gzip. Of br there is a text that is none.
func squeezed(t *testing.T, message []byte) map[string][]byte {
	t.Helper()
	out := map[string][]byte{"br": message, "": message, "identity": message, "unheard-of": message, "snappy": s2.EncodeSnappy(nil, message)}
	pack := func(z io.WriteCloser, b *bytes.Buffer) []byte {
		if _, err := z.Write(message); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	var gz, z, zs bytes.Buffer
	squeezed := pack(gzip.NewWriter(&gz), &gz)
	out["GZIP"], out["gzip,identity"], out["gzip "] = squeezed, squeezed, squeezed
	out["deflate"] = pack(zlib.NewWriter(&z), &z)
	w, err := zstd.NewWriter(&zs)
	if err != nil {
		t.Fatal(err)
	}
	out["zstd"] = pack(w, &zs)
	return out
}

// framed is a message with its prefix.
func framed(flag byte, message []byte) []byte {
	out := append([]byte{flag}, binary.BigEndian.AppendUint32(nil, uint32(len(message)))...)
	return append(out, message...)
}

// post sends what no client would.
func post(t *testing.T, address, method, authority string, h http.Header, body []byte) http.Header {
	t.Helper()
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+method, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header, req.Host = h.Clone(), authority
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Authorization", "Bearer "+protocoltest.Token)
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	for name, values := range resp.Trailer {
		resp.Header[name] = values
	}
	return resp.Header
}

func TestCompressedMessagesOfOtherEncodingsAreRefused(t *testing.T) {
	w := protocoltest.StartGRPC(t, suite())
	s := suite()
	plain, err := proto.Marshal(s.Read.Message)
	if err != nil {
		t.Fatal(err)
	}
	bomb, err := proto.Marshal(inRoom(strings.Repeat("0", 8<<20)))
	if err != nil {
		t.Fatal(err)
	}
	for _, message := range [][]byte{plain, bomb} {
		for encoding, b := range squeezed(t, message) {
			h := http.Header{}
			if encoding != "" {
				h.Set("Grpc-Encoding", encoding)
			}
			if got := post(t, w.Address, s.Read.Method, "docs", h, framed(1, b)); got.Get("X-Vecgate-Code") != string(access.CodeUnclear) {
				t.Errorf("%q: %v", encoding, got)
			}
			h.Set("Content-Encoding", encoding) // as HTTP says it, which gRPC does not know
			if got := post(t, w.Address, s.Read.Method, "docs", h, framed(1, b)); got.Get("X-Vecgate-Code") != string(access.CodeUnclear) {
				t.Errorf("content-encoding %q: %v", encoding, got)
			}
		}
	}
	if n := len(w.All()); n > 0 {
		t.Errorf("%d calls reached the target", n)
	}
}

func TestCompressedAnswersOfOtherEncodingsAreWithheld(t *testing.T) {
	s := suite()
	b, err := proto.Marshal(books(1))
	if err != nil {
		t.Fatal(err)
	}
	for encoding, body := range squeezed(t, b) {
		for _, under := range []*access.Protection{nil, protection} {
			engine := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", "application/grpc")
				rw.Header().Set("Grpc-Encoding", encoding)
				_, _ = rw.Write(framed(1, body))
				rw.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
			}))
			engine.Config.Protocols = new(http.Protocols)
			engine.Config.Protocols.SetUnencryptedHTTP2(true)
			engine.Start()
			w := protocoltest.StartGRPC(t, s, func(_ *grpcwire.Config, target *grpcwire.Target) { target.Address = engine.Listener.Addr().String() })
			w.Oblige(access.Obligations{Protection: under})
			a := w.Do(t.Context(), s.Read)
			if a.Code() == "" || bytes.Contains(a.Raw, []byte(protocoltest.Canary)) || len(a.Raw) > 0 {
				t.Errorf("%q, protected %v: %v, %d bytes", encoding, under != nil, a.Status, len(a.Raw))
			}
			engine.Close()
		}
	}
}

// The target is the listener's, or the one that a call names, and the engine is told of no other host.
func TestAnAuthorityThatACallNamesDecidesNothing(t *testing.T) {
	s := suite()
	b, err := proto.Marshal(s.Read.Message)
	if err != nil {
		t.Fatal(err)
	}
	w := protocoltest.StartGRPC(t, s)
	for _, authority := range []string{"elsewhere.svc.pinecone.io", "169.254.169.254:80", "docs"} {
		h := http.Header{"X-Forwarded-Host": {"elsewhere"}, "Forwarded": {"host=elsewhere"}, "Host": {"elsewhere"}}
		before := len(w.All())
		got := post(t, w.Address, s.Read.Method, authority, h, framed(0, b))
		all := w.All()
		if got.Get("Grpc-Status") != "0" || len(all) != before+1 {
			t.Errorf("%s: %v", authority, got)
			continue
		}
		for name, values := range all[before].Metadata {
			if strings.Contains(strings.Join(values, " "), "elsewhere") || name == ":authority" && !strings.HasPrefix(values[0], "127.0.0.1:") {
				t.Errorf("%s: %s: %v reached the target", authority, name, values)
			}
		}
	}
	// Where there are several, a call that is judged as one target's is sent to that one.
	var mu sync.Mutex
	var reached []string
	w = protocoltest.StartGRPC(t, s, func(c *grpcwire.Config, target *grpcwire.Target) {
		other := *target
		other.Gate.Name, other.Dialect = "other", s.New()
		c.Targets["other"] = other
	})
	w.Rule(func(op *access.Operation, _ access.Context) access.Decision {
		mu.Lock()
		defer mu.Unlock()
		reached = append(reached, op.First().Resource.Target)
		return access.Decision{Effect: access.Deny, Reason: access.Reason{Code: access.CodeDenied, Sentence: "no"}}
	})
	for _, x := range []struct {
		authority string
		named     []string
		want      string // the target that it is judged as; empty for none
	}{
		{"docs.gw.example.com", nil, protocoltest.Target},
		{"other.gw.example.com", nil, "other"},
		{"docs", []string{"other"}, "other"},
		{"third.gw.example.com", nil, ""},
		{"docs", []string{"docs", "other"}, ""},
		{"docs", []string{"docs,other"}, ""},
		{"docs", []string{""}, ""},
		{"DOCS", nil, ""},
	} {
		h := http.Header{"X-Forwarded-Host": {"other"}}
		if x.named != nil {
			h["X-Vecgate-Target"] = x.named
		}
		got := post(t, w.Address, s.Read.Method, x.authority, h, framed(0, b))
		mu.Lock()
		as := strings.Join(reached, " ")
		reached = nil
		mu.Unlock()
		if as != x.want || x.want == "" && got.Get("X-Vecgate-Code") != string(access.CodeScope) {
			t.Errorf("%s %q: judged as %q, %v", x.authority, x.named, as, got)
		}
	}
	if n := len(w.All()); n > 0 {
		t.Errorf("%d calls reached a target", n)
	}
}
