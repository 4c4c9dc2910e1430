// Package transcript tells a recorded HTTP request and its answer in lines that people read. It takes what httpwire had
// recorded, and what anything else left there: it never fails. Start at Lines.
package transcript

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/vecgate/vecgate/internal/access"
)

// MaxText is how much of a body is told.
const MaxText = 64 << 10

// Speaks says whether a recorded request is one of HTTP: it begins with a method and a space, where a message of
// PostgreSQL has a length of less than a gigabyte.
func Speaks(asked []byte) bool {
	method, _, ok := bytes.Cut(asked[:min(len(asked), 17)], []byte(" "))
	if !ok || len(method) < 2 {
		return false
	}
	for _, c := range method {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return true
}

// Lines tells what was asked and answered. It returns emit's errors only.
func Lines(asked, answered []byte, emit func(access.Line) error) error {
	head, body, _ := bytes.Cut(asked, []byte("\n"))
	if len(head) > 0 {
		if err := emit(access.Line{Kind: "statement", Text: readable(head)}); err != nil {
			return err
		}
	}
	if len(body) > 0 {
		if err := tell("parameters", body, emit); err != nil {
			return err
		}
	}
	if len(answered) == 0 {
		return nil
	}
	head, body, _ = bytes.Cut(answered, []byte("\n"))
	status, err := strconv.Atoi(string(head))
	if err != nil {
		return emit(access.Line{Kind: "note", Text: "the answer was not recorded as one of HTTP"})
	}
	kind := "row"
	if status >= 400 {
		kind = "error"
	}
	if len(body) > 0 {
		if err := tell(kind, body, emit); err != nil {
			return err
		}
	}
	return emit(access.Line{Kind: "done", Text: "status " + strconv.Itoa(status)})
}

// tell gives a body as one cell, or as text where there are no cells.
func tell(kind string, body []byte, emit func(access.Line) error) error {
	text := readable(body)
	if kind == "error" {
		return emit(access.Line{Kind: kind, Text: text})
	}
	return emit(access.Line{Kind: kind, Cells: []*string{&text}})
}

func readable(b []byte) string {
	cut := len(b) > MaxText
	if cut {
		b = b[:MaxText]
		for len(b) > 0 && !utf8.Valid(b[max(0, len(b)-utf8.UTFMax):]) && !utf8.RuneStart(b[len(b)-1]) {
			b = b[:len(b)-1]
		}
	}
	s := strings.ToValidUTF8(string(b), "�")
	if cut {
		s += "…"
	}
	return s
}
