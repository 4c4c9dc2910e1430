package pinecone

import (
	"context"
	"fmt"
	"net/url"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// namespace reads the namespace of a document.
func (c *call) namespace(v jsonstream.Value) (string, access.Resource, error) {
	name := ""
	if present(v) {
		text, ok := v.Text()
		if !ok {
			return "", access.Resource{}, unclear("its namespace is not a text")
		}
		name = text
	}
	at, err := c.in(name)
	return name, at, err
}

// texts reads a list of texts.
func texts(v jsonstream.Value, what string) ([]string, error) {
	if !present(v) {
		return nil, nil
	}
	if v.Kind() != jsonstream.Array {
		return nil, unclear("its " + what + " are not a list")
	}
	var all []string
	for item := range v.Items() {
		text, ok := item.Text()
		if !ok {
			return nil, unclear("one of its " + what + " is not a text")
		}
		all = append(all, text)
	}
	return all, nil
}

// text reads a text that may be absent.
func text(v jsonstream.Value, what string) (string, error) {
	if !present(v) {
		return "", nil
	}
	s, ok := v.Text()
	if !ok {
		return "", unclear("its " + what + " is not a text")
	}
	return s, nil
}

// number reads a whole number; absent says what it is when it is not there.
func number(v jsonstream.Value, what string, absent int64) (int64, error) {
	if !present(v) {
		return absent, nil
	}
	n, ok := v.Int()
	if !ok || n < 0 || n > 1<<31 {
		return 0, unclear("its " + what + " is not a number")
	}
	return n, nil
}

// truth reads true or false; absent is false.
func truth(v jsonstream.Value, what string) (bool, error) {
	if !present(v) {
		return false, nil
	}
	is, ok := v.Bool()
	if !ok {
		return false, unclear("its " + what + " is neither true nor false")
	}
	return is, nil
}

// find looks records up by their ids.
func (c *call) find(ctx context.Context, namespace string, ids []string) (map[string]record, error) {
	q := url.Values{"ids": ids}
	if namespace != "" {
		q.Set("namespace", namespace)
	}
	status, v, err := c.Ask(ctx, "/vectors/fetch?"+q.Encode())
	if err != nil {
		return nil, err
	}
	vectors := v.Get("vectors")
	if status >= 300 || vectors.Kind() != jsonstream.Object {
		return nil, fmt.Errorf("look records up: status %d", status)
	}
	found := map[string]record{}
	for id, vector := range vectors.Members() {
		found[id] = recordOf(vector.Get("metadata"))
	}
	return found, nil
}

// recordOf is metadata as filters see it.
func recordOf(metadata jsonstream.Value) record {
	return func(field string) (all []string, one bool) {
		v := metadata.Get(field)
		if s, ok := v.Text(); ok {
			return []string{s}, true
		}
		for item := range v.Items() {
			if s, ok := item.Text(); ok {
				all = append(all, s)
			}
		}
		return all, false
	}
}
