// Package transcript turns the recorded bytes of one PostgreSQL exchange, what the client asked and what it was
// answered, into lines that a person can read.
//
// It believes nothing: a recording may be cut, begin in the middle of a message, or be garbage, and is read as far as it
// makes sense. It knows no session, file or key, and no catalog: a value whose type it cannot know is shown by what it
// looks like. Texts are shown as they were recorded; whoever prints them makes control characters harmless. Start at Lines.
package transcript

import (
	"fmt"

	"github.com/vecgate/vecgate/internal/access"
)

// Limits on what one line shows; a recording holds the rest.
const (
	MaxCell      = 4 << 10
	MaxStatement = 64 << 10
)

// Lines calls emit for every line of the exchange: each request, as far as it can be told, before its answer. It
// returns the first error of emit and no other.
func Lines(asked, answered []byte, emit func(access.Line) error) error {
	t := &teller{emit: emit, portals: map[string]binding{}, statements: map[string][]uint32{}}
	t.steps = t.read(asked, client)
	for _, m := range t.read(answered, server) {
		t.answer(m)
		if t.err != nil {
			return t.err
		}
	}
	for len(t.steps) > 0 && t.err == nil {
		t.next()
	}
	return t.err
}

// teller tells one exchange.
type teller struct {
	emit func(access.Line) error
	err  error

	steps      []message // of the client, not told yet
	current    message   // of the client, told last and being answered
	failed     bool      // an error was answered, so that the steps up to the next Sync did not run
	portals    map[string]binding
	statements map[string][]uint32 // types of the parameters of what was parsed here
	columns    []column            // of the last RowDescription
}

// binding is what a Bind said of a portal.
type binding struct{ formats []int16 }

type column struct {
	name   string
	oid    uint32
	format int16
}

func (t *teller) say(line access.Line) {
	if t.err == nil {
		t.err = t.emit(line)
	}
}

func (t *teller) note(format string, args ...any) {
	t.say(access.Line{Kind: "note", Text: fmt.Sprintf(format, args...)})
}

// answer tells a message of the server, after the steps of the client that it answers.
func (t *teller) answer(m message) {
	switch m.kind {
	case '1':
		t.tellThrough("P")
	case '2':
		t.tellThrough("B")
	case '3':
		t.tellThrough("C")
	case 'T', 'n', 't':
		t.tellThrough("QD")
	case 'D', 'C', 'I', 's', 'G', 'H', 'W', 'd', 'c':
		t.tellThrough("QEF")
	case 'V':
		t.tellThrough("F")
	case 'E':
		t.tellFirst()
	case 'Z':
		t.tellThrough("QSF")
	}
	t.render(m)
	switch m.kind {
	case 'G':
		copying := t.current
		for len(t.steps) > 0 && (t.steps[0].kind == 'd' || t.steps[0].kind == 'c' || t.steps[0].kind == 'f') {
			t.next()
		}
		t.current = copying
	case 'C', 'I', 's':
		if t.current.kind == 'E' {
			t.current = message{}
		}
	case 'E':
		t.failed = t.current.kind != 'Q'
	case 'Z':
		t.current, t.failed = message{}, false
	case 'T', 'n':
		if t.current.kind == 'D' {
			t.current = message{}
		}
	}
}

// tellThrough tells the steps up to the first of one of the kinds, unless such a one is being answered already, or none
// is left: then the recording does not show what was asked.
func (t *teller) tellThrough(kinds string) {
	if isOneOf(t.current.kind, kinds) && t.current.kind != 'P' && t.current.kind != 'B' && t.current.kind != 'C' {
		return
	}
	for i, s := range t.steps {
		if isOneOf(s.kind, kinds) {
			for range i + 1 {
				t.next()
			}
			return
		}
		if s.kind == 'Q' || s.kind == 'S' {
			return // an answer does not reach across the end of its request
		}
	}
}

// tellFirst tells the step that an error answers: the one in progress, or the next one.
func (t *teller) tellFirst() {
	if t.current.kind == 'Q' || t.current.kind == 'E' || t.current.kind == 'F' {
		return
	}
	for len(t.steps) > 0 {
		t.next()
		if t.current.kind != 'H' && t.current.kind != 'S' {
			return
		}
	}
}

// next tells the first step.
func (t *teller) next() {
	t.current = t.steps[0]
	t.steps = t.steps[1:]
	if t.failed && !isOneOf(t.current.kind, "SHQ") && t.current.kind != 0 {
		t.note("not run, because of the error before it:")
	}
	t.ask(t.current)
}

func isOneOf(kind byte, kinds string) bool {
	for i := range len(kinds) {
		if kinds[i] == kind {
			return true
		}
	}
	return false
}
