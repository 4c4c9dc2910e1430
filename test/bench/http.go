package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/vecgate/vecgate/test/ports"
	"github.com/vecgate/vecgate/test/stage"
)

// dimension is how many floats a vector of the HTTP workloads has.
const dimension = 1536

// canned is an upstream that answers at once with what it has ready, so that proxies are measured and not a database. It
// speaks as much of Chroma's protocol as the workloads need.
type canned struct {
	address string
	search  []byte // ten hits without vectors
	vectors []byte // ten hits with vectors
}

const (
	cannedID   = "a3ef8743-8229-4dca-aae9-6c603523012b"
	cannedPath = "/api/v2/tenants/default_tenant/databases/default_database/collections/" + cannedID
)

func startCanned(ctx context.Context) (*canned, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &canned{address: ln.Addr().String(), search: hits(10, false), vectors: hits(10, true)}
	server := &http.Server{Handler: c, ReadHeaderTimeout: time.Minute}
	context.AfterFunc(ctx, func() { server.Close() })
	go func() { _ = server.Serve(ln) }() // ends with ctx
	return c, nil
}

// ServeHTTP implements http.Handler.
func (c *canned) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	answer := []byte("{}")
	switch {
	case strings.Contains(r.URL.Path, "/by-id/"):
		answer = fmt.Appendf(nil, `{"id":%q,"name":"items","tenant":"default_tenant","database":"default_database"}`, cannedID)
	case strings.HasSuffix(r.URL.Path, "/query") && bytes.Contains(body, []byte(`"embeddings"`)):
		answer = c.vectors
	case strings.HasSuffix(r.URL.Path, "/query"):
		answer = c.search
	case strings.HasSuffix(r.URL.Path, "/get"):
		w.Header().Set("Content-Type", "application/json")
		records(w, body)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	_, _ = w.Write(answer)
}

// records streams as many records as the request's limit says, of about 1 kB each.
func records(w io.Writer, body []byte) {
	_, after, _ := bytes.Cut(body, []byte(`"limit":`))
	limit := 0
	_, _ = fmt.Sscan(string(after), &limit)
	record := []byte(`{"email":"somebody@example.com","text":"` + strings.Repeat("some words and others ", 42) + `"}`)
	_, _ = io.WriteString(w, `{"ids":[],"embeddings":null,"documents":null,"uris":null,"metadatas":[`)
	for i := range limit {
		if i > 0 {
			_, _ = io.WriteString(w, ",")
		}
		_, _ = w.Write(record)
	}
	_, _ = io.WriteString(w, `],"include":["metadatas"]}`)
}

// hits is an answer to a search.
func hits(n int, vectors bool) []byte {
	var ids, texts, metadata, distances, embeddings []string
	for i := range n {
		ids = append(ids, fmt.Sprintf(`"item-%d"`, i))
		texts = append(texts, `"a text of a hundred letters or so, as a passage of a document has, to be shown to the person who asked"`)
		metadata = append(metadata, fmt.Sprintf(`{"email":"person%d@example.com","page":%d,"source":"handbook"}`, i, i))
		distances = append(distances, fmt.Sprintf("0.%d2345", i))
		embeddings = append(embeddings, vector())
	}
	list := func(items []string) string { return "[[" + strings.Join(items, ",") + "]]" }
	e := "null"
	if vectors {
		e = list(embeddings)
	}
	return fmt.Appendf(nil, `{"ids":%s,"embeddings":%s,"documents":%s,"uris":null,"metadatas":%s,"distances":%s}`,
		list(ids), e, list(texts), list(metadata), list(distances))
}

func vector() string {
	var b strings.Builder
	for i := range dimension {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%.6f", rand.Float64()-0.5)
	}
	return "[" + b.String() + "]"
}

// job is one HTTP workload.
type job struct{ name, path, body string }

func jobs() []job {
	var ids, vectors, metadata []string
	for i := range 100 {
		ids = append(ids, fmt.Sprintf(`"item-%d"`, i))
		vectors = append(vectors, vector())
		metadata = append(metadata, fmt.Sprintf(`{"email":"person%d@example.com","page":%d}`, i, i))
	}
	query := func(include string) string {
		return fmt.Sprintf(`{"query_embeddings":[%s],"n_results":10,"include":[%s]}`, vector(), include)
	}
	return []job{
		{"search, 10 hits", cannedPath + "/query", query(`"documents","metadatas","distances"`)},
		{"search, 10 hits with vectors", cannedPath + "/query", query(`"documents","metadatas","distances","embeddings"`)},
		{"upsert of 100 vectors", cannedPath + "/upsert", fmt.Sprintf(`{"ids":[%s],"embeddings":[%s],"metadatas":[%s]}`,
			strings.Join(ids, ","), strings.Join(vectors, ","), strings.Join(metadata, ","))},
	}
}

