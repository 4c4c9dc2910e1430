package httpwire_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

// squeezed is a text in each encoding that servers and clients have. Of br there is a text that is none.
func squeezed(t *testing.T, text string) map[string]string {
	t.Helper()
	out := map[string]string{"br": "\x0b\x02\x80" + text + "\x03", "identity": text, "": text, "compress": text, "unheard-of": text}
	pack := func(name string, open func(io.Writer) (io.WriteCloser, error)) {
		var b bytes.Buffer
		z, err := open(&b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(z, text); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		out[name] = b.String()
	}
	pack("gzip", func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil })
	pack("x-gzip", func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil })
	pack("GZIP", func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil })
	pack("zstd", func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) })
	pack("deflate", func(w io.Writer) (io.WriteCloser, error) { return zlib.NewWriter(w), nil })
	pack("gzip, deflate", func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) })
	return out
}

// Some engines inflate a document (Qdrant's server does), others do not: what was judged would not be what is read. Nothing
// is inflated here either, so that there are no bombs.
func TestCompressedDocumentsAreRefusedInEveryEncoding(t *testing.T) {
	w := world(t, `{}`, nil)
	for what, text := range map[string]string{"a document": `{"k":1}`, "a bomb": `{"k":"` + strings.Repeat("0", 8<<20) + `"}`} {
		for encoding, body := range squeezed(t, text) {
			r := search
			r.Body = body
			r.Header = http.Header{"Authorization": {"Bearer " + protocoltest.Token}, "Content-Type": {"application/json"}, "Content-Encoding": {encoding}}
			if a := w.Do(t.Context(), r); a.Header.Get("X-Vecgate-Code") != string(access.CodeUnclear) {
				t.Errorf("%s in %q: %v", what, encoding, a)
			}
			if encoding == "identity" || encoding == "" || encoding == "compress" || encoding == "unheard-of" {
				continue
			}
			r.Header.Del("Content-Encoding") // without saying so
			if a := w.Do(t.Context(), r); a.Header.Get("X-Vecgate-Code") != string(access.CodeUnclear) {
				t.Errorf("%s in %q that is not announced: %v", what, encoding, a)
			}
		}
	}
	if n := len(w.All()); n > 0 {
		t.Errorf("%d requests reached the target", n)
	}
}

// A transfer encoding is not taken off by anybody who did not announce it.
func TestOtherTransferEncodingsAreRefused(t *testing.T) {
	w := world(t, `{}`, nil)
	for _, how := range []string{
		"Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
		"Content-Length: 7\r\nContent-Length: 8\r\n", "Content-Length: +7\r\n",
	} {
		said := raw(t, w, "POST /search HTTP/1.1\r\nHost: docs\r\nConnection: close\r\nAuthorization: Bearer "+protocoltest.Token+"\r\nContent-Type: application/json\r\n"+how+"\r\n7\r\n{\"k\":1}\r\n0\r\n\r\n")
		if !strings.HasPrefix(said, "HTTP/1.1 4") && !strings.HasPrefix(said, "HTTP/1.1 501") {
			t.Errorf("%q: %.200s", how, said)
		}
	}
	if n := len(w.All()); n > 0 {
		t.Errorf("%d requests reached the target", n)
	}
}

