package httpwire

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
	"github.com/vecgate/vecgate/internal/vault"
)

// How long a target may take.
const (
	dialing   = 10 * time.Second
	answering = 10 * time.Minute // until the head of its answer
)

// maxLookup is the longest answer to what the gateway itself asks.
const maxLookup = 4 << 20

// transport makes the connections to a target: no proxy of the environment, no redirect, no compression.
func transport(t Target) *http.Transport {
	tr := &http.Transport{
		DialContext:     dial,
		TLSClientConfig: t.TLS, TLSHandshakeTimeout: dialing, ForceAttemptHTTP2: t.TLS != nil,
		DisableCompression: true, ResponseHeaderTimeout: answering, IdleConnTimeout: 90 * time.Second,
		MaxIdleConnsPerHost: 64, WriteBufferSize: piece, ReadBufferSize: piece, MaxResponseHeaderBytes: 64 << 10, ExpectContinueTimeout: time.Second,
	}
	return tr
}

// request makes what is sent to the target: nothing in it was written by the client but the parts that were read.
func (t *target) request(ctx context.Context, method, path, query string, body []byte) (*http.Request, error) {
	plain, err := url.PathUnescape(path)
	if err != nil {
		return nil, fmt.Errorf("path %q: %w", path, err)
	}
	u := &url.URL{Scheme: "http", Host: t.Address, Path: plain, RawPath: path, RawQuery: query}
	if t.TLS != nil {
		u.Scheme = "https"
	}
	r := &http.Request{Method: method, URL: u, Host: t.Address, Header: http.Header{}, ProtoMajor: 1, ProtoMinor: 1}
	r.Header.Set("User-Agent", "vecgate")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Accept-Encoding", "identity")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
		r.Body, r.ContentLength = &whole{rest: body}, int64(len(body))
	}
	return r.WithContext(ctx), nil
}

// send carries a request to the target with the gateway's credential. An answer that could not be masked is refused.
func (t *target) send(r *http.Request, c vault.Credential) (*http.Response, error) {
	if err := t.show(r, c); err != nil {
		return nil, fmt.Errorf("show the credential: %w", err)
	}
	resp, err := t.client.RoundTrip(r)
	if err != nil {
		return nil, &access.Refusal{Code: access.CodeUnavailable, Message: fmt.Sprintf("target %s does not answer", t.Gate.Name), Err: err}
	}
	for _, e := range resp.Header.Values("Content-Encoding") {
		if e != "" && e != "identity" {
			_ = resp.Body.Close()
			return nil, &access.Refusal{Code: access.CodeObligation, Message: "the target answers compressed, although it was asked not to", Err: errors.New("content-encoding " + e)}
		}
	}
	if resp.StatusCode < 200 || resp.StatusCode >= 300 && resp.StatusCode < 400 {
		_ = resp.Body.Close()
		return nil, &access.Refusal{Code: access.CodeUnavailable, Message: fmt.Sprintf("target %s sends its clients elsewhere", t.Gate.Name), Err: fmt.Errorf("status %d", resp.StatusCode)}
	}
	return resp, nil
}

// ask looks something up on the gateway's own account.
func (x *exchange) ask(ctx context.Context, path string) (int, jsonstream.Value, error) {
	return x.lookup(ctx, http.MethodGet, path, nil)
}

// post is ask with a document.
func (x *exchange) post(ctx context.Context, path string, document jsonstream.Value) (int, jsonstream.Value, error) {
	return x.lookup(ctx, http.MethodPost, path, document.Raw())
}

func (x *exchange) lookup(ctx context.Context, method, path string, document []byte) (int, jsonstream.Value, error) {
	c, err := x.session.Lease(ctx)
	if err == nil {
		c, err = x.target.Narrow.ForReading(c, x.session.Subject().ID, x.target.Gate.Name, x.judged)
	}
	if err != nil {
		return 0, jsonstream.Value{}, err
	}
	return x.target.lookup(ctx, c, method, path, document)
}

// Look makes what asks a target with GET, on the gateway's credential, for a carrier whose own protocol does not tell it all.
func Look(t Target) func(ctx context.Context, c vault.Credential, path string) (status int, answer jsonstream.Value, err error) {
	at := &target{Target: t, client: transport(t)}
	return func(ctx context.Context, c vault.Credential, path string) (int, jsonstream.Value, error) {
		return at.lookup(ctx, c, http.MethodGet, path, nil)
	}
}

// lookup asks on the gateway's credential.
func (t *target) lookup(ctx context.Context, c vault.Credential, method, path string, document []byte) (int, jsonstream.Value, error) {
	ctx, cancel := context.WithTimeout(ctx, dialing)
	defer cancel()
	path, query, _ := strings.Cut(path, "?")
	r, err := t.request(ctx, method, path, query, document)
	if err != nil {
		return 0, jsonstream.Value{}, err
	}
	resp, err := t.send(r, c)
	if err != nil {
		return 0, jsonstream.Value{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxLookup+1))
	if err != nil || len(text) > maxLookup {
		return 0, jsonstream.Value{}, &access.Refusal{Code: access.CodeUnavailable, Message: fmt.Sprintf("target %s does not answer", t.Gate.Name), Err: err}
	}
	v, err := jsonstream.ReadInPlace(text)
	if err != nil && resp.StatusCode < 300 {
		return 0, jsonstream.Value{}, fmt.Errorf("look up %s: %w", path, err)
	}
	return resp.StatusCode, v, nil
}

// healthy asks without a credential.
func (t *target) healthy(ctx context.Context) error {
	path := t.Dialect.Health()
	r, err := t.request(ctx, http.MethodGet, cmp.Or(path, "/"), "", nil)
	if err != nil {
		return err
	}
	resp, err := t.client.RoundTrip(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	// One that asks who is there is alive.
	if path != "" && resp.StatusCode >= 300 && resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusForbidden {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return nil
}
