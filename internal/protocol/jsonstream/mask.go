package jsonstream

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/mask"
)

// Bounds of what a Masker keeps in memory.
const (
	maxKey     = 64 << 10  // a member's name, with what stands around it
	maxLiteral = 4 << 10   // a number
	maxText    = 256 << 10 // a text of which a digest or a part is to be shown; a longer one becomes null
	maxSpace   = 1 << 10   // spaces before a text is taken for a document of its own
	maxInner   = 1 << 20   // a text that is a document of its own; a longer one is redacted
	flushAt    = 32 << 10
)

// Node says what happens to the values at one place of a document. A nil Node lets everything below it pass.
type Node struct {
	// Treatment hides every value here. An object or array becomes null, and so does what its mask cannot show.
	Treatment access.Treatment
	// Instead stands where Treatment hides an object or array, for clients that cannot do with null.
	Instead Value
	// Objects hides a value here that is an object, unless Treatment does.
	Objects access.Treatment
	// Fields are the members of an object here, by name however it is spelled; Field, which may be nil, is asked for the
	// others.
	Fields map[string]*Node
	Field  func(name string) *Node
	// Items are the elements of an array here.
	Items *Node
	// Rewrite, when not nil, makes another text of a text here that Treatment does not hide; one too long to be kept in
	// memory becomes null.
	Rewrite func(string) string
	// Document, when not nil, makes another text of a text here that Treatment does not hide and that begins, after spaces, with
	// a bracket or a quotation mark: it may be a document of its own. Other texts pass as they come.
	Document func(h *mask.Hider, text string) string
	// Only, when it is a kind, is what a value here may be, besides null: a document that has something else is not of the
	// form that it was thought to be, and ends in a Fault.
	Only Kind
	// Count counts the values here; see Masker.Counted.
	Count bool
}

func (n *Node) member(name []byte) *Node {
	if n == nil {
		return nil
	}
	if m, ok := n.Fields[string(name)]; ok {
		return m
	}
	if n.Field != nil {
		return n.Field(string(name))
	}
	return nil
}

type place uint8

const (
	value place = iota
	firstItem
	firstMember
	nextMember
	name
	colon
	inText
	inWord
	after
	end
)

type level struct {
	node  *Node
	array bool
	wrote bool // a member has been written, so that the next one needs a comma
}

// Masker hides values of one document on its way to a writer. Write takes it in pieces of any size; Close says whether it
// was complete. After an error nothing more is written, and what was written before holds nothing that was to be hidden.
type Masker struct {
	to      io.Writer
	hider   *mask.Hider
	root    *Node
	err     error
	offset  int64
	counted int64
	most    int64 // of counted; 0 bounds nothing

	at    place
	stack []level
	child *Node // of the value that comes next in an object
	out   []byte
	held  []byte // between two members: not written before it is known whether the second is left out
	text  text
	token []byte
	treat access.Treatment                 // of the scalar being read
	again func(string) string              // rewrites it
	inner func(*mask.Hider, string) string // rewrites it when it is a document of its own
	begun bool                             // it is known whether the text begins like one
	hide  int                              // the depth of the object or array that is hidden as a whole; 0 when none is
	keep  bool                             // token takes the text, to show a part of it
	quiet bool                             // the text is not written
	long  bool                             // the text is longer than maxText
}

// NewMasker hides what root says.
func NewMasker(to io.Writer, root *Node, hider *mask.Hider) *Masker {
	return &Masker{to: to, root: root, hider: hider}
}

// Reset makes the masker ready for another document, in the memory that it has.
func (m *Masker) Reset(to io.Writer, root *Node, hider *mask.Hider) {
	clear(m.stack[:cap(m.stack)]) // of nodes
	*m = Masker{to: to, root: root, hider: hider, stack: m.stack[:0], out: m.out[:0], held: m.held[:0], token: m.token[:0]}
}

// ErrTooMany is what Write returns when more values stood where a Node with Count is than Limit let.
var ErrTooMany = errors.New("the document has more values than it may have")

// Limit ends the document before the value that would be one too many where a Node with Count is; 0 bounds nothing.
func (m *Masker) Limit(most int64) { m.most = most }

