package vault

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// Source is where a secret is found. Its zero value is no source at all. It holds no secret, except that the value of an
// inline source is kept as one; it is safe to print.
type Source struct {
	kind     sourceKind
	at       string // path or variable
	inline   Secret // sealed value, or public text
	identity string // age identity file, for the sealed kinds
	public   bool   // not a secret: file permissions do not matter
	getenv   func(string) string
}

type sourceKind string

const (
	fromNowhere    sourceKind = ""
	fromFile       sourceKind = "file"
	fromEnv        sourceKind = "env"
	fromSealedFile sourceKind = "age file"
	fromSealedText sourceKind = "age value"
	fromText       sourceKind = "text"
)

// SourceOptions say how references are read.
type SourceOptions struct {
	Dir      string              // relative paths start here
	Identity string              // age identity file
	Public   bool                // certificates and the like: may be inline PEM, may be world-readable
	Getenv   func(string) string // nil means os.Getenv
}

// ErrNotAReference is returned for text that says no place.
var ErrNotAReference = errors.New("a secret does not stand in the file: write file:PATH, ${env:NAME} or age:PATH")

// maxSecret bounds what is read as one secret or one bundle of certificates.
const maxSecret = 1 << 20

// sealedPrefix is how base64 of an age file begins.
const sealedPrefix = "YWdlLWVuY3J5cHRpb24ub3Jn"

// ParseSource reads a reference: file:PATH, ${env:NAME}, age:PATH, age:BASE64, age:ARMOR; with Public also PEM text. Its
// errors never repeat the text.
func ParseSource(text string, o SourceOptions) (Source, error) {
	s := Source{public: o.Public, getenv: o.Getenv}
	if s.getenv == nil {
		s.getenv = os.Getenv
	}
	path := func(p string) (string, error) {
		if p == "" {
			return "", errors.New("a path must follow the colon")
		}
		if !filepath.IsAbs(p) {
			p = filepath.Join(o.Dir, p)
		}
		return p, nil
	}
	var err error
	switch {
	case text == "":
		return Source{}, nil
	case strings.HasPrefix(text, "file:"):
		s.kind = fromFile
		s.at, err = path(strings.TrimPrefix(text, "file:"))
	case strings.HasPrefix(text, "${env:") && strings.HasSuffix(text, "}"):
		s.kind, s.at = fromEnv, strings.TrimSuffix(strings.TrimPrefix(text, "${env:"), "}")
		if !EnvName(s.at) {
			err = errors.New("the name in ${env:NAME} is made of letters, digits and underscores")
		}
	case strings.HasPrefix(text, "age:"):
		rest := strings.TrimSpace(strings.TrimPrefix(text, "age:"))
		if strings.HasPrefix(rest, sealedPrefix) || strings.HasPrefix(rest, armor.Header) {
			s.kind, s.inline = fromSealedText, NewSecret(rest)
		} else {
			s.kind = fromSealedFile
			s.at, err = path(rest)
		}
		s.identity = o.Identity
		if err == nil && o.Identity == "" {
			err = errors.New("age: needs secrets.identity, the file with the age identity that opens it")
		}
	case o.Public && strings.HasPrefix(text, "-----BEGIN "):
		s.kind, s.inline = fromText, NewSecret(text)
	case o.Public:
		err = errors.New("not a reference: write file:PATH, ${env:NAME} or the PEM text")
	default:
		err = ErrNotAReference
	}
	if err != nil {
		return Source{}, err
	}
	return s, nil
}

