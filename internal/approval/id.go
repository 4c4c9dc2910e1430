package approval

import (
	"crypto/rand"
	"strings"
)

// alphabet is Crockford's base 32: no I, L, O or U, so that an ID survives being read aloud and typed.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// newID is 40 random bits: 7F3K-92QX.
func newID() string {
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails, see crypto/rand
	id := make([]byte, 0, 9)
	for i, b := range random {
		if i == 4 {
			id = append(id, '-')
		}
		id = append(id, alphabet[b&31])
	}
	return string(id)
}

// ParseID returns the ID that a person meant: case, dashes and spaces do not matter, O is 0, I and L are 1.
func ParseID(text string) (string, bool) {
	if len(text) > 32 {
		return "", false
	}
	id := make([]byte, 0, 9)
	for _, c := range strings.ToUpper(text) {
		switch c {
		case '-', ' ':
			continue
		case 'O':
			c = '0'
		case 'I', 'L':
			c = '1'
		}
		if !strings.ContainsRune(alphabet, c) || len(id) == 9 {
			return "", false
		}
		if len(id) == 4 {
			id = append(id, '-')
		}
		id = append(id, byte(c))
	}
	return string(id), len(id) == 9
}
