package gate

import (
	"context"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/audit"
)

// tape takes down what is said in one exchange. It is owned by the goroutine that serves it.
type tape struct {
	journal Journal
	request string
	level   access.Level
	begun   bool // the request is on it
	err     error
}

// begin puts the request on the tape, once: a request that is held has it there already when it runs.
func (t *tape) begin(wire []byte) error {
	if t.begun || t.level == access.LevelEnvelope {
		return t.err
	}
	t.begun = true
	return t.Asked(wire)
}

// Asked implements Tape.
func (t *tape) Asked(p []byte) error {
	if t.level == access.LevelEnvelope {
		return nil
	}
	return t.body(audit.Asked, p)
}

// Answered implements Tape.
func (t *tape) Answered(p []byte) error {
	if t.level != access.LevelFull {
		return nil
	}
	return t.body(audit.Answered, p)
}

func (t *tape) body(d audit.Direction, p []byte) error {
	if t.err == nil && len(p) > 0 {
		t.err = t.journal.Body(t.request, d, p)
	}
	return t.err
}

// Sync implements Tape.
func (t *tape) Sync(ctx context.Context) error {
	if t.err == nil {
		t.err = t.journal.Sync(ctx)
	}
	return t.err
}