// Counted is how many values stood where a Node with Count is.
func (m *Masker) Counted() int64 { return m.counted }

// Write implements io.Writer. What it is given is written before it returns, up to the last whole token.
func (m *Masker) Write(p []byte) (int, error) {
	if m.err != nil {
		return 0, m.err
	}
	for i := 0; i < len(p); {
		n, err := m.step(p[i:])
		if err == nil && len(m.out) >= flushAt {
			err = m.flush()
		}
		if err != nil {
			m.err = err
			return i, err
		}
		i += n
		m.offset += int64(n)
	}
	if err := m.flush(); err != nil {
		m.err = err
		return len(p), err
	}
	return len(p), nil
}

// Close ends the document. It does not close the writer.
func (m *Masker) Close() error {
	if m.err != nil {
		return m.err
	}
	if m.at == inWord && len(m.stack) == 0 {
		if m.err = m.endWord(); m.err == nil {
			m.err = m.flush()
		}
		if m.err != nil {
			return m.err
		}
	}
	if m.at != end {
		m.err = ErrTruncated
	}
	return m.err
}

func (m *Masker) flush() error {
	if len(m.out) == 0 {
		return nil
	}
	_, err := m.to.Write(m.out)
	m.out = m.out[:0]
	return err
}

func (m *Masker) fault(format string, args ...any) error {
	return &Fault{Offset: m.offset, What: fmt.Sprintf(format, args...)}
}

// step takes at least one byte, unless it ended a word, and says how many.
func (m *Masker) step(p []byte) (int, error) {
	c := p[0]
	switch m.at {
	case inText, name:
		return m.inText(p)
	case inWord:
		if inLiteral(c) {
			if len(m.token) >= maxLiteral {
				return 0, m.fault("a number of more than %d characters", maxLiteral)
			}
			m.token = append(m.token, c)
			return 1, nil
		}
		return 0, m.endWord() // c is looked at again
	}
	if space(c) {
		return 1, m.between(c)
	}
	switch m.at {
	case firstItem:
		if c == ']' {
			return 1, m.leave(c)
		}
		fallthrough
	case value:
		if n := m.numbers(p); n > 0 {
			return n, nil
		}
		return 1, m.begin(c)
	case firstMember:
		if c == '}' {
			return 1, m.leave(c)
		}
		fallthrough
	case nextMember:
		if c != '"' {
			return 0, m.fault("a member's name was expected")
		}
		m.at, m.token = name, m.token[:0]
		return 1, m.between(c)
	case colon:
		if c != ':' {
			return 0, m.fault("a colon was expected")
		}
		m.at = value
		return 1, m.between(c)
	case after:
		top := &m.stack[len(m.stack)-1]
		switch {
		case c == ',' && top.array:
			m.at = value
			return 1, m.between(c)
		case c == ',':
			m.at = nextMember
			return 1, m.between(c)
		case c == ']' && top.array, c == '}' && !top.array:
			return 1, m.leave(c)
		}
		return 0, m.fault("a comma or the end of what was begun was expected")
	}
	return 0, m.fault("something follows the document")
}

// between takes a byte that stands between values.
func (m *Masker) between(c byte) error {
	switch {
	case m.hide > 0:
	case len(m.stack) > 0 && !m.stack[len(m.stack)-1].array:
		if len(m.held) >= maxKey {
			return m.fault("a member's name of more than %d bytes", maxKey)
		}
		m.held = append(m.held, c)
	default:
		m.out = append(m.out, c)
	}
	return nil
}

// node is what is to be done with the value that begins.
func (m *Masker) node() *Node {
	if m.hide > 0 {
		return nil
	}
	if len(m.stack) == 0 {
		return m.root
	}
	if top := &m.stack[len(m.stack)-1]; top.array {
		if top.node == nil {
			return nil
		}
		return top.node.Items
	}
	return m.child
}

