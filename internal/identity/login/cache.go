package login

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Kept is a sign-in as it is kept on a person's machine, in a file of mode 0600.
type Kept struct {
	Gateway  string    `json:"gateway"`
	Provider string    `json:"provider"`
	Token    string    `json:"id_token"`
	Expires  time.Time `json:"expires"`
}

// Cache keeps one sign-in per gateway in a directory that nobody else can enter.
type Cache struct{ Dir string }

// ErrNone is returned when nobody has signed in.
var ErrNone = errors.New("not signed in")

func (c Cache) path(gateway string) string {
	sum := sha256.Sum256([]byte(gateway))
	return filepath.Join(c.Dir, "login-"+hex.EncodeToString(sum[:8])+".json")
}

// Load returns the sign-in at a gateway.
func (c Cache) Load(gateway string) (*Kept, error) {
	path := c.path(gateway)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, fmt.Errorf("read sign-in: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others (mode %04o): it is not used; delete it and sign in again", path, mode)
	}
	body, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read sign-in: %w", err)
	}
	var k Kept
	if err := json.Unmarshal(body, &k); err != nil || k.Gateway != gateway {
		return nil, ErrNone
	}
	return &k, nil
}

// Save keeps a sign-in and makes its gateway the current one.
func (c Cache) Save(k *Kept) error {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return fmt.Errorf("keep sign-in: %w", err)
	}
	body, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("keep sign-in: %w", err)
	}
	if err := replace(c.path(k.Gateway), body); err != nil {
		return fmt.Errorf("keep sign-in: %w", err)
	}
	if err := replace(filepath.Join(c.Dir, "current"), []byte(k.Gateway+"\n")); err != nil {
		return fmt.Errorf("keep sign-in: %w", err)
	}
	return nil
}

// Current is the gateway of the last sign-in, empty when there was none.
func (c Cache) Current() string {
	body, err := os.ReadFile(filepath.Join(c.Dir, "current"))
	if err != nil || len(body) < 2 || len(body) > 4096 {
		return ""
	}
	return string(body[:len(body)-1])
}

// Delete forgets the sign-in at a gateway.
func (c Cache) Delete(gateway string) error {
	err := os.Remove(c.path(gateway))
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNone
	}
	if err != nil {
		return fmt.Errorf("forget sign-in: %w", err)
	}
	return nil
}

// replace writes a file as a whole with mode 0600.
func replace(path string, body []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // made with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(body)
	err = errors.Join(err, f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