// way is one way from the caller to the upstream.
type way struct {
	name    string
	address string
	token   string
	pids    func() []int
}

func (w way) request(j job) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", j.path, w.address, len(j.body))
	if w.token != "" {
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", w.token)
	}
	b.WriteString("\r\n")
	b.WriteString(j.body)
	return b.Bytes()
}

const httpPolicy = `
allow:
  - {name: everything, who: {groups: [Vector-Read]}, can: ["*"], on: ["docs/**"]}
protect:
  - {name: personal-data, fields: ["**.email"], mask: redact}
  - {name: vectors-are-shown, vectors: allow}
`

// http measures the HTTP front end beside HAProxy, and reports.
func (f *field) http(ctx context.Context, p plan) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	upstream, err := startCanned(ctx)
	if err != nil {
		return "", err
	}
	ways := []way{{name: "direct", address: upstream.address}}
	proxy, err := f.haproxyHTTP(ctx, "HAProxy HTTP", "", upstream.address)
	if err != nil {
		return "", err
	}
	ways = append(ways, proxy)
	var gateway *stage.Stage
	for _, reads := range []string{"before-forward", "before-release"} {
		s, err := stage.Open(ctx, stage.Options{
			Listeners: []stage.Listener{{Name: "rest", Protocol: "http"}}, Policy: httpPolicy, Reads: reads,
			Targets: []stage.Target{{Name: "docs", Engine: "chroma", Address: upstream.address}},
		})
		if err != nil {
			return "", err
		}
		defer s.Close()
		token, err := s.Token(ctx, "sam")
		if err != nil {
			return "", err
		}
		ways = append(ways, way{"vecgate " + reads, s.Address["rest"], token, func() []int { return []int{s.Process.PID()} }})
		gateway = s
	}

	all := jobs()
	names := make([]string, len(all))
	for i, j := range all {
		names[i] = j.name
	}
	out, err := f.loads(ctx, p, "http", names, ways, func(job int, w way) (caller, error) { return dialHTTP(w.address, w.request(all[job])) })
	if err != nil {
		return "", err
	}
	text := httpReport(p, names, ways, out)
	if p.idle == 0 {
		return text, nil
	}
	growth, err := growth(ways[len(ways)-1], gateway)
	return text + growth, err
}

// growth reads how much memory answers of two sizes take at most.
func growth(w way, s *stage.Stage) (string, error) {
	var b strings.Builder
	b.WriteString("Most resident memory of vecgate while it masks one streamed answer (a field in each record of 1 kB):\n\n| answer | MB |\n|---|---:|\n")
	for _, records := range []int{1_000, 10_000, 100_000, 400_000} {
		c, err := dialHTTP(w.address, w.request(job{path: cannedPath + "/get", body: fmt.Sprintf(`{"include":["metadatas"],"limit":%d}`, records)}))
		if err != nil {
			return "", err
		}
		_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.Process.PID()), []byte("5"), 0o200) // begins a new high-water mark, proc(5)
		err = c.call()
		c.close()
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "| %d MB | %.0f |\n", records/1000, float64(memory(s.Process.PID(), "VmHWM:"))/1024)
	}
	return b.String() + "\n", nil
}

// haproxyHTTP starts a proxy that inspects nothing; versions is empty for HTTP/1.1, and "proto h2" for HTTP/2 on both sides.
func (f *field) haproxyHTTP(ctx context.Context, name, versions, upstream string) (way, error) {
	port, err := ports.Free()
	if err != nil {
		return way{}, err
	}
	w := way{name: name, address: fmt.Sprintf("127.0.0.1:%d", port)}
	cfg := filepath.Join(f.dir, fmt.Sprintf("haproxy-%d.cfg", port))
	text := fmt.Sprintf(`global
    nbthread 2
    maxconn 4000
defaults
    mode http
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    http-reuse always
listen rest
    bind %s %s
    server upstream %s %s
`, w.address, versions, upstream, versions)
	if err := os.WriteFile(cfg, []byte(text), 0o644); err != nil {
		return way{}, err
	}
	program := "haproxy"
	if _, err := exec.LookPath(program); err != nil {
		program = "/usr/sbin/haproxy"
	}
	pid, err := f.process(ctx, w.address, program, "-db", "-f", cfg)
	w.pids = func() []int { return []int{pid} }
	return w, err
}

func httpReport(p plan, names []string, ways []way, r results) string {
	return fmt.Sprintf(`## HTTP

The upstream answers at once with what it has ready, in Chroma's protocol, within the process that makes the load: real databases answer later, and proxies weigh less.
HAProxy runs in HTTP mode and inspects nothing. vecgate reads every request, masks one field of every hit, records requests and full answers, and writes the audit log durably.
Vectors have %d floats. ms is the median. An upsert carries 1.4 MB of JSON, a search 14 kB, an answer with vectors 140 kB.

`, dimension) + loadTables(p, names, ways, r)
}
