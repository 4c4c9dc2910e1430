package policy

import (
	"encoding/json"
	"math"
	"sort"
)

// Schema is the JSON Schema of policy files, written from the shapes that Parse checks against. Editors find most
// mistakes with it; Parse finds all.
func Schema() []byte {
	s := shapePolicy.schema()
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "vecgate policy"
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic(err) // maps, texts and numbers only
	}
	return append(out, '\n')
}

func (s *shape) schema() map[string]any {
	m := map[string]any{}
	if s.doc != "" {
		m["description"] = s.doc
	}
	switch s.kind {
	case shapeText:
		m["type"] = "string"
		switch {
		case s.enum != nil:
			m["enum"] = s.enum
		case s.match != nil:
			m["pattern"], m["maxLength"] = s.match.String(), s.max
		default:
			m["minLength"], m["maxLength"] = 1, s.max
		}
	case shapeNumber:
		m["type"], m["minimum"] = "integer", s.min
		if s.max != math.MaxInt64 {
			m["maximum"] = s.max
		}
	case shapeDuration:
		m["type"], m["pattern"] = "string", `^([0-9]+d|([0-9.]+(h|m|s|ms))+)$`
	case shapeBool:
		m["type"] = "boolean"
	case shapeEither:
		m["oneOf"] = []any{s.text.schema(), s.item.schema()}
	case shapeList:
		m["type"], m["items"], m["maxItems"] = "array", s.item.schema(), s.max
		if s.min > 0 {
			m["minItems"] = s.min
		}
	case shapeTable:
		m["type"], m["additionalProperties"] = "object", s.item.schema()
		if s.match != nil {
			m["propertyNames"] = map[string]any{"pattern": s.match.String()}
		}
	case shapeObject:
		object := s.objectSchema()
		if s.word == "" {
			for k, v := range object {
				m[k] = v
			}
			break
		}
		m["oneOf"] = []any{map[string]any{"const": s.word}, object}
	}
	return m
}

func (s *shape) objectSchema() map[string]any {
	properties, required := map[string]any{}, []string{}
	for i := range s.fields {
		f := &s.fields[i]
		properties[f.name] = f.shape.schema()
		if f.required {
			required = append(required, f.name)
		}
	}
	m := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		sort.Strings(required)
		m["required"] = required
	}
	return m
}
