// Package jwt reads compact signed JSON Web Tokens strictly: a bounded size, exactly three parts, JSON without duplicate
// names, an asymmetric algorithm, no critical extensions, and keys that come from the caller alone (jku, jwk, x5u and
// x5c headers are never looked at).
//
// It refuses to know issuers, audiences and clocks: what the claims must say is the caller's business. Start at Parse.
package jwt

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// MaxSize is the longest token that is looked at.
const MaxSize = 16 << 10

// Algorithms are the signature algorithms that can be allowed at all: no "none", and nothing symmetric, since a
// verifier that accepts HS256 can be shown a token keyed with a public key.
var Algorithms = []jose.SignatureAlgorithm{
	jose.ES256, jose.ES384, jose.ES512, jose.EdDSA, jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
}

// Faults of the form. Callers put them into words; none contains a part of the token.
var (
	ErrTooLong   = fmt.Errorf("longer than %d bytes", MaxSize)
	ErrShape     = errors.New("not three parts of base64url with two dots between them")
	ErrHeader    = errors.New("its header is not a JSON object that can be read strictly")
	ErrPayload   = errors.New("its payload is not a JSON object that can be read strictly")
	ErrAlgorithm = errors.New("its algorithm is not an asymmetric signature")
	ErrCritical  = errors.New("it asks for critical header extensions")
	ErrSignature = errors.New("its signature does not match the key")
)

// Token is a token whose signature has not been checked unless Verify returned nil.
type Token struct {
	Algorithm string
	KeyID     string
	Type      string // the typ header, lower case, without "application/"
	Claims    Claims

	payload []byte
	signed  *jose.JSONWebSignature
}

// Parse reads a token without judging it. What it returns is the sender's word only.
func Parse(raw string) (*Token, error) {
	if len(raw) > MaxSize {
		return nil, ErrTooLong
	}
	// Counting first keeps a token of ten thousand dots from costing more than one pass.
	if strings.Count(raw, ".") != 2 {
		return nil, ErrShape
	}
	parts := strings.SplitN(raw, ".", 3)
	var decoded [3][]byte
	for i, p := range parts {
		// The decoder skips line breaks; a token with one is refused, so that one token has one spelling.
		if p == "" || strings.ContainsAny(p, "\r\n") {
			return nil, ErrShape
		}
		var err error
		if decoded[i], err = base64.RawURLEncoding.Strict().DecodeString(p); err != nil {
			return nil, ErrShape
		}
	}
	header, err := ReadObject(decoded[0])
	if err != nil {
		return nil, ErrHeader
	}
	t := &Token{payload: decoded[1]}
	var ok bool
	if t.Algorithm, ok = header["alg"].(string); !ok {
		return nil, ErrHeader
	}
	if !slices.Contains(Algorithms, jose.SignatureAlgorithm(t.Algorithm)) {
		return nil, ErrAlgorithm
	}
	if _, present := header["crit"]; present {
		return nil, ErrCritical
	}
	// RFC 7797: an unencoded payload changes what is signed; it needs crit, and is refused without it as well.
	if _, present := header["b64"]; present {
		return nil, ErrCritical
	}
	if v, present := header["kid"]; present {
		if t.KeyID, ok = v.(string); !ok || t.KeyID == "" {
			return nil, ErrHeader
		}
	}
	if v, present := header["typ"]; present {
		if t.Type, ok = v.(string); !ok {
			return nil, ErrHeader
		}
		t.Type = strings.TrimPrefix(strings.ToLower(t.Type), "application/")
	}
	if t.Claims, err = ReadObject(decoded[1]); err != nil {
		return nil, ErrPayload
	}
	if t.signed, err = jose.ParseSignedCompact(raw, Algorithms); err != nil {
		return nil, ErrShape
	}
	return t, nil
}

// Verify checks the signature with one key. The kind of key must be the one that the algorithm asks for.
func (t *Token) Verify(key *jose.JSONWebKey) error {
	if !Fits(key, t.Algorithm) {
		return ErrSignature
	}
	payload, err := t.signed.Verify(key.Key)
	if err != nil || !bytes.Equal(payload, t.payload) {
		return ErrSignature
	}
	return nil
}

// Fits reports whether a key may verify signatures of an algorithm: right kind, right curve, long enough, public, and
// not published for another use.
func Fits(key *jose.JSONWebKey, algorithm string) bool {
	if key.Use != "" && key.Use != "sig" || key.Algorithm != "" && key.Algorithm != algorithm {
		return false
	}
	switch k := key.Key.(type) {
	case *rsa.PublicKey:
		return (strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS")) && k.N.BitLen() >= 2048 && k.N.BitLen() <= 8192
	case *ecdsa.PublicKey:
		return map[int]string{256: "ES256", 384: "ES384", 521: "ES512"}[k.Curve.Params().BitSize] == algorithm
	case ed25519.PublicKey:
		return algorithm == "EdDSA" && len(k) == ed25519.PublicKeySize
	}
	return false
}

// Claims are what a token says. Numbers are int64 when they are whole and fit, float64 otherwise.
type Claims map[string]any

// Text returns a claim that is a string.
func (c Claims) Text(name string) string {
	s, _ := c[name].(string)
	return s
}

// Time returns a NumericDate claim; the zero time when it is absent. A claim that is no sane date is an error.
func (c Claims) Time(name string) (time.Time, error) {
	v, present := c[name]
	if !present {
		return time.Time{}, nil
	}
	var seconds float64
	switch n := v.(type) {
	case int64:
		seconds = float64(n)
	case float64:
		seconds = n
	default:
		return time.Time{}, fmt.Errorf("%s is not a number", name)
	}
	if !(seconds > 0 && seconds < 1e11) {
		return time.Time{}, fmt.Errorf("%s is not a date", name)
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)), nil
}

// Audience returns the aud claim, which is a string or a list of strings.
func (c Claims) Audience() ([]string, error) {
	switch v := c["aud"].(type) {
	case string:
		return []string{v}, nil
	case []any:
		all := make([]string, 0, len(v))
		for _, a := range v {
			s, ok := a.(string)
			if !ok {
				return nil, errors.New("aud holds something other than strings")
			}
			all = append(all, s)
		}
		return all, nil
	case nil:
		return nil, nil
	}
	return nil, errors.New("aud is neither a string nor a list")
}
