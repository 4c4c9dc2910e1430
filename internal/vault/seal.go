package vault

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"

	"filippo.io/age"
)

// Seal encrypts a secret to age recipients (age1…), one a line, and returns it as a configuration file takes it:
// age:BASE64.
func Seal(s Secret, recipients string) (string, error) {
	to, err := age.ParseRecipients(strings.NewReader(recipients))
	if err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, to...)
	if err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	if _, err := w.Write([]byte(s.Reveal())); err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	if err := w.Close(); err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	return "age:" + base64.StdEncoding.EncodeToString(sealed.Bytes()), nil
}
