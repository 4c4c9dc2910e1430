// Package secret mints short-lived passwords for clients that can prove who they are by SCRAM-SHA-256 only (RFC 5802,
// RFC 7677), and keeps what a server needs to check the proof. The password itself is shown once and kept nowhere.
//
// It refuses to speak the exchange; that is the front end's. Start at Secrets.Mint.
package secret

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/identity/jwt"
)

// Prefix begins the name of every secret, so that scanners and people recognize one.
const Prefix = "vg_"

// Iterations of PBKDF2. The passwords are 200 random bits: iterations add nothing, 4096 is what clients expect.
const Iterations = 4096

// ErrUnknown is returned for a name that no living secret has.
var ErrUnknown = errors.New("no such secret")

// ErrTooMany is returned by a Store for a secret that its holder has no room for.
var ErrTooMany = errors.New("too many secrets")

// Verifier is what a SCRAM server keeps of a password.
type Verifier struct {
	Salt       []byte `json:"salt"`
	Iterations int    `json:"iterations"`
	StoredKey  []byte `json:"stored_key"`
	ServerKey  []byte `json:"server_key"`
}

// Entry is a secret as it is stored.
type Entry struct {
	Name     string
	Holder   string // ID of the subject that it stands for
	Verifier Verifier
	Subject  []byte // JSON of who it stands for
	Expires  time.Time
}

// Store keeps secrets.
type Store interface {
	// PutSecret adds a secret, unless its holder has room of them that have not expired by now: then it returns ErrTooMany.
	// It forgets those of the holder that have. Two calls at once do not both get the last place.
	PutSecret(ctx context.Context, e Entry, now time.Time, room int) error
	// Secret returns ErrUnknown for a name that it does not have; it may forget secrets that have expired.
	Secret(ctx context.Context, name string) (Entry, error)
	DeleteSecret(ctx context.Context, name string) error
}

// Secrets mints and looks up.
type Secrets struct {
	Store Store
	Now   func() time.Time
	// Decoy makes the verifiers of names that do not exist. It must be secret and stay the same, or an outsider could
	// tell such names from others by asking twice.
	Decoy []byte
	// PerSubject is how many living secrets may stand for one subject; zero means DefaultPerSubject.
	PerSubject int
}

// DefaultPerSubject is enough for a person with a few tools on a few machines. Each secret lives for hours and is kept by
// the gateway, unlike a token: whoever holds one credential could fill the store with them.
const DefaultPerSubject = 20

// New returns Secrets with a decoy key derived from a secret that outlives the process.
func New(store Store, key []byte, now func() time.Time) *Secrets {
	m := hmac.New(sha256.New, key)
	m.Write([]byte("vecgate scram decoy"))
	return &Secrets{Store: store, Now: now, Decoy: m.Sum(nil)}
}

var alphabet = base32.NewEncoding("abcdefghijkmnpqrstuvwxyz23456789").WithPadding(base32.NoPadding)

func random(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	return alphabet.EncodeToString(b)
}

// stored is the JSON of a subject with the claims that its own encoding leaves out.
type stored struct {
	Subject *access.Subject `json:"subject"`
	Claims  json.RawMessage `json:"claims,omitempty"`
}

// Mint makes a secret that stands for the subject until then. The password is returned once.
func (s *Secrets) Mint(ctx context.Context, subject *access.Subject, expires time.Time) (name, password string, err error) {
	name, password = Prefix+random(10), random(25)
	v, err := NewVerifier(password)
	if err != nil {
		return "", "", err
	}
	as := *subject
	as.Expires, as.Method, as.Credential = expires, "scram", name
	claims, err := json.Marshal(as.Claims)
	if err != nil {
		return "", "", fmt.Errorf("encode claims of %s: %w", subject.ID, err)
	}
	body, err := json.Marshal(stored{&as, claims})
	if err != nil {
		return "", "", fmt.Errorf("encode subject %s: %w", subject.ID, err)
	}
	room := s.PerSubject
	if room == 0 {
		room = DefaultPerSubject
	}
	err = s.Store.PutSecret(ctx, Entry{Name: name, Holder: subject.ID, Verifier: v, Subject: body, Expires: expires}, s.Now(), room)
	if errors.Is(err, ErrTooMany) {
		return "", "", &access.Refusal{
			Code:    access.CodeLimit,
			Message: fmt.Sprintf("no secret was made: %s has as many that still live as a subject may have, %d (limits.secrets_per_subject)", subject.Display(), room),
			Hint:    "use one of them, end one (vecgate token revoke <FILE), or wait until one expires",
		}
	}
	if err != nil {
		return "", "", fmt.Errorf("store secret: %w", err)
	}
	return name, password, nil
}

