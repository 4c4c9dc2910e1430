package console

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
)

// sealer keeps the state of an unfinished sign-in in the browser that began it, unreadable and unchangeable: a stranger
// who begins many of them takes no memory here. Its key is made anew with every process.
type sealer struct{ aead cipher.AEAD }

func newSealer() sealer {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails, see crypto/rand
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // the key has the right length
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return sealer{aead}
}

func (s sealer) close(v any) (string, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, plain, []byte(signInCookie))), nil
}

func (s sealer) open(text string, v any) error {
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(sealed) > 8<<10 {
		return errors.New("not sealed here")
	}
	plain, err := s.aead.Open(nil, nil, sealed, []byte(signInCookie))
	if err != nil {
		return err
	}
	return json.Unmarshal(plain, v)
}
