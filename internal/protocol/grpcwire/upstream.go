package grpcwire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
	"github.com/vecgate/vecgate/internal/vault"
)

// How long a target may take.
const (
	dialing   = 10 * time.Second
	answering = 10 * time.Minute // until its answer begins
	quiet     = 30 * time.Second // until a silent connection is asked whether it still stands
)

// maxLookup is the longest answer to what the gateway itself asks.
const maxLookup = 4 << 20

// transport makes the connections to a target: HTTP/2 only, no proxy of the environment, nothing sent twice.
func transport(t Target) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(t.TLS != nil)
	protocols.SetUnencryptedHTTP2(t.TLS == nil)
	return &http.Transport{
		DialContext:     (&net.Dialer{Timeout: dialing}).DialContext,
		TLSClientConfig: t.TLS, TLSHandshakeTimeout: dialing, Protocols: protocols, HTTP2: &http.HTTP2Config{SendPingTimeout: quiet},
		DisableCompression: true, ResponseHeaderTimeout: answering, IdleConnTimeout: 5 * time.Minute, MaxResponseHeaderBytes: 64 << 10,
	}
}

// answer is what comes back of a call.
type answer struct {
	frames
	resp   *http.Response
	cancel context.CancelFunc
}

// send carries a call to the target with the gateway's credential.
func (t *target) send(ctx context.Context, s *Server, method string, metadata map[string]string, body io.Reader, c vault.Credential) (*answer, error) {
	u := &url.URL{Scheme: "http", Host: t.Address, Path: method}
	if t.TLS != nil {
		u.Scheme = "https"
	}
	r := &http.Request{Method: http.MethodPost, URL: u, Host: t.Address, Header: http.Header{}, ContentLength: -1, Body: io.NopCloser(body)}
	if whole, ok := body.(*bytes.Reader); ok {
		// Sent again only when the target said that it did not look at it.
		r.GetBody = func() (io.ReadCloser, error) {
			again := *whole
			_, err := again.Seek(0, io.SeekStart)
			return io.NopCloser(&again), err
		}
	}
	for name, value := range metadata {
		r.Header.Set(name, value)
	}
	r.Header.Set("Content-Type", "application/grpc")
	r.Header.Set("Te", "trailers")
	r.Header.Set("User-Agent", "vecgate")
	r.Header.Set("Grpc-Accept-Encoding", "identity")
	if deadline, ok := ctx.Deadline(); ok {
		r.Header.Set("Grpc-Timeout", strconv.FormatInt(min(max(time.Until(deadline).Milliseconds(), 1), 99999999), 10)+"m")
	}
	t.show(r.Header, c.User, c.Secret.Reveal())
	ctx, cancel := context.WithCancel(ctx)
	resp, err := t.client.RoundTrip(r.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, t.silent(err)
	}
	a := &answer{resp: resp, cancel: cancel, frames: frames{
		from: resp.Body, encoding: resp.Header.Get("Grpc-Encoding"), most: s.config.Limits.Answer, budget: s.answers,
	}}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode != http.StatusOK || kind != "application/grpc" && !strings.HasPrefix(kind, "application/grpc+") {
		a.close()
		return nil, t.silent(fmt.Errorf("status %d, content type %q", resp.StatusCode, kind))
	}
	return a, nil
}

func (t *target) silent(err error) error {
	return &access.Refusal{Code: access.CodeUnavailable, Message: fmt.Sprintf("target %s does not answer", t.Gate.Name), Err: err}
}

// close ends the call, whether or not its answer was read to the end.
func (a *answer) close() {
	a.cancel()
	_ = a.resp.Body.Close()
	a.release()
}

// status is how the call ended; it is known once the answer was read to its end.
func (a *answer) status() *status.Status {
	if s := statusOf(a.resp.Trailer); s != nil {
		return s
	}
	return statusOf(a.resp.Header)
}

// ask looks something up on the gateway's own account.
func (x *exchange) ask(ctx context.Context, method string, request, response proto.Message) error {
	c, err := x.lease(ctx)
	if err != nil {
		return err
	}
	return x.target.ask(ctx, x.server, method, request, response, c)
}

// lease is the credential for what the gateway itself asks.
func (x *exchange) lease(ctx context.Context) (vault.Credential, error) {
	c, err := x.session.Lease(ctx)
	if err != nil {
		return c, err
	}
	return x.target.Narrow.ForReading(c, x.session.Subject().ID, x.target.Gate.Name, x.judged)
}

// look looks something up at the target's HTTP interface.
func (x *exchange) look(ctx context.Context, path string) (int, jsonstream.Value, error) {
	c, err := x.lease(ctx)
	if err != nil {
		return 0, jsonstream.Value{}, err
	}
	return x.target.Look(ctx, c, path)
}

func (t *target) ask(ctx context.Context, s *Server, method string, request, response proto.Message, c vault.Credential) error {
	ctx, cancel := context.WithTimeout(ctx, dialing)
	defer cancel()
	b, err := appendFrame(nil, request)
	if err != nil {
		return err
	}
	a, err := t.send(ctx, s, method, nil, bytes.NewReader(b), c)
	if err != nil {
		return err
	}
	defer a.close()
	a.most = maxLookup
	message, err := a.next()
	if err == nil {
		if _, end := a.next(); !errors.Is(end, io.EOF) {
			return t.silent(errors.New("it answers " + method + " with more than one message"))
		}
	} else if !errors.Is(err, io.EOF) {
		return t.silent(err)
	}
	switch st := a.status(); {
	case st == nil:
		return t.silent(errors.New("its answer has no status"))
	case st.Code() != codes.OK:
		return st.Err()
	}
	if message == nil && err != nil {
		return t.silent(errors.New("it answers " + method + " with nothing"))
	}
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(message, response); err != nil {
		return fmt.Errorf("look up %s: %w", method, err)
	}
	return nil
}
