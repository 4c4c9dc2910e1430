package chroma

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// The fields of a record that are not its metadata, as policy names them.
const (
	fieldID        = "id"
	fieldDocument  = "document"
	fieldEmbedding = "embedding"
	fieldURI       = "uri"
)

// mostIDs is how many ids the record of a request names.
const mostIDs = 256

// ids reads the ids of the document; n is how many there are, 0 also when there is no list.
func (c *call) ids() (some []string, n int64, err error) {
	v := c.Body.Get("ids")
	if !present(v) {
		return nil, 0, nil
	}
	if v.Kind() != jsonstream.Array {
		return nil, 0, unclear("its ids are not a list")
	}
	for item := range v.Items() {
		id, ok := item.Text()
		if !ok {
			return nil, 0, unclear("an id is not a text")
		}
		if n++; n <= mostIDs {
			some = append(some, id)
		}
	}
	return some, n, nil
}

// number reads a member that is a whole number; absent says that it is not there.
func (c *call) number(member string, absent int64) (int64, error) {
	v := c.Body.Get(member)
	if !present(v) {
		return absent, nil
	}
	n, ok := v.Int()
	if !ok || n < 0 || n > 1<<32 {
		return 0, unclear("its " + member + " is not a number")
	}
	return n, nil
}

// include reads what the answer is to hold.
func (c *call) include(usual ...string) ([]string, error) {
	v := c.Body.Get("include")
	if !present(v) {
		return usual, nil
	}
	if v.Kind() != jsonstream.Array {
		return nil, unclear("its include is not a list")
	}
	list := []string{}
	for item := range v.Items() {
		name, _ := item.Text()
		if !slices.Contains([]string{"distances", "documents", "embeddings", "metadatas", "uris"}, name) {
			return nil, unclear("its include has something that is not known")
		}
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list, nil
}

// fields are what an answer shows, as policy names them; "*" stands for all metadata.
func fields(include []string) []string {
	list := []string{fieldID}
	for _, name := range include {
		switch name {
		case "documents":
			list = append(list, fieldDocument)
		case "embeddings":
			list = append(list, fieldEmbedding)
		case "uris":
			list = append(list, fieldURI)
		case "metadatas":
			list = append(list, "*")
		}
	}
	return list
}

// readWrite reads a document of records.
func readWrite(a access.Action) func(*call) error {
	return func(c *call) error {
		if err := c.resolve(); err != nil {
			return err
		}
		ids, n, err := c.ids()
		if err != nil {
			return err
		}
		at := access.Attributes{Points: n, IDs: ids, Filter: access.FilterKey, Vectors: present(c.Body.Get("embeddings"))}
		c.does(a, c.collection, at)
		if a == access.Update && at.Vectors {
			c.does(access.UpdateVectors, c.collection, at)
		}
		c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
			on, err := filters(o, c.collection)
			if err == nil {
				err = c.carries(n, on, a != access.Update)
			}
			if err != nil {
				return nil, err
			}
			obliged := &httpwire.Obliged{Filtered: true, Mute: mute(o, on)}
			if len(on) > 0 && n > 0 && a != access.Insert { // add leaves alone what is there
				obliged.Check = c.owned(on)
			}
			return obliged, nil
		}
		return nil
	}
}

// readDelete tells records that are named from those that a condition finds, and from all. An empty list names none, and is
// judged as what a server would do that takes it for no list.
func readDelete(c *call) error {
	if err := c.resolve(); err != nil {
		return err
	}
	ids, n, err := c.ids()
	if err != nil {
		return err
	}
	w, err := c.conditions()
	if err != nil {
		return err
	}
	if _, err := c.number("limit", 0); err != nil {
		return err
	}
	at := access.Attributes{Points: access.Unbounded, IDs: ids}
	w.describe(&at)
	action := access.DeleteAll
	switch {
	case n > 0:
		action, at.Points = access.Delete, n
		if at.Filter == access.FilterNone {
			at.Filter = access.FilterKey
		}
	case len(w.all) > 0:
		action = access.DeleteByFilter
	}
	c.does(action, c.collection, at)
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		if err := w.oblige(o.Protection, c.collection); err != nil {
			return nil, err
		}
		on, err := filters(o, c.collection)
		if err != nil {
			return nil, err
		}
		if len(on) > 0 && action == access.DeleteAll { // with a condition it would delete what it does not delete without
			return nil, &access.Refusal{
				Code: access.CodeObligation, Rule: on[0].Rule, Message: "a request to delete that names neither ids nor a condition cannot be narrowed to what rule " + on[0].Rule + " lets you reach",
				Hint: "name ids, or say which records in where",
			}
		}
		return &httpwire.Obliged{Body: narrowed(c.Body, on), Filtered: true, Mute: mute(o, on)}, nil
	}
	return nil
}

