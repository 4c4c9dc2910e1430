package audit

import (
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/vecgate/vecgate/internal/access"
)

// appendRecord appends the envelope, byte for byte as encoding/json would write it, without its allocations.
func appendRecord(b []byte, r *Record) []byte {
	b = append(b, `{"seq":`...)
	b = strconv.AppendUint(b, r.Seq, 10)
	b = append(b, `,"time":"`...)
	b = r.Time.AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","type":`...)
	b = appendString(b, string(r.Type))
	b = appendField(b, `,"session":`, r.Session)
	b = appendField(b, `,"request":`, r.Request)
	b = appendField(b, `,"subject":`, r.Subject)
	b = appendField(b, `,"name":`, r.Name)
	b = appendField(b, `,"kind":`, string(r.Kind))
	b = appendField(b, `,"person":`, r.Person)
	b = appendField(b, `,"instance":`, r.Instance)
	b = appendField(b, `,"actor":`, r.Actor)
	b = appendField(b, `,"credential":`, r.Credential)
	b = appendField(b, `,"method":`, r.Method)
	b = appendField(b, `,"client":`, r.Client)
	b = appendField(b, `,"target":`, r.Target)
	if len(r.Accesses) > 0 {
		b = append(b, `,"accesses":[`...)
		for i := range r.Accesses {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendAccess(b, &r.Accesses[i])
		}
		b = append(b, ']')
	}
	b = appendField(b, `,"unclear":`, r.Unclear)
	b = appendField(b, `,"effect":`, string(r.Effect))
	b = appendField(b, `,"rule":`, r.Rule)
	b = appendField(b, `,"code":`, string(r.Code))
	b = appendField(b, `,"policy":`, r.Policy)
	b = appendField(b, `,"grant":`, r.Grant)
	b = appendField(b, `,"ticket":`, r.Ticket)
	b = appendField(b, `,"ticket_sha256":`, r.TicketHash)
	b = appendNumber(b, `,"rows":`, r.Rows)
	b = appendNumber(b, `,"bytes":`, r.Bytes)
	b = appendNumber(b, `,"micros":`, r.Micros)
	b = appendField(b, `,"error":`, r.Error)
	b = appendField(b, `,"detail":`, r.Detail)
	b = appendField(b, `,"state":`, r.State)
	b = appendField(b, `,"text_sha256":`, r.TextHash)
	if r.Shortened {
		b = append(b, `,"shortened":true`...)
	}
	b = appendNumber(b, `,"sealed":`, r.Sealed)
	b = appendField(b, `,"sealed_sha256":`, r.SealedHash)
	return append(b, '}')
}

func appendAccess(b []byte, a *access.Access) []byte {
	b = append(b, `{"action":`...)
	b = appendString(b, string(a.Action))
	b = append(b, `,"resource":{"target":`...)
	b = appendString(b, a.Resource.Target)
	b = appendField(b, `,"namespace":`, a.Resource.Namespace)
	b = appendField(b, `,"collection":`, a.Resource.Collection)
	b = append(b, '}')
	if t := &a.Attributes; !noAttributes(t) {
		b = append(b, `,"attributes":{`...)
		start := len(b)
		b = appendNumber(b, `,"limit":`, t.Limit)
		b = appendNumber(b, `,"offset":`, t.Offset)
		b = appendNumber(b, `,"rows":`, t.Rows)
		b = appendTrue(b, `,"vectors":true`, t.Vectors)
		b = appendStrings(b, `,"fields":`, t.Fields)
		b = appendStrings(b, `,"filter_fields":`, t.FilterFields)
		b = appendField(b, `,"filter":`, string(t.Filter))
		b = appendStrings(b, `,"ids":`, t.IDs)
		b = appendNumber(b, `,"points":`, t.Points)
		b = appendStrings(b, `,"order_by":`, t.OrderBy)
		b = appendTrue(b, `,"cursor":true`, t.Cursor)
		b = appendField(b, `,"role":`, t.Role)
		b = appendField(b, `,"alias":`, t.Alias)
		b = appendTrue(b, `,"egress":true`, t.Egress)
		b = appendTrue(b, `,"lock":true`, t.Lock)
		b = appendNumber(b, `,"batch":`, int64(t.Batch))
		if len(b) > start { // the first member has no comma before it
			b = append(b[:start], b[start+1:]...)
		}
		b = append(b, '}')
	}
	return append(b, '}')
}

func noAttributes(t *access.Attributes) bool {
	return t.Limit == 0 && t.Offset == 0 && t.Rows == 0 && !t.Vectors && t.Fields == nil && t.FilterFields == nil && t.Filter == "" &&
		t.IDs == nil && t.Points == 0 && t.OrderBy == nil && !t.Cursor && t.Role == "" && t.Alias == "" && !t.Egress && !t.Lock && t.Batch == 0
}

func appendTrue(b []byte, member string, is bool) []byte {
	if is {
		b = append(b, member...)
	}
	return b
}

func appendNumber(b []byte, key string, n int64) []byte {
	if n != 0 {
		b = append(b, key...)
		b = strconv.AppendInt(b, n, 10)
	}
	return b
}

