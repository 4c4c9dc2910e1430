package protocoltest

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/vecgate/vecgate/internal/access"
)

// Nested is how a dialect shows that a field rule means to it what it means to all.
type Nested struct {
	// Read is answered with points; Suite.Read when it has no path.
	Read Request
	// Answer is the engine's answer to it that holds one point with these fields, a JSON object.
	Answer func(fields string) string
	// Flat says that the engine has no objects in its fields, only keys with dots in them.
	Flat bool
	// Where is Read in all the ways in which the field at a path can decide which points come back; none when it cannot.
	Where func(path string) []Request
	// Whole is Read in all the ways in which the whole object "meta" can.
	Whole []Request
}

// The values that stand in the point, by where they are.
const (
	atTheTop = "at-the-top"
	inMeta   = "inside-of-meta"
	inAList  = "in-a-list-of-meta"
	inAText  = "in-a-copy-as-text"
	inAPair  = "in-a-text-of-a-text"
	kept     = "nobody-hides-this"
)

var (
	copies = `,"copy":"{\"metadata\":{\"email\":\"` + inAText + `\",\"x\":\"` + kept + `\"}}","again":" [\"{\\\"email\\\":\\\"` + inAPair + `\\\"}\"]"}`
	deep   = `{"city":"` + kept + `","email":"` + atTheTop + `","meta":{"email":"` + inMeta + `","list":[{"email":"` + inAList + `"}]}` + copies
	flat   = `{"city":"` + kept + `","email":"` + atTheTop + `","meta.email":"` + inMeta + `","meta.list.email":"` + inAList + `"` + copies
)

// paths is the table of what patterns hide, and which conditions they forbid. In a copy that is kept as text, a pattern matches at any
// depth.
var paths = []struct {
	pattern access.FieldPattern
	hides   []string
	shows   []string
	forbids []string // paths
	leaves  []string
	whole   bool // nothing may be asked of the whole of meta
}{
	{"*/*/*.email", []string{atTheTop, inAText, inAPair}, []string{inMeta, inAList}, []string{"email"}, []string{"meta.email", "city"}, false},
	{"*/*/*.meta.email", []string{inMeta}, []string{atTheTop, inAList, inAText, inAPair}, []string{"meta.email"}, []string{"email", "city", "meta.city"}, true},
	{"*/*/*.*.email", []string{inMeta, inAText}, []string{atTheTop, inAList}, []string{"meta.email"}, []string{"email", "city"}, true},
	{"*/*/*.meta", []string{inMeta, inAList}, []string{atTheTop, inAText, inAPair}, []string{"meta.email", "meta.city"}, []string{"email", "city"}, true},
	{"*/*/*.**.email", []string{atTheTop, inMeta, inAList, inAText, inAPair}, nil, []string{"email", "meta.email"}, []string{"city", "meta.city"}, true},
	{"**.email", []string{atTheTop, inMeta, inAList, inAText, inAPair}, nil, []string{"email", "meta.email"}, []string{"city", "meta.city"}, true},
	{"*/*/*.copy", []string{inAText}, []string{atTheTop, inMeta, inAList, inAPair}, []string{"copy"}, []string{"email", "meta.email"}, false},
}

// nested walks the table.
func nested(t *testing.T, s *Suite) {
	if s.Nested == nil {
		t.Fatal("the dialect does not show what field rules mean to it")
	}
	read := s.Nested.Read
	if read.Path == "" {
		read = s.Read
	}
	fields := deep
	if s.Nested.Flat {
		fields = flat
	}
	w := Start(t, s)
	for _, x := range paths {
		w.Oblige(access.Obligations{Protection: &access.Protection{Fields: []access.FieldRule{{Pattern: x.pattern, Treatment: access.Treatment{Mask: access.MaskRedact, Rule: "personal-data"}}}}})
		answer := func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			_, _ = rw.Write([]byte(s.Nested.Answer(fields)))
		}
		w.only(s, answer)
		a := w.Do(t.Context(), read)
		if a.Status != http.StatusOK || a.Err != nil {
			t.Errorf("%s: %v", x.pattern, a)
			continue
		}
		for _, value := range x.hides {
			if strings.Contains(a.Body, value) {
				t.Errorf("%s shows what is %s: %s", x.pattern, value, a.Body)
			}
		}
		for _, value := range append(x.shows, kept) {
			if !strings.Contains(a.Body, value) {
				t.Errorf("%s hides what is %s: %s", x.pattern, value, a.Body)
			}
		}
		for _, path := range x.forbids {
			for _, r := range s.Nested.Where(path) {
				if a := w.Do(t.Context(), r); a.Header.Get("X-Vecgate-Code") != string(access.CodeObligation) {
					t.Errorf("%s lets %s decide: %s: %v", x.pattern, path, r.Body, a)
				}
			}
		}
		for _, path := range x.leaves {
			for _, r := range s.Nested.Where(path) {
				if a := w.Do(t.Context(), r); a.Status != http.StatusOK {
					t.Errorf("%s does not let %s decide: %s: %v", x.pattern, path, r.Body, a)
				}
			}
		}
		for _, r := range s.Nested.Whole {
			if a := w.Do(t.Context(), r); (a.Header.Get("X-Vecgate-Code") == string(access.CodeObligation)) != x.whole {
				t.Errorf("%s and the whole of meta: %s: %v", x.pattern, r.Body, a)
			}
		}
	}
}

// NestedGRPC walks the table over gRPC: answer is the engine's to the suite's Read, and holds one point with these fields, a
// JSON object. What conditions ask is the same at both doors of an engine.
func NestedGRPC(t *testing.T, s *GRPCSuite, flatly bool, answer func(fields string) proto.Message) {
	fields := deep
	if flatly {
		fields = flat
	}
	w := StartGRPC(t, s)
	for _, x := range paths {
		w.Oblige(access.Obligations{Protection: &access.Protection{Fields: []access.FieldRule{{Pattern: x.pattern, Treatment: access.Treatment{Mask: access.MaskRedact, Rule: "personal-data"}}}}})
		w.only(s, func(context.Context, string, proto.Message) (proto.Message, error) { return answer(fields), nil })
		a := w.Do(t.Context(), s.Read)
		w.fine(a)
		shown := fmt.Sprint(a.Message)
		for _, value := range x.hides {
			if strings.Contains(shown, value) {
				t.Errorf("%s shows what is %s: %s", x.pattern, value, shown)
			}
		}
		for _, value := range append(x.shows, kept) {
			if !strings.Contains(shown, value) {
				t.Errorf("%s hides what is %s: %s", x.pattern, value, shown)
			}
		}
	}
}
