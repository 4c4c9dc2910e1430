package transcript

// Limits on what a conversation remembers. What is beyond them is shown as unknown.
const (
	maxNames  = 4096
	maxMemory = 8 << 20
)

// maxName is how many bytes of a name PostgreSQL looks at.
const maxName = 63

// Conversation is what later exchanges of a session refer to: its prepared statements and portals, as far as the
// recording shows that the server has them. Feed it every exchange in order, by Tell or Skip. The zero value is a session
// that nothing is known of, which is also right for one that is told from the middle on.
type Conversation struct {
	statements map[string]*statement
	portals    map[string]*portal
	used       int // bytes held by statements
}

// statement is a prepared statement, or what is known of it.
type statement struct {
	name      string
	text      string
	known     bool // the text is
	types     []uint32
	columns   []column
	described bool // the columns are known; there may be none
}

// portal is what a Bind said, and a description of what it returns.
type portal struct {
	of      *statement // nil for unknown
	formats []int16
	columns []column // as described, with their formats; nil when it was not
}

type column struct {
	name   string
	oid    uint32
	format int16
}

// size is about how much memory the statement takes.
func (s *statement) size() int {
	n := 128 + len(s.name) + len(s.text) + 4*len(s.types)
	for _, c := range s.columns {
		n += 32 + len(c.name)
	}
	return n
}

func key(name string) string { return name[:min(len(name), maxName)] }

// prepare remembers a statement under its name, if there is room. What the name stood for is forgotten.
func (c *Conversation) prepare(s *statement) {
	c.forget(s.name)
	if len(c.statements) >= maxNames || c.used+s.size() > maxMemory {
		return
	}
	if c.statements == nil {
		c.statements = map[string]*statement{}
	}
	c.statements[s.name] = s
	c.used += s.size()
}

// learn changes what is known of a statement.
func (c *Conversation) learn(s *statement, change func()) {
	if c.statements[s.name] != s {
		change()
		return
	}
	c.used -= s.size()
	change()
	if c.used += s.size(); c.used > maxMemory {
		c.forget(s.name)
	}
}

func (c *Conversation) forget(name string) {
	if s := c.statements[name]; s != nil {
		c.used -= s.size()
		delete(c.statements, name)
	}
}

func (c *Conversation) forgetAll() {
	clear(c.statements)
	clear(c.portals)
	c.used = 0
}

func (c *Conversation) bind(name string, p *portal) {
	delete(c.portals, name)
	if len(c.portals) >= maxNames {
		return
	}
	if c.portals == nil {
		c.portals = map[string]*portal{}
	}
	c.portals[name] = p
}
