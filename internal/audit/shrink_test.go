package audit

import (
	"fmt"
	"testing"
)

func TestNumbersArePackedAndTextsAreCompressed(t *testing.T) {
	var numbers, texts []byte
	for i := range 2000 {
		numbers = fmt.Appendf(numbers, "-0.%06d,", i*7919%1000000)
		texts = fmt.Appendf(texts, `{"page":%d,"source":"handbook"},`, i)
	}
	for _, test := range []struct {
		name  string
		text  []byte
		codec byte
	}{
		{"a vector", numbers, codecDigits},
		{"texts", texts, codecS2},
		{"a few words", texts[:worthwhile-1], codecPlain},
	} {
		var w workshop
		squeezed, codec := w.squeeze(test.text)
		if codec != test.codec || (codec != codecPlain) != (len(squeezed) < len(test.text)) {
			t.Errorf("%s, %d bytes, become %d by codec %d, want codec %d", test.name, len(test.text), len(squeezed), codec, test.codec)
		}
	}
}
