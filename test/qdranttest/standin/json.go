package standin

import (
	"encoding/json"
	"strconv"
	"strings"

	pb "github.com/qdrant/go-client/qdrant"
)

// What stands in JSON documents, as the messages that mean the same. A member that is not understood is lost here: that
// requests are read strictly is the gateway's business, not the stand-in's.

type object = map[string]any

func obj(v any) object { o, _ := v.(object); return o }

func list(v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case nil:
		return nil
	}
	return []any{v}
}

func text(v any) string { s, _ := v.(string); return s }

func first(o object, names ...string) any {
	for _, name := range names {
		if v := o[name]; v != nil {
			return v
		}
	}
	return nil
}

func integer(v any) *uint64 {
	if n, ok := v.(json.Number); ok {
		if u, err := strconv.ParseUint(n.String(), 10, 64); err == nil {
			return &u
		}
	}
	return nil
}

func float(v any) *float64 {
	if n, ok := v.(json.Number); ok {
		if f, err := n.Float64(); err == nil {
			return &f
		}
	}
	return nil
}

func threshold(v any) *float32 {
	if f := float(v); f != nil {
		return pb.PtrOf(float32(*f))
	}
	return nil
}

func pointID(v any) *pb.PointId {
	if n := integer(v); n != nil {
		return pb.NewIDNum(*n)
	}
	if s := text(v); s != "" {
		return pb.NewIDUUID(s)
	}
	return nil
}

func pointIDs(v any) []*pb.PointId {
	ids := []*pb.PointId{}
	for _, item := range list(v) {
		ids = append(ids, pointID(item))
	}
	return ids
}

func value(v any) *pb.Value {
	switch v := v.(type) {
	case string:
		return pb.NewValueString(v)
	case bool:
		return pb.NewValueBool(v)
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return pb.NewValueInt(n)
		}
		f, _ := v.Float64() // any number is one
		return pb.NewValueDouble(f)
	case object:
		return &pb.Value{Kind: &pb.Value_StructValue{StructValue: &pb.Struct{Fields: fields(v)}}}
	case []any:
		l := &pb.ListValue{}
		for _, item := range v {
			l.Values = append(l.Values, value(item))
		}
		return &pb.Value{Kind: &pb.Value_ListValue{ListValue: l}}
	}
	return pb.NewValueNull()
}

func fields(v any) map[string]*pb.Value {
	out := map[string]*pb.Value{}
	for name, member := range obj(v) {
		out[name] = value(member)
	}
	return out
}

func floats(v any) []float32 {
	var out []float32
	for _, item := range list(v) {
		if f := float(item); f != nil {
			out = append(out, float32(*f))
		}
	}
	return out
}

func vector(v any) *pb.Vector {
	return &pb.Vector{Vector: &pb.Vector_Dense{Dense: &pb.DenseVector{Data: floats(v)}}}
}

func vectorsOf(v any) *pb.Vectors {
	if o, ok := v.(object); ok {
		named := map[string]*pb.Vector{}
		for name, member := range o {
			named[name] = vector(member)
		}
		return &pb.Vectors{VectorsOptions: &pb.Vectors_Vectors{Vectors: &pb.NamedVectors{Vectors: named}}}
	}
	return &pb.Vectors{VectorsOptions: &pb.Vectors_Vector{Vector: vector(v)}}
}

func input(v any) *pb.VectorInput {
	if _, ok := v.([]any); ok {
		return &pb.VectorInput{Variant: &pb.VectorInput_Dense{Dense: &pb.DenseVector{Data: floats(v)}}}
	}
	return &pb.VectorInput{Variant: &pb.VectorInput_Id{Id: pointID(v)}}
}

func inputs(v any) []*pb.VectorInput {
	var out []*pb.VectorInput
	for _, item := range list(v) {
		out = append(out, input(item))
	}
	return out
}

func withPayload(v any) *pb.WithPayloadSelector {
	names := func(v any) (out []string) {
		for _, item := range list(v) {
			out = append(out, text(item))
		}
		return out
	}
	switch v := v.(type) {
	case bool:
		return pb.NewWithPayload(v)
	case []any:
		return pb.NewWithPayloadInclude(names(v)...)
	case object:
		if v["include"] != nil {
			return pb.NewWithPayloadInclude(names(v["include"])...)
		}
		return pb.NewWithPayloadExclude(names(v["exclude"])...)
	}
	return nil
}

func withVectors(o object) *pb.WithVectorsSelector {
	switch v := first(o, "with_vector", "with_vectors").(type) {
	case bool:
		return pb.NewWithVectors(v)
	case []any:
		var names []string
		for _, item := range v {
			names = append(names, text(item))
		}
		return pb.NewWithVectorsInclude(names...)
	}
	return nil
}

