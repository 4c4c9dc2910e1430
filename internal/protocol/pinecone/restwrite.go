package pinecone

import (
	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

func readUpsert(c *call) error {
	namespace, at, err := c.namespace(c.Body.Get("namespace"))
	if err != nil {
		return err
	}
	vectors := c.Body.Get("vectors")
	if vectors.Kind() != jsonstream.Array {
		return unclear("its vectors are not a list")
	}
	w := &writing{at: at, namespace: namespace, vectors: true}
	for v := range vectors.Items() {
		if err := closed(v, "id values sparseValues metadata", "one of its vectors"); err != nil {
			return err
		}
		id, ok := v.Get("id").Text()
		if !ok || id == "" {
			return unclear("one of its vectors has no id")
		}
		if m := v.Get("metadata"); present(m) && m.Kind() != jsonstream.Object {
			return unclear("the metadata of one of its vectors are not an object")
		}
		w.ids, w.records = append(w.ids, id), append(w.records, recordOf(v.Get("metadata")))
	}
	c.writes(w)
	return nil
}

func (c *call) writes(w *writing) {
	c.doesAll(w.access())
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		check, err := w.oblige(o, c.find)
		if err != nil {
			return nil, err
		}
		return &httpwire.Obliged{Filtered: true, Check: check, Mute: mute(o, w.at)}, nil
	}
}

// mute says that the engine's own messages could quote what is hidden.
func mute(o *access.Obligations, at access.Resource) bool {
	return !o.Protection.Empty() || len(o.FiltersOn(at)) > 0
}

// selection reads what a document names.
func (c *call) selection(ids []string) (*selection, error) {
	namespace, at, err := c.namespace(c.Body.Get("namespace"))
	if err != nil {
		return nil, err
	}
	s := &selection{at: at, namespace: namespace, ids: ids}
	s.filter, err = readFilter(c.Body.Get("filter"))
	return s, err
}

func readUpdate(c *call) error {
	id, err := text(c.Body.Get("id"), "id")
	if err != nil {
		return err
	}
	var ids []string
	if id != "" {
		ids = []string{id}
	}
	s, err := c.selection(ids)
	if err != nil {
		return err
	}
	dry, err := truth(c.Body.Get("dryRun"), "dryRun")
	if err != nil {
		return err
	}
	set := c.Body.Get("setMetadata")
	if present(set) && set.Kind() != jsonstream.Object {
		return unclear("its setMetadata is not an object")
	}
	if (id == "") == (s.filter == nil) || dry && s.filter == nil { // only a change by a filter can be tried out
		return unclear("it names neither a record nor a filter, or both, or tries out a change of a record that is named")
	}
	s.all = s.filter != nil && len(s.filter.all) == 0
	vectors := present(c.Body.Get("values")) || present(c.Body.Get("sparseValues"))
	c.doesAll(s.updates(vectors, dry)...)
	body := c.Body
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		ok, err := s.reaches(o, c.find)
		if err != nil {
			return nil, err
		}
		if err := keeps(recordOf(set), func(field string) bool { return set.Get(field).Kind() != jsonstream.None }, o.FiltersOn(s.at), s.at); err != nil {
			return nil, err
		}
		return &httpwire.Obliged{Body: filtered(body, first(ok.filters)), Filtered: true, Check: ok.check, Mute: mute(o, s.at)}, nil
	}
	return nil
}

func first(filters []jsonstream.Value) jsonstream.Value {
	if len(filters) == 0 {
		return jsonstream.Value{}
	}
	return filters[0]
}

// updates says what an update changes.
func (s *selection) updates(vectors, dry bool) []access.Access {
	at := s.attributes()
	if dry {
		at.Points, at.Rows = 0, 1
		return []access.Access{{Action: access.Count, Resource: s.at, Attributes: at}}
	}
	at.Vectors = vectors
	all := []access.Access{{Action: access.Update, Resource: s.at, Attributes: at}}
	if vectors {
		all = append(all, access.Access{Action: access.UpdateVectors, Resource: s.at, Attributes: at})
	}
	return all
}

func readDelete(c *call) error {
	ids, err := texts(c.Body.Get("ids"), "ids")
	if err != nil {
		return err
	}
	s, err := c.selection(ids)
	if err != nil {
		return err
	}
	if s.all, err = truth(c.Body.Get("deleteAll"), "deleteAll"); err != nil {
		return err
	}
	if len(ids) > 0 && (s.all || s.filter != nil) || s.all && s.filter != nil {
		return unclear("it names records in more than one way")
	}
	c.doesAll(s.deletes())
	body := c.Body
	c.out.Oblige = func(o *access.Obligations) (*httpwire.Obliged, error) {
		ok, err := s.reaches(o, c.find)
		if err != nil {
			return nil, err
		}
		return &httpwire.Obliged{Body: filtered(body, first(ok.filters)), Filtered: true, Check: ok.check, Mute: mute(o, s.at)}, nil
	}
	return nil
}
