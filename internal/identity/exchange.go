package identity

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/identity/token"
)

// Names of RFC 8693, and one of our own for a name and password to use with SCRAM.
const (
	GrantExchange   = "urn:ietf:params:oauth:grant-type:token-exchange"
	TypeJWT         = "urn:ietf:params:oauth:token-type:jwt"
	TypeIDToken     = "urn:ietf:params:oauth:token-type:id_token"
	TypeAccessToken = "urn:ietf:params:oauth:token-type:access_token"
	TypeSecret      = "urn:vecgate:token-type:secret"
)

// Exchanged is the answer to an exchange (RFC 8693 section 2.2.1). For a secret, Token is the password and Username the
// name to sign in with.
type Exchanged struct {
	Token      string `json:"access_token"`
	IssuedType string `json:"issued_token_type"`
	TokenType  string `json:"token_type"`
	ExpiresIn  int64  `json:"expires_in"`
	Scope      string `json:"scope,omitempty"`
	Username   string `json:"username,omitempty"`
}

// exchangeFields are the fields of an exchange; any other is refused, so that a narrowing that was misspelt is not lost.
var exchangeFields = []string{
	"grant_type", "subject_token", "subject_token_type", "actor_token", "actor_token_type", "requested_token_type", "scope", "audience",
	"resource", "ticket", "lifetime", "client_id",
}

// exchange answers POST /token.
func (r *Registry) exchange(w http.ResponseWriter, q *http.Request) {
	q.Body = http.MaxBytesReader(w, q.Body, 64<<10)
	if err := q.ParseForm(); err != nil {
		oauthError(w, http.StatusBadRequest, "invalid_request", "the form cannot be read or is too long")
		return
	}
	out, s, err := r.exchanged(q.Context(), q)
	if err == nil && r.SignedIn != nil {
		err = r.SignedIn(q.Context(), s, clientAddress(q))
	}
	if err == nil {
		reply(w, http.StatusOK, out)
		return
	}
	refusal := r.told(q, err)
	if r.Refused != nil {
		r.Refused(q.Context(), refusal, clientAddress(q))
	}
	r.refuse(w, refusal)
}

// told returns the refusal inside an error; any other error stays in the operator's log.
func (r *Registry) told(q *http.Request, err error) *access.Refusal {
	if refusal, ok := errors.AsType[*access.Refusal](err); ok {
		return refusal
	}
	r.log.ErrorContext(q.Context(), "identity endpoint", "path", q.URL.Path, "error", err)
	return &access.Refusal{Code: access.CodeInternal, Message: "internal error; the operator's log has the details", Err: err}
}

func (r *Registry) refuse(w http.ResponseWriter, refusal *access.Refusal) {
	description := refusal.Message
	if refusal.Hint != "" {
		description += "; " + refusal.Hint
	}
	switch refusal.Code {
	case access.CodeInternal, access.CodeNotRecorded, access.CodeUnavailable:
		oauthError(w, http.StatusInternalServerError, "server_error", description)
	case access.CodeExpired:
		oauthError(w, http.StatusBadRequest, "invalid_grant", description)
	default:
		oauthError(w, http.StatusBadRequest, "invalid_request", description)
	}
}

func (r *Registry) exchanged(ctx context.Context, q *http.Request) (*Exchanged, *access.Subject, error) {
	form := q.PostForm
	// 1. Read strictly: every field known, and once.
	for name, values := range form {
		if !slices.Contains(exchangeFields, name) {
			return nil, nil, badAsk("unknown field %q", short(name))
		}
		if len(values) > 1 && name != "audience" && name != "resource" {
			return nil, nil, badAsk("field %s is given twice", name)
		}
	}
	if form.Get("grant_type") != GrantExchange {
		return nil, nil, badAsk("grant_type must be %s", GrantExchange)
	}
	ask := token.Ask{Scopes: strings.Fields(form.Get("scope")), Ticket: form.Get("ticket")}
	ask.Targets = append(slices.Clone(form["audience"]), form["resource"]...)
	if v := form.Get("lifetime"); v != "" {
		seconds, err := strconv.Atoi(v)
		if err != nil || seconds <= 0 || seconds > 24*60*60 {
			return nil, nil, badAsk("lifetime %q is not a number of seconds", short(v))
		}
		ask.Lifetime = time.Duration(seconds) * time.Second
	}
	// 2. Who asks, and on whose behalf.
	if !tokenType(form.Get("subject_token_type")) || form.Get("actor_token") != "" && !tokenType(form.Get("actor_token_type")) {
		return nil, nil, badAsk("the token type must be %s, %s or %s", TypeJWT, TypeIDToken, TypeAccessToken)
	}
	s, err := r.token(ctx, form.Get("subject_token"), false)
	if err != nil {
		return nil, nil, err
	}
	if raw := form.Get("actor_token"); raw != "" {
		if ask.Actor, err = r.token(ctx, raw, false); err != nil {
			return nil, nil, err
		}
		if ask.Actor.Actor != nil {
			return nil, nil, badAsk("the actor's token has somebody acting on its behalf")
		}
	}
	// 3. What they get.
	switch form.Get("requested_token_type") {
	case "", TypeAccessToken, TypeJWT:
		raw, as, err := r.tokens.Mint(s, ask)
		if err != nil {
			return nil, nil, err
		}
		return &Exchanged{
			Token: raw, IssuedType: TypeAccessToken, TokenType: "Bearer", ExpiresIn: r.seconds(as), Scope: strings.Join(as.Scopes, " "),
		}, as, nil
	case TypeSecret:
		as, err := r.tokens.Narrow(s, ask)
		if err != nil {
			return nil, nil, err
		}
		name, password, err := r.secrets.Mint(ctx, as, as.Expires)
		if err != nil {
			return nil, nil, err
		}
		as.Credential = name
		return &Exchanged{
			Token: password, IssuedType: TypeSecret, TokenType: "N_A", ExpiresIn: r.seconds(as), Scope: strings.Join(as.Scopes, " "), Username: name,
		}, as, nil
	}
	return nil, nil, badAsk("requested_token_type must be %s or %s", TypeAccessToken, TypeSecret)
}

func (r *Registry) seconds(s *access.Subject) int64 {
	return int64(s.Expires.Sub(r.now()) / time.Second)
}

func tokenType(t string) bool {
	return t == TypeJWT || t == TypeIDToken || t == TypeAccessToken
}

func badAsk(format string, args ...any) *access.Refusal {
	return &access.Refusal{Code: access.CodeIdentity, Message: fmt.Sprintf(format, args...)}
}

func oauthError(w http.ResponseWriter, status int, code, description string) {
	reply(w, status, map[string]string{"error": code, "error_description": description})
}

func clientAddress(q *http.Request) string {
	host, _, err := net.SplitHostPort(q.RemoteAddr)
	if err != nil {
		return q.RemoteAddr
	}
	return host
}