// What proxies and servers have read differently, so that one saw one request and the other two.
func TestFramesThatServersReadDifferentlyAreRefusedOrReadOnce(t *testing.T) {
	const smuggled = "POST /search HTTP/1.1\r\nHost: docs\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"k\":9}"
	head := "POST /search HTTP/1.1\r\nHost: docs\r\nConnection: close\r\nAuthorization: Bearer " + protocoltest.Token + "\r\nContent-Type: application/json\r\n"
	const chunked, length = "Transfer-Encoding: chunked\r\n", "Content-Length: 7\r\n"
	const body, chunks = `{"k":1}`, "7\r\n{\"k\":1}\r\n0\r\n\r\n"
	for name, sent := range map[string]string{
		"a space before the colon":         head + "Transfer-Encoding : chunked\r\n" + length + "\r\n" + chunks,
		"a folded header":                  head + "Transfer-Encoding:\r\n chunked\r\n" + length + "\r\n" + chunks,
		"a tab before chunked":             head + "Transfer-Encoding:\tchunked\r\n" + length + "\r\n" + chunks,
		"chunked in quotes":                head + "Transfer-Encoding: \"chunked\"\r\n\r\n" + chunks,
		"xchunked":                         head + "Transfer-Encoding: xchunked\r\n" + length + "\r\n" + body,
		"the same length twice":            head + length + length + "\r\n" + body,
		"two lengths in one":               head + "Content-Length: 7, 7\r\n\r\n" + body,
		"a length in hex":                  head + "Content-Length: 0x7\r\n\r\n" + body,
		"a negative length":                head + "Content-Length: -7\r\n\r\n" + body,
		"a length with an underscore":      head + "Content-Length: 0_7\r\n\r\n" + body,
		"a carriage return in a header":    head + "X-A: b\rContent-Length: 0\r\n" + length + "\r\n" + body,
		"a null in a header":               head + "X-A: b\x00c\r\n" + length + "\r\n" + body,
		"line feeds alone after headers":   strings.ReplaceAll(head, "\r\n", "\n") + "Content-Length: 7\n\n" + body,
		"an extension of a chunk":          head + chunked + "\r\n7;a=b\r\n" + body + "\r\n0\r\n\r\n",
		"an extension with a line feed":    head + chunked + "\r\n7;a\n" + body + "\r\n0\r\n\r\n",
		"a chunk that ends in a line feed": head + chunked + "\r\n7\n" + body + "\n0\n\n",
		"a chunk that ends in two letters": head + chunked + "\r\n7\r\n" + body + "xx0\r\n\r\n",
		"a chunk of a signed length":       head + chunked + "\r\n+7\r\n" + body + "\r\n0\r\n\r\n",
		"a chunk of a length with 0x":      head + chunked + "\r\n0x7\r\n" + body + "\r\n0\r\n\r\n",
		"a chunk longer than 64 bits":      head + chunked + "\r\n10000000000000007\r\n" + body + "\r\n0\r\n\r\n",
		"chunks in HTTP/1.0":               strings.Replace(head, "HTTP/1.1", "HTTP/1.0", 1) + chunked + length + "\r\n" + chunks,
		"a host in another case, twice":    head + "hOST: other\r\n" + length + "\r\n" + body,
	} {
		w := world(t, `{}`, nil)
		said := raw(t, w, sent+smuggled)
		// Whatever is taken is one request with one body, and what follows has no credential.
		if n := strings.Count(said, "HTTP/1.1 200") + strings.Count(said, "HTTP/1.0 200"); n > 1 {
			t.Errorf("%s: %d answers: %.600s", name, n, said)
		}
		got := w.All()
		if len(got) > 1 {
			t.Errorf("%s: %d requests reached the target", name, len(got))
		}
		for _, r := range got {
			if r.Body != body || r.Header.Get("Transfer-Encoding") != "" || r.Header.Get("X-A") != "" {
				t.Errorf("%s: the target got %q %v", name, r.Body, r.Header)
			}
		}
		t.Logf("%s: %.30q, %d sent on", name, said, len(got))
	}
}

// A body in chunks that also announces a length is its chunks (RFC 9112, 6.3): what is sent on is one document with its
// own length, and what follows it is a request that needs a credential of its own.
func TestABodyInChunksWithALengthTooIsItsChunks(t *testing.T) {
	for _, length := range []string{"", "Content-Length: 3\r\n"} {
		w := world(t, `{}`, nil)
		second := "POST /search HTTP/1.1\r\nHost: docs\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"k\":2}"
		said := raw(t, w, "POST /search HTTP/1.1\r\nHost: docs\r\nAuthorization: Bearer "+protocoltest.Token+
			"\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"+length+"\r\n7\r\n{\"k\":1}\r\n0\r\n\r\n"+second)
		if !strings.HasPrefix(said, "HTTP/1.1 200") || strings.Count(said, "HTTP/1.1 200") != 1 {
			t.Errorf("%q: %.600s", length, said)
		}
		for i, r := range w.All() {
			if i > 0 || string(r.Body) != `{"k":1}` || r.Header.Get("Transfer-Encoding") != "" {
				t.Errorf("%q: the target got %q %v", length, r.Body, r.Header)
			}
		}
	}
}

// raw sends bytes, and reads what is answered until the connection ends.
func raw(t *testing.T, w *protocoltest.World, text string) string {
	t.Helper()
	conn, err := net.DialTimeout("tcp", w.Address(), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("%.100q: %v", text, err)
	}
	return string(said)
}

