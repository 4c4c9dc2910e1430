package milvus

import (
	"slices"
	"strconv"
	"strings"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"

	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// params are the settings of a search or a query: each once, and none that is not known.
type params map[string]string

// What searches, queries and the joining of searches are told beside their own fields.
const (
	searchKeys = "anns_field topk limit offset params metric_type round_decimal ignore_growing group_by_field group_size strict_group_size iterator search_iter_v2 " +
		"search_iter_batch_size search_iter_last_bound search_iter_id collection_id order_by_fields json_path json_type strict_cast hints analyzer_name timezone " +
		"time_fields radius range_filter page_retain_order"
	queryKeys = "limit offset iterator reduce_stop_for_best collection_id ignore_growing order_by_fields group_by_fields timezone time_fields query_iter_last_pk query_iter_last_element_offset"
	rankKeys  = "strategy params limit offset round_decimal rank_group_scorer group_by_field group_size strict_group_size"
)

func readParams(pairs []*commonpb.KeyValuePair, known string) (params, error) {
	p := params{}
	for _, pair := range pairs {
		name := pair.GetKey()
		if strings.Contains(name, " ") || !slices.Contains(strings.Split(known, " "), name) {
			return nil, unclear("it has a setting that is not known: " + shown(name))
		}
		if _, twice := p[name]; twice {
			return nil, unclear("it has a setting twice: " + name)
		}
		p[name] = pair.GetValue()
	}
	return p, nil
}

// shown is a name that a client chose, fit for a sentence.
func shown(name string) string { return strconv.QuoteToASCII(name[:min(len(name), 64)]) }

// number is a setting that is a whole number; absent is what it is when it is not there.
func (p params) number(name string, absent int64) (int64, error) {
	text, ok := p[name]
	if !ok || text == "" || text == "None" {
		return absent, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > 1<<32 || strconv.FormatInt(n, 10) != text {
		return 0, unclear("its " + name + " is not a number")
	}
	return n, nil
}

// name is a setting that is a text; some clients write it as JSON.
func (p params) name(setting string) (string, error) {
	text := p[setting]
	if !strings.HasPrefix(text, `"`) {
		return text, nil
	}
	v, err := jsonstream.Read([]byte(text))
	if err != nil {
		return "", unclear("its " + setting + " is not a name")
	}
	name, ok := v.Text()
	if !ok {
		return "", unclear("its " + setting + " is not a name")
	}
	return name, nil
}

// inner are the settings of the index, a JSON document inside of a setting. None of them may be one of those outside.
func (p params) inner() (jsonstream.Value, error) {
	text, ok := p["params"]
	if !ok || text == "" {
		return jsonstream.Value{}, nil
	}
	v, err := jsonstream.Read([]byte(text))
	if err != nil || v.Kind() != jsonstream.Object && v.Kind() != jsonstream.Null {
		return v, unclear("its params are not a strict JSON document")
	}
	for name := range v.Members() {
		switch name {
		case "radius", "range_filter", "page_retain_order", "hints", "round_decimal", "metric_type", "ignore_growing":
		default:
			if strings.Contains(" "+searchKeys+" ", " "+name+" ") {
				return v, unclear("its params have a setting that belongs outside of them: " + shown(name))
			}
		}
	}
	p["params"] = string(v.Raw())
	return v, nil
}

// pairs writes the settings as they were read.
func (p params) pairs(like []*commonpb.KeyValuePair) []*commonpb.KeyValuePair {
	out := make([]*commonpb.KeyValuePair, 0, len(p))
	for _, pair := range like {
		out = append(out, &commonpb.KeyValuePair{Key: pair.GetKey(), Value: p[pair.GetKey()]})
	}
	return out
}

// with is the settings with one of them set.
func with(pairs []*commonpb.KeyValuePair, name, value string) []*commonpb.KeyValuePair {
	out := make([]*commonpb.KeyValuePair, 0, len(pairs)+1)
	for _, pair := range pairs {
		if pair.GetKey() != name {
			out = append(out, pair)
		}
	}
	return append(out, &commonpb.KeyValuePair{Key: name, Value: value})
}
