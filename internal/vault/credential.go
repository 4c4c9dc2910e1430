// Package vault holds what the gateway shows to databases: where each credential is found, and its value while the
// gateway runs. No value shows itself in a log, an error, JSON or any formatting verb.
//
// It knows no database and no configuration file. Start at Vault.Lease; Source says where a secret is found.
package vault

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// Secret is a string that never shows itself: not in a log, an error, JSON or %v. Reveal is the one way to its value.
type Secret struct {
	// value is behind a pointer because fmt does not ask the methods of unexported fields: a struct that holds a Secret
	// in one would print its value, and now prints an address.
	value *string
}

// NewSecret wraps a value.
func NewSecret(value string) Secret { return Secret{&value} }

// Reveal returns the value, for the one place that sends it upstream.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// Empty reports whether there is no value.
func (s Secret) Empty() bool { return s.Reveal() == "" }

// Equal compares the values, in a time that does not depend on where they differ.
func (s Secret) Equal(o Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(o.Reveal())) == 1
}

const redacted = "[redacted]"

// Format implements fmt.Formatter: without it, verbs that do not ask for a Stringer, such as %d, would show the value.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String implements fmt.Stringer.
func (Secret) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (Secret) GoString() string { return redacted }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements json.Marshaler.
func (Secret) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// MarshalText implements encoding.TextMarshaler, for YAML and maps.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Credential is what the gateway shows to a target. Its zero value shows nothing.
type Credential struct {
	Name    string // which one, for the log: "products@3"
	User    string
	Secret  Secret
	Version uint64 // grows with every rotation
}
