package startup

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// Session is what a client asks for when it starts.
type Session struct {
	User     string
	Database string // the target; User when the client gave none, as in PostgreSQL
	// Settings are the run-time parameters to start with, by the name in PostgreSQL's own spelling.
	Settings map[string]string
	// Ticket is vecgate.ticket, Method is vecgate.auth: how the client wants to sign in.
	Ticket string
	Method string
	// Program is application_name.
	Program string

	// Version is what is spoken from here on, Unknown the protocol options that are not understood; when Negotiate is
	// set the client must be told of both before anything else.
	Version   uint32
	Unknown   []string
	Negotiate bool
}

// Fault is why a client may not start like this, in the shape of a PostgreSQL error.
type Fault struct {
	SQLSTATE string
	Message  string
	Hint     string
}

// Error implements error.
func (f *Fault) Error() string { return f.Message }

// Rules say what a client may bring.
type Rules struct {
	// SearchPath allows search_path.
	SearchPath bool
	// StatementTimeout and LockTimeout, in milliseconds, are the most that a client may ask for; 0 is no bound.
	StatementTimeout, LockTimeout int64
}

// allowed are the run-time parameters that a client may bring, by lower-case name.
var allowed = map[string]string{
	"application_name": "application_name", "client_encoding": "client_encoding", "datestyle": "DateStyle",
	"intervalstyle": "IntervalStyle", "timezone": "TimeZone", "extra_float_digits": "extra_float_digits",
	"statement_timeout": "statement_timeout", "lock_timeout": "lock_timeout", "search_path": "search_path",
	"vecgate.ticket": "vecgate.ticket", "vecgate.auth": "vecgate.auth",
}