// numbers takes a run of an array's numbers at once, when nothing is to be done with them but to let them pass or to leave
// them out.
func (m *Masker) numbers(p []byte) int {
	if len(m.stack) == 0 || !m.stack[len(m.stack)-1].array {
		return 0
	}
	if n := m.node(); n != nil && (n.Count || n.Treatment.Mask != access.MaskNone) {
		return 0
	}
	end, whole := numbers(p, 0)
	if end == 0 {
		return 0
	}
	m.at = value
	if whole {
		m.at = after
	}
	if m.hide == 0 {
		m.out = append(m.out, p[:end]...)
	}
	return end
}

// begin takes the first byte of a value.
func (m *Masker) begin(c byte) error {
	n := m.node()
	var treat access.Treatment
	if n != nil {
		treat = n.Treatment
		if n.Only != None && c != 'n' && kindOf(c) != n.Only {
			return m.fault("not of the form that was expected")
		}
		if n.Count {
			if m.most > 0 && m.counted >= m.most {
				m.counted++
				return ErrTooMany
			}
			m.counted++
		}
		if c == '{' && treat.Mask == access.MaskNone {
			treat = n.Objects
		}
	}
	dropped := m.lead(treat)
	switch {
	case c == '{' || c == '[':
		if len(m.stack) >= MaxDepth {
			return m.fault("nested deeper than %d", MaxDepth)
		}
		if m.hide == 0 && treat.Mask != access.MaskNone {
			switch {
			case dropped:
			case n.Treatment.Mask != access.MaskNone && n.Instead.raw != nil:
				m.out = append(m.out, n.Instead.raw...)
			default:
				m.out = append(m.out, "null"...)
			}
			m.hide = len(m.stack) + 1
		}
		if m.hide == 0 {
			m.out = append(m.out, c)
		}
		m.stack = append(m.stack, level{node: n, array: c == '['})
		m.at = firstMember
		if c == '[' {
			m.at = firstItem
		}
	case c == '"':
		m.at, m.treat, m.token, m.long, m.again, m.inner = inText, treat, m.token[:0], false, nil, nil
		if n != nil && treat.Mask == access.MaskNone {
			if m.again = n.Rewrite; m.again == nil {
				m.inner, m.begun = n.Document, false
			}
		}
		m.keep = treat.Mask == access.MaskHash || treat.Mask == access.MaskPartial || m.again != nil
		m.quiet = m.hide > 0 || treat.Mask != access.MaskNone || m.again != nil || m.inner != nil
		if !m.quiet {
			m.out = append(m.out, c)
		}
	case inLiteral(c):
		m.at, m.treat, m.token = inWord, treat, append(m.token[:0], c)
	default:
		return m.fault("a value was expected")
	}
	return nil
}

// lead writes what stands before a member, unless the member is left out.
func (m *Masker) lead(t access.Treatment) (dropped bool) {
	if m.hide > 0 || len(m.stack) == 0 {
		return false
	}
	top := &m.stack[len(m.stack)-1]
	if top.array {
		return false
	}
	defer func() { m.held = m.held[:0] }()
	if t.Mask == access.MaskDrop {
		return true
	}
	if !top.wrote {
		if i := bytes.IndexByte(m.held, ','); i >= 0 && i < bytes.IndexByte(m.held, '"') { // of a member before it that was left out
			m.held = append(m.held[:i], m.held[i+1:]...)
		}
	}
	top.wrote = true
	m.out = append(m.out, m.held...)
	return false
}

// leave takes the last byte of an object or array.
func (m *Masker) leave(c byte) error {
	if m.hide == 0 {
		m.out = append(append(m.out, m.held...), c)
	}
	m.held = m.held[:0]
	m.stack = m.stack[:len(m.stack)-1]
	if m.hide > len(m.stack) {
		m.hide = 0
	}
	m.ended()
	return nil
}

func (m *Masker) ended() {
	m.at = after
	if len(m.stack) == 0 {
		m.at = end
	}
}