func appendField(b []byte, key, s string) []byte {
	if s != "" {
		b = append(b, key...)
		b = appendString(b, s)
	}
	return b
}

func appendStrings(b []byte, key string, list []string) []byte {
	if len(list) == 0 {
		return b
	}
	b = append(b, key...)
	for i, s := range list {
		if i == 0 {
			b = append(b, '[')
		} else {
			b = append(b, ',')
		}
		b = appendString(b, s)
	}
	return append(b, ']')
}

// plain marks the bytes that stand for themselves in a JSON string as encoding/json writes it.
var plain = func() (t [256]bool) {
	for c := 0x20; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\' && c != '<' && c != '>' && c != '&'
	}
	return t
}()

const hexDigits = "0123456789abcdef"

func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if plain[c] {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			b = append(b, s[start:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\b':
				b = append(b, '\\', 'b')
			case '\f':
				b = append(b, '\\', 'f')
			case '\n':
				b = append(b, '\\', 'n')
			case '\r':
				b = append(b, '\\', 'r')
			case '\t':
				b = append(b, '\\', 't')
			default:
				b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b = append(b, s[start:i]...)
			b = append(b, `\ufffd`...)
			start = i + size
		case r == '\u2028' || r == '\u2029':
			b = append(b, s[start:i]...)
			b = append(b, `\u202`...)
			b = append(b, hexDigits[r&15])
			start = i + size
		}
		i += size
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// maxRecord is what an entry of a tile bundle can hold (C2SP tlog-tiles).
const maxRecord = 1<<16 - 1

// lastStep leaves no access and 256 bytes of every word: less than maxRecord, however it is escaped.
const lastStep = 5

// shorten makes a record that is too long fit, whatever an outsider put into it: lists first, then accesses, then words.
func shorten(long *Record, step int) *Record {
	copied := *long
	r := &copied
	r.Shortened = true
	accesses := r.Accesses[:min(len(r.Accesses), 256>>(2*step))]
	r.Accesses = make([]access.Access, len(accesses))
	for i, a := range accesses {
		a.Attributes.IDs, a.Attributes.Fields, a.Attributes.FilterFields, a.Attributes.OrderBy = nil, nil, nil, nil
		a.Resource.Target = cut(a.Resource.Target, 128)
		a.Resource.Namespace = cut(a.Resource.Namespace, 128)
		a.Resource.Collection = cut(a.Resource.Collection, 128)
		a.Attributes.Alias = cut(a.Attributes.Alias, 128)
		a.Attributes.Role = cut(a.Attributes.Role, 16)
		a.Attributes.Filter = access.Filter(cut(string(a.Attributes.Filter), 16))
		a.Action = access.Action(cut(string(a.Action), 32))
		r.Accesses[i] = a
	}
	if step == 0 {
		return r
	}
	for _, s := range []*string{
		&r.Session, &r.Request, &r.Subject, &r.Name, &r.Person, &r.Instance, &r.Actor, &r.Credential, &r.Method, &r.Client, &r.Target,
		&r.Unclear, &r.Rule, &r.Policy, &r.Grant, &r.Ticket, &r.TicketHash, &r.Error, &r.Detail, &r.State, &r.TextHash,
	} {
		*s = cut(*s, 256)
	}
	r.Type, r.Kind = Type(cut(string(r.Type), 32)), access.Kind(cut(string(r.Kind), 32))
	r.Effect, r.Code = access.Effect(cut(string(r.Effect), 32)), access.Code(cut(string(r.Code), 64))
	return r
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n]
}

// tooLong says, from the lengths alone, that a record cannot fit, so that nobody has to encode it to find out.
func tooLong(r *Record) bool {
	n := len(r.Name) + len(r.Instance) + len(r.Credential) + len(r.Client) + len(r.Target) + len(r.Unclear) + len(r.Rule) +
		len(r.Ticket) + len(r.TicketHash) + len(r.Error) + len(r.Detail) + len(r.Subject) + len(r.Actor) + len(r.Session) + len(r.Request) + 40*len(r.Accesses)
	for i := 0; i < len(r.Accesses) && n <= maxRecord; i++ {
		a := &r.Accesses[i]
		n += len(a.Resource.Target) + len(a.Resource.Namespace) + len(a.Resource.Collection) + len(a.Attributes.Alias)
		for _, list := range [...][]string{a.Attributes.Fields, a.Attributes.FilterFields, a.Attributes.IDs, a.Attributes.OrderBy} {
			for j := 0; j < len(list) && n <= maxRecord; j++ {
				n += len(list[j]) + 3
			}
		}
	}
	return n > maxRecord
}

// appendFitting is appendRecord for a record of any length: what does not fit into an entry is shortened.
func appendFitting(b []byte, r *Record) []byte {
	start := len(b)
	if !tooLong(r) {
		if b = appendRecord(b, r); len(b)-start <= maxRecord {
			return b
		}
	}
	for step := 0; ; step++ {
		short := shorten(r, step)
		if step < lastStep && tooLong(short) {
			continue
		}
		if b = appendRecord(b[:start], short); len(b)-start <= maxRecord || step == lastStep {
			return b
		}
	}
}
