package jsonstream

import (
	"bytes"
	"strings"
	"testing"
)

// documents are read in place with white space, with escapes that grow when they are written anew, and with neither.
var documents = []string{
	`{"a":[1,2.5,-3e4,"x"],"b":{"c":null,"d":[[],{}]}}`,
	" {\n\t\"a\" : [ 1 , 2 , [ 3 ,4] ] , \"b\" :\"t\\u0041\" }\n",
	`{"\b\b\b":1,"a" :2}`, `{"\b":{"\f\f":{"\b\f":[1,2,3]}},"b": "text" }`, `{"\u0041":1,"B":{"\u000a\u000b":2}}`,
	`{"\b" :1}`, `{"a" :1,"a":2}`, `{"\b":1,"\u0008":2}`, `[1,2`, `"text"`, ` 12 `, `[1 2]`, `{"a":1}x`, "",
	`{` + strings.Repeat(`"\b`, 1) + `":` + strings.Repeat("1", 40) + `,"z":[1,2,3]}`,
}

func TestWhatIsReadInPlaceIsWhatIsRead(t *testing.T) {
	for _, d := range documents {
		samePlace(t, []byte(d))
	}
}

func TestADocumentWithoutWhiteSpaceIsNotCopied(t *testing.T) {
	d := []byte(documents[0])
	v, err := ReadInPlace(d)
	if err != nil || &v.Raw()[0] != &d[0] {
		t.Fatalf("%v, copied: %t", err, &v.Raw()[0] != &d[0])
	}
}

func FuzzReadInPlace(f *testing.F) {
	for _, d := range documents {
		f.Add([]byte(d))
	}
	f.Fuzz(samePlace)
}

func samePlace(t *testing.T, document []byte) {
	want, fault := Read(document)
	room := append(bytes.Clone(document), "what stands behind the document"...)
	got, err := ReadInPlace(room[:len(document)])
	if (fault == nil) != (err == nil) || fault != nil && fault.Error() != err.Error() {
		t.Fatalf("%q: %v in place, %v otherwise", document, err, fault)
	}
	if !bytes.Equal(got.Raw(), want.Raw()) {
		t.Fatalf("%q reads as %q in place, as %q otherwise", document, got.Raw(), want.Raw())
	}
	if !strings.HasSuffix(string(room), "what stands behind the document") {
		t.Fatalf("%q was written past its end", document)
	}
}
