package opensearch

import (
	"strings"

	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// metrics are the aggregations that compute something of the values of one field, and return it.
const metrics = "terms rare_terms significant_terms significant_text histogram date_histogram auto_date_histogram variable_width_histogram range date_range ip_range missing cardinality " +
	"value_count avg sum min max stats extended_stats percentiles percentile_ranks median_absolute_deviation boxplot string_stats geo_bounds geo_centroid geohash_grid geotile_grid " +
	"geo_distance diversified_sampler"

// pipelines are those that compute with what others returned.
const pipelines = "avg_bucket sum_bucket min_bucket max_bucket stats_bucket extended_stats_bucket percentiles_bucket bucket_sort cumulative_sum derivative serial_diff"

// aggregations reads a tree of aggregations.
func (s *search) aggregations(v jsonstream.Value, depth int) (jsonstream.Value, error) {
	if v.Kind() != jsonstream.Object || depth > 16 {
		return v, unclear("its aggregations are not an object, or are nested too deep")
	}
	for name, agg := range v.Members() {
		n := 0
		for member, m := range agg.Members() {
			switch member {
			case "aggs", "aggregations":
				if _, err := s.aggregations(m, depth+1); err != nil {
					return v, err
				}
			case "meta":
			default:
				n++
				if err := s.aggregation(member, m); err != nil {
					return v, err
				}
			}
		}
		if n != 1 {
			return v, unclear("the aggregation " + short(name) + " is not of exactly one kind")
		}
	}
	return v, nil
}

func (s *search) computed(field jsonstream.Value) error {
	name, ok := field.Text()
	if !ok {
		return unclear("an aggregation names no field")
	}
	s.all = append(s.all, condition{field: name, derived: true})
	return nil
}

func (s *search) aggregation(kind string, v jsonstream.Value) error {
	if v.Kind() != jsonstream.Object {
		return unclear("an aggregation is not an object")
	}
	s.script = s.script || code(v)
	switch {
	case named(metrics, kind):
		if strings.HasPrefix(kind, "significant") {
			s.beyond = true // compares with documents that the query does not match
			if b := v.Get("background_filter"); present(b) {
				if _, err := s.query(b, scope{apart: true}); err != nil {
					return err
				}
			}
		}
		if present(v.Get("script")) && !present(v.Get("field")) {
			return nil
		}
		if v.Get("source_fields").Kind() != jsonstream.None {
			return unclear("an aggregation over source_fields is not taken")
		}
		return s.computed(v.Get("field"))
	case named(pipelines, kind):
		return nil
	}
	switch kind {
	case "filter":
		_, err := s.query(v, scope{apart: true})
		return err
	case "filters", "adjacency_matrix":
		filters := v.Get("filters")
		for _, q := range filters.Members() {
			if _, err := s.query(q, scope{apart: true}); err != nil {
				return err
			}
		}
		for q := range filters.Items() {
			if _, err := s.query(q, scope{apart: true}); err != nil {
				return err
			}
		}
		return s.closed(v, "filters other_bucket other_bucket_key separator keyed")
	case "global":
		s.beyond = true
		return s.closed(v, "")
	case "children", "parent":
		s.beyond = true
		return s.closed(v, "type")
	case "nested", "reverse_nested":
		return s.closed(v, "path")
	case "sampler":
		return s.closed(v, "shard_size")
	case "composite":
		for source := range v.Get("sources").Items() {
			_, m, ok := one(source)
			if !ok {
				return unclear("a source of a composite aggregation is not an object with one member")
			}
			_, how, ok := one(m)
			if !ok {
				return unclear("a source of a composite aggregation is not of one kind")
			}
			if present(how.Get("script")) {
				s.script = true
				continue
			}
			if err := s.computed(how.Get("field")); err != nil {
				return err
			}
		}
		return s.closed(v, "sources size after")
	case "multi_terms":
		for term := range v.Get("terms").Items() {
			if err := s.computed(term.Get("field")); err != nil {
				return err
			}
		}
		return s.closed(v, "terms size shard_size min_doc_count shard_min_doc_count order collect_mode show_term_doc_count_error")
	case "weighted_avg":
		for _, part := range []string{"value", "weight"} {
			if present(v.Get(part).Get("script")) {
				s.script = true
				continue
			}
			if err := s.computed(v.Get(part).Get("field")); err != nil {
				return err
			}
		}
		return s.closed(v, "value weight format value_type")
	case "top_hits":
		s.topHits = true
		if err := s.closed(v, "from size sort _source fields docvalue_fields stored_fields script_fields highlight version seq_no_primary_term track_scores"); err != nil {
			return err
		}
		part := &search{reading: s.reading}
		err := part.shown(v)
		s.parts = append(s.parts, part)
		return err
	}
	return unclear("the aggregation " + short(kind) + " is not one that this gateway understands")
}
