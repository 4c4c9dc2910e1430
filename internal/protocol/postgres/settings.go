package postgres

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/vecgate/vecgate/internal/protocol/postgres/analysis"
	"github.com/vecgate/vecgate/internal/protocol/postgres/wire"
)

// styles are the settings that the target reports and that change what a literal means.
var styles = [...]string{"DateStyle", "IntervalStyle", "TimeZone"}

// settings is what an approval is bound to besides the text: the same text means something else under other settings.
type settings struct {
	usual  [len(styles)]string // of a session that asked for nothing
	styles [len(styles)]string // as the target reported them last
	began  map[string]string   // what the client asked for when it connected, by lower-case name
	// own is every value that another setting may have by now, in order; "" is the target's own. There is more than one
	// where a transaction may have taken a change back.
	own map[string][]string

	bound string // all of it, for the digest and to be compared
}

const (
	maxValues   = 4       // that are told apart, of one setting
	maxValue    = 128     // bytes of one that are kept as they are
	maxSettings = 4 << 10 // bytes of them that people are shown
)

// meaningless reports whether a setting changes nothing about what a text does.
func meaningless(name string) bool {
	switch name {
	case "application_name", "client_encoding", "client_min_messages", "standard_conforming_strings", "datestyle", "intervalstyle", "timezone":
		return true // the last three are reported
	}
	return strings.HasPrefix(name, "vecgate.") || strings.HasSuffix(name, "_timeout")
}

// begin takes on what the session begins with.
func (s *settings) begin(usual [len(styles)]string, asked map[string]string, reported []setting) {
	s.usual, s.began, s.own = usual, map[string]string{}, map[string][]string{}
	for name, value := range asked {
		if name = strings.ToLower(name); !meaningless(name) {
			s.began[name] = short(value)
			s.own[name] = []string{short(value)}
		}
	}
	for _, p := range reported {
		s.report(p.name, p.value)
	}
	s.bind()
}

// report takes on what the target says of a setting.
func (s *settings) report(name, value string) {
	for i := range styles {
		if styles[i] == name && s.styles[i] != value {
			s.styles[i] = value
			s.bind()
		}
	}
}

// change takes on what a statement did. A change that stays whatever follows replaces what was; any other one is added.
func (s *settings) change(set analysis.Setting, stays bool) {
	switch {
	case set.Name == "all" && set.Reset:
		for name := range s.own {
			s.put(name, s.began[name], stays)
		}
	case meaningless(set.Name):
		return
	case set.Reset:
		s.put(set.Name, s.began[set.Name], stays)
	default:
		s.put(set.Name, short(set.Value), stays)
	}
	s.bind()
}

func (s *settings) put(name, value string, stays bool) {
	values := s.own[name]
	switch {
	case stays && value == "":
		delete(s.own, name)
		return
	case stays:
		s.own[name] = []string{value}
		return
	case len(values) == 0:
		values = []string{""}
	}
	if !slices.Contains(values, value) {
		if len(values) >= maxValues {
			value = short(strings.Repeat(" ", maxValue) + strings.Join(values, "\x00") + "\x00" + value)
			values = nil
		}
		values = append(slices.Clone(values), value)
		sort.Strings(values)
	}
	s.own[name] = values
}

// short is a value, or what stands for it when it is long.
func short(value string) string {
	if len(value) <= maxValue {
		return value
	}
	sum := sha256.Sum256([]byte(value))
	return "a value of SHA-256 " + hex.EncodeToString(sum[:])
}

// bind puts the settings into words, one line each. What people need not see begins with a space.
func (s *settings) bind() {
	var b strings.Builder
	for i, name := range styles {
		if s.styles[i] == s.usual[i] {
			b.WriteByte(' ')
		}
		b.WriteString(name + " = " + strconv.Quote(s.styles[i]) + "\n")
	}
	for _, name := range sorted(s.own) {
		b.WriteString(name + " = ")
		for i, value := range s.own[name] {
			if i > 0 {
				b.WriteString(" or ")
			}
			if value == "" {
				b.WriteString("the target's own")
			} else {
				b.WriteString(strconv.Quote(value))
			}
		}
		b.WriteByte('\n')
	}
	s.bound = b.String()
}

func sorted(m map[string][]string) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// after is the settings once a text has changed them that runs in the same exchange.
func after(bound, text string) string {
	bound += "and after " + strconv.Quote(short(text)) + "\n"
	if len(bound) > 16<<10 {
		return "others, " + strconv.Quote(short(bound)) + "\n"
	}
	return bound
}

// showSettings appends the lines that people must see.
func showSettings(b []byte, what, bound string) []byte {
	end, more := len(b)+maxSettings, 0
	for line := range strings.Lines(bound) {
		if line[0] != ' ' {
			if len(b) > end {
				more++
				continue
			}
			b = append(append(append(b, "-- "...), what...), ' ')
			b = append(b, line...)
		}
	}
	if more > 0 {
		b = append(strconv.AppendInt(append(b, "-- and "...), int64(more), 10), " more settings that are not shown\n"...)
	}
	return b
}

// stays reports whether a SET that the target has just carried out cannot be taken back any more.
func (x *exchange) stays(e *execution, set analysis.Setting) bool {
	if set.Local || x.s.status != 'I' || x.s.worked || len(x.runs) != 1 || e.statement.Kind != analysis.Set {
		return false
	}
	n := len(x.steps)
	return x.steps[n-1].kind == wire.Query || n > 1 && x.steps[n-1].kind == wire.Sync && x.steps[n-2].kind == wire.Execute
}
