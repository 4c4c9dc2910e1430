package postgres

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/protocol/postgres/scram"
	"github.com/vecgate/vecgate/internal/protocol/postgres/startup"
	"github.com/vecgate/vecgate/internal/protocol/postgres/wire"
)

// maxAuth is the longest message of a client that signs in, as in PostgreSQL.
const maxAuth = 65_535

const oauthBearer = "OAUTHBEARER"

// errDiscovery ends a connection that only asked where tokens come from. It is no failed sign-in.
var errDiscovery = errors.New("the client asked where to get a token")

// signIn finds out who speaks. A failure is written down, with the exception of a client that asked where tokens come from.
func (g *guest) signIn(ctx context.Context) (*access.Subject, error) {
	in := gate.SignIn{Target: g.start.Database, Client: g.address, Claimed: g.start.User}
	subject, err := g.prove(ctx, &in)
	if err == nil {
		return subject, nil
	}
	if errors.Is(err, errDiscovery) {
		g.server.log.DebugContext(ctx, "told where to get a token", "client", g.address)
		return nil, &access.Refusal{Code: access.CodeIdentity, Message: "no token was given", Hint: "get one from the provider, or with: vecgate token"}
	}
	if errors.Is(err, errGone) {
		return nil, err
	}
	refusal, ok := errors.AsType[*access.Refusal](err)
	if !ok {
		if _, isFault := errors.AsType[*startup.Fault](err); isFault {
			return nil, err
		}
		refusal = &access.Refusal{Code: access.CodeIdentity, Message: "the credential could not be verified", Err: err}
	}
	g.server.config.Gate.RefuseSignIn(context.WithoutCancel(ctx), in, refusal)
	return nil, refusal
}

// prove runs the method that the listener, the client and its name agree on.
func (g *guest) prove(ctx context.Context, in *gate.SignIn) (*access.Subject, error) {
	method, err := g.method()
	if err != nil {
		return nil, err
	}
	in.Method = string(method)
	switch method {
	case Certificate:
		return g.server.config.Identity.Certificate(ctx, g.secure.VerifiedChains[0])
	case Token:
		return g.token(ctx, in)
	}
	return g.sasl(ctx, in)
}

func (g *guest) takes(m Method) bool { return slices.Contains(g.server.config.Auth, m) }

func (g *guest) method() (Method, error) {
	certified := g.secure != nil && len(g.secure.VerifiedChains) > 0
	if asked := Method(g.start.Method); asked != "" {
		if !g.takes(asked) || asked == Certificate && !certified {
			return "", &startup.Fault{SQLSTATE: "28000", Message: fmt.Sprintf("this gateway does not take vecgate.auth=%s here", asked), Hint: "it takes " + g.methods()}
		}
		return asked, nil
	}
	if g.takes(Certificate) && certified {
		return Certificate, nil
	}
	if g.takes(Scram) && strings.HasPrefix(g.start.User, SecretPrefix) {
		return Scram, nil
	}
	for _, m := range g.server.config.Auth {
		if m != Certificate {
			return m, nil
		}
	}
	return "", &startup.Fault{SQLSTATE: "28000", Message: "connect with a client certificate", Hint: "sslcert= and sslkey= name it"}
}

func (g *guest) methods() string {
	names := make([]string, len(g.server.config.Auth))
	for i, m := range g.server.config.Auth {
		names[i] = string(m)
	}
	return strings.Join(names, ", ")
}

// ask sends an authentication request and reads the answer.
func (g *guest) ask(code byte, data []byte) ([]byte, error) {
	out, at := wire.Begin(nil, wire.Authentication)
	out = append(out, 0, 0, 0, code)
	if _, err := g.conn.Write(wire.End(append(out, data...), at)); err != nil {
		return nil, errGone
	}
	return g.answer()
}

