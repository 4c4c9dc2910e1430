// Package claim names things from what a token says: paths into nested claims, lists of groups, and templates that
// make one name out of several claims so that two different sets of claims can never make the same name.
//
// It refuses to know tokens, issuers and subjects. Start at ParseTemplate.
package claim

import (
	"fmt"
	"strconv"
	"strings"
)

// Lookup finds a claim by its dotted path: "sub", "realm_access.roles". Names of claims may hold dots themselves
// ("kubernetes.io"), so every way to cut the path is tried; a path that leads to two places leads nowhere, since
// somebody may have planted one of them.
func Lookup(claims map[string]any, path string) (any, error) {
	found := lookup(claims, path, 8)
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("claim %s is absent", path)
	case 1:
		return found[0], nil
	}
	return nil, fmt.Errorf("claim %s could be read in %d ways", path, len(found))
}

func lookup(claims map[string]any, path string, depth int) []any {
	var found []any
	if v, ok := claims[path]; ok && v != nil {
		found = append(found, v)
	}
	if depth == 0 {
		return found
	}
	for i := range len(path) {
		if path[i] != '.' {
			continue
		}
		if inner, ok := claims[path[:i]].(map[string]any); ok {
			found = append(found, lookup(inner, path[i+1:], depth-1)...)
		}
	}
	return found
}

// Scalar returns a string or a whole number as text. Anything else names nothing.
func Scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case int64:
		return strconv.FormatInt(v, 10), true
	}
	return "", false
}

// Word is Scalar for comparing with configured words: booleans are "true" and "false".
func Word(v any) (string, bool) {
	if b, ok := v.(bool); ok {
		return strconv.FormatBool(b), true
	}
	return Scalar(v)
}

// Limits of a list of groups.
const (
	maxGroups = 1000
	maxGroup  = 256
)

// Groups reads the claim that lists groups: a list of strings, or one string of words between spaces. An absent claim
// is no groups; a claim of another shape is an error, because rules that deny by group depend on it.
func Groups(claims map[string]any, path string) ([]string, error) {
	found := lookup(claims, path, 8)
	if len(found) == 0 {
		if overage(claims, path) {
			return nil, fmt.Errorf("the provider left claim %s out because the list is too long", path)
		}
		return nil, nil
	}
	if len(found) > 1 {
		return nil, fmt.Errorf("claim %s could be read in %d ways", path, len(found))
	}
	var groups []string
	switch v := found[0].(type) {
	case string:
		groups = strings.Fields(v)
	case []any:
		for _, g := range v {
			s, ok := g.(string)
			if !ok {
				return nil, fmt.Errorf("claim %s holds something other than names", path)
			}
			groups = append(groups, s)
		}
	default:
		return nil, fmt.Errorf("claim %s is neither a list nor a string", path)
	}
	if len(groups) > maxGroups {
		return nil, fmt.Errorf("claim %s lists more than %d groups", path, maxGroups)
	}
	for _, g := range groups {
		if g == "" || len(g) > maxGroup || strings.ContainsFunc(g, control) {
			return nil, fmt.Errorf("claim %s holds a name that is empty, longer than %d bytes or has control characters", path, maxGroup)
		}
	}
	return groups, nil
}

// overage reports whether the provider says that it left the claim out (OpenID Connect Core section 5.6.2, distributed claims).
func overage(claims map[string]any, path string) bool {
	names, _ := claims["_claim_names"].(map[string]any)
	_, left := names[path]
	return left
}

func control(r rune) bool {
	return r < 0x20 || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r == '\ufeff' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || r == '\u200b' || r == '\u200e' || r == '\u200f' || r == 0xfffd
}
