package login

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Browser signs a person in with a browser on this machine: it listens on a loopback port (RFC 8252) and waits for the
// provider to send the browser there. show gets the address to go to; opening it is the caller's business.
func (c *Client) Browser(ctx context.Context, show func(address string)) (*Tokens, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the browser: %w", err)
	}
	defer l.Close()
	host := l.Addr().String()
	started, err := c.Begin(ctx, "http://"+host+"/callback")
	if err != nil {
		return nil, err
	}
	answers := make(chan url.Values, 1)
	result := make(chan error, 1)
	server := &http.Server{Handler: callback(host, started.State, answers, result), ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 64 << 10}
	served := make(chan struct{})
	go func() { _ = server.Serve(l); close(served) }()
	defer func() {
		// The last page is still on its way to the browser.
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if server.Shutdown(end) != nil {
			server.Close()
		}
		<-served
	}()
	show(started.URL)
	select {
	case a := <-answers:
		t, err := c.Finish(ctx, started, a)
		result <- err
		return t, err
	case <-ctx.Done():
		return nil, fmt.Errorf("sign-in was not finished: %w", context.Cause(ctx))
	}
}

// callback takes one answer. Requests with another state are somebody else's and change nothing.
func callback(host, state string, answers chan<- url.Values, result <-chan error) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /callback", func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; img-src data:; style-src 'sha256-"+styleHash+"'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		q := r.URL.Query()
		if r.Host != host || q.Get("state") != state {
			w.WriteHeader(http.StatusBadRequest)
			_ = finished.Execute(w, errors.New("this answer belongs to another sign-in"))
			return
		}
		select {
		case answers <- q:
		default:
			w.WriteHeader(http.StatusConflict)
			_ = finished.Execute(w, errors.New("this sign-in was already answered"))
			return
		}
		select {
		case err := <-result:
			if err != nil {
				w.WriteHeader(http.StatusBadRequest)
			}
			_ = finished.Execute(w, err)
		case <-r.Context().Done():
		}
	})
	return mux
}

// style is all of the last page's looks; the policy of the page names it by its digest.
const style = `body{margin:12vh auto;max-width:30rem;padding:0 1rem;font:16px/1.5 system-ui,sans-serif;background:Canvas;color:CanvasText}h1{font-size:1.5rem}`

var styleHash = func() string {
	sum := sha256.Sum256([]byte(style))
	return base64.StdEncoding.EncodeToString(sum[:])
}()

var finished = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>vecgate</title>
<style>` + style + `</style>
</head>
<body>
{{if .}}<h1>Not signed in</h1>
<p role="alert">{{.}}</p>
<p>Go back to the terminal and try again.</p>{{else}}<h1>Signed in</h1>
<p role="status">You can close this page and go back to the terminal.</p>{{end}}
</body>
</html>
`))
