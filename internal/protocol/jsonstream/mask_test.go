package jsonstream

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/mask"
)

const canary = "CANARY"

func hider(t testing.TB) *mask.Hider {
	h, err := mask.New(bytes.Repeat([]byte{7}, mask.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func treat(m access.Mask) *Node { return &Node{Treatment: access.Treatment{Mask: m, Rule: "r"}} }

// plan hides what the tests write canaries into: members by name at the top, and in every element of rows.
func plan(m access.Mask) *Node {
	record := &Node{
		Fields: map[string]*Node{"secret": treat(m), "sécret": treat(m)},
		Field: func(name string) *Node {
			if strings.HasPrefix(name, "secret_") {
				return treat(m)
			}
			return nil
		},
	}
	record.Fields["rows"] = &Node{Items: record}
	record.Fields["objects"] = &Node{Objects: access.Treatment{Mask: m}}
	record.Fields["round"] = &Node{Items: treat(access.MaskRound)}
	return record
}

func run(t testing.TB, root *Node, doc string, cut func(rest int) int) (string, error) {
	var out bytes.Buffer
	m := NewMasker(&out, root, hider(t))
	for rest := []byte(doc); len(rest) > 0; {
		n := cut(len(rest))
		if _, err := m.Write(rest[:n]); err != nil {
			return out.String(), err
		}
		rest = rest[n:]
	}
	err := m.Close()
	return out.String(), err
}

func whole(n int) int  { return n }
func bytewise(int) int { return 1 }

var cases = []struct {
	name string
	mask access.Mask
	doc  string
	want string
}{
	{"redact", access.MaskRedact, `{ "a" : 1.0e+2 , "secret" : "CANARY", "b":[1 , 2]}`, `{ "a" : 1.0e+2 , "secret" : "[redacted]", "b":[1 , 2]}`},
	{"number", access.MaskRedact, `{"secret":12345 ,"b":-0.0}`, `{"secret":null ,"b":-0.0}`},
	{"composite", access.MaskRedact, `{"secret": {"x":["CANARY",{"y":1}]} , "c":true}`, `{"secret": null , "c":true}`},
	{"null stays", access.MaskRedact, `{"secret":null}`, `{"secret":null}`},
	{"escaped key", access.MaskNull, `{"s\u0065cret":"CANARY"}`, `{"s\u0065cret":null}`},
	{"escaped key beyond ASCII", access.MaskNull, `{"s\u00e9cret":"CANARY","sécret":"CANARY"}`, `{"s\u00e9cret":null,"sécret":null}`},
	{"every occurrence", access.MaskNull, `{"secret":1,"secret":2}`, `{"secret":null,"secret":null}`},
	{"drop first", access.MaskDrop, `{"secret":"CANARY", "a":1}`, `{ "a":1}`},
	{"drop middle", access.MaskDrop, `{"a":1, "secret":["CANARY"], "b":2}`, `{"a":1, "b":2}`},
	{"drop last", access.MaskDrop, `{"a":1 ,"secret":1 }`, `{"a":1 }`},
	{"drop only", access.MaskDrop, `{"secret":"CANARY"}`, `{}`},
	{"drop all", access.MaskDrop, `{"secret":{}, "secret_2":[] }`, `{ }`},
	{"rows", access.MaskRedact, `{"rows":[{"secret":"CANARY","k":"v"},{"rows":[{"secret":"CANARY"}]}]}`, `{"rows":[{"secret":"[redacted]","k":"v"},{"rows":[{"secret":"[redacted]"}]}]}`},
	{"asked by name", access.MaskNull, `{"secret_x":"CANARY","x_secret":1}`, `{"secret_x":null,"x_secret":1}`},
	{"partial", access.MaskPartial, `{"secret":"abcdefgh\u0069jkl"}`, `{"secret":"****ijkl"}`},
	{"objects only", access.MaskNull, `{"objects":{"v":"CANARY"}}`, `{"objects":null}`},
	{"objects, not texts", access.MaskNull, `{"objects":"text"}`, `{"objects":"text"}`},
	{"round", access.MaskNull, `{"round":[0.12345, 1, "CANARY"]}`, `{"round":[0.12, 1, null]}`},
	{"hidden numbers at the end", access.MaskNull, `{"secret":1}`, `{"secret":null}`},
}

func TestValuesAreHiddenByTheirPath(t *testing.T) {
	for _, c := range cases {
		got, err := run(t, plan(c.mask), c.doc, whole)
		if err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", c.name, got, err, c.want)
		}
	}
}

func TestEverySplitPointGivesTheSame(t *testing.T) {
	for _, c := range cases {
		for at := 1; at < len(c.doc); at++ {
			first := true
			got, err := run(t, plan(c.mask), c.doc, func(rest int) int {
				if first {
					first = false
					return at
				}
				return rest
			})
			if err != nil || got != c.want {
				t.Errorf("%s split at %d: %q, %v; want %q", c.name, at, got, err, c.want)
			}
		}
		if got, err := run(t, plan(c.mask), c.doc, bytewise); err != nil || got != c.want {
			t.Errorf("%s byte by byte: %q, %v; want %q", c.name, got, err, c.want)
		}
	}
}

func TestDigestsOfEqualTextsAreEqualHoweverTheyAreSpelled(t *testing.T) {
	got, err := run(t, &Node{Items: treat(access.MaskHash)}, `["abc","\u0061bc","abd"]`, whole)
	if err != nil {
		t.Fatal(err)
	}
	var digests []string
	if err := json.Unmarshal([]byte(got), &digests); err != nil {
		t.Fatal(err)
	}
	if digests[0] != digests[1] || digests[0] == digests[2] || strings.Contains(got, "abc") {
		t.Errorf("digests %q", digests)
	}
}

func TestALongTextIsNotKeptToShowAPartOfIt(t *testing.T) {
	got, err := run(t, plan(access.MaskPartial), `{"secret":"`+strings.Repeat("x", maxText)+`yCANARY","a":"b"}`, whole)
	if want := `{"secret":null,"a":"b"}`; err != nil || got != want {
		t.Errorf("%.80q, %v; want %q", got, err, want)
	}
}

// endless is a document of a given size that is made as it is read.
type endless struct {
	rows, row int
	rest      []byte
}

func (e *endless) Read(p []byte) (int, error) {
	if len(e.rest) == 0 {
		switch {
		case e.row == 0:
			e.rest = []byte(`{"rows":[`)
		case e.row <= e.rows:
			e.rest = []byte(`{"k":"` + strings.Repeat("v", 90) + `","secret":"CANARY"},`)
			if e.row == e.rows {
				e.rest = e.rest[:len(e.rest)-1]
			}
		case e.row == e.rows+1:
			e.rest = []byte(`]}`)
		default:
			return 0, io.EOF
		}
		e.row++
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

// witness counts, and looks for canaries over the edges of what it is given.
type witness struct {
	bytes int
	tail  []byte
	saw   bool
	most  int
}

func (w *witness) Write(p []byte) (int, error) {
	w.bytes += len(p)
	w.most = max(w.most, len(p))
	w.tail = append(w.tail, p...)
	w.saw = w.saw || bytes.Contains(w.tail, []byte(canary))
	w.tail = append([]byte(nil), w.tail[max(0, len(w.tail)-len(canary)):]...)
	return len(p), nil
}

func TestALargeAnswerIsHiddenInBoundedMemory(t *testing.T) {
	rows := 900_000 // 100 MB and more
	if testing.Short() {
		rows = 10_000
	}
	w := &witness{}
	m := NewMasker(w, plan(access.MaskRedact), hider(t))
	m.root.Fields["rows"].Items.Count = true
	if _, err := io.CopyBuffer(struct{ io.Writer }{m}, &endless{rows: rows}, make([]byte, 7919)); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if w.saw || w.bytes < rows*100 || m.Counted() != int64(rows)+1 { // the root is planned as a row is
		t.Errorf("canary seen: %v; %d bytes, %d rows counted", w.saw, w.bytes, m.Counted())
	}
	if w.most > 4*flushAt || cap(m.out) > 4*flushAt || cap(m.held) > maxKey || cap(m.token) > maxText {
		t.Errorf("wrote %d bytes at once, keeps %d, %d and %d", w.most, cap(m.out), cap(m.held), cap(m.token))
	}
}

var malformed = []string{
	``, ` `, `{`, `[`, `"`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `[1,]`, `[,1]`, `{,}`, `{1:2}`, `tru`, `nul`, `nulll`, `+1`, `01`, `1.`, `.5`, `1e`, `-`, `1 2`, `{} {}`, `[1}`, `{"a":1]`,
	`"\x"`, `"\u12"`, `"\u12g4"`, `"\ud800"`, `"\udc00"`, `"\ud800x"`, `"\ud800\n"`, `"\ud800\ud800"`, "\"\x01\"", "\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xe2\x82\"",
	"\xef\xbb\xbf{}", "\x00", `{"a" 1}`, `{"a":1 "b":2}`, `[1 2]`, `'a'`, `NaN`, `Infinity`, `//x`, `{"a":/**/1}`, "\v1", `[` + strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth) + `]`,
}

func TestWhatIsNotStrictJSONIsRefused(t *testing.T) {
	for _, doc := range malformed {
		if got, err := run(t, plan(access.MaskRedact), doc, bytewise); err == nil {
			t.Errorf("Masker takes %q as %q", doc, got)
		}
		if v, err := Read([]byte(doc)); err == nil {
			t.Errorf("Read takes %q as %q", doc, v.Raw())
		}
	}
}

func TestAFaultDoesNotQuoteTheText(t *testing.T) {
	for _, doc := range []string{`{"a":CANARY}`, `{"CANARY" 1}`, `{"CANARY":1,"CANARY":2}`} {
		_, err := Read([]byte(doc))
		if fault, ok := errors.AsType[*Fault](err); !ok || strings.Contains(fault.Error(), canary) {
			t.Errorf("%s: %v", doc, err)
		}
	}
}

func TestOtherThanHiddenBytesStayAsTheyWere(t *testing.T) {
	for _, doc := range []string{
		" {\t\"a\\u0062\" :\r\n[ 1e5,1E+05,-0,0.10,\"\\/\\u00E9é😀\\ud83d\\ude00\" , {} , [ ] ,true,false,null ] } \n", `0`, ` "x" `, `[]`, `{"":{"":""}}`, `12345678901234567890.12345678901234567890`,
	} {
		if got, err := run(t, plan(access.MaskRedact), doc, bytewise); err != nil || got != doc {
			t.Errorf("%q became %q, %v", doc, got, err)
		}
	}
}

func FuzzMasker(f *testing.F) {
	for _, c := range cases {
		f.Add([]byte(c.doc), 3, string(c.mask))
	}
	for _, doc := range malformed {
		f.Add([]byte(doc), 1, "redact")
	}
	f.Fuzz(func(t *testing.T, doc []byte, piece int, how string) {
		if piece <= 0 {
			piece = 1
		}
		cut := func(rest int) int { return min(piece, rest) }
		// Nothing is to be hidden: what comes out is what went in.
		same, err := run(t, nil, string(doc), cut)
		if err == nil && same != string(doc) {
			t.Fatalf("%q became %q", doc, same)
		}
		if err == nil && !json.Valid(doc) {
			t.Fatalf("takes %q, which is not JSON", doc)
		}
		if v, rerr := Read(doc); rerr == nil {
			if err != nil {
				t.Fatalf("Read takes %q, Masker does not: %v", doc, err)
			}
			if again, err := Read(v.Raw()); err != nil || !bytes.Equal(again.Raw(), v.Raw()) {
				t.Fatalf("%q read again is %q, %v", v.Raw(), again.Raw(), err)
			}
			var a, b any
			if json.Unmarshal(doc, &a) != nil || json.Unmarshal(v.Raw(), &b) != nil {
				t.Fatalf("Read makes %q of %q", v.Raw(), doc)
			}
			x, _ := json.Marshal(a)
			y, _ := json.Marshal(b)
			if !bytes.Equal(x, y) {
				t.Fatalf("%q means %s, its canonical text %q means %s", doc, x, v.Raw(), y)
			}
			if n := v.Len(); n > 0 && v.Kind() == Object {
				for name, m := range v.Members() {
					if !bytes.Equal(v.Get(name).Raw(), m.Raw()) || !bytes.Equal(v.With(name, m).Raw(), v.Raw()) {
						t.Fatalf("member %q of %q", name, v.Raw())
					}
				}
			}
		}
		// Everything is to be hidden, in a document that carries canaries at the places of the plan.
		quoted, merr := json.Marshal(string(doc))
		if merr != nil {
			return
		}
		mask := access.Mask(how)
		if mask == access.MaskNone || mask == access.MaskPartial {
			mask = access.MaskRedact
		}
		carrier := `{"k":` + string(quoted) + `,"secret":{"` + canary + `":[` + string(quoted) + `,"CANARY"]},"rows":[{"s\u0065cret":"CANARY","secret_a":` + string(quoted) + `}]}`
		if bytes.Contains(bytes.ToUpper(doc), []byte("CANARY")) {
			return
		}
		out, err := run(t, plan(mask), carrier, cut)
		if err != nil {
			t.Fatalf("%q: %v", carrier, err)
		}
		if strings.Contains(out, canary) {
			t.Fatalf("%q lets the canary through: %q", carrier, out)
		}
		if !json.Valid([]byte(out)) {
			t.Fatalf("%q is not JSON any more: %q", carrier, out)
		}
	})
}

func TestATextIsRewrittenHoweverItComes(t *testing.T) {
	root := &Node{Fields: map[string]*Node{
		"host":   {Rewrite: func(s string) string { return "<" + s + ">" }},
		"hidden": {Rewrite: strings.ToUpper, Treatment: access.Treatment{Mask: access.MaskRedact}},
	}}
	long := strings.Repeat("x", maxText+1)
	for doc, want := range map[string]string{
		`{"host":"a\u0062\"","x":"host"}`: `{"host":"<ab\">","x":"host"}`,
		`{"host":"","y":["host"]}`:        `{"host":"<>","y":["host"]}`,
		`{"host":{"host":"a"}}`:           `{"host":{"host":"a"}}`,
		`{"host":null,"hidden":"a"}`:      `{"host":null,"hidden":"[redacted]"}`,
		`{"host":"` + long + `","x":"y"}`: `{"host":null,"x":"y"}`,
	} {
		for _, cut := range []func(int) int{whole, bytewise} {
			if got, err := run(t, root, doc, cut); got != want || err != nil {
				t.Errorf("%.40s: %.60s, %v", doc, got, err)
			}
		}
	}
}

func TestAnAnswerEndsBeforeTheRowThatIsTooMany(t *testing.T) {
	root := &Node{Fields: map[string]*Node{"ids": {Items: &Node{Count: true}}}}
	const doc = `{"ids":["a","b","c","d"],"more":1}`
	for n := range len(doc) {
		for most, want := range map[int64]string{1: `{"ids":["a",`, 3: `{"ids":["a","b","c",`} {
			var out bytes.Buffer
			m := NewMasker(&out, root, hider(t))
			m.Limit(most)
			_, err := m.Write([]byte(doc[:n]))
			if err == nil {
				_, err = m.Write([]byte(doc[n:]))
			}
			if !errors.Is(err, ErrTooMany) || !strings.HasPrefix(want, out.String()) || m.Counted() != most+1 {
				t.Fatalf("%d of 4 after %d bytes: %v, %q, counted %d", most, n, err, out.String(), m.Counted())
			}
		}
	}
}

func TestAMaskerThatWasResetKnowsNothingOfTheDocumentBefore(t *testing.T) {
	m := NewMasker(io.Discard, plan(access.MaskPartial), hider(t))
	for _, doc := range []string{`{"secret":"` + canary, `{"secret":[[{"a":"` + canary, `{"secret`, `{"sec\u00`, `[1,2,`, `12x`} {
		_, _ = m.Write([]byte(doc)) // whatever it says
		var out bytes.Buffer
		m.Reset(&out, nil, nil)
		if _, err := m.Write([]byte(`{"a":["b",1]}`)); err != nil || m.Close() != nil || out.String() != `{"a":["b",1]}` {
			t.Fatalf("after %q: %v, %q", doc, err, out.String())
		}
		m.Reset(io.Discard, plan(access.MaskPartial), hider(t))
	}
}

func TestSomethingElseMayStandForAList(t *testing.T) {
	instead, err := Read([]byte("[0]"))
	if err != nil {
		t.Fatal(err)
	}
	hidden := &Node{Treatment: access.Treatment{Mask: access.MaskNull}, Instead: instead}
	root := &Node{Items: &Node{Fields: map[string]*Node{"v": hidden}}}
	const doc = `[{"v":[1.5,2],"n":1},{"v":[]},{"v":null},{"v":"text"},{"v":{"a":[1]}}]`
	const want = `[{"v":[0],"n":1},{"v":[0]},{"v":null},{"v":null},{"v":[0]}]`
	for _, cut := range []func(int) int{whole, bytewise} {
		if got, err := run(t, root, doc, cut); got != want || err != nil {
			t.Errorf("%s, %v", got, err)
		}
	}
}
