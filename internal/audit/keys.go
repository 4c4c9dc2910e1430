package audit

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
	"golang.org/x/mod/sumdb/note"
)

// signer signs checkpoints.
type signer struct {
	note.Signer
	verifier note.Verifier
	public   string // in the form that note.NewVerifier reads
}

// loadSigner reads the signing key of an origin, and creates it when absent.
func loadSigner(name, origin string) (*signer, error) {
	text, err := readSecret(name)
	if errors.Is(err, fs.ErrNotExist) {
		var private string
		if private, _, err = note.GenerateKey(rand.Reader, origin); err != nil {
			return nil, fmt.Errorf("make signing key: %w", err)
		}
		if err = os.MkdirAll(filepath.Dir(name), 0o700); err == nil {
			err = writeFile(name, []byte(private+"\n"), 0o600, true)
		}
		text = private
	}
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	s, err := note.NewSigner(strings.TrimSpace(text))
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", name, err)
	}
	if s.Name() != origin {
		return nil, fmt.Errorf("signing key %s is for %q, and the log is %q: a log keeps its name for ever", name, s.Name(), origin)
	}
	public, err := publicOf(strings.TrimSpace(text))
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", name, err)
	}
	verifier, err := note.NewVerifier(public)
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", name, err)
	}
	return &signer{Signer: s, verifier: verifier, public: public}, nil
}

// publicOf derives the verifier key from a signer key: PRIVATE+KEY+<name>+<hash>+<base64 of 1, seed>.
func publicOf(private string) (string, error) {
	parts := strings.Split(private, "+")
	if len(parts) < 5 {
		return "", errors.New("malformed key")
	}
	raw, err := base64.StdEncoding.DecodeString(strings.Join(parts[4:], "+"))
	if err != nil || len(raw) != 1+ed25519.SeedSize {
		return "", errors.New("malformed key")
	}
	return note.NewEd25519VerifierKey(parts[2], ed25519.NewKeyFromSeed(raw[1:]).Public().(ed25519.PublicKey))
}

// loadSelf reads the gateway's own key to what it seals, and creates it when absent.
func loadSelf(name string) (*age.X25519Identity, error) {
	text, err := readSecret(name)
	if errors.Is(err, fs.ErrNotExist) {
		identity, err := age.GenerateX25519Identity()
		if err != nil {
			return nil, fmt.Errorf("make own key: %w", err)
		}
		if err := writeFile(name, []byte(identity.String()+"\n"), 0o600, true); err != nil {
			return nil, fmt.Errorf("own key: %w", err)
		}
		return identity, nil
	}
	if err != nil {
		return nil, fmt.Errorf("own key: %w", err)
	}
	identity, err := age.ParseX25519Identity(strings.TrimSpace(text))
	if err != nil {
		return nil, fmt.Errorf("own key %s is malformed", name) // the cause may quote the key
	}
	return identity, nil
}

// readSecret reads a file that nobody else may read.
func readSecret(name string) (string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return "", err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%s can be read by others: chmod 600 %s", name, name)
	}
	text, err := readSmall(name, maxKeyFile)
	return string(text), err
}
