package policy

import (
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// shape says what a value of a policy file must look like. The same shapes read the file and write its JSON Schema.
type shape struct {
	kind   shapeKind
	doc    string
	fields []field        // of an object
	item   *shape         // of a list or a mapping with free keys; the list of shapeEither
	text   *shape         // the text of shapeEither
	enum   []string       // of a text
	match  *regexp.Regexp // of a text, or of the free keys of a mapping
	says   string         // what match asks for, in words
	min    int64          // of a number; the fewest items of a list
	max    int64          // of a number; the most bytes of a text, the most items of a list
	word   string         // a text that stands in for an object: "anyone"
}

type shapeKind int

const (
	shapeText shapeKind = iota
	shapeNumber
	shapeDuration
	shapeList
	shapeObject
	shapeTable // a mapping with free keys
	shapeBool
	shapeEither // a text or a list: text, item
	shapeAny
)

type field struct {
	name     string
	shape    *shape
	required bool
}

// check reports every way in which v differs from s, by path.
func (s *shape) check(faults *faultList, path string, v *value) {
	switch s.kind {
	case shapeAny:
		return
	case shapeText:
		s.checkText(faults, path, v)
	case shapeEither:
		if v.form == formList {
			s.item.check(faults, path, v)
			return
		}
		if v.form == formMap || v.form == formNull {
			faults.add(v.line, path, "must be a text or a list, not %s", written(v))
			return
		}
		s.text.check(faults, path, v)
	case shapeNumber:
		n, err := strconv.ParseInt(v.str(), 10, 64)
		if v.form != formNumber || err != nil {
			faults.add(v.line, path, "must be a whole number, not %s", written(v))
		} else if n < s.min || n > s.max {
			faults.add(v.line, path, "%d is not between %d and %d", n, s.min, s.max)
		}
	case shapeBool:
		if v.form != formBool {
			faults.add(v.line, path, "must be true or false, not %s", written(v))
		}
	case shapeDuration:
		d, err := parseDuration(v.str())
		if err != nil {
			faults.add(v.line, path, "%s is not a duration; write it like 15m, 1h or 30d", written(v))
		} else if d < time.Duration(s.min)*time.Second || d > time.Duration(s.max)*time.Second {
			faults.add(v.line, path, "%s is not between %s and %s", v.str(), showDuration(time.Duration(s.min)*time.Second), showDuration(time.Duration(s.max)*time.Second))
		}
	case shapeList:
		if v.form != formList {
			faults.add(v.line, path, "must be a list, not %s; write it like [a, b]", written(v))
			return
		}
		switch n := int64(len(v.items)); {
		case n < s.min && s.min == 1:
			faults.add(v.line, path, "must not be empty")
		case n < s.min:
			faults.add(v.line, path, "has %d entries; it needs at least %d", n, s.min)
		}
		if int64(len(v.items)) > s.max {
			faults.add(v.line, path, "has %d entries, more than %d", len(v.items), s.max)
			return
		}
		for i, item := range v.items {
			at := path
			if s.item.kind == shapeObject {
				at = path + "[" + strconv.Itoa(i) + "]"
			}
			s.item.check(faults, at, item)
		}
	case shapeObject:
		s.checkObject(faults, path, v)
	case shapeTable:
		if v.form != formMap {
			faults.add(v.line, path, "must be a mapping, not %s", written(v))
			return
		}
		for i := range v.keys {
			k := &v.keys[i]
			if s.match != nil && !s.match.MatchString(k.name) {
				faults.add(k.line, path, "%q is not a name; %s", k.name, s.says)
			}
			s.item.check(faults, join(path, k.name), k.value)
		}
	}
}

func (s *shape) checkText(faults *faultList, path string, v *value) {
	if v.form != formText && v.form != formNumber || v.form == formNumber && s.match == nil && s.enum != nil {
		faults.add(v.line, path, "must be a text, not %s", written(v))
		return
	}
	text := v.text
	if int64(len(text)) > s.max {
		faults.add(v.line, path, "has %d bytes, more than %d", len(text), s.max)
		return
	}
	if strings.TrimSpace(text) == "" {
		faults.add(v.line, path, "must not be empty")
		return
	}
	if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) {
		faults.add(v.line, path, "holds a control character")
		return
	}
	if s.enum != nil {
		for _, e := range s.enum {
			if e == text {
				return
			}
		}
		faults.add(v.line, path, "%q is not one of %s%s", text, strings.Join(s.enum, ", "), suggest(text, s.enum))
		return
	}
	if s.match != nil && !s.match.MatchString(text) {
		faults.add(v.line, path, "%q %s", text, s.says)
	}
}

func (s *shape) checkObject(faults *faultList, path string, v *value) {
	if s.word != "" && v.form == formText {
		if v.text != s.word {
			faults.add(v.line, path, "must be a mapping or the word %q, not %s", s.word, written(v))
		}
		return
	}
	if v.form != formMap {
		faults.add(v.line, path, "must be a mapping, not %s", written(v))
		return
	}
	for i := range v.keys {
		k := &v.keys[i]
		f := s.field(k.name)
		if f == nil {
			names := s.names()
			faults.add(k.line, join(path, k.name), "not a key here; the keys are %s%s", strings.Join(names, ", "), suggest(k.name, names))
			continue
		}
		f.shape.check(faults, join(path, k.name), k.value)
	}
	for i := range s.fields {
		if s.fields[i].required && !v.has(s.fields[i].name) {
			faults.add(v.line, path, "%s is missing", s.fields[i].name)
		}
	}
}

func (s *shape) field(name string) *field {
	for i := range s.fields {
		if s.fields[i].name == name {
			return &s.fields[i]
		}
	}
	return nil
}

func (s *shape) names() []string {
	names := make([]string, len(s.fields))
	for i := range s.fields {
		names[i] = s.fields[i].name
	}
	return names
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// written shows a value in a fault.
func written(v *value) string {
	if v.form == formText || v.form == formNumber || v.form == formBool {
		text := v.text
		if len(text) > 60 {
			text = text[:60] + "…"
		}
		return strconv.Quote(text)
	}
	return formNames[v.form]
}

// parseDuration reads Go's durations, and days.
func parseDuration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(s)
}

// showDuration is the shortest form that parseDuration reads: 15m, 1h, 30d.
func showDuration(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d > 0 && d%day == 0:
		return strconv.FormatInt(int64(d/day), 10) + "d"
	case d > 0 && d%time.Hour == 0:
		return strconv.FormatInt(int64(d/time.Hour), 10) + "h"
	case d > 0 && d%time.Minute == 0:
		return strconv.FormatInt(int64(d/time.Minute), 10) + "m"
	}
	return d.String()
}