func (g *guest) answer() ([]byte, error) {
	kind, body, err := g.in.Message(0, maxAuth)
	if errors.Is(err, wire.ErrTooBig) || errors.Is(err, wire.ErrLength) {
		return nil, &startup.Fault{SQLSTATE: "08P01", Message: err.Error()}
	}
	if err != nil {
		return nil, errGone
	}
	if kind != wire.Password {
		return nil, &startup.Fault{SQLSTATE: "08P01", Message: fmt.Sprintf("expected password response, got message type %d", kind)}
	}
	body = bytes.Clone(body)
	g.in.Discard(wire.Header + len(body))
	return body, nil
}

// The codes of authentication requests.
const (
	authCleartext = 3
	authSASL      = 10
	authContinue  = 11
	authFinal     = 12
)

// token takes a token as the password. TLS protects it, or the machine's own loopback.
func (g *guest) token(ctx context.Context, in *gate.SignIn) (*access.Subject, error) {
	body, err := g.ask(authCleartext, nil)
	if err != nil {
		return nil, err
	}
	text, err := wire.ReadText(body)
	if err != nil {
		return nil, &startup.Fault{SQLSTATE: "08P01", Message: "invalid password packet"}
	}
	if len(text) == 0 {
		return nil, &access.Refusal{Code: access.CodeIdentity, Message: "no token was given", Hint: "give one as the password: password=$(vecgate token)"}
	}
	return g.server.config.Identity.Token(ctx, string(text), *in)
}

// sasl offers the SASL mechanisms of the listener.
func (g *guest) sasl(ctx context.Context, in *gate.SignIn) (*access.Subject, error) {
	binding := endPoint(g.leaf)
	if g.secure == nil {
		binding = nil
	}
	var offers []string
	minted := Method(in.Method) == Scram
	if g.takes(Scram) && minted {
		if binding != nil {
			offers = append(offers, scram.SHA256Plus)
		}
		offers = append(offers, scram.SHA256)
	}
	if g.takes(OAuthBearer) && !minted {
		offers = append(offers, oauthBearer)
	}
	var list []byte
	for _, o := range offers {
		list = wire.Text(list, o)
	}
	body, err := g.ask(authSASL, append(list, 0))
	if err != nil {
		return nil, err
	}
	name, rest, ok := bytes.Cut(body, []byte{0})
	if !ok || len(rest) < 4 || !slices.Contains(offers, string(name)) {
		return nil, &startup.Fault{SQLSTATE: "08P01", Message: "client selected an invalid SASL authentication mechanism"}
	}
	size := int32(uint32(rest[0])<<24 | uint32(rest[1])<<16 | uint32(rest[2])<<8 | uint32(rest[3]))
	data := rest[4:]
	switch {
	case size == -1 && len(data) == 0: // the mechanism's data comes on request
		if data, err = g.ask(authContinue, nil); err != nil {
			return nil, err
		}
	case int64(size) != int64(len(data)):
		return nil, &startup.Fault{SQLSTATE: "08P01", Message: "invalid SASL initial response"}
	}
	if string(name) == oauthBearer {
		return g.bearer(ctx, in, data)
	}
	return g.scram(ctx, in, string(name), data, binding)
}

func (g *guest) scram(ctx context.Context, in *gate.SignIn, mechanism string, first, binding []byte) (*access.Subject, error) {
	verifier, err := g.server.config.Identity.Secret(ctx, g.start.User)
	if err != nil {
		return nil, err
	}
	exchange := scram.Server{Mechanism: mechanism, Binding: binding, Offered: binding != nil, Verifier: verifier}
	serverFirst, err := exchange.First(first)
	if err != nil {
		return nil, scramFault(err)
	}
	final, err := g.ask(authContinue, serverFirst)
	if err != nil {
		return nil, err
	}
	serverFinal, err := exchange.Final(final)
	if errors.Is(err, scram.ErrProof) {
		return nil, &access.Refusal{Code: access.CodeIdentity, Message: "the secret is unknown, wrong or expired", Hint: "mint one with: vecgate token --secret"}
	}
	if err != nil {
		return nil, scramFault(err)
	}
	subject, err := g.server.config.Identity.SecretSubject(ctx, g.start.User)
	if err != nil {
		return nil, err
	}
	out, at := wire.Begin(nil, wire.Authentication)
	out = wire.End(append(append(out, 0, 0, 0, authFinal), serverFinal...), at)
	if _, err := g.conn.Write(out); err != nil {
		return nil, errGone
	}
	return subject, nil
}