// NewVerifier derives a verifier with a random salt.
func NewVerifier(password string) (Verifier, error) {
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails, see crypto/rand
	salted, err := pbkdf2.Key(sha256.New, password, salt, Iterations, sha256.Size)
	if err != nil {
		return Verifier{}, fmt.Errorf("derive key: %w", err)
	}
	return fromSalted(salted, salt), nil
}

// fromSalted is RFC 5802 section 3.
func fromSalted(salted, salt []byte) Verifier {
	stored := sha256.Sum256(sum(salted, "Client Key"))
	return Verifier{Salt: salt, Iterations: Iterations, StoredKey: stored[:], ServerKey: sum(salted, "Server Key")}
}

// Verifier returns what the exchange needs. A name that does not exist, or no longer, gets a verifier that no password
// fits and that is the same each time, so that the exchange fails at the proof and tells nothing about names.
func (s *Secrets) Verifier(ctx context.Context, name string) (Verifier, error) {
	e, err := s.living(ctx, name)
	switch {
	case err == nil:
		return e.Verifier, nil
	case errors.Is(err, ErrUnknown):
		return s.decoy(name), nil
	}
	return Verifier{}, err
}

// Subject returns who a secret stands for, once the exchange has proved that the client knows it.
func (s *Secrets) Subject(ctx context.Context, name string) (*access.Subject, error) {
	e, err := s.living(ctx, name)
	if errors.Is(err, ErrUnknown) {
		return nil, refused()
	}
	if err != nil {
		return nil, err
	}
	var body stored
	if err := json.Unmarshal(e.Subject, &body); err != nil || body.Subject == nil {
		return nil, fmt.Errorf("decode subject of secret %s: %w", name, err)
	}
	if string(body.Claims) != "null" {
		if body.Subject.Claims, err = jwt.ReadObject(body.Claims); err != nil {
			return nil, fmt.Errorf("decode claims of secret %s: %w", name, err)
		}
	}
	return body.Subject, nil
}

// Revoke ends a secret before its time, on an operator's word. It returns ErrUnknown for a name that no living secret has.
func (s *Secrets) Revoke(ctx context.Context, name string) error {
	if _, err := s.living(ctx, name); err != nil {
		return err
	}
	return s.Store.DeleteSecret(ctx, name)
}

// GiveUp ends a secret before its time, on the word of whoever knows its password. For a wrong password and a name that no
// living secret has it returns ErrUnknown, after the same work.
func (s *Secrets) GiveUp(ctx context.Context, name, password string) error {
	v, err := s.Verifier(ctx, name)
	if err != nil {
		return err
	}
	if len(password) > maxPassword || !v.fits(password) {
		return ErrUnknown
	}
	return s.Store.DeleteSecret(ctx, name)
}

// maxPassword bounds what is hashed for somebody who has proved nothing yet; ours have 40 letters.
const maxPassword = 128

// fits reports whether a password is the one that the verifier was made of.
func (v Verifier) fits(password string) bool {
	salted, err := pbkdf2.Key(sha256.New, password, v.Salt, v.Iterations, sha256.Size)
	return err == nil && hmac.Equal(fromSalted(salted, v.Salt).StoredKey, v.StoredKey)
}

// Living refuses a name that no living secret has: it was revoked, or it expired.
func (s *Secrets) Living(ctx context.Context, name string) error {
	_, err := s.living(ctx, name)
	if errors.Is(err, ErrUnknown) {
		return refused()
	}
	return err
}

// Named reports whether a credential is a secret.
func Named(credential string) bool { return strings.HasPrefix(credential, Prefix) }

func refused() *access.Refusal {
	return &access.Refusal{
		Code: access.CodeIdentity, Message: "the name or the password is wrong, or the secret has expired or was revoked",
		Hint: "make a new one: vecgate token --secret",
	}
}

func (s *Secrets) living(ctx context.Context, name string) (Entry, error) {
	if len(name) > 64 || !Named(name) {
		return Entry{}, ErrUnknown
	}
	e, err := s.Store.Secret(ctx, name)
	if err != nil {
		return e, err
	}
	if !s.Now().Before(e.Expires) {
		return Entry{}, ErrUnknown
	}
	return e, nil
}

func (s *Secrets) decoy(name string) Verifier {
	if len(name) > 256 {
		name = name[:256]
	}
	return Verifier{
		Salt: sum(s.Decoy, "salt "+name)[:16], Iterations: Iterations,
		StoredKey: sum(s.Decoy, "stored "+name), ServerKey: sum(s.Decoy, "server "+name),
	}
}

func sum(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}