// readCount reads a count. Chroma counts all records or none; those that pass a filter are listed and counted here.
func readCount(c *call) error {
	if err := readOf(access.Count)(c); err != nil {
		return err
	}
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		on, err := filters(o, c.collection)
		if err != nil || len(on) == 0 {
			return &httpwire.Obliged{Filtered: true}, err
		}
		list := httpwire.Path("api", "v2", "tenants", c.Params["tenant"], "databases", c.Params["database"], "collections", c.Params["collection"], "get")
		return &httpwire.Obliged{
			Instead:  &httpwire.Instead{Method: http.MethodPost, Path: list},
			Body:     narrowed(object("include", jsonstream.List()), on),
			Filtered: true, Mute: true,
			Rewrite: func(v jsonstream.Value) (jsonstream.Value, error) {
				ids := v.Get("ids")
				if ids.Kind() != jsonstream.Array {
					return v, errors.New("there is no list of ids")
				}
				return jsonstream.Int(int64(ids.Len())), nil
			},
		}, nil
	}
	return nil
}

func readGet(c *call) error {
	if err := c.resolve(); err != nil {
		return err
	}
	ids, n, err := c.ids()
	if err != nil {
		return err
	}
	w, err := c.conditions()
	if err != nil {
		return err
	}
	include, err := c.include("documents", "metadatas")
	if err != nil {
		return err
	}
	limit, err := c.number("limit", access.Unbounded)
	if err != nil {
		return err
	}
	offset, err := c.number("offset", 0)
	if err != nil {
		return err
	}
	at := access.Attributes{
		Limit: limit, Offset: offset, Rows: limit, IDs: ids, Fields: fields(include), Vectors: slices.Contains(include, "embeddings"),
	}
	w.describe(&at)
	var action access.Action
	switch {
	case n > 0:
		action = access.Fetch
		if at.Rows == access.Unbounded || n < at.Rows {
			at.Rows = n
		}
		if at.Filter == access.FilterNone {
			at.Filter = access.FilterKey
		}
	case limit == access.Unbounded && len(w.all) == 0:
		action = access.Export
	case len(include) == 0:
		action = access.ListIDs
	default:
		action = access.Scroll
	}
	c.does(action, c.collection, at)
	shown := view{at: c.collection, include: include, where: w, named: n > 0}
	body := c.Body
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		b := body
		if o.Rows > 0 {
			if limit > o.Rows {
				return nil, tooMany(o.Rows, limit, fmt.Sprintf("ask for a limit of %d or less", o.Rows))
			}
			if limit == access.Unbounded {
				b = b.With("limit", jsonstream.Int(o.Rows+1)) // one more, to find out that there are more
			}
		}
		return shown.oblige(o, b)
	}
	return nil
}

func tooMany(may, asks int64, hint string) *access.Refusal {
	return &access.Refusal{
		Code: access.CodeLimit, Message: fmt.Sprintf("a request may return %d records at most here, and this one asks for %d", may, asks), Hint: hint,
	}
}

// usualResults is Chroma's own n_results when a query has none.
const usualResults = 10

func readQuery(c *call) error {
	if err := c.resolve(); err != nil {
		return err
	}
	ids, n, err := c.ids()
	if err != nil {
		return err
	}
	w, err := c.conditions()
	if err != nil {
		return err
	}
	include, err := c.include("documents", "metadatas", "distances")
	if err != nil {
		return err
	}
	k, err := c.number("n_results", usualResults)
	if err != nil {
		return err
	}
	queries := c.Body.Get("query_embeddings")
	if queries.Kind() != jsonstream.Array {
		return unclear("its query_embeddings are not a list")
	}
	c.out.Body = c.Body.With("n_results", jsonstream.Int(k))
	at := access.Attributes{
		Limit: k, Rows: k * int64(queries.Len()), IDs: ids, Fields: fields(include), Vectors: slices.Contains(include, "embeddings"),
	}
	w.describe(&at)
	c.does(access.Search, c.collection, at)
	shown := view{at: c.collection, include: include, where: w, search: true, named: n > 0}
	body := c.out.Body
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		switch {
		case o.TopK > 0 && k > o.TopK:
			return nil, &access.Refusal{
				Code: access.CodeLimit, Message: fmt.Sprintf("a search of %s may ask for the %d nearest at most", shown.at, o.TopK),
				Hint: fmt.Sprintf("ask for n_results of %d or less", o.TopK),
			}
		case o.Rows > 0 && at.Rows > o.Rows:
			return nil, tooMany(o.Rows, at.Rows, "ask for fewer n_results, or search for fewer embeddings at once")
		}
		return shown.oblige(o, body)
	}
	return nil
}
