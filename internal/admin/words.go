package admin

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/vecgate/vecgate/internal/access"
)

// maxWords bounds what a person gives as a reason, in characters.
const maxWords = 1000

// words checks a sentence that a person wrote for the record: text of a bounded length, without control characters.
func words(s string) (string, error) {
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > maxWords {
		return "", &access.Refusal{Code: access.CodeLimit, Message: "the reason is longer than 1000 characters, or not text", Hint: "shorten it"}
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, s)), nil
}
