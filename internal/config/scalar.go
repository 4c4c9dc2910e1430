package config

import (
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/vecgate/vecgate/internal/vault"
)

var (
	durationType = reflect.TypeFor[time.Duration]()
	sizeType     = reflect.TypeFor[Size]()
	pathType     = reflect.TypeFor[Path]()
	secretType   = reflect.TypeFor[Secret]()
	pemType      = reflect.TypeFor[PEM]()
)

func isSource(t reflect.Type) bool { return t == secretType || t == pemType }

// scalar fills a string, bool, number, duration, size or path.
func (r *reader) scalar(n ast.Node, v reflect.Value, path string, tag reflect.StructTag) {
	text := tag.Get("default")
	if n == nil {
		if text == "" {
			return
		}
	} else {
		var ok bool
		if text, ok = r.text(n, v, path); !ok {
			return
		}
	}
	shown := r.shown(path, text)
	switch {
	case v.Type() == durationType:
		d, err := ParseDuration(text)
		if err != nil {
			r.at(path, "%s is not a duration such as 30s, 15m, 12h or 30d", shown)
			return
		}
		if least := tag.Get("min"); least != "" {
			if m, _ := ParseDuration(least); d < m {
				r.at(path, "%s is too short; the least is %s", shown, least)
			}
		}
		v.SetInt(int64(d))
	case v.Type() == sizeType:
		s, err := ParseSize(text)
		if err != nil {
			r.at(path, "%s is not a size such as 512, 64KiB, 16MiB or 1GiB", shown)
			return
		}
		if least := tag.Get("min"); least != "" {
			if m, _ := ParseSize(least); s < m {
				r.at(path, "%s is too small; the least is %s", shown, least)
			}
		}
		v.SetInt(int64(s))
	case v.Type() == pathType:
		if text == "" {
			r.at(path, "must not be empty")
			return
		}
		if !filepath.IsAbs(text) {
			text = filepath.Join(r.dir, text)
		}
		v.SetString(filepath.Clean(text))
	case v.Kind() == reflect.String:
		if text == "" {
			r.at(path, "must not be empty")
			return
		}
		if known := tag.Get("enum"); known != "" {
			words := strings.Split(known, "|")
			if !slices.Contains(words, text) {
				r.at(path, "%s", oneOf(shown, text, words))
				return
			}
		}
		v.SetString(text)
	case v.Kind() == reflect.Int:
		i, err := strconv.Atoi(text)
		if err != nil {
			r.at(path, "%s is not a whole number", shown)
			return
		}
		if least := tag.Get("min"); least != "" {
			if m, _ := strconv.Atoi(least); i < m {
				r.at(path, "%s is too small; the least is %s", shown, least)
			}
		}
		v.SetInt(int64(i))
	case v.Kind() == reflect.Bool:
		switch text {
		case "true", "false":
			v.SetBool(text == "true")
		default:
			r.at(path, "%s is neither true nor false", shown)
		}
	default:
		panic(fmt.Sprintf("config: no way to read a %s", v.Type())) // a struct of this package is wrong; its test finds it
	}
}

// text is the scalar as written, with ${env:NAME} replaced.
func (r *reader) text(n ast.Node, v reflect.Value, path string) (string, bool) {
	var text string
	switch n := n.(type) {
	case *ast.StringNode:
		text = n.Value
	case *ast.LiteralNode:
		text = n.Value.Value
	case *ast.IntegerNode, *ast.FloatNode:
		text = n.GetToken().Value
	case *ast.BoolNode:
		text = n.GetToken().Value
		if v.Kind() != reflect.Bool {
			r.at(path, "%q means yes or no here; put it in quotes if it is text", text)
			return "", false
		}
	case *ast.MappingNode, *ast.MappingValueNode, *ast.SequenceNode:
		r.at(path, "must be a single value")
		return "", false
	default:
		r.at(path, "cannot be read as a value; put it in quotes")
		return "", false
	}
	r.raw[path] = text
	return r.expand(text, path)
}

// expand replaces every ${env:NAME}.
func (r *reader) expand(text, path string) (string, bool) {
	if !strings.Contains(text, "${") {
		return text, true
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "${")
		b.WriteString(before)
		if !found {
			return b.String(), true
		}
		ref, rest, closed := strings.Cut(after, "}")
		name, isEnv := strings.CutPrefix(ref, "env:")
		if !closed || !isEnv || !vault.EnvName(name) {
			r.at(path, "only ${env:NAME} can stand between ${ and }")
			return "", false
		}
		value := r.getenv(name)
		if value == "" {
			r.at(path, "the environment variable %s is not set, or empty", name)
			return "", false
		}
		b.WriteString(value)
		text = rest
	}
}

// source fills a Secret or PEM.
func (r *reader) source(n ast.Node, v reflect.Value, path string, _ reflect.StructTag) {
	if n == nil {
		return
	}
	var text string
	switch n := n.(type) {
	case *ast.StringNode:
		text = n.Value
	case *ast.LiteralNode:
		text = n.Value.Value
	default:
		r.at(path, "must be text: file:PATH, \"${env:NAME}\" or age:PATH")
		return
	}
	if text == "" {
		r.at(path, "must not be empty")
		return
	}
	s, err := vault.ParseSource(text, vault.SourceOptions{Dir: r.dir, Identity: r.identity, Public: v.Type() == pemType, Getenv: r.getenv})
	if err != nil {
		r.at(path, "%s", err)
		return
	}
	if v.Type() == pemType {
		v.Set(reflect.ValueOf(PEM{s}))
		return
	}
	v.Set(reflect.ValueOf(Secret{s}))
}

// ParseDuration reads a duration: a number and a unit, d for days of 24 hours among them; 0 needs no unit.
func ParseDuration(text string) (time.Duration, error) {
	days, rest, found := strings.Cut(text, "d")
	if !found {
		days, rest = "", text
	}
	var d time.Duration
	if found {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil || n > 36500 {
			return 0, fmt.Errorf("%q is not a duration", text)
		}
		d = time.Duration(n) * 24 * time.Hour
		if rest == "" {
			return d, nil
		}
	}
	more, err := time.ParseDuration(rest)
	if err != nil || more < 0 || more > 36500*24*time.Hour || d > math.MaxInt64-more {
		return 0, fmt.Errorf("%q is not a duration", text)
	}
	return d + more, nil
}

// ParseSize reads a number of bytes.
func ParseSize(text string) (Size, error) {
	for _, u := range []struct {
		suffix string
		shift  uint
	}{{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"B", 0}, {"", 0}} {
		digits, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 31)
		if err != nil {
			return 0, fmt.Errorf("%q is not a size", text)
		}
		return Size(n << u.shift), nil
	}
	return 0, fmt.Errorf("%q is not a size", text)
}
