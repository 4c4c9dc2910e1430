package hidden

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

var posts = access.Resource{Target: "docs", Namespace: "default", Collection: "posts"}

func hider(t testing.TB) *mask.Hider {
	t.Helper()
	h, err := mask.New(bytes.Repeat([]byte{1}, mask.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func hiding(patterns ...access.FieldPattern) *access.Protection {
	p := &access.Protection{}
	for _, pattern := range patterns {
		p.Fields = append(p.Fields, access.FieldRule{Pattern: pattern, Treatment: access.Treatment{Mask: access.MaskRedact, Rule: "r"}})
	}
	return p
}

// quote is a text as JSON has it, n times over.
func quote(s string, n int) string {
	for range n {
		s = string(jsonstream.AppendString(nil, s))
	}
	return s
}

func TestTextsThatAreDocumentsAreMaskedInside(t *testing.T) {
	f := Of(hiding("docs/default/posts.email", "docs/default/posts.a.phone"), nil, posts)
	h := hider(t)
	for _, c := range []struct{ name, text, want string }{
		{"prose", "write to email@example.com", "same"},
		{"a copy of the fields", `{"email": "ana@x"}`, `{"email": "[redacted]"}`},
		{"deeper, as LlamaIndex keeps it", `{"id_": "1", "metadata": {"email": "ana@x", "city": "Köln"}}`, `{"id_": "1", "metadata": {"email": "[redacted]", "city": "Köln"}}`},
		{"in lists", `[[{"email": ["ana@x", 1]}], "email"]`, `[[{"email": null}], "email"]`},
		{"spaces around", " \n\t[{\"email\":1}] \n", " \n\t[{\"email\":null}] \n"},
		{"a name with an escape", `{"em\u0061il": "ana@x"}`, `{"em\u0061il": "[redacted]"}`},
		{"a name with capital letters is another", `{"Email": "x"}`, "same"},
		{"a longer name", `{"emails": "x"}`, "same"},
		{"a path", `{"x": {"a": {"phone": "555"}}, "phone": "1"}`, `{"x": {"a": {"phone": "[redacted]"}}, "phone": "1"}`},
		{"a path with dots in the name", `{"a.phone": "555"}`, `{"a.phone": "[redacted]"}`},
		{"twice the same name", `{"email": "a@x", "email": "b@x"}`, `{"email": "[redacted]", "email": "[redacted]"}`},
		{"a document in the document", `{"c": ` + quote(`{"email": "ana@x"}`, 1) + `}`, `{"c": ` + quote(`{"email": "[redacted]"}`, 1) + `}`},
		{"two deep", `{"c": ` + quote(`{"c": `+quote(`{"email": 1}`, 1)+`}`, 1) + `}`, `{"c": ` + quote(`{"c": `+quote(`{"email": null}`, 1)+`}`, 1) + `}`},
		{"four deep", `{"c": ` + quote(`{"c": `+quote(`{"c": `+quote(`{"email": 1}`, 1)+`}`, 1)+`}`, 1) + `}`, `{"c": ` + quote(`{"c": `+quote(`{"c": "[redacted]"}`, 1)+`}`, 1) + `}`},
		{"a document as a text", quote(`{"email": "ana@x"}`, 1), quote(`{"email": "[redacted]"}`, 1)},
		{"as a text of a text", quote(`{"email": "ana@x"}`, 2), quote(`{"email": "[redacted]"}`, 2)},
		{"as a text too often", quote(`{"email": "ana@x"}`, 5), quote("[redacted]", 3)},
		{"a quotation", `"Email us", she wrote: "email is best"`, "same"},
		{"cut off", `{"email": "ana@x", "ci`, "[redacted]"},
		{"cut off, about something else", `{"phones": [1, 2`, "[redacted]"}, // phone is part of it
		{"cut off, without a name that counts", `{"city": "Köln`, "same"},
		{"cut off, as a text", `"{\"email\": \"ana@x`, "[redacted]"},
		{"Python's way to write it", `{'email': 'ana@x'}`, "[redacted]"},
		{"two documents", `{"a":1} {"email":"ana@x"}`, "[redacted]"},
		{"numbers that JSON does not have", `{"email": NaN}`, "[redacted]"},
		{"half a surrogate pair", `{"email": "\ud800"}`, "[redacted]"},
		{"too deep", strings.Repeat("[", 70) + `{"email":1}` + strings.Repeat("]", 70), "[redacted]"},
		{"too long", `{"x":"` + strings.Repeat("x", Most) + `","email":1}`, "[redacted]"},
		{"long, without a name that counts", `{"x":"` + strings.Repeat("x", Most) + `"}`, "same"},
		{"empty", "", "same"},
		{"spaces", "   ", "same"},
	} {
		want := c.want
		if want == "same" {
			want = c.text
		}
		if got := f.Text(h, "_node_content", c.text); got != want {
			t.Errorf("%s: %.200q became %.200q, want %.200q", c.name, c.text, got, want)
		}
		if len(c.text) >= Most {
			continue // while it streams, what is so long is withheld without a look
		}
		doc := `{"_node_content":` + quote(c.text, 1) + `,"list":[` + quote(c.text, 1) + `],"city":"x"}`
		for _, size := range []int{1, 3, len(doc)} {
			var out bytes.Buffer
			m := jsonstream.NewMasker(&out, f.Node(""), h)
			for rest := []byte(doc); len(rest) > 0; rest = rest[min(size, len(rest)):] {
				if _, err := m.Write(rest[:min(size, len(rest))]); err != nil {
					t.Fatalf("%s: %v", c.name, err)
				}
			}
			if err := m.Close(); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if want := `{"_node_content":` + quote(want, 1) + `,"list":[` + quote(want, 1) + `],"city":"x"}`; out.String() != want {
				t.Errorf("%s, in pieces of %d: %.300s, want %.300s", c.name, size, out.String(), want)
			}
		}
	}
}

// Whatever spelling a document has, spaces and escapes before it included, it is looked into.
func TestATextIsLookedIntoHoweverItIsSpelled(t *testing.T) {
	f, h := Of(hiding("**.email"), nil, posts), hider(t)
	for _, text := range []string{
		`"\u007b\"email\":\"ana@x\"}"`, `"\n\n {\"email\":\"ana@x\"}"`, `"\u0020\u005b{\"email\":\"ana@x\"}]"`, `"\"{\\\"email\\\":\\\"ana@x\\\"}\""`,
		`"` + strings.Repeat(`\n`, 5000) + `{\"email\":\"ana@x\"}"`, `"` + strings.Repeat(` `, 5000) + `{\"email\":\"ana@x\"}"`,
		`"{\"email\":\"` + strings.Repeat("ana@x", 300_000) + `\"}"`,
	} {
		var out bytes.Buffer
		m := jsonstream.NewMasker(&out, f.Node(""), h)
		if _, err := m.Write([]byte(`{"c":` + text + `,"d":1}`)); err != nil || m.Close() != nil {
			t.Fatalf("%.100s: %v", text, err)
		}
		if strings.Contains(out.String(), "ana@x") || !strings.HasSuffix(out.String(), `,"d":1}`) || !strings.Contains(out.String(), mask.Redacted) {
			t.Errorf("%.100s became %.300s", text, out.String())
		}
	}
}

func TestFieldsAreHiddenByTheirPath(t *testing.T) {
	h := hider(t)
	for pattern, want := range map[access.FieldPattern]string{
		"docs/default/posts.email":      `{"email":"[redacted]","meta":{"email":"b"},"list":[{"email":"c"}]}`,
		"docs/default/posts.meta.email": `{"email":"a","meta":{"email":"[redacted]"},"list":[{"email":"c"}]}`,
		"docs/default/posts.*.email":    `{"email":"a","meta":{"email":"[redacted]"},"list":[{"email":"[redacted]"}]}`,
		"**.email":                      `{"email":"[redacted]","meta":{"email":"[redacted]"},"list":[{"email":"[redacted]"}]}`,
		"docs/default/posts.meta":       `{"email":"a","meta":null,"list":[{"email":"c"}]}`,
	} {
		var out bytes.Buffer
		m := jsonstream.NewMasker(&out, Of(hiding(pattern), nil, posts).Node(""), h)
		if _, err := m.Write([]byte(`{"email":"a","meta":{"email":"b"},"list":[{"email":"c"}]}`)); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("%s: %s, want %s", pattern, out.String(), want)
		}
	}
}

func TestNothingIsDoneWhereNoRuleIsAboutAField(t *testing.T) {
	withheld := &access.Protection{Vectors: []access.VectorRule{{Pattern: "**", Treatment: access.Treatment{Mask: access.MaskNull}}}}
	for name, p := range map[string]*access.Protection{"nothing": nil, "vectors": withheld, "elsewhere": hiding("other/**.email", "docs/default/else.email")} {
		f := Of(p, nil, posts)
		if f != nil || f.Node("") != nil || f.Document("x") != nil || f.Text(nil, "x", `{"email":1}`) != `{"email":1}` {
			t.Errorf("%s: work is done", name)
		}
	}
}

func FuzzNoTextBringsOutWhatIsHidden(f *testing.F) {
	f.Add(`{"email": "ana@x"}`, 1)
	f.Add(`{"a": [{"email": "ana@x"}, "{\"email\": \"ana@x\"}"]}`, 3)
	fields, h := Of(hiding("**.email"), nil, posts), hider(f)
	f.Fuzz(func(t *testing.T, text string, size int) {
		if size < 1 || size > 1<<16 {
			return
		}
		whole := fields.Text(h, "c", text)
		// What everybody reads as a document stays one, without the value.
		if v, err := jsonstream.Read([]byte(text)); err == nil && v.Kind() == jsonstream.Object {
			shown, err := jsonstream.Read([]byte(whole))
			if err != nil && whole != mask.Redacted {
				t.Fatalf("%q is no document any more: %v", whole, err)
			}
			if e := shown.Get("email"); e.Kind() == jsonstream.Text {
				if s, _ := e.Text(); s != mask.Redacted {
					t.Fatalf("%q shows an email", whole)
				}
			}
		}
		// It makes no difference in what pieces it comes.
		v := jsonstream.String(text)
		doc := []byte(fmt.Sprintf(`{"c":%s}`, v.Raw()))
		var out bytes.Buffer
		m := jsonstream.NewMasker(&out, fields.Node(""), h)
		for rest := doc; len(rest) > 0; rest = rest[min(size, len(rest)):] {
			if _, err := m.Write(rest[:min(size, len(rest))]); err != nil {
				t.Fatalf("%q: %v", doc, err)
			}
		}
		shown, err := jsonstream.Read(out.Bytes())
		if err != nil {
			t.Fatalf("%q became %q: %v", doc, out.Bytes(), err)
		}
		again, _ := shown.Get("c").Text()
		if read, err := jsonstream.Read(doc); err == nil {
			if text, _ = read.Get("c").Text(); again != fields.Text(h, "c", text) {
				t.Fatalf("%q became %q, in pieces %q", text, fields.Text(h, "c", text), again)
			}
		}
	})
}
