package httpwire

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/vault"
)

// keyHeaders are where the databases' own clients put a key, besides Authorization.
var keyHeaders = []string{"Api-Key", "X-Chroma-Token"}

// shown says whether a request shows anything that could be a credential.
func shown(h http.Header) bool {
	n := len(h.Values("Authorization"))
	for _, name := range keyHeaders {
		n += len(h.Values(name))
	}
	return n > 0
}

// credential returns the one token that came with a request. Two are refused, even when they are equal: a request must
// not be one person's here and another's there.
func credential(h http.Header) (string, *access.Refusal) {
	var found []string
	for _, v := range h.Values("Authorization") {
		scheme, rest, _ := strings.Cut(v, " ")
		rest = strings.TrimSpace(rest)
		switch strings.ToLower(scheme) {
		case "bearer", "apikey": // ApiKey is what Elasticsearch's clients say
			found = append(found, rest)
		case "basic":
			pair, err := base64.StdEncoding.DecodeString(rest)
			_, password, ok := strings.Cut(string(pair), ":")
			if err != nil || !ok {
				return "", noToken("the Authorization header is not well-formed")
			}
			found = append(found, password)
		default:
			return "", noToken("the Authorization header has a scheme other than Bearer, ApiKey and Basic")
		}
	}
	for _, name := range keyHeaders {
		found = append(found, h.Values(name)...)
	}
	switch {
	case len(found) == 0 || len(found) == 1 && found[0] == "":
		return "", noToken("no token came with the request")
	case len(found) > 1:
		return "", noToken("more than one credential came with the request")
	case len(found[0]) > 16<<10:
		return "", noToken("the token is too long")
	}
	return found[0], nil
}

func noToken(why string) *access.Refusal {
	return &access.Refusal{
		Code: access.CodeIdentity, Message: why,
		Hint: "put a token of the gateway where the client takes an API key; get one with: vecgate token",
	}
}

// show puts the gateway's credential into a request to the target.
func (t *target) show(r *http.Request, c vault.Credential) error {
	h, user, secret := r.Header, c.User, c.Secret.Reveal()
	if secret == "" {
		return nil
	}
	switch t.Shows {
	case Basic:
		h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+secret)))
	case Milvus:
		if user != "" {
			secret = user + ":" + secret
		}
		h.Set("Authorization", "Bearer "+secret)
	case APIKey:
		h.Set("Api-Key", secret)
	case SigV4:
		return t.Signing.sign(r, user, secret, t.now())
	case ElasticKey:
		h.Set("Authorization", "ApiKey "+secret)
	case ChromaToken:
		h.Set("X-Chroma-Token", secret)
	default:
		h.Set("Authorization", "Bearer "+secret)
	}
	return nil
}
