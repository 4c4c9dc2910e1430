// Package transcript turns the recorded bytes of a PostgreSQL session, what the client asked and what it was answered,
// exchange by exchange, into lines that a person can read.
//
// It believes nothing: a recording may be cut, begin in the middle of a session or of a message, or be garbage, and is
// read as far as it makes sense. It knows no file or key, and no catalog: a value whose type it cannot know is shown by
// what it looks like. Texts are shown as they were recorded; whoever prints them makes control characters harmless. Start
// at Conversation.
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

// Exchange is what is known of a request and its answer.
type Exchange struct {
	Asked, Answered []byte
	// Cut says that Asked is not all of it.
	Cut bool
	// Refused says that the gateway did not pass the request on, and Refusal in which words.
	Refused bool
	Refusal string
	// Succeeded says that all of it is known to have been carried out without an error, also where Answered does not
	// show it.
	Succeeded bool
}

// Tell calls emit for every line of the next exchange of the session: each request, as far as it can be told, before its
// answer. It returns the first error of emit and no other; the conversation is of no use after it.
func (c *Conversation) Tell(x Exchange, emit func(access.Line) error) error {
	t := &teller{
		Conversation: c, emit: emit,
		parsing: map[string]*statement{}, binding: map[string]*portal{}, bound: map[*portal]bool{},
		texts: map[*statement]bool{}, heads: map[*statement]bool{},
	}
	t.refused = x.Refused
	t.steps = t.read(x.Asked, client)
	t.missing(x)
	for _, m := range t.read(x.Answered, server) {
		t.answer(m)
		if t.err != nil {
			return t.err
		}
	}
	t.finish(x)
	if x.Refusal != "" {
		t.say(access.Line{Kind: "error", Text: cut(x.Refusal, MaxCell)})
	}
	return t.err
}

// Skip follows an exchange that is not shown.
func (c *Conversation) Skip(x Exchange) {
	_ = c.Tell(x, func(access.Line) error { return nil }) // returns emit's errors only
}

// teller tells one exchange.
type teller struct {
	*Conversation
	emit func(access.Line) error
	err  error

	steps   []message // of the client, not told yet
	current message   // of the client, told last and being answered
	failed  bool      // an error was answered, so that the steps up to the next Sync did not run
	broken  bool      // an error was answered to the Query that is current
	sub     int       // commands of the current Query that were answered
	split   []command // of the current step, once somebody asked for them
	refused bool      // nothing of it was passed on

	parsing map[string]*statement // told here; not confirmed, perhaps
	binding map[string]*portal
	bound   map[*portal]bool    // here
	last    *statement          // told last
	latest  *portal             // bound last
	texts   map[*statement]bool // told here
	heads   map[*statement]bool // statements whose columns were told here

	shaped  bool     // columns and formats are those of the current Execute
	columns []column // of the rows that come, as far as it is known
	formats []int16  // of the rows of an Execute whose columns are not known
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
	case 'N':
		// The first thing that is said about a query is often the gateway's own notice that it is held. The steps of the
		// extended protocol are confirmed one by one, and wait for that.
		if t.current.kind == 0 && len(t.steps) > 0 && t.steps[0].kind == 'Q' {
			t.next()
		}
	case 'Z':
		t.tellThrough("QSF")
	}
	t.render(m)
	switch m.kind {
	case '1', '2', '3':
		if t.current.kind == confirms[m.kind] {
			t.carriedOut()
		}
	case 'G':
		copying := t.current
		for len(t.steps) > 0 && (t.steps[0].kind == 'd' || t.steps[0].kind == 'c' || t.steps[0].kind == 'f') {
			t.next()
		}
		t.current = copying
	case 'C', 'I', 's':
		if m.kind == 'C' {
			c := cursor{rest: m.body}
			t.completed(c.text())
		}
		t.columns, t.formats, t.shaped = nil, nil, false
		if t.current.kind == 'E' {
			t.current = message{}
		}
	case 'E':
		t.failed, t.broken = t.current.kind != 'Q', true
	case 'Z':
		if len(m.body) == 1 && m.body[0] == 'I' {
			clear(t.portals)
		}
		t.current, t.failed = message{}, false
	case 'T', 'n':
		if t.current.kind == 'D' {
			t.current = message{}
		}
	}
}

// confirms is what the answers say to be done that say nothing else.
var confirms = map[byte]byte{'1': 'P', '2': 'B', '3': 'C'}

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
	t.current, t.broken, t.sub, t.shaped, t.split = t.steps[0], false, 0, false, nil
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