func filter(v any) *pb.Filter {
	o, ok := v.(object)
	if !ok {
		return nil
	}
	conditions := func(v any) (out []*pb.Condition) {
		for _, item := range list(v) {
			out = append(out, conditionOf(obj(item)))
		}
		return out
	}
	f := &pb.Filter{Must: conditions(o["must"]), Should: conditions(o["should"]), MustNot: conditions(o["must_not"])}
	if m := obj(o["min_should"]); m != nil {
		f.MinShould = &pb.MinShould{Conditions: conditions(m["conditions"]), MinCount: *integer(m["min_count"])}
	}
	return f
}

func conditionOf(o object) *pb.Condition {
	key := text(o["key"])
	switch {
	case o["has_id"] != nil:
		return pb.NewHasID(pointIDs(o["has_id"])...)
	case o["is_empty"] != nil && key == "":
		return pb.NewIsEmpty(text(obj(o["is_empty"])["key"]))
	case o["is_null"] != nil && key == "":
		return pb.NewIsNull(text(obj(o["is_null"])["key"]))
	case o["has_vector"] != nil:
		return pb.NewHasVector(text(o["has_vector"]))
	case o["nested"] != nil:
		n := obj(o["nested"])
		return pb.NewNestedFilter(text(n["key"]), filter(n["filter"]))
	case key == "":
		return pb.NewFilterAsCondition(filter(o))
	}
	if r := obj(o["range"]); r != nil {
		return pb.NewRange(key, &pb.Range{Lt: float(r["lt"]), Lte: float(r["lte"]), Gt: float(r["gt"]), Gte: float(r["gte"])})
	}
	m := obj(o["match"])
	words, numbers := []string{}, []int64{}
	for _, item := range list(first(m, "any", "except")) {
		if n := integer(item); n != nil {
			numbers = append(numbers, int64(*n))
		} else {
			words = append(words, text(item))
		}
	}
	switch {
	case m["text"] != nil:
		return pb.NewMatchText(key, text(m["text"]))
	case m["any"] != nil && len(numbers) > 0:
		return pb.NewMatchInts(key, numbers...)
	case m["any"] != nil:
		return pb.NewMatchKeywords(key, words...)
	case m["except"] != nil && len(numbers) > 0:
		return pb.NewMatchExceptInts(key, numbers...)
	case m["except"] != nil:
		return pb.NewMatchExceptKeywords(key, words...)
	}
	switch v := m["value"].(type) {
	case bool:
		return pb.NewMatchBool(key, v)
	case string:
		return pb.NewMatchKeyword(key, v)
	}
	if n := integer(m["value"]); n != nil {
		return pb.NewMatchInt(key, int64(*n))
	}
	return pb.NewIsNull("no such condition")
}

func orderBy(v any) *pb.OrderBy {
	if v == nil {
		return nil
	}
	if s := text(v); s != "" {
		return &pb.OrderBy{Key: s}
	}
	o := &pb.OrderBy{Key: text(obj(v)["key"])}
	if text(obj(v)["direction"]) == "desc" {
		o.Direction = pb.Direction_Desc.Enum()
	}
	return o
}

func query(v any) *pb.Query {
	o, ok := v.(object)
	switch {
	case v == nil:
		return nil
	case !ok:
		return &pb.Query{Variant: &pb.Query_Nearest{Nearest: input(v)}}
	case o["nearest"] != nil:
		return &pb.Query{Variant: &pb.Query_Nearest{Nearest: input(o["nearest"])}}
	case o["recommend"] != nil:
		r := obj(o["recommend"])
		return &pb.Query{Variant: &pb.Query_Recommend{Recommend: &pb.RecommendInput{Positive: inputs(r["positive"]), Negative: inputs(r["negative"])}}}
	case o["order_by"] != nil:
		return &pb.Query{Variant: &pb.Query_OrderBy{OrderBy: orderBy(o["order_by"])}}
	case o["fusion"] != nil:
		return &pb.Query{Variant: &pb.Query_Fusion{}}
	}
	return &pb.Query{Variant: &pb.Query_Sample{}}
}

func prefetch(v any) []*pb.PrefetchQuery {
	var out []*pb.PrefetchQuery
	for _, item := range list(v) {
		o := obj(item)
		limit := uint64(10)
		if n := integer(first(o, "limit", "top")); n != nil {
			limit = *n
		}
		out = append(out, &pb.PrefetchQuery{
			Query: query(o["query"]), Using: pb.PtrOf(text(o["using"])), Filter: filter(o["filter"]), ScoreThreshold: threshold(o["score_threshold"]), Limit: &limit, Prefetch: prefetch(o["prefetch"]),
		})
	}
	return out
}

