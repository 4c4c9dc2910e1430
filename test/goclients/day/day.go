// Package day prints what a client sees in the course of a day, one JSON value a line, so that a day at a server and the
// same day through the gateway can be laid side by side.
//
// It knows no client. Start at Saw.
package day

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
)

// Passing are the keys of what differs from one time to the next, however little else does: no line has them.
var Passing = []string{"took", "_scroll_id", "pit_id"}

// Saw prints the line of one call, whose answer it takes: day.Saw("get")(client.Get(…)).
func Saw(name string) func(seen any, err error) {
	return func(seen any, err error) {
		if err != nil {
			Say(name, "error", err.Error())
			return
		}
		Say(name, seen)
	}
}

// Say prints one line.
func Say(name string, seen ...any) {
	line, err := plain(append([]any{name}, seen...))
	if err != nil {
		line = fmt.Sprintf("[%q, %q]", name, err)
	}
	fmt.Println(line)
}

// Must ends a day that cannot go on.
func Must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Run runs the part of the day that the command line names.
func Run(what string, parts map[string]func()) {
	part := parts[what]
	if part == nil {
		Must(fmt.Errorf("there is no %q in this day", what))
	}
	part()
}

// plain is v as JSON, its numbers rounded and its members in order.
func plain(v any) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // a whole number stays the one that it is
	var read any
	if err := decoder.Decode(&read); err != nil {
		return "", err
	}
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(rounded(read)); err != nil {
		return "", err
	}
	return strings.TrimSpace(out.String()), nil
}

func rounded(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if slices.Contains(Passing, key) {
				delete(v, key)
				continue
			}
			v[key] = rounded(value)
		}
	case []any:
		for i := range v {
			v[i] = rounded(v[i])
		}
	case json.Number:
		if f, err := v.Float64(); err == nil && strings.ContainsAny(v.String(), ".eE") {
			return math.Round(f*1e4) / 1e4
		}
	}
	return v
}