// Allowed lists the run-time parameters that a client may bring, for the documentation.
func Allowed() []string {
	var names []string
	for _, name := range allowed {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Read decides on the parameters of a Start packet. rulesOf gives the rules of a database; it is asked once, when it is
// known which one is meant, however the client spelt that.
func Read(p Packet, rulesOf func(database string) Rules) (*Session, error) {
	s := &Session{Settings: map[string]string{}, Version: Version30}
	if p.Version >= Version32 {
		s.Version = Version32
	}
	s.Negotiate = p.Version != Version30 && p.Version != Version32
	direct := map[string]string{}
	var options []Param
	for _, param := range p.Params {
		name := strings.ToLower(param.Name)
		switch {
		case name == "user":
			s.User = param.Value
		case name == "database":
			s.Database = param.Value
		case name == "replication":
			if err := noReplication(param.Value); err != nil {
				return nil, err
			}
		case strings.HasPrefix(param.Name, "_pq_."):
			s.Unknown = append(s.Unknown, param.Name)
			s.Negotiate = true
		case name == "options":
			var err error
			if options, err = splitOptions(param.Value); err != nil {
				return nil, err
			}
		default:
			direct[param.Name] = param.Value
		}
	}
	if s.User == "" {
		return nil, &Fault{"28000", "no PostgreSQL user name specified in startup packet", "give any name with user=; who you are is what your token says"}
	}
	if s.Database == "" {
		s.Database = s.User
	}
	if len(s.User) > 256 || len(s.Database) > 256 {
		return nil, &Fault{"08P01", "the name of the user or of the database is longer than 256 bytes", ""}
	}
	rules := rulesOf(s.Database)
	for _, o := range options {
		if err := s.set(o.Name, o.Value, rules); err != nil {
			return nil, err
		}
	}
	for name, value := range direct { // after options, whose values they replace
		if err := s.set(name, value, rules); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func noReplication(value string) error {
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "", "false", "fals", "fal", "fa", "f", "off", "of", "no", "n", "0":
		return nil
	}
	return &Fault{"0A000", "the gateway does not carry the replication protocol, which copies the whole database", "connect without replication=" + value}
}

// set takes one run-time parameter on.
func (s *Session) set(name, value string, rules Rules) error {
	spelling, ok := allowed[strings.ToLower(name)]
	if !ok {
		return &Fault{
			"42501", fmt.Sprintf("parameter %q cannot be set through the gateway when connecting", name),
			"allowed are " + strings.Join(Allowed(), ", "),
		}
	}
	if len(value) > 1024 || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return &Fault{"22023", fmt.Sprintf("invalid value for parameter %q", spelling), ""}
	}
	switch spelling {
	case "client_encoding":
		if !utf8Name(value) {
			return &Fault{"22023", fmt.Sprintf("client_encoding %q: the gateway reads UTF8 only", value), "connect with client_encoding=UTF8"}
		}
		return nil // it is UTF8 in any case
	case "vecgate.ticket":
		s.Ticket = value
	case "vecgate.auth":
		s.Method = strings.ToLower(value)
		return nil
	case "application_name":
		s.Program = value
	case "search_path":
		if !rules.SearchPath {
			return &Fault{"42501", "search_path is fixed by the gateway for this target", "write schema-qualified names, or leave search_path out"}
		}
	case "statement_timeout":
		return s.lower(spelling, value, rules.StatementTimeout)
	case "lock_timeout":
		return s.lower(spelling, value, rules.LockTimeout)
	}
	s.Settings[spelling] = value
	return nil
}

// lower takes a timeout on when it is not above the bound. Zero means no timeout, and is above any bound.
func (s *Session) lower(name, value string, most int64) error {
	ms, ok := milliseconds(value)
	if !ok {
		return &Fault{"22023", fmt.Sprintf("invalid value for parameter %q: %q", name, value), "give milliseconds, or a number with ms, s, min or h"}
	}
	if most > 0 && (ms == 0 || ms > most) {
		return &Fault{"22023", fmt.Sprintf("%s may be at most %d ms here", name, most), ""}
	}
	s.Settings[name] = strconv.FormatInt(ms, 10)
	return nil
}

func milliseconds(value string) (int64, bool) {
	value = strings.TrimSpace(value)
	unit := int64(1)
	for _, u := range []struct {
		suffix string
		ms     int64
	}{{"ms", 1}, {"min", 60_000}, {"s", 1000}, {"h", 3_600_000}} {
		if rest, ok := strings.CutSuffix(value, u.suffix); ok {
			value, unit = strings.TrimSpace(rest), u.ms
			break
		}
	}
	n, err := strconv.ParseInt(value, 10, 32)
	return n * unit, err == nil && n >= 0
}

// utf8Name reports whether an encoding name means UTF8. SQL_ASCII means that the client does not care.
func utf8Name(name string) bool {
	var plain strings.Builder
	for _, r := range strings.ToLower(name) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			plain.WriteRune(r)
		}
	}
	switch plain.String() {
	case "utf8", "unicode", "sqlascii":
		return true
	}
	return false
}

// splitOptions reads the options parameter as PostgreSQL's pg_split_opts and command line do: words separated by white
// space, in which a backslash takes the next character as it is; -c name=value, -cname=value and --name=value.
func splitOptions(value string) ([]Param, error) {
	var words []string
	for i := 0; i < len(value); {
		if isSpace(value[i]) {
			i++
			continue
		}
		var word []byte
		for ; i < len(value) && !isSpace(value[i]); i++ {
			if value[i] == '\\' {
				if i++; i == len(value) {
					break
				}
			}
			word = append(word, value[i])
		}
		words = append(words, string(word))
	}
	var params []Param
	for i := 0; i < len(words); i++ {
		word := words[i]
		var setting string
		switch {
		case word == "-c":
			if i++; i == len(words) {
				return nil, &Fault{"42601", "options: -c without name=value", ""}
			}
			setting = words[i]
		case strings.HasPrefix(word, "-c"):
			setting = word[2:]
		case strings.HasPrefix(word, "--"):
			setting = word[2:]
		default:
			return nil, &Fault{"42501", fmt.Sprintf("options: %q cannot be used through the gateway", word), "use -c name=value"}
		}
		name, v, ok := strings.Cut(setting, "=")
		if !ok || name == "" {
			return nil, &Fault{"42601", fmt.Sprintf("options: %q is not name=value", setting), ""}
		}
		params = append(params, Param{strings.ReplaceAll(name, "-", "_"), v})
	}
	return params, nil
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
