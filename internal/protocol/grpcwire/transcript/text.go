package transcript

import (
	"encoding/base64"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Text writes a message as JSON with the names of its type's fields, in their order, so that equal messages read alike.
// It ends with "…" where it would be longer than most bytes. Brief leaves out most of long lists of numbers and of bytes:
// people who are to release a request want to see what it does, not 1536 floats.
func Text(m proto.Message, most int, brief bool) string {
	w := writer{most: most, brief: brief}
	w.message(m.ProtoReflect(), 0)
	s := w.b.String()
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// What brief leaves of lists and bytes.
const (
	briefList  = 8
	briefBytes = 24
)

type writer struct {
	b     strings.Builder
	most  int
	brief bool
}

func (w *writer) full() bool { return w.b.Len() > w.most }

func (w *writer) message(m protoreflect.Message, depth int) {
	w.b.WriteByte('{')
	fields := m.Descriptor().Fields()
	first := true
	for i := 0; i < fields.Len() && !w.full(); i++ {
		fd := fields.Get(i)
		if !m.Has(fd) {
			continue
		}
		if !first {
			w.b.WriteByte(',')
		}
		first = false
		w.text(string(fd.Name()))
		w.b.WriteByte(':')
		w.value(fd, m.Get(fd), depth)
	}
	w.b.WriteByte('}')
}

func (w *writer) value(fd protoreflect.FieldDescriptor, v protoreflect.Value, depth int) {
	switch {
	case depth > 1000:
		w.b.WriteString(`"…"`)
	case fd.IsMap():
		w.entries(fd, v.Map(), depth)
	case fd.IsList():
		w.list(fd, v.List(), depth)
	default:
		w.single(fd, v, depth)
	}
}

func (w *writer) list(fd protoreflect.FieldDescriptor, l protoreflect.List, depth int) {
	w.b.WriteByte('[')
	n := l.Len()
	scalar := fd.Message() == nil && fd.Kind() != protoreflect.StringKind
	for i := 0; i < n && !w.full(); i++ {
		if i > 0 {
			w.b.WriteByte(',')
		}
		if w.brief && scalar && n > 2*briefList && i == briefList {
			w.text("… " + strconv.Itoa(n) + " in all")
			break
		}
		w.single(fd, l.Get(i), depth)
	}
	w.b.WriteByte(']')
}

func (w *writer) entries(fd protoreflect.FieldDescriptor, m protoreflect.Map, depth int) {
	keys := make([]protoreflect.MapKey, 0, m.Len())
	m.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, k)
		return true
	})
	sort.Slice(keys, func(i, j int) bool { return keys[i].String() < keys[j].String() })
	w.b.WriteByte('{')
	for i, k := range keys {
		if w.full() {
			break
		}
		if i > 0 {
			w.b.WriteByte(',')
		}
		w.text(k.String())
		w.b.WriteByte(':')
		w.single(fd.MapValue(), m.Get(k), depth)
	}
	w.b.WriteByte('}')
}

func (w *writer) single(fd protoreflect.FieldDescriptor, v protoreflect.Value, depth int) {
	switch fd.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		w.message(v.Message(), depth+1)
	case protoreflect.StringKind:
		w.text(v.String())
	case protoreflect.BytesKind:
		b := v.Bytes()
		if w.brief && len(b) > 2*briefBytes {
			w.text(base64.StdEncoding.EncodeToString(b[:briefBytes]) + "… " + strconv.Itoa(len(b)) + " bytes in all")
			return
		}
		if room := w.most - w.b.Len(); len(b) > room {
			b = b[:max(room, 0)]
		}
		w.text(base64.StdEncoding.EncodeToString(b))
	case protoreflect.EnumKind:
		if ev := fd.Enum().Values().ByNumber(v.Enum()); ev != nil {
			w.text(string(ev.Name()))
			return
		}
		w.b.WriteString(strconv.Itoa(int(v.Enum())))
	case protoreflect.FloatKind:
		w.b.WriteString(strconv.FormatFloat(v.Float(), 'g', -1, 32))
	case protoreflect.DoubleKind:
		w.b.WriteString(strconv.FormatFloat(v.Float(), 'g', -1, 64))
	default:
		w.b.WriteString(v.String())
	}
}

// text writes a JSON string.
func (w *writer) text(s string) {
	if room := w.most - w.b.Len() + utf8.UTFMax; len(s) > room {
		s = s[:max(room, 0)]
	}
	w.b.WriteByte('"')
	for _, r := range strings.ToValidUTF8(s, "�") {
		switch {
		case r == '"' || r == '\\':
			w.b.WriteByte('\\')
			w.b.WriteRune(r)
		case r == '\n':
			w.b.WriteString(`\n`)
		case r < ' ' || r == 0x7f:
			w.b.WriteString(`\u00`)
			w.b.WriteByte("0123456789abcdef"[r>>4])
			w.b.WriteByte("0123456789abcdef"[r&15])
		default:
			w.b.WriteRune(r)
		}
	}
	w.b.WriteByte('"')
}