// inText takes as much of a text or of a member's name as there is.
func (m *Masker) inText(p []byte) (int, error) {
	n := 0
	if m.text.plain() {
		n = ordinary(p, 0)
	}
	done, what := false, ""
	if n == 0 {
		n = 1
		if done, what = m.text.step(p[0]); what != "" {
			return 0, m.fault("%s", what)
		}
	}
	if m.at == name {
		return n, m.inName(p[:n], done)
	}
	if m.inner != nil {
		m.look(p[:n], done)
	}
	if !m.quiet {
		m.out = append(m.out, p[:n]...)
	}
	switch {
	case done:
		m.endText()
	case !m.keep:
	case len(m.token)+n > maxText && (m.inner == nil || len(m.token)+n > maxInner):
		m.long, m.token = true, m.token[:0]
	case !m.long:
		m.token = append(m.token, p[:n]...)
	}
	return n, nil
}

// look finds out whether a text begins like a document of its own, before more of it is taken; one that does not is written
// as it came.
func (m *Masker) look(p []byte, done bool) {
	if m.begun || m.long {
		return
	}
	if len(m.token) == 0 && !done {
		switch p[0] {
		case '{', '[':
			m.begun, m.keep = true, true
			return
		case ' ', '\\':
		default:
			m.inner, m.quiet = nil, false
			m.out = append(m.out, '"')
			return
		}
	}
	m.keep = true
	first := byte('x') // of what has come and what comes, without spaces
	if !done {
		if !m.text.plain() {
			return // an escape is under way
		}
		begin := bytes.TrimLeft(unquote(nil, append(m.token[:len(m.token):len(m.token)], p...)), " \t\r\n")
		switch {
		case len(begin) > 0:
			first = begin[0]
		case len(m.token) < maxSpace:
			return
		default:
			first = '{' // it is looked at when all of it is there
		}
	}
	switch first {
	case '{', '[', '"':
		m.begun = true
	default:
		m.inner, m.quiet, m.keep = nil, false, false
		m.out = append(append(m.out, '"'), m.token...)
		m.token = m.token[:0]
	}
}

func (m *Masker) inName(p []byte, done bool) error {
	if len(m.token)+len(p) > maxKey || len(m.held)+len(p) > maxKey {
		return m.fault("a member's name of more than %d bytes", maxKey)
	}
	if m.hide == 0 {
		m.held = append(m.held, p...)
	}
	if !done {
		m.token = append(m.token, p...)
		return nil
	}
	m.child, m.at = nil, colon
	if m.hide == 0 {
		m.child = m.stack[len(m.stack)-1].node.member(unquote(nil, m.token))
	}
	return nil
}

func (m *Masker) endText() {
	switch {
	case m.hide > 0:
	case m.again != nil && !m.long:
		m.out = AppendString(m.out, m.again(string(unquote(nil, m.token))))
	case m.again != nil:
		m.out = append(m.out, "null"...)
	case m.inner != nil && m.long:
		m.out = AppendString(m.out, mask.Redacted)
	case m.inner != nil:
		text := string(unquote(nil, m.token))
		if shown := m.inner(m.hider, text); shown != text {
			m.out = AppendString(m.out, shown)
		} else {
			m.out = append(append(append(m.out, '"'), m.token...), '"')
		}
	case m.treat.Mask != access.MaskNone:
		m.show(mask.Text, unquote(nil, m.token))
	}
	m.ended()
}

func (m *Masker) endWord() error {
	if !literal(m.token) {
		return m.fault("neither a number nor true, false or null")
	}
	switch {
	case m.hide > 0:
	case m.treat.Mask == access.MaskNone:
		m.out = append(m.out, m.token...)
	default:
		kind := mask.Number
		switch m.token[0] {
		case 't', 'f':
			kind = mask.Bool
		case 'n':
			kind = mask.Null
		}
		m.show(kind, m.token)
	}
	m.ended()
	return nil
}

// show writes what a hidden scalar becomes.
func (m *Masker) show(kind mask.Kind, of []byte) {
	if m.treat.Mask == access.MaskDrop && len(m.stack) > 0 && !m.stack[len(m.stack)-1].array {
		return
	}
	if m.long {
		m.out, m.long = append(m.out, "null"...), false
		return
	}
	shown, kind := m.hider.Append(nil, m.treat, kind, of)
	switch kind {
	case mask.Text:
		m.out = AppendString(m.out, string(shown))
	case mask.Number, mask.Bool:
		m.out = append(m.out, shown...)
	default:
		m.out = append(m.out, "null"...)
	}
}
