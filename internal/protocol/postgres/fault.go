package postgres

import (
	"fmt"

	"github.com/vecgate/vecgate/internal/protocol/postgres/analysis"
	"github.com/vecgate/vecgate/internal/protocol/postgres/wire"
)

// fault is an error that the target would raise, or that the text has before it gets there.
type fault struct {
	sqlstate, message, hint string
	position                int
}

func malformed(err error) *fault { return &fault{sqlstate: "08P01", message: err.Error()} }

func textFault(err error) *fault {
	if err == wire.ErrEncoding { //nolint:errorlint // it is never wrapped
		return &fault{sqlstate: "22021", message: err.Error()}
	}
	return malformed(err)
}

func noStatement(name []byte) *fault {
	if len(name) == 0 {
		return &fault{sqlstate: "26000", message: "unnamed prepared statement does not exist"}
	}
	return &fault{sqlstate: "26000", message: fmt.Sprintf("prepared statement %q does not exist", name)}
}

func noPortal(name []byte) *fault {
	return &fault{sqlstate: "34000", message: fmt.Sprintf("portal %q does not exist", name)}
}

func planFault(f *analysis.Fault) *fault {
	return &fault{sqlstate: f.SQLSTATE, message: f.Message, hint: f.Hint, position: f.Position}
}
