// Package scram is the server's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, 7677) as PostgreSQL speaks it.
//
// It holds no secret but verifiers, knows no user and opens no socket. Start at Server.
package scram

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The mechanisms.
const (
	SHA256     = "SCRAM-SHA-256"
	SHA256Plus = "SCRAM-SHA-256-PLUS"
)

// Verifier is what a server keeps of a secret.
type Verifier struct {
	Salt       []byte
	Iterations int
	StoredKey  []byte
	ServerKey  []byte
}

// Errors of an exchange. Proof is the only one that says anything about the secret.
var (
	ErrMalformed = errors.New("malformed SCRAM message")
	ErrBinding   = errors.New("SCRAM channel binding check failed")
	ErrProof     = errors.New("the secret is wrong")
)

const (
	maxMessage = 2048
	maxNonce   = 256
)

// Server is one exchange.
type Server struct {
	Mechanism string
	// Binding is the tls-server-end-point value; nil without TLS.
	Binding []byte
	// Offered says that the PLUS mechanism was offered.
	Offered bool
	// Verifier of the user.
	Verifier Verifier

	header      string // gs2
	clientFirst string // bare
	serverFirst string
	nonce       string
}

// First takes the client-first-message and returns the server-first-message.
func (s *Server) First(message []byte) ([]byte, error) {
	text := string(message)
	if len(text) > maxMessage || len(text) < 4 {
		return nil, fmt.Errorf("%w: its length", ErrMalformed)
	}
	flag, rest, ok := strings.Cut(text, ",")
	if !ok {
		return nil, ErrMalformed
	}
	switch {
	case flag == "n":
		if s.Mechanism == SHA256Plus {
			return nil, fmt.Errorf("%w: %s without channel binding data", ErrMalformed, SHA256Plus)
		}
	case flag == "y":
		// The client could bind, and believes that we cannot: somebody took the offer away.
		if s.Offered || s.Mechanism == SHA256Plus {
			return nil, fmt.Errorf("%w: the offer of channel binding did not reach the client", ErrBinding)
		}
	case strings.HasPrefix(flag, "p="):
		if s.Mechanism != SHA256Plus || s.Binding == nil {
			return nil, fmt.Errorf("%w: channel binding data without %s", ErrMalformed, SHA256Plus)
		}
		if flag != "p=tls-server-end-point" {
			return nil, fmt.Errorf("%w: unsupported channel binding type", ErrMalformed)
		}
	default:
		return nil, ErrMalformed
	}
	authzid, bare, ok := strings.Cut(rest, ",")
	if !ok || authzid != "" {
		return nil, fmt.Errorf("%w: authorization identity is not supported", ErrMalformed)
	}
	s.header = flag + ",,"
	s.clientFirst = bare
	user, rest, ok := strings.Cut(bare, ",")
	if !ok || !strings.HasPrefix(user, "n=") { // PostgreSQL ignores the name here, and so do we
		return nil, ErrMalformed
	}
	nonce, extensions, _ := strings.Cut(rest, ",")
	client, ok := strings.CutPrefix(nonce, "r=")
	if !ok || client == "" || len(client) > maxNonce || !printable(client) || extensions != "" {
		return nil, fmt.Errorf("%w: nonce", ErrMalformed)
	}
	var own [18]byte
	_, _ = rand.Read(own[:]) // never fails, see crypto/rand
	s.nonce = client + base64.StdEncoding.EncodeToString(own[:])
	s.serverFirst = "r=" + s.nonce + ",s=" + base64.StdEncoding.EncodeToString(s.Verifier.Salt) + ",i=" + strconv.Itoa(s.Verifier.Iterations)
	return []byte(s.serverFirst), nil
}

// Final takes the client-final-message and returns the server-final-message. The client is who it says only when the
// error is nil.
func (s *Server) Final(message []byte) ([]byte, error) {
	text := string(message)
	if len(text) > maxMessage || s.nonce == "" {
		return nil, ErrMalformed
	}
	at := strings.LastIndex(text, ",p=")
	if at < 0 {
		return nil, ErrMalformed
	}
	bare, proof := text[:at], text[at+3:]
	binding, rest, ok := strings.Cut(bare, ",")
	if !ok || !strings.HasPrefix(binding, "c=") {
		return nil, ErrMalformed
	}
	if rest != "r="+s.nonce {
		return nil, fmt.Errorf("%w: nonce", ErrMalformed)
	}
	want := []byte(s.header)
	if s.Mechanism == SHA256Plus {
		want = append(want, s.Binding...)
	}
	if subtle.ConstantTimeCompare([]byte(binding[2:]), []byte(base64.StdEncoding.EncodeToString(want))) != 1 {
		return nil, ErrBinding
	}
	given, err := base64.StdEncoding.DecodeString(proof)
	if err != nil || len(given) != sha256.Size || len(s.Verifier.StoredKey) != sha256.Size {
		return nil, ErrMalformed
	}
	said := s.clientFirst + "," + s.serverFirst + "," + bare
	signature := digest(s.Verifier.StoredKey, said)
	key := make([]byte, sha256.Size)
	subtle.XORBytes(key, given, signature)
	stored := sha256.Sum256(key)
	if subtle.ConstantTimeCompare(stored[:], s.Verifier.StoredKey) != 1 {
		return nil, ErrProof
	}
	return []byte("v=" + base64.StdEncoding.EncodeToString(digest(s.Verifier.ServerKey, said))), nil
}

func digest(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || s[i] == ',' {
			return false
		}
	}
	return true
}