func TestCompressedAnswersAreWithheldInEveryEncoding(t *testing.T) {
	mask := func(*httpwire.Request, *access.Obligations) (*httpwire.Obliged, error) {
		return &httpwire.Obliged{Mask: &jsonstream.Node{Fields: map[string]*jsonstream.Node{"x": {Treatment: access.Treatment{Mask: access.MaskNull}}}}}, nil
	}
	for name, oblige := range map[string]func(*httpwire.Request, *access.Obligations) (*httpwire.Obliged, error){"masked": mask, "as it is": nil} {
		w := world(t, `{}`, oblige)
		for encoding, body := range squeezed(t, `{"x":"`+protocoltest.Canary+`"}`) {
			for _, headers := range [][]string{{encoding}, {"identity", encoding}} {
				for _, status := range []int{http.StatusOK, http.StatusBadRequest} {
					w.Upstream(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
						rw.Header()["Content-Encoding"] = headers
						rw.Header().Set("Content-Type", "application/json")
						rw.WriteHeader(status)
						_, _ = io.WriteString(rw, body)
					}))
					a := w.Do(t.Context(), search)
					plain := encoding == "" || encoding == "identity"
					if code := a.Header.Get("X-Vecgate-Code"); (code == string(access.CodeObligation)) == plain || !plain && strings.Contains(a.Body, body) || a.Header.Get("Content-Encoding") != "" {
						t.Errorf("%s, status %d in %q: %v %q", name, status, headers, a, code)
					}
					if plain && oblige != nil && status == http.StatusOK && strings.Contains(a.Body, protocoltest.Canary) {
						t.Errorf("%s, in %q: %v", name, headers, a)
					}
				}
			}
		}
	}
}

// The target is the listener's, or the one that the path names, whatever else a request says of a host.
func TestAHostThatARequestNamesDecidesNothing(t *testing.T) {
	w := world(t, "", nil)
	w.Upstream(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(rw, `{"host":%q}`, r.Host)
	}))
	head := "Connection: close\r\nAuthorization: Bearer " + protocoltest.Token + "\r\nContent-Type: application/json\r\nContent-Length: 7\r\n"
	for _, x := range []struct{ line, headers string }{
		{"POST /search", "Host: elsewhere.svc.pinecone.io\r\n"},
		{"POST /search", "Host: docs\r\nX-Forwarded-Host: elsewhere.svc.pinecone.io\r\nX-Forwarded-Proto: http\r\nForwarded: host=elsewhere.svc.pinecone.io\r\n"},
		{"POST /search", "Host: docs\r\nX-Original-Url: /elsewhere\r\nX-Rewrite-Url: /elsewhere\r\nX-Host: elsewhere\r\nX-Http-Host-Override: elsewhere\r\n"},
		{"POST /search", "Host: 169.254.169.254:80\r\n"},
	} {
		before := len(w.All())
		said := raw(t, w, x.line+" HTTP/1.1\r\n"+x.headers+head+"\r\n{\"k\":1}")
		got := w.All()
		if !strings.HasPrefix(said, "HTTP/1.1 200") || strings.Contains(said, "elsewhere") || !strings.Contains(said, `{"host":"127.0.0.1:`) || len(got) != before+1 || got[before].URI != "/search" {
			t.Errorf("%s %q: %.100q", x.line, x.headers, said)
			continue
		}
		for name, values := range got[before].Header {
			if text := fmt.Sprint(name, values); strings.Contains(strings.ToLower(text), "elsewhere") || strings.Contains(strings.ToLower(name), "host") {
				t.Errorf("%s %q: %s reached the target", x.line, x.headers, text)
			}
		}
	}
	before := len(w.All())
	for _, x := range []struct{ line, headers string }{
		{"POST http://elsewhere.svc.pinecone.io/search", "Host: docs\r\n"},
		{"POST https://docs/search", "Host: docs\r\n"},
		{"POST //elsewhere.svc.pinecone.io/search", "Host: docs\r\n"},
		{"POST elsewhere.svc.pinecone.io:443", "Host: docs\r\n"},
		{"CONNECT elsewhere.svc.pinecone.io:443", "Host: elsewhere.svc.pinecone.io:443\r\n"},
		{"POST *", "Host: docs\r\n"},
		{"POST /search", "Host: docs\r\nHost: elsewhere\r\n"},
		{"POST /search", ""},
		{"POST /search", "Host: a/b\r\n"},
	} {
		if said := raw(t, w, x.line+" HTTP/1.1\r\n"+x.headers+head+"\r\n{\"k\":1}"); !strings.HasPrefix(said, "HTTP/1.1 4") {
			t.Errorf("%s %q: %.200q", x.line, x.headers, said)
		}
	}
	if n := len(w.All()); n > before {
		t.Errorf("%d requests reached the target", n-before)
	}
}
