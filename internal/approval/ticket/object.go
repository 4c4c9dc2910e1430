package ticket

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"
)

// Limits of what a system may say.
const (
	maxDocument = 1 << 20   // as it sends it
	maxSnapshot = 256 << 10 // as it is kept and written down
	maxDepth    = 32
)

var errNotStrict = errors.New("its answer is not strict JSON")

// readDocument reads one JSON document. A name that stands twice is refused: two readers could disagree about which counts.
func readDocument(b []byte) (any, error) {
	if !utf8.Valid(b) {
		return nil, errNotStrict
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	v, err := readValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errNotStrict
	}
	return v, nil
}

func readValue(d *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errNotStrict
	}
	t, err := d.Token()
	if err != nil {
		return nil, errNotStrict
	}
	switch v := t.(type) {
	case json.Delim:
		if v == '{' {
			return readMembers(d, depth)
		}
		list := []any{}
		for d.More() {
			e, err := readValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, e)
		}
		if _, err := d.Token(); err != nil {
			return nil, errNotStrict
		}
		return list, nil
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n, nil
		}
		f, err := v.Float64()
		if err != nil {
			return nil, errNotStrict
		}
		return f, nil
	}
	return t, nil
}

func readMembers(d *json.Decoder, depth int) (any, error) {
	object := map[string]any{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, errNotStrict
		}
		name, ok := t.(string)
		if !ok {
			return nil, errNotStrict
		}
		if _, twice := object[name]; twice {
			return nil, fmt.Errorf("%w: %.40q stands in it twice", errNotStrict, name)
		}
		if object[name], err = readValue(d, depth+1); err != nil {
			return nil, err
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, errNotStrict
	}
	return object, nil
}

// canonical is JSON with its members in order and no white space: the same document always has the same digest.
func canonical(document any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(document); err != nil {
		return nil, fmt.Errorf("encode ticket: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// text is a member of an object that is a string, or a number's digits; empty when it is neither.
func text(object map[string]any, name string) string {
	switch v := object[name].(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return ""
}

// object is a member that is an object, or an empty one.
func object(of map[string]any, name string) map[string]any {
	m, _ := of[name].(map[string]any)
	return m
}
