package vault

import (
	"encoding/json"
	"log/slog"
)

// Secret is a string that never shows itself: not in a log, an error, JSON or %v. Reveal is the one way to its value.
type Secret struct{ value string }

// NewSecret wraps a value.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal returns the value, for the one place that sends it upstream.
func (s Secret) Reveal() string { return s.value }

// Empty reports whether there is no value.
func (s Secret) Empty() bool { return s.value == "" }

const redacted = "[redacted]"

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
