// Package transcript tells a recorded gRPC call and its answer in lines that people read. It takes what grpcwire had
// recorded, and what anything else left there: it never fails. It knows no engine: what the messages of a method are, its
// caller says. Start at Lines.
//
// A recorded call is the word gRPC and the method, the metadata that was sent on, an empty line, and the messages, each
// behind its prefix of five bytes. A recorded answer is messages, and last a frame whose first byte is 0x80 that holds
// the trailers, as gRPC-Web writes them.
package transcript

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/vecgate/vecgate/internal/access"
)

// MaxText is how much of a message is told.
const MaxText = 64 << 10

const (
	word     = "gRPC "
	prefix   = 5
	trailing = 0x80
)

// Types says what the messages of a method are; nil where it does not know.
type Types func(method string) (request, response protoreflect.MessageType)

// Speaks says whether a recorded request is one of gRPC.
func Speaks(asked []byte) bool { return bytes.HasPrefix(asked, []byte(word)) }

// AppendHead begins the record of a call.
func AppendHead(b []byte, method string, metadata []string) []byte {
	b = append(append(b, word...), method...)
	for _, line := range metadata {
		b = append(append(b, '\n'), line...)
	}
	return append(b, "\n\n"...)
}

// AppendMessage records a message, with the prefix that it has on its way.
func AppendMessage(b, message []byte) []byte {
	b = append(b, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(len(message)))
	return append(b, message...)
}

// Trailers records how a call ended.
func Trailers(text string) []byte {
	b := []byte{trailing}
	b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
	return append(b, text...)
}

// Lines tells what was asked and answered. It returns emit's errors only.
func Lines(types Types, asked, answered []byte, emit func(access.Line) error) error {
	head, body, _ := bytes.Cut(asked, []byte("\n\n"))
	first, metadata, _ := strings.Cut(readable(bytes.TrimPrefix(head, []byte(word))), "\n")
	if err := emit(access.Line{Kind: "statement", Text: first}); err != nil {
		return err
	}
	if metadata != "" {
		if err := emit(access.Line{Kind: "note", Text: metadata}); err != nil {
			return err
		}
	}
	var request, response protoreflect.MessageType
	if types != nil {
		request, response = types(first)
	}
	if err := tell("parameters", body, request, emit); err != nil {
		return err
	}
	return tell("row", answered, response, emit)
}

// tell gives every frame a line.
func tell(kind string, b []byte, t protoreflect.MessageType, emit func(access.Line) error) error {
	for len(b) > 0 {
		n := uint64(len(b))
		if len(b) >= prefix {
			n = prefix + uint64(binary.BigEndian.Uint32(b[1:prefix]))
		}
		if n > uint64(len(b)) || len(b) < prefix || b[0] != 0 && b[0] != trailing {
			return emit(access.Line{Kind: "note", Text: fmt.Sprintf("%d bytes were not recorded as a message", len(b))})
		}
		frame := b[prefix:n]
		line := access.Line{Kind: kind}
		if b[0] == trailing {
			line = ending(frame)
		} else {
			text := words(frame, t)
			line.Cells = []*string{&text}
		}
		if err := emit(line); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// ending is how a call ended: "OK", or a code and a message.
func ending(trailers []byte) access.Line {
	code, rest, _ := strings.Cut(readable(trailers), "\n")
	if code == "OK" {
		return access.Line{Kind: "done", Text: "status OK"}
	}
	return access.Line{Kind: "error", Text: strings.TrimSpace("status " + code + " " + rest)}
}

func words(b []byte, t protoreflect.MessageType) string {
	if t != nil {
		m := t.New().Interface()
		if err := (proto.UnmarshalOptions{AllowPartial: true, RecursionLimit: 1000}).Unmarshal(b, m); err == nil {
			return Text(m, MaxText, false)
		}
	}
	return fmt.Sprintf("a message of %d bytes, of a type that is not known here", len(b))
}

func readable(b []byte) string {
	if len(b) > MaxText {
		b = b[:MaxText]
		for len(b) > 0 && !utf8.RuneStart(b[len(b)-1]) {
			b = b[:len(b)-1]
		}
	}
	return strings.ToValidUTF8(string(b), "�")
}
