package opensearch

import (
	"strings"

	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// condition is one field's part in deciding which documents come back, in which order, or what is computed from them.
type condition struct {
	field    string
	equality bool // the field equals a constant, and nothing else could make the document one that is meant
	derived  bool // a value is computed from the field
}

// reading is what the parts of a search touch. It is filled while they are read; with a filter it also makes them anew, so
// that every search among vectors is narrowed by it.
type reading struct {
	clauses map[string]clause
	filter  []jsonstream.Value // conditions to put into every search among vectors

	all       []condition
	nearest   []string          // the vector fields that are searched
	k         int64             // the most neighbours that are asked for
	threshold bool              // a score decides what comes back
	amplified bool              // scores are computed in a way that could tell more digits of a distance
	script    bool              // code runs
	wide      bool              // a search among vectors that no filter can be put into
	beyond    bool              // something looks at documents that the query does not match: joins, global aggregations
	inner     map[string]string // inner hits by their names: the path that their _source is relative to
	insides   []*search         // what is asked of them
	innerRows int64             // how many of them come with one hit
	some      bool              // something narrows what is matched
	ids       []string
	idsOnly   bool // nothing but ids narrows
	expanded  bool // groups are expanded by searches of their own
}

// scope is where a clause stands.
type scope struct {
	top    bool // it must be true of every document that comes back
	nested bool // it is about nested documents
	apart  bool // it looks at what was found already, or decides nothing; it is sent on as it is
}

func (s scope) within() scope { return scope{nested: s.nested, apart: s.apart} }

type clause func(r *reading, v jsonstream.Value, s scope) (jsonstream.Value, error)

// queries are the clauses that are known; everything that is not here is refused.
func queries() map[string]clause {
	return map[string]clause{
		"match_all": blank, "match_none": blank,
		"bool": boolean, "constant_score": within("filter"), "boosting": within("positive negative", "negative_boost"), "dis_max": within("queries", "tie_breaker"),
		"nested": nested, "has_child": joined, "has_parent": joined, "parent_id": related, "function_score": scored, "hybrid": within("queries", "pagination_depth"),
		"term": term, "fuzzy": leaf, "prefix": leaf, "wildcard": leaf, "regexp": leaf, "match": leaf, "match_phrase": leaf, "match_phrase_prefix": leaf,
		"match_bool_prefix": leaf, "range": leaf, "terms": terms, "ids": ids, "exists": exists,
		"multi_match": ofFields, "combined_fields": ofFields, "query_string": anyField, "simple_query_string": ofFields,
		"distance_feature": exists, "rank_feature": rank, "sparse_vector": sparse,
		"geo_distance": geo, "geo_bounding_box": geo, "geo_polygon": geo, "geo_shape": geo,
		"knn": knn, "script": script, "script_score": scriptScore,
	}
}

func (r *reading) on(field string, s scope, equality bool) {
	r.all = append(r.all, condition{field: field, equality: equality && s.top && !s.nested})
	r.some, r.idsOnly = true, false
}

// query reads one query, and returns it as it is sent on.
func (r *reading) query(v jsonstream.Value, s scope) (jsonstream.Value, error) {
	name, member, ok := one(v)
	if !ok {
		return v, unclear("a query is not an object with one member")
	}
	read := r.clauses[name]
	if read == nil {
		return v, unclear("the query " + short(name) + " is not one that this gateway understands")
	}
	made, err := read(r, member, s)
	return object(name, made), err
}

// queries reads a query or a list of them.
func (r *reading) queries(v jsonstream.Value, s scope) (jsonstream.Value, error) {
	if v.Kind() != jsonstream.Array {
		return r.query(v, s)
	}
	var made []jsonstream.Value
	for item := range v.Items() {
		m, err := r.query(item, s)
		if err != nil {
			return v, err
		}
		made = append(made, m)
	}
	return jsonstream.List(made...), nil
}

// options checks the members of a clause, apart from those that the caller reads itself; all others are plain values.
func (r *reading) options(v jsonstream.Value, own, plain string) error {
	if v.Kind() != jsonstream.Object {
		return unclear("a query is not an object")
	}
	for name, m := range v.Members() {
		switch {
		case named(own, name):
		case name == "boost":
			r.amplified = true
			fallthrough
		case name == "_name" || named(plain, name):
			if !scalar(m) {
				return unclear("the option " + short(name) + " of a query is not a plain value")
			}
		default:
			return unclear("a query has an option that is not known: " + short(name))
		}
	}
	return nil
}

func blank(r *reading, v jsonstream.Value, _ scope) (jsonstream.Value, error) {
	return v, r.options(v, "", "")
}

func boolean(r *reading, v jsonstream.Value, s scope) (jsonstream.Value, error) {
	if err := r.options(v, "must filter should must_not", "minimum_should_match adjust_pure_negative"); err != nil {
		return v, err
	}
	for _, part := range []string{"must", "filter", "should", "must_not"} {
		m := v.Get(part)
		if !present(m) {
			continue
		}
		inside := s
		if part == "should" || part == "must_not" {
			inside = s.within()
		}
		made, err := r.queries(m, inside)
		if err != nil {
			return v, err
		}
		v = v.With(part, made)
	}
	return v, nil
}

// within reads a clause that holds others.
func within(parts string, plain ...string) clause {
	return func(r *reading, v jsonstream.Value, s scope) (jsonstream.Value, error) {
		if err := r.options(v, parts, strings.Join(plain, " ")); err != nil {
			return v, err
		}
		r.amplified = r.amplified || present(v.Get("negative_boost"))
		for part := range strings.FieldsSeq(parts) {
			m := v.Get(part)
			if !present(m) {
				continue
			}
			made, err := r.queries(m, s.within())
			if err != nil {
				return v, err
			}
			r.idsOnly = false
			v = v.With(part, made)
		}
		return v, nil
	}
}

func nested(r *reading, v jsonstream.Value, s scope) (jsonstream.Value, error) {
	if err := r.options(v, "query inner_hits", "path score_mode ignore_unmapped"); err != nil {
		return v, err
	}
	path, ok := v.Get("path").Text()
	if !ok {
		return v, unclear("a nested query has no path")
	}
	made, err := r.query(v.Get("query"), scope{nested: true, apart: s.apart})
	if err != nil {
		return v, err
	}
	if err := r.innerHits(v.Get("inner_hits"), path, path); err != nil {
		return v, err
	}
	return v.With("query", made), nil
}

// innerHits reads what is asked of the documents behind a hit.
func (r *reading) innerHits(v jsonstream.Value, usual, path string) error {
	for _, one := range listed(v) {
		name := usual
		if n, ok := one.Get("name").Text(); ok {
			name = n
		}
		if r.inner == nil {
			r.inner = map[string]string{}
		}
		if other, twice := r.inner[name]; twice && other != path {
			return unclear("two inner_hits have the same name")
		}
		r.inner[name] = path
		part := search{reading: r}
		if err := part.closed(one, "name from size sort _source fields docvalue_fields stored_fields highlight version seq_no_primary_term ignore_unmapped track_scores"); err != nil {
			return err
		}
		size, err := whole(one.Get("size"), "the size of its inner_hits", 3)
		if err != nil {
			return err
		}
		r.innerRows += size
		if err := part.shown(one); err != nil {
			return err
		}
		r.insides = append(r.insides, &part)
	}
	return nil
}

// joined looks at other documents than those that come back.
func joined(r *reading, v jsonstream.Value, s scope) (jsonstream.Value, error) {
	if err := r.options(v, "query inner_hits", "type parent_type score score_mode min_children max_children ignore_unmapped"); err != nil {
		return v, err
	}
	r.beyond = true
	usual := ""
	for _, name := range []string{"type", "parent_type"} {
		if t, ok := v.Get(name).Text(); ok {
			usual = t
		}
	}
	made, err := r.query(v.Get("query"), s.within())
	if err != nil {
		return v, err
	}
	if err := r.innerHits(v.Get("inner_hits"), usual, ""); err != nil {
		return v, err
	}
	r.some, r.idsOnly = true, false
	return v.With("query", made), nil
}

func related(r *reading, v jsonstream.Value, _ scope) (jsonstream.Value, error) {
	r.beyond, r.some, r.idsOnly = true, true, false
	return v, r.options(v, "", "type id ignore_unmapped")
}

// leaf reads {FIELD: VALUE} and {FIELD: {OPTION: VALUE}}.
func leaf(r *reading, v jsonstream.Value, s scope) (jsonstream.Value, error) {
	field, m, ok := one(v)
	if !ok {
		return v, unclear("a query is not about exactly one field")
	}
	r.on(field, s, false)
	if m.Kind() != jsonstream.Object {
		if !scalar(m) {
			return v, unclear("a query compares with something that is not a value")
		}
		return v, nil
	}
	return v, r.options(m, "", "value query gt gte lt lte from to include_lower include_upper format time_zone relation operator minimum_should_match fuzziness prefix_length "+
		"max_expansions analyzer zero_terms_query lenient auto_generate_synonyms_phrase_query fuzzy_transpositions transpositions fuzzy_rewrite rewrite cutoff_frequency slop "+
		"case_insensitive wildcard regexp flags flags_value max_determinized_states")
}

// term is a leaf that demands one value and no other.
func term(r *reading, v jsonstream.Value, s scope) (jsonstream.Value, error) {
	_, err := leaf(r, v, s)
	if _, m, _ := one(v); err == nil && !present(m.Get("case_insensitive")) {
		r.all[len(r.all)-1].equality = s.top && !s.nested
	}
	return v, err
}

func terms(r *reading, v jsonstream.Value, s scope) (jsonstream.Value, error) {
	n := 0
	for name, m := range v.Members() {
		switch {
		case name == "boost" || name == "_name":
			r.amplified = r.amplified || name == "boost"
		case m.Kind() == jsonstream.Array:
			for item := range m.Items() {
				if !scalar(item) {
					return v, unclear("a terms query compares with something that is not a value")
				}
			}
			n++
			r.on(name, s, m.Len() == 1)
		default:
			return v, unclear("a terms query has no list of values (a look-up in another index is not taken)")
		}
	}
	if n != 1 {
		return v, unclear("a terms query is not about exactly one field")
	}
	return v, nil
}

func ids(r *reading, v jsonstream.Value, s scope) (jsonstream.Value, error) {
	if err := r.options(v, "values", ""); err != nil {
		return v, err
	}
	if v.Get("values").Kind() != jsonstream.Array {
		return v, unclear("an ids query has no list of values")
	}
	all, err := texts(v.Get("values"), "the values of an ids query")
	if err != nil {
		return v, err
	}
	r.idsOnly = !r.some && s.top && !s.nested
	r.some = true
	r.all = append(r.all, condition{field: fieldID, equality: s.top && !s.nested})
	r.ids = append(r.ids, all...)
	return v, nil
}

// exists reads a clause that is about {"field": FIELD}.
func exists(r *reading, v jsonstream.Value, s scope) (jsonstream.Value, error) {
	if err := r.options(v, "origin", "field pivot"); err != nil {
		return v, err
	}
	field, ok := v.Get("field").Text()
	if !ok {
		return v, unclear("a query names no field")
	}
	r.on(field, s, false)
	return v, nil
}

func rank(r *reading, v jsonstream.Value, s scope) (jsonstream.Value, error) {
	if err := r.options(v, "saturation log sigmoid linear", "field"); err != nil {
		return v, err
	}
	field, ok := v.Get("field").Text()
	if !ok {
		return v, unclear("a query names no field")
	}
	r.on(field, s, false)
	r.amplified = true
	return v, nil
}

// sparse takes only weights that the client made itself: making them of a text runs a model.
func sparse(r *reading, v jsonstream.Value, s scope) (jsonstream.Value, error) {
	if err := r.options(v, "query_vector pruning_config", "field prune"); err != nil {
		return v, err
	}
	field, ok := v.Get("field").Text()
	if !ok || v.Get("query_vector").Kind() != jsonstream.Object {
		return v, unclear("a sparse_vector query has no field, or no query_vector")
	}
	r.near(field, s)
	r.amplified = true
	return v, nil
}

// ofFields reads a clause whose text cannot name fields, and whose fields are listed; without the list it is all of them.
func ofFields(r *reading, v jsonstream.Value, s scope) (jsonstream.Value, error) {
	err := r.options(v, "fields", "query type operator default_operator minimum_should_match fuzziness prefix_length max_expansions analyzer zero_terms_query lenient "+
		"auto_generate_synonyms_phrase_query fuzzy_transpositions fuzzy_rewrite fuzzy_prefix_length fuzzy_max_expansions cutoff_frequency slop tie_breaker analyze_wildcard flags quote_field_suffix")
	if err != nil {
		return v, err
	}
	list, err := texts(v.Get("fields"), "the fields of a query")
	if err != nil {
		return v, err
	}
	if len(list) == 0 {
		list = []string{"*"}
	}
	for _, field := range list {
		field, weight, boosted := strings.Cut(field, "^")
		r.amplified = r.amplified || boosted && weight != "1"
		if suffix, ok := v.Get("quote_field_suffix").Text(); ok {
			r.on(field+suffix, s, false)
		}
		r.on(field, s, false)
	}
	return v, nil
}

// anyField reads a clause whose text may name any field.
func anyField(r *reading, v jsonstream.Value, s scope) (jsonstream.Value, error) {
	if v.Kind() != jsonstream.Object {
		return v, unclear("a query is not an object")
	}
	r.on("*", s, false)
	r.amplified = true
	return v, nil
}

func geo(r *reading, v jsonstream.Value, s scope) (jsonstream.Value, error) {
	n := 0
	for name, m := range v.Members() {
		switch {
		case named("boost _name distance distance_type validation_method ignore_unmapped type", name):
			if !scalar(m) {
				return v, unclear("an option of a geo query is not a plain value")
			}
			r.amplified = r.amplified || name == "boost"
		case present(m.Get("indexed_shape")):
			return v, unclear("a shape that stands in another index is not taken")
		default:
			n++
			r.on(name, s, false)
		}
	}
	if n != 1 {
		return v, unclear("a geo query is not about exactly one field")
	}
	return v, nil
}

func script(r *reading, v jsonstream.Value, _ scope) (jsonstream.Value, error) {
	r.script, r.some, r.idsOnly = true, true, false
	return v, r.options(v, "script", "")
}

func scriptScore(r *reading, v jsonstream.Value, s scope) (jsonstream.Value, error) {
	if err := r.options(v, "query script", "min_score"); err != nil {
		return v, err
	}
	r.script, r.some, r.idsOnly = true, true, false
	made, err := r.query(v.Get("query"), s.within())
	return v.With("query", made), err
}

func scored(r *reading, v jsonstream.Value, s scope) (jsonstream.Value, error) {
	if err := r.options(v, "query functions script_score field_value_factor random_score gauss linear exp", "weight score_mode boost_mode max_boost min_score"); err != nil {
		return v, err
	}
	r.amplified = true
	r.threshold = r.threshold || present(v.Get("min_score"))
	if q := v.Get("query"); present(q) {
		made, err := r.query(q, s)
		if err != nil {
			return v, err
		}
		v = v.With("query", made)
	}
	functions := []jsonstream.Value{v}
	if list := v.Get("functions"); present(list) {
		if list.Kind() != jsonstream.Array {
			return v, unclear("the functions of a function_score are not a list")
		}
		for f := range list.Items() {
			if err := r.options(f, "filter script_score field_value_factor random_score gauss linear exp", "weight"); err != nil {
				return v, err
			}
			if filter := f.Get("filter"); present(filter) {
				if _, err := r.query(filter, scope{apart: true}); err != nil {
					return v, err
				}
			}
			functions = append(functions, f)
		}
	}
	r.idsOnly = false
	for _, f := range functions {
		if present(f.Get("script_score")) {
			r.script = true
		}
		for _, name := range []string{"field_value_factor", "random_score"} {
			if field, ok := f.Get(name).Get("field").Text(); ok {
				r.all = append(r.all, condition{field: field})
			}
		}
		for _, name := range []string{"gauss", "linear", "exp"} {
			for field := range f.Get(name).Members() {
				if field != "multi_value_mode" {
					r.all = append(r.all, condition{field: field})
				}
			}
		}
	}
	return v, nil
}
