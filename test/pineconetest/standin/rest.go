package standin

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	pb "github.com/vecgate/vecgate/internal/protocol/pinecone/pineconepb"
)

// ServeHTTP answers as the host of an index.
func (x *Index) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if parts[0] == "records" && len(parts) == 4 {
		x.records(w, r, parts[2], parts[3])
		return
	}
	request := x.request(r, parts)
	if request == nil {
		fail(w, http.StatusNotFound, "Not Found")
		return
	}
	if r.Method == http.MethodPost {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = protojson.Unmarshal(body, request)
		}
		if err != nil {
			failed(w, status.Error(codes.InvalidArgument, err.Error()))
			return
		}
	}
	answer, err := x.Do(request)
	if err != nil {
		failed(w, err)
		return
	}
	text, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(answer)
	if err != nil {
		failed(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text)
}

// request makes the message that a route stands for.
func (x *Index) request(r *http.Request, parts []string) proto.Message {
	q := r.URL.Query()
	limit := func() *uint32 {
		n, err := strconv.ParseUint(q.Get("limit"), 10, 32)
		if err != nil {
			return nil
		}
		return proto.Uint32(uint32(n))
	}
	switch r.Method + " /" + strings.Join(parts, "/") {
	case "POST /query":
		return &pb.QueryRequest{}
	case "POST /vectors/upsert":
		return &pb.UpsertRequest{}
	case "POST /vectors/update":
		return &pb.UpdateRequest{}
	case "POST /vectors/delete":
		return &pb.DeleteRequest{}
	case "POST /vectors/fetch_by_metadata":
		return &pb.FetchByMetadataRequest{}
	case "POST /describe_index_stats":
		return &pb.DescribeIndexStatsRequest{}
	case "POST /namespaces":
		return &pb.CreateNamespaceRequest{}
	case "GET /vectors/fetch":
		return &pb.FetchRequest{Ids: q["ids"], Namespace: q.Get("namespace")}
	case "GET /vectors/list":
		return &pb.ListRequest{Namespace: q.Get("namespace"), Prefix: proto.String(q.Get("prefix")), Limit: limit(), PaginationToken: proto.String(q.Get("paginationToken"))}
	case "GET /namespaces":
		return &pb.ListNamespacesRequest{Prefix: proto.String(q.Get("prefix")), Limit: limit()}
	}
	if len(parts) == 2 && parts[0] == "namespaces" {
		switch r.Method {
		case http.MethodGet:
			return &pb.DescribeNamespaceRequest{Namespace: parts[1]}
		case http.MethodDelete:
			return &pb.DeleteNamespaceRequest{Namespace: parts[1]}
		}
	}
	return nil
}

// failed says an error as the data plane does.
func failed(w http.ResponseWriter, err error) {
	s := status.Convert(err)
	code := http.StatusInternalServerError
	switch s.Code() {
	case codes.InvalidArgument:
		code = http.StatusBadRequest
	case codes.NotFound, codes.Unimplemented:
		code = http.StatusNotFound
	case codes.AlreadyExists:
		code = http.StatusConflict
	}
	say(w, code, map[string]any{"code": s.Code(), "message": s.Message(), "details": []any{}})
}

// fail says an error as the control plane does.
func fail(w http.ResponseWriter, code int, message string) {
	say(w, code, map[string]any{"status": code, "error": map[string]any{"code": strings.ToUpper(strings.ReplaceAll(http.StatusText(code), " ", "_")), "message": message}})
}

func say(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}

// textField is what an index with a model makes vectors of.
const textField = "chunk_text"

// records writes and searches texts.
func (x *Index) records(w http.ResponseWriter, r *http.Request, namespace, what string) {
	switch r.Method + " " + what {
	case "POST upsert":
		d := json.NewDecoder(r.Body)
		var all []*pb.Vector
		for {
			var rec map[string]any
			if err := d.Decode(&rec); err == io.EOF {
				break
			} else if err != nil {
				failed(w, status.Error(codes.InvalidArgument, err.Error()))
				return
			}
			id, _ := cmp.Or(rec["_id"], rec["id"]).(string)
			delete(rec, "_id")
			delete(rec, "id")
			metadata, err := structpb.NewStruct(rec)
			if err != nil {
				failed(w, status.Error(codes.InvalidArgument, err.Error()))
				return
			}
			all = append(all, &pb.Vector{Id: id, Values: x.Embed(fmt.Sprint(rec[textField])), Metadata: metadata})
		}
		if _, err := x.Do(&pb.UpsertRequest{Namespace: namespace, Vectors: all}); err != nil {
			failed(w, err)
			return
		}
		w.WriteHeader(http.StatusCreated)
	case "POST search":
		x.searchRecords(w, r, namespace)
	default:
		fail(w, http.StatusNotFound, "Not Found")
	}
}

func (x *Index) searchRecords(w http.ResponseWriter, r *http.Request, namespace string) {
	var ask struct {
		Query struct {
			Inputs struct{ Text string }
			ID     string
			TopK   uint32 `json:"top_k"`
			Filter map[string]any
		}
		Fields []string
	}
	if err := json.NewDecoder(r.Body).Decode(&ask); err != nil {
		failed(w, status.Error(codes.InvalidArgument, err.Error()))
		return
	}
	q := &pb.QueryRequest{Namespace: namespace, TopK: ask.Query.TopK, Id: ask.Query.ID, IncludeMetadata: true}
	if q.Id == "" {
		q.Vector = x.Embed(ask.Query.Inputs.Text)
	}
	if ask.Query.Filter != nil {
		filter, err := structpb.NewStruct(ask.Query.Filter)
		if err != nil {
			failed(w, status.Error(codes.InvalidArgument, err.Error()))
			return
		}
		q.Filter = filter
	}
	answer, err := x.Do(q)
	if err != nil {
		failed(w, err)
		return
	}
	hits := []map[string]any{}
	for _, m := range answer.(*pb.QueryResponse).GetMatches() {
		fields := m.GetMetadata().AsMap()
		if len(ask.Fields) > 0 {
			fields = map[string]any{}
			for _, name := range ask.Fields {
				if v, ok := m.GetMetadata().GetFields()[name]; ok {
					fields[name] = v.AsInterface()
				}
			}
		}
		hits = append(hits, map[string]any{"_id": m.GetId(), "_score": m.GetScore(), "fields": fields})
	}
	say(w, http.StatusOK, map[string]any{"result": map[string]any{"hits": hits}, "usage": map[string]any{"read_units": 1, "embed_total_tokens": 1}})
}

// Embed is the model: every word counts in one place of the vector.
func (x *Index) Embed(text string) []float32 {
	v := make([]float32, x.Dimension)
	for _, word := range strings.Fields(strings.ToLower(text)) {
		h := fnv.New32a()
		_, _ = io.WriteString(h, word)
		v[int(h.Sum32()%uint32(math.Max(1, float64(x.Dimension))))]++
	}
	return v
}
