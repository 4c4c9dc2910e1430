// Package startup reads the first packet of a PostgreSQL connection and decides which run-time parameters a client may
// bring with it.
//
// It opens no socket and knows no user. Start at Parse, then Read.
package startup

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxPacket is the longest first packet, as in PostgreSQL.
const MaxPacket = 10_000

// The protocol versions and the requests that stand in their place.
const (
	Version30 = 196608
	Version32 = 196610

	codeCancel = 80877102
	codeSSL    = 80877103
	codeGSS    = 80877104
)

// Kind of a first packet.
type Kind int

// The kinds.
const (
	Start Kind = iota
	SSL
	GSS
	Cancel
)

// Packet is a first packet.
type Packet struct {
	Kind Kind

	Version uint32  // of Start, as asked for
	Params  []Param // of Start, in the order in which they came

	PID uint32 // of Cancel
	Key []byte // of Cancel
}

// Param is a parameter of a startup packet.
type Param struct{ Name, Value string }

// Errors of Parse.
var (
	ErrLength  = errors.New("invalid length of startup packet")
	ErrVersion = errors.New("unsupported frontend protocol")
	ErrLayout  = errors.New("invalid startup packet layout")
)

// Length reads the length that a packet begins with and returns how many bytes follow it.
func Length(head []byte) (int, error) {
	n := int64(binary.BigEndian.Uint32(head))
	if n < 8 || n > MaxPacket {
		return 0, fmt.Errorf("%w: %d", ErrLength, n)
	}
	return int(n) - 4, nil
}

// Parse reads what follows the length of a first packet.
func Parse(body []byte) (Packet, error) {
	if len(body) < 4 || len(body) > MaxPacket-4 {
		return Packet{}, ErrLength
	}
	code := binary.BigEndian.Uint32(body)
	rest := body[4:]
	switch code {
	case codeSSL, codeGSS:
		if len(rest) != 0 {
			return Packet{}, ErrLayout
		}
		if code == codeSSL {
			return Packet{Kind: SSL}, nil
		}
		return Packet{Kind: GSS}, nil
	case codeCancel:
		if len(rest) < 8 || len(rest) > 4+256 {
			return Packet{}, ErrLayout
		}
		return Packet{Kind: Cancel, PID: binary.BigEndian.Uint32(rest), Key: bytes.Clone(rest[4:])}, nil
	}
	if code>>16 != 3 {
		return Packet{}, fmt.Errorf("%w %d.%d: the gateway speaks 3.0 to 3.2", ErrVersion, code>>16, code&0xffff)
	}
	params, err := parseParams(rest)
	return Packet{Kind: Start, Version: code, Params: params}, err
}

func parseParams(rest []byte) ([]Param, error) {
	var params []Param
	seen := map[string]bool{}
	for {
		name, after, ok := bytes.Cut(rest, []byte{0})
		if !ok {
			return nil, fmt.Errorf("%w: expected terminator as last byte", ErrLayout)
		}
		if len(name) == 0 {
			if len(after) != 0 {
				return nil, fmt.Errorf("%w: bytes follow the terminator", ErrLayout)
			}
			return params, nil
		}
		value, after, ok := bytes.Cut(after, []byte{0})
		if !ok {
			return nil, fmt.Errorf("%w: parameter without a value", ErrLayout)
		}
		if !utf8.Valid(name) || !utf8.Valid(value) {
			return nil, fmt.Errorf("%w: parameter is not UTF-8", ErrLayout)
		}
		key := strings.ToLower(string(name))
		if seen[key] {
			return nil, fmt.Errorf("%w: parameter %q twice", ErrLayout, key)
		}
		seen[key] = true
		params = append(params, Param{string(name), string(value)})
		rest = after
	}
}