func queryPoints(name string, o object) *pb.QueryPoints {
	return &pb.QueryPoints{
		CollectionName: name, Query: query(o["query"]), Using: pb.PtrOf(text(o["using"])), Filter: filter(o["filter"]), ScoreThreshold: threshold(o["score_threshold"]),
		Limit: integer(first(o, "limit", "top")), Offset: integer(o["offset"]), WithPayload: withPayload(o["with_payload"]), WithVectors: withVectors(o), Prefetch: prefetch(o["prefetch"]),
	}
}

func selector(o object) *pb.PointsSelector {
	switch {
	case o["points"] != nil:
		return pb.NewPointsSelectorIDs(pointIDs(o["points"]))
	case o["filter"] != nil:
		return pb.NewPointsSelectorFilter(filter(o["filter"]))
	}
	return nil
}

func pointsOf(o object) []*pb.PointStruct {
	var out []*pb.PointStruct
	for _, item := range list(o["points"]) {
		p := obj(item)
		out = append(out, &pb.PointStruct{Id: pointID(p["id"]), Vectors: vectorsOf(first(p, "vector", "vectors")), Payload: fields(p["payload"])})
	}
	if b := obj(o["batch"]); b != nil {
		payloads, columns := list(b["payloads"]), list(b["vectors"])
		for i, id := range list(b["ids"]) {
			p := &pb.PointStruct{Id: pointID(id), Payload: map[string]*pb.Value{}}
			if i < len(payloads) {
				p.Payload = fields(payloads[i])
			}
			if named := obj(b["vectors"]); named != nil {
				one := object{}
				for name, column := range named {
					one[name] = list(column)[i]
				}
				p.Vectors = vectorsOf(one)
			} else {
				p.Vectors = vectorsOf(columns[i])
			}
			out = append(out, p)
		}
	}
	return out
}

// operation is one of a batch, by the name of its member.
func operation(kind string, o object) *pb.PointsUpdateOperation {
	var key *string
	if o["key"] != nil {
		key = pb.PtrOf(text(o["key"]))
	}
	names := func(v any) (out []string) {
		for _, item := range list(v) {
			out = append(out, text(item))
		}
		return out
	}
	switch kind {
	case "upsert":
		return &pb.PointsUpdateOperation{Operation: &pb.PointsUpdateOperation_Upsert{Upsert: &pb.PointsUpdateOperation_PointStructList{Points: pointsOf(o), UpdateFilter: filter(o["update_filter"])}}}
	case "delete":
		return pb.NewPointsUpdateDeletePoints(&pb.PointsUpdateOperation_DeletePoints{Points: selector(o)})
	case "set_payload":
		return pb.NewPointsUpdateSetPayload(&pb.PointsUpdateOperation_SetPayload{Payload: fields(o["payload"]), PointsSelector: selector(o), Key: key})
	case "overwrite_payload":
		return pb.NewPointsUpdateOverwritePayload(&pb.PointsUpdateOperation_OverwritePayload{Payload: fields(o["payload"]), PointsSelector: selector(o)})
	case "delete_payload":
		return pb.NewPointsUpdateDeletePayload(&pb.PointsUpdateOperation_DeletePayload{Keys: names(o["keys"]), PointsSelector: selector(o)})
	case "clear_payload":
		return pb.NewPointsUpdateClearPayload(&pb.PointsUpdateOperation_ClearPayload{Points: selector(o)})
	case "update_vectors":
		u := &pb.PointsUpdateOperation_UpdateVectors{UpdateFilter: filter(o["update_filter"])}
		for _, p := range pointsOf(o) {
			u.Points = append(u.Points, &pb.PointVectors{Id: p.Id, Vectors: p.Vectors})
		}
		return pb.NewPointsUpdateUpdateVectors(u)
	case "delete_vectors":
		return pb.NewPointsUpdateDeleteVectors(&pb.PointsUpdateOperation_DeleteVectors{PointsSelector: selector(o), Vectors: &pb.VectorsSelector{Names: names(first(o, "vector", "vectors"))}})
	}
	return &pb.PointsUpdateOperation{}
}

// Messages as they stand in JSON documents.

