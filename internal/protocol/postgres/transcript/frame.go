package transcript

import (
	"encoding/binary"
	"fmt"
)

// message is one message of the protocol without its header; kind 0 is a gap, told by its text.
type message struct {
	kind byte
	body []byte
	gap  string
}

// client and server are the message types that each side sends after sign-in.
const (
	client = "QPBDECSHFdcfX"
	server = "RSKTtDCENZ123nsIGHWdcAVv"
)

// read splits a recording into messages. Where it makes no sense it looks for the next place that does.
func (t *teller) read(recorded []byte, kinds string) []message {
	var messages []message
	for at := 0; at < len(recorded); {
		size, whole := header(recorded[at:], kinds)
		if size > 0 && whole {
			messages = append(messages, message{kind: recorded[at], body: recorded[at+5 : at+size]})
			at += size
			continue
		}
		if next := resume(recorded, at+1, kinds); next < len(recorded) {
			messages = append(messages, message{gap: fmt.Sprintf("%d bytes of the recording cannot be read", next-at)})
			at = next
			continue
		}
		text := fmt.Sprintf("the recording ends within a message, after %d bytes of it", len(recorded)-at)
		if size == 0 && len(recorded)-at >= 5 {
			text = fmt.Sprintf("%d bytes of the recording cannot be read", len(recorded)-at)
		}
		messages = append(messages, message{gap: text})
		break
	}
	return messages
}

// header returns the size of the message at the start of p, 0 if there is none, and whether all of it is there.
func header(p []byte, kinds string) (size int, whole bool) {
	if len(p) < 5 || !isOneOf(p[0], kinds) {
		return 0, false
	}
	n := binary.BigEndian.Uint32(p[1:])
	if n < 4 || n > 1<<30 {
		return 0, false
	}
	return int(n) + 1, int(n)+1 <= len(p)
}

// resume returns where, from at on, messages follow each other again: three of them, or fewer up to the very end. It
// gives up after a while, because the search is over what may be a row of many megabytes.
func resume(recorded []byte, at int, kinds string) int {
	const search = 1 << 20
	for end := min(len(recorded), at+search); at < end; at++ {
		next := at
		for n := 0; ; n++ {
			size, whole := header(recorded[next:], kinds)
			if !whole {
				break
			}
			next += size
			if n == 2 || next == len(recorded) {
				return at
			}
		}
	}
	return len(recorded)
}
