package config

import (
	"github.com/vecgate/vecgate/internal/vault"
)

// Path is a file or directory. Relative paths in the file are relative to the directory of the file; a loaded
// configuration holds absolute ones.
type Path string

// Size is a number of bytes: 512, 64KiB, 16MiB, 1GiB.
type Size int64

// Secret says where a secret is: file:PATH, ${env:NAME}, or age:PATH and age:VALUE for one that is sealed. It never
// stands in the file itself. Read fetches it.
type Secret struct{ vault.Source }

// PEM says where certificates are: file:PATH, ${env:NAME}, or the PEM text itself. Read fetches them.
type PEM struct{ vault.Source }
