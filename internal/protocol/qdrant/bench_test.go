package qdrant

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// BenchmarkMaskedPage is what an answer of a hundred points costs: with no rule about their fields, with a rule, and with a
// rule and a second copy of each payload as text.
func BenchmarkMaskedPage(b *testing.B) {
	hider, err := mask.New(bytes.Repeat([]byte{1}, mask.KeySize))
	if err != nil {
		b.Fatal(err)
	}
	page := func(extra string) []byte {
		point := fmt.Sprintf(`{"id":1,"version":3,"score":0.98,"payload":{"email":"ana@example.com","city":"Köln","n":17,"tags":["a","b"],"text":%q%s}}`, strings.Repeat("Lorem ipsum dolor sit amet. ", 40), extra)
		return []byte(`{"result":{"points":[` + point + strings.Repeat(","+point, 99) + `],"next_page_offset":null},"status":"ok","time":0.1}`)
	}
	vectors := []access.VectorRule{{Pattern: "**", Treatment: access.Treatment{Mask: access.MaskNull, Rule: "v"}}}
	fields := []access.FieldRule{{Pattern: "**.email", Treatment: access.Treatment{Mask: access.MaskRedact, Rule: "personal-data"}}}
	copied := fmt.Sprintf(`,"_node_content":%q`, `{"id_":"1","metadata":{"email":"ana@example.com","city":"Bonn"},"text":"`+strings.Repeat("x", 200)+`"}`)
	for _, x := range []struct {
		name string
		p    *access.Protection
		text []byte
	}{
		{"no rule", &access.Protection{Vectors: vectors}, page("")},
		{"a rule elsewhere", &access.Protection{Vectors: vectors, Fields: []access.FieldRule{{Pattern: "other/**.email", Treatment: fields[0].Treatment}}}, page("")},
		{"a rule", &access.Protection{Vectors: vectors, Fields: fields}, page("")},
		{"a rule and copies", &access.Protection{Vectors: vectors, Fields: fields}, page(copied)},
	} {
		b.Run(strings.ReplaceAll(x.name, " ", "_"), func(b *testing.B) {
			parts := []*part{{at: resource("docs", "customers")}}
			var m jsonstream.Masker
			b.SetBytes(int64(len(x.text)))
			b.ReportAllocs()
			for b.Loop() {
				m.Reset(io.Discard, paged(parts, x.p), hider)
				if _, err := m.Write(x.text); err != nil {
					b.Fatal(err)
				}
				if err := m.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
