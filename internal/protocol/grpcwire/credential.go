package grpcwire

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
)

// Scheme is how the gateway shows its credential to a target.
type Scheme string

// The schemes. Nothing is shown when the credential has no secret.
const (
	Bearer Scheme = "bearer" // authorization: Bearer SECRET
	Basic  Scheme = "basic"  // authorization: Basic USER:SECRET
	APIKey Scheme = "api-key"
	Milvus Scheme = "milvus" // authorization: USER:SECRET in base64 without a word before it, or SECRET alone
)

// credential returns the one token that came with a call. Two are refused, even when they are equal: a call must not be
// one person's here and another's there.
func credential(h http.Header) (string, *access.Refusal) {
	var found []string
	for _, v := range h.Values("Authorization") {
		scheme, rest, two := strings.Cut(v, " ")
		switch {
		case two && strings.EqualFold(scheme, "bearer"):
			found = append(found, strings.TrimSpace(rest))
		case two:
			return "", noToken("the authorization metadata has a scheme other than Bearer")
		case v == "" || strings.EqualFold(v, "bearer"):
			found = append(found, "")
		default: // as clients of Milvus write it
			text, err := base64.StdEncoding.DecodeString(v)
			if err != nil {
				return "", noToken("the authorization metadata is not well-formed")
			}
			token := string(text)
			if _, password, pair := strings.Cut(token, ":"); pair {
				token = password
			}
			found = append(found, token)
		}
	}
	found = append(found, h.Values("Api-Key")...)
	switch {
	case len(found) == 0 || len(found) == 1 && found[0] == "":
		return "", noToken("no token came with the call")
	case len(found) > 1:
		return "", noToken("more than one credential came with the call")
	case len(found[0]) > 16<<10:
		return "", noToken("the token is too long")
	}
	return found[0], nil
}

// shown says whether a call tries to sign in at all.
func shown(h http.Header) bool {
	return len(h.Values("Authorization"))+len(h.Values("Api-Key")) > 0
}

func noToken(why string) *access.Refusal {
	return &access.Refusal{
		Code: access.CodeIdentity, Message: why,
		Hint: "put a token of the gateway where the client takes an API key; get one with: vecgate token",
	}
}

// show puts the gateway's credential into a call to the target.
func (t *target) show(h http.Header, user, secret string) {
	if secret == "" {
		return
	}
	pair := secret
	if user != "" {
		pair = user + ":" + secret
	}
	switch t.Shows {
	case Basic:
		h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
	case APIKey:
		h.Set("Api-Key", secret)
	case Milvus:
		h.Set("Authorization", base64.StdEncoding.EncodeToString([]byte(pair)))
	default:
		h.Set("Authorization", "Bearer "+secret)
	}
}
