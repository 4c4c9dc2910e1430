package admin

import (
	"regexp"
	"strconv"
	"strings"
)

// briefNumbers is how many numbers of an embedding are shown, as in the transcript of a gRPC call.
const briefNumbers = 8

// Brief shortens the embeddings in a text, for people who read what would run: "[0.1,0.2,… 384 in all]". What would run
// stays the whole text. Only what cannot be anything else is shortened: a list in brackets of numbers with a fraction, or 0
// and 1 between them. Whole numbers, which may be ids, are never left out, nor is what follows a word, as in ARRAY[0.5, …].
func Brief(text string) string {
	var b strings.Builder
	rest := 0
	for _, at := range embedding.FindAllStringIndex(text, -1) {
		list := text[at[0]:at[1]]
		before := strings.TrimRight(text[:at[0]], " \t\r\n")
		if before != "" && !strings.ContainsAny(before[len(before)-1:], `'"([{:,=`) {
			continue
		}
		numbers := strings.Split(list[1:], ",")
		if len(numbers) <= 2*briefNumbers || !strings.Contains(list, ".") {
			continue
		}
		b.WriteString(text[rest:at[0]])
		b.WriteString("[" + strings.Join(numbers[:briefNumbers], ",") + ",… " + strconv.Itoa(len(numbers)) + " in all")
		rest = at[1]
	}
	b.WriteString(text[rest:])
	return b.String()
}

// embedding matches the numbers of one, from its bracket on.
var embedding = regexp.MustCompile(`\[\s*` + fraction + `(?:\s*,\s*` + fraction + `)+`)

const fraction = `-?(?:[0-9]+\.[0-9]+(?:[eE][-+]?[0-9]+)?|[0-9](?:\.[0-9]+)?[eE]-[0-9]+|[01]\b)`