// EnvName reports whether s can name an environment variable.
func EnvName(s string) bool {
	for i, r := range s {
		if r != '_' && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

// IsZero reports whether there is no source.
func (s Source) IsZero() bool { return s.kind == fromNowhere }

// String says where, never what.
func (s Source) String() string {
	switch s.kind {
	case fromNowhere:
		return "none"
	case fromEnv:
		return "${env:" + s.at + "}"
	case fromFile:
		return "file:" + s.at
	case fromSealedFile:
		return "age:" + s.at
	}
	return string(s.kind)
}

// GoString implements fmt.GoStringer.
func (s Source) GoString() string { return s.String() }

// MarshalText implements encoding.TextMarshaler.
func (s Source) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Files are the files that the secret depends on.
func (s Source) Files() []string {
	switch s.kind {
	case fromFile:
		return []string{s.at}
	case fromSealedFile:
		return []string{s.at, s.identity}
	case fromSealedText:
		return []string{s.identity}
	}
	return nil
}

// Read fetches the secret as it is now. One newline at the end of a file is not part of it. The secret of no source is
// empty; an empty secret of any other source is an error.
func (s Source) Read() (Secret, error) {
	var value []byte
	var err error
	switch s.kind {
	case fromNowhere:
		return Secret{}, nil
	case fromText:
		return s.inline, nil
	case fromEnv:
		value = []byte(s.getenv(s.at))
	case fromFile:
		value, err = readFile(s.at, !s.public)
	case fromSealedFile:
		var sealed []byte
		if sealed, err = readFile(s.at, false); err == nil {
			value, err = s.open(sealed)
		}
	case fromSealedText:
		value, err = s.open([]byte(s.inline.Reveal()))
	}
	if err != nil {
		return Secret{}, fmt.Errorf("read secret from %s: %w", s, err)
	}
	if s.kind != fromEnv {
		value = bytes.TrimSuffix(value, []byte("\n"))
		value = bytes.TrimSuffix(value, []byte("\r"))
	}
	if len(value) == 0 {
		if s.kind == fromEnv {
			return Secret{}, fmt.Errorf("read secret from %s: the variable is not set, or empty", s)
		}
		return Secret{}, fmt.Errorf("read secret from %s: it is empty", s)
	}
	return NewSecret(string(value)), nil
}

// open decrypts a sealed value with the identities of the identity file.
func (s Source) open(sealed []byte) ([]byte, error) {
	keys, err := readFile(s.identity, true)
	if err != nil {
		return nil, fmt.Errorf("age identity: %w", err)
	}
	identities, err := age.ParseIdentities(bytes.NewReader(keys))
	if err != nil {
		return nil, fmt.Errorf("age identity %s: it holds no AGE-SECRET-KEY-1… line that can be read", s.identity) // the cause could quote the key
	}
	var in io.Reader = bytes.NewReader(sealed)
	switch trimmed := bytes.TrimSpace(sealed); {
	case bytes.HasPrefix(trimmed, []byte(armor.Header)):
		in = armor.NewReader(bytes.NewReader(trimmed))
	case bytes.HasPrefix(trimmed, []byte(sealedPrefix)):
		in = base64.NewDecoder(base64.StdEncoding, bytes.NewReader(trimmed))
	}
	opened, err := age.Decrypt(in, identities...)
	if none, ok := errors.AsType[*age.NoIdentityMatchError](err); ok {
		return nil, fmt.Errorf("it is not sealed to the identity in %s (%d recipients tried)", s.identity, len(none.Errors))
	}
	if err != nil {
		return nil, errNotSealed // the cause quotes what was read, which is the secret when somebody forgot to seal it
	}
	value, err := io.ReadAll(io.LimitReader(opened, maxSecret+1))
	if err != nil {
		return nil, errNotSealed
	}
	if len(value) > maxSecret {
		return nil, fmt.Errorf("larger than %d bytes", maxSecret)
	}
	return value, nil
}

var errNotSealed = errors.New("it is not something that age has sealed, or it is damaged")

// readFile reads a small regular file. With private, it must not be accessible to group or others.
func readFile(path string, private bool) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, withoutPath(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	if private {
		if err := checkPrivate(info); err != nil {
			return nil, err
		}
	}
	if info.Size() > maxSecret {
		return nil, fmt.Errorf("larger than %d bytes", maxSecret)
	}
	return io.ReadAll(io.LimitReader(f, maxSecret))
}

// ErrExposed is returned for a secret file that others than its owner can read or change.
var ErrExposed = errors.New("others can read or change it")

// checkPrivate refuses a file that everybody can read or that the group can change. That its group can read it is
// accepted, because orchestrators mount secrets so; Exposure tells about it.
func checkPrivate(info fs.FileInfo) error {
	if mode := info.Mode().Perm(); mode&0o027 != 0 {
		return fmt.Errorf("%w (mode %04o); do: chmod 600 %s", ErrExposed, mode, info.Name())
	}
	return nil
}

// Exposure is a sentence when more people than its owner can read the secret's file, and empty otherwise.
func (s Source) Exposure() string {
	if s.public || s.kind != fromFile && s.identity == "" {
		return ""
	}
	path := s.at
	if s.kind != fromFile {
		path = s.identity
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o040 == 0 {
		return ""
	}
	return fmt.Sprintf("the group of %s can read it (mode %04o)", path, info.Mode().Perm())
}

// withoutPath drops the path of an error that will be printed next to it.
func withoutPath(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// Equal reports whether both are the same place, or the same inline value.
func (s Source) Equal(o Source) bool {
	return s.kind == o.kind && s.at == o.at && s.identity == o.identity && s.inline.Equal(o.inline)
}