func plain(v *pb.Value) any {
	switch k := v.GetKind().(type) {
	case *pb.Value_StringValue:
		return k.StringValue
	case *pb.Value_BoolValue:
		return k.BoolValue
	case *pb.Value_IntegerValue:
		return k.IntegerValue
	case *pb.Value_DoubleValue:
		return json.Number(strconv.FormatFloat(k.DoubleValue, 'f', -1, 64))
	case *pb.Value_StructValue:
		return plainFields(k.StructValue.GetFields())
	case *pb.Value_ListValue:
		out := []any{}
		for _, item := range k.ListValue.GetValues() {
			out = append(out, plain(item))
		}
		return out
	}
	return nil
}

func plainFields(m map[string]*pb.Value) object {
	out := object{}
	for name, v := range m {
		out[name] = plain(v)
	}
	return out
}

func plainID(id *pb.PointId) any {
	switch {
	case id == nil:
		return nil
	case id.GetUuid() != "":
		return id.GetUuid()
	}
	return id.GetNum()
}

func plainVectors(v *pb.VectorsOutput) any {
	if v == nil {
		return nil
	}
	if one := v.GetVector(); one != nil {
		return one.GetDense().GetData()
	}
	out := object{}
	for name, one := range v.GetVectors().GetVectors() {
		out[name] = one.GetDense().GetData()
	}
	return out
}

func plainRetrieved(list []*pb.RetrievedPoint) []any {
	out := []any{}
	for _, p := range list {
		o := object{"id": plainID(p.Id), "payload": plainFields(p.Payload), "vector": plainVectors(p.Vectors)}
		if p.OrderValue != nil {
			o["order_value"] = p.OrderValue.GetFloat()
		}
		out = append(out, o)
	}
	return out
}

func plainScored(list []*pb.ScoredPoint) []any {
	out := []any{}
	for _, p := range list {
		o := object{"id": plainID(p.Id), "version": p.Version, "score": p.Score, "payload": plainFields(p.Payload)}
		if v := plainVectors(p.Vectors); v != nil {
			o["vector"] = v
		}
		out = append(out, o)
	}
	return out
}

func plainGroups(r *pb.GroupsResult) object {
	groups := []any{}
	for _, g := range r.GetGroups() {
		var id any = g.GetId().GetStringValue()
		if _, ok := g.GetId().GetKind().(*pb.GroupId_IntegerValue); ok {
			id = g.GetId().GetIntegerValue()
		}
		groups = append(groups, object{"id": id, "hits": plainScored(g.GetHits())})
	}
	return object{"groups": groups}
}

func plainInfo(m *pb.CollectionInfo) object {
	schema := object{}
	for name, s := range m.GetPayloadSchema() {
		schema[name] = object{"data_type": strings.ToLower(s.GetDataType().String()), "points": s.GetPoints()}
	}
	c := m.GetConfig()
	var vectors any
	one := func(p *pb.VectorParams) object {
		return object{"size": p.GetSize(), "distance": p.GetDistance().String()}
	}
	if p := c.GetParams().GetVectorsConfig().GetParams(); p != nil {
		vectors = one(p)
	} else {
		named := object{}
		for name, p := range c.GetParams().GetVectorsConfig().GetParamsMap().GetMap() {
			named[name] = one(p)
		}
		vectors = named
	}
	return object{
		"status": "green", "optimizer_status": "ok", "points_count": m.GetPointsCount(), "indexed_vectors_count": m.GetIndexedVectorsCount(), "segments_count": m.GetSegmentsCount(),
		"payload_schema": schema,
		"config": object{
			"params":      object{"vectors": vectors, "shard_number": 1, "replication_factor": 1, "write_consistency_factor": 1, "on_disk_payload": true},
			"hnsw_config": object{"m": 16, "ef_construct": 100, "full_scan_threshold": 10000, "max_indexing_threads": 0, "on_disk": false},
			"optimizer_config": object{
				"deleted_threshold": 0.2, "vacuum_min_vector_number": 1000, "default_segment_number": 0, "max_segment_size": nil, "memmap_threshold": nil,
				"indexing_threshold": 10000, "flush_interval_sec": 5, "max_optimization_threads": nil,
			},
			"wal_config": object{"wal_capacity_mb": 32, "wal_segments_ahead": 0}, "quantization_config": nil,
		},
	}
}

func vectorsConfig(v any) *pb.VectorsConfig {
	o := obj(v)
	one := func(o object) *pb.VectorParams {
		p := &pb.VectorParams{Distance: pb.Distance(pb.Distance_value[text(o["distance"])])}
		if n := integer(o["size"]); n != nil {
			p.Size = *n
		}
		return p
	}
	if o["size"] != nil {
		return pb.NewVectorsConfig(one(o))
	}
	named := map[string]*pb.VectorParams{}
	for name, member := range o {
		named[name] = one(obj(member))
	}
	return pb.NewVectorsConfigMap(named)
}
