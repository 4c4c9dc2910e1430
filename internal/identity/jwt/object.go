package jwt

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"unicode/utf8"
)

// maxDepth is how deep claims may nest.
const maxDepth = 16

var errObject = errors.New("not a strict JSON object")

// ReadObject reads one JSON object, whole numbers as int64. Duplicate names are refused: two readers could disagree about which one counts.
func ReadObject(b []byte) (map[string]any, error) {
	if !utf8.Valid(b) {
		return nil, errObject
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	v, err := readValue(d, 0)
	if err != nil {
		return nil, err
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, errObject
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errObject
	}
	return object, nil
}

func readValue(d *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errObject
	}
	t, err := d.Token()
	if err != nil {
		return nil, errObject
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
		_, err := d.Token()
		return list, err
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n, nil
		}
		f, err := v.Float64()
		if err != nil {
			return nil, errObject
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
			return nil, errObject
		}
		name, ok := t.(string)
		if !ok {
			return nil, errObject
		}
		if _, twice := object[name]; twice {
			return nil, errObject
		}
		if object[name], err = readValue(d, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return object, err
}
