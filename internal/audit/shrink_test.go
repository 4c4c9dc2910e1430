package audit

import (
	"bytes"
	"fmt"
	"testing"
)

func TestNumbersAreNotCompressedAndTextsAre(t *testing.T) {
	var numbers, texts []byte
	for i := range 2000 {
		numbers = fmt.Appendf(numbers, "-0.%06d,", i*7919%1000000)
		texts = fmt.Appendf(texts, `{"page":%d,"source":"handbook"},`, i)
	}
	scratch := new([]byte)
	if shrinks(scratch, numbers) {
		t.Error("a vector was compressed")
	}
	if !shrinks(scratch, texts) || !bytes.HasPrefix(texts, []byte(`{"page":0`)) {
		t.Error("texts were not compressed")
	}
}