func scramFault(err error) error {
	if errors.Is(err, scram.ErrBinding) {
		return &access.Refusal{Code: access.CodeIdentity, Message: err.Error(), Hint: "something between client and gateway may have changed the connection"}
	}
	return &startup.Fault{SQLSTATE: "08P01", Message: err.Error()}
}

// bearer is OAUTHBEARER (RFC 7628) as PostgreSQL 18 speaks it.
func (g *guest) bearer(ctx context.Context, in *gate.SignIn, data []byte) (*access.Subject, error) {
	token, err := readBearer(data)
	if err != nil {
		return nil, &startup.Fault{SQLSTATE: "08P01", Message: "malformed OAUTHBEARER message"}
	}
	refused := errDiscovery
	if token != "" {
		subject, err := g.server.config.Identity.Token(ctx, token, *in)
		if err == nil {
			return subject, nil
		}
		refused = err
	}
	url, scope := g.server.config.Identity.Discovery()
	status, err := json.Marshal(struct {
		Status string `json:"status"`
		URL    string `json:"openid-configuration"`
		Scope  string `json:"scope"`
	}{"invalid_token", url, scope})
	if err != nil {
		return nil, err
	}
	answer, err := g.ask(authContinue, status)
	if err != nil {
		if token == "" {
			return nil, errGone
		}
		return nil, refused
	}
	if len(answer) != 1 || answer[0] != 1 {
		return nil, &startup.Fault{SQLSTATE: "08P01", Message: "malformed OAUTHBEARER message"}
	}
	return nil, refused
}

var errBearer = errors.New("malformed OAUTHBEARER message")

// readBearer reads a client's initial response; the token is empty when the client asks where to get one.
func readBearer(data []byte) (string, error) {
	text := string(data)
	if strings.IndexByte(text, 0) >= 0 {
		return "", errBearer
	}
	flag, rest, ok := strings.Cut(text, ",")
	if !ok || flag != "n" && flag != "y" {
		return "", errBearer
	}
	authzid, rest, ok := strings.Cut(rest, ",")
	if !ok || authzid != "" || !strings.HasPrefix(rest, "\x01") {
		return "", errBearer
	}
	rest = rest[1:]
	auth, found := "", false
	for {
		pair, after, ok := strings.Cut(rest, "\x01")
		if !ok {
			return "", errBearer
		}
		if pair == "" {
			if after != "" || !found {
				return "", errBearer
			}
			break
		}
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" || strings.ContainsFunc(key, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') }) ||
			strings.ContainsFunc(value, func(r rune) bool { return r != '\t' && r != '\r' && r != '\n' && (r < ' ' || r > '~') }) {
			return "", errBearer
		}
		if key == "auth" {
			if found {
				return "", errBearer
			}
			auth, found = value, true
		}
		rest = after
	}
	if auth == "" {
		return "", nil
	}
	scheme, token, ok := strings.Cut(auth, " ")
	token = strings.TrimLeft(token, " ")
	if !ok || !strings.EqualFold(scheme, "bearer") || token == "" || !tokenShape(token) {
		return "", errBearer
	}
	return token, nil
}

// tokenShape is b64token of RFC 6750.
func tokenShape(token string) bool {
	body := strings.TrimRight(token, "=")
	if body == "" {
		return false
	}
	return !strings.ContainsFunc(body, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._~+/", r)
	})
}
