package standin

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	pb "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// rest is the HTTP interface.
type rest struct {
	points      service
	collections collections
	guard       *guard
}

// handle is one operation: what it is asked, and what its result is.
type handle func(ctx context.Context, name string, r *http.Request, body object) (any, error)

func (s rest) mux() http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range s.operations() {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			began := time.Now()
			ctx, err := s.guard.admit(r.Context(), pattern, r.Header.Get("Api-Key"), r.Header.Get("Authorization"), restNeeds(pattern, r.PathValue("name")))
			if err != nil {
				w.WriteHeader(map[codes.Code]int{codes.Unauthenticated: http.StatusUnauthorized, codes.PermissionDenied: http.StatusForbidden}[status.Code(err)])
				_, _ = io.WriteString(w, status.Convert(err).Message())
				return
			}
			body := object{}
			d := json.NewDecoder(r.Body)
			d.UseNumber()
			if err := d.Decode(&body); err != nil && r.ContentLength > 0 {
				answer(w, http.StatusBadRequest, object{"status": object{"error": "Format error in JSON body: " + err.Error()}, "time": 0.0})
				return
			}
			result, err := h(ctx, r.PathValue("name"), r, body)
			took := time.Since(began).Seconds()
			if err == nil {
				answer(w, http.StatusOK, object{"result": result, "status": "ok", "time": took})
				return
			}
			code := http.StatusBadRequest
			switch status.Code(err) {
			case codes.NotFound:
				code = http.StatusNotFound
			case codes.AlreadyExists:
				code = http.StatusConflict
			}
			answer(w, code, object{"status": object{"error": status.Convert(err).Message()}, "time": took})
		})
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, object{"title": "stand-in for qdrant", "version": Version, "commit": ""})
	})
	for _, path := range []string{"/healthz", "/readyz", "/livez"} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.TrimPrefix(path, "/")+" check passed")
		})
	}
	return mux
}

func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // a client that has gone hears nothing
}

func updated(r *pb.PointsOperationResponse, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return object{"operation_id": r.GetResult().GetOperationId(), "status": "completed"}, nil
}

// writes are the operations that carry out one of a batch by itself.
var writes = map[string]string{
	"PUT /collections/{name}/points": "upsert", "POST /collections/{name}/points/delete": "delete", "POST /collections/{name}/points/payload": "set_payload",
	"PUT /collections/{name}/points/payload": "overwrite_payload", "POST /collections/{name}/points/payload/delete": "delete_payload",
	"POST /collections/{name}/points/payload/clear": "clear_payload", "PUT /collections/{name}/points/vectors": "update_vectors",
	"POST /collections/{name}/points/vectors/delete": "delete_vectors",
}

func (s rest) operations() map[string]handle {
	all := map[string]handle{
		"GET /collections": func(ctx context.Context, _ string, _ *http.Request, _ object) (any, error) {
			r, err := s.collections.List(ctx, nil)
			names := []any{}
			for _, c := range r.GetCollections() {
				names = append(names, object{"name": c.GetName()})
			}
			return object{"collections": names}, err
		},
		"PUT /collections/{name}": func(ctx context.Context, name string, _ *http.Request, o object) (any, error) {
			r, err := s.collections.Create(ctx, &pb.CreateCollection{CollectionName: name, VectorsConfig: vectorsConfig(o["vectors"])})
			return r.GetResult(), err
		},
		"PATCH /collections/{name}": func(ctx context.Context, name string, _ *http.Request, _ object) (any, error) {
			r, err := s.collections.Update(ctx, &pb.UpdateCollection{CollectionName: name})
			return r.GetResult(), err
		},
		"DELETE /collections/{name}": func(ctx context.Context, name string, _ *http.Request, _ object) (any, error) {
			r, err := s.collections.Delete(ctx, &pb.DeleteCollection{CollectionName: name})
			return r.GetResult(), err
		},
		"GET /collections/{name}": func(ctx context.Context, name string, _ *http.Request, _ object) (any, error) {
			r, err := s.collections.Get(ctx, &pb.GetCollectionInfoRequest{CollectionName: name})
			return plainInfo(r.GetResult()), err
		},
		"GET /collections/{name}/exists": func(ctx context.Context, name string, _ *http.Request, _ object) (any, error) {
			r, err := s.collections.CollectionExists(ctx, &pb.CollectionExistsRequest{CollectionName: name})
			return object{"exists": r.GetResult().GetExists()}, err
		},
		"GET /aliases":                    s.aliases,
		"GET /collections/{name}/aliases": s.aliases,
		"POST /collections/aliases":       s.changeAliases,
		"PUT /collections/{name}/index":   s.createIndex,
		"POST /collections/{name}/points": s.retrieve,
		"GET /collections/{name}/points/{id}": func(ctx context.Context, name string, r *http.Request, _ object) (any, error) {
			return s.point(ctx, name, r.PathValue("id"))
		},
		"DELETE /collections/{name}/index/{field}": func(ctx context.Context, name string, r *http.Request, _ object) (any, error) {
			return updated(s.points.DeleteFieldIndex(ctx, &pb.DeleteFieldIndexCollection{CollectionName: name, FieldName: r.PathValue("field")}))
		},
		"POST /collections/{name}/points/scroll": func(ctx context.Context, name string, _ *http.Request, o object) (any, error) {
			m := &pb.ScrollPoints{CollectionName: name, Filter: filter(o["filter"]), WithPayload: withPayload(o["with_payload"]), WithVectors: withVectors(o), OrderBy: orderBy(o["order_by"])}
			if n := integer(o["limit"]); n != nil {
				m.Limit = pb.PtrOf(uint32(*n))
			}
			m.Offset = pointID(o["offset"])
			r, err := s.points.Scroll(ctx, m)
			return object{"points": plainRetrieved(r.GetResult()), "next_page_offset": plainID(r.GetNextPageOffset())}, err
		},
		"POST /collections/{name}/points/count": func(ctx context.Context, name string, _ *http.Request, o object) (any, error) {
			r, err := s.points.Count(ctx, &pb.CountPoints{CollectionName: name, Filter: filter(o["filter"])})
			return object{"count": r.GetResult().GetCount()}, err
		},
		"POST /collections/{name}/points/query": func(ctx context.Context, name string, _ *http.Request, o object) (any, error) {
			r, err := s.points.Query(ctx, queryPoints(name, o))
			return object{"points": plainScored(r.GetResult())}, err
		},
		"POST /collections/{name}/points/query/batch": func(ctx context.Context, name string, _ *http.Request, o object) (any, error) {
			out := []any{}
			for _, item := range list(o["searches"]) {
				r, err := s.points.Query(ctx, queryPoints(name, obj(item)))
				if err != nil {
					return nil, err
				}
				out = append(out, object{"points": plainScored(r.GetResult())})
			}
			return out, nil
		},
		"POST /collections/{name}/points/query/groups": func(ctx context.Context, name string, _ *http.Request, o object) (any, error) {
			q := queryPoints(name, o)
			r, err := s.points.QueryGroups(ctx, &pb.QueryPointGroups{
				CollectionName: name, Query: q.Query, Using: q.Using, Filter: q.Filter, Prefetch: q.Prefetch, WithPayload: q.WithPayload, WithVectors: q.WithVectors, Limit: q.Limit,
				GroupBy: text(o["group_by"]), GroupSize: integer(o["group_size"]),
			})
			return plainGroups(r.GetResult()), err
		},
		"POST /collections/{name}/points/search": func(ctx context.Context, name string, _ *http.Request, o object) (any, error) {
			q := queryPoints(name, o)
			m := &pb.SearchPoints{CollectionName: name, Vector: floats(o["vector"]), Filter: q.Filter, Limit: q.GetLimit(), WithPayload: q.WithPayload, WithVectors: q.WithVectors, ScoreThreshold: q.ScoreThreshold}
			if named := obj(o["vector"]); named != nil {
				m.Vector, m.VectorName = floats(named["vector"]), pb.PtrOf(text(named["name"]))
			}
			r, err := s.points.Search(ctx, m)
			return plainScored(r.GetResult()), err
		},
		"POST /collections/{name}/facet": func(ctx context.Context, name string, _ *http.Request, o object) (any, error) {
			r, err := s.points.Facet(ctx, &pb.FacetCounts{CollectionName: name, Key: text(o["key"]), Filter: filter(o["filter"]), Limit: integer(o["limit"])})
			hits := []any{}
			for _, h := range r.GetHits() {
				hits = append(hits, object{"value": h.GetValue().GetStringValue(), "count": h.GetCount()})
			}
			return object{"hits": hits}, err
		},
		"POST /collections/{name}/points/batch": func(_ context.Context, name string, _ *http.Request, o object) (any, error) {
			var ops []*pb.PointsUpdateOperation
			for _, item := range list(o["operations"]) {
				for kind, op := range obj(item) {
					ops = append(ops, operation(kind, obj(op)))
				}
			}
			r, err := s.points.done(name, ops...)
			out := []any{}
			for _, u := range r.GetResult() {
				out = append(out, object{"operation_id": u.GetOperationId(), "status": "completed"})
			}
			return out, err
		},
	}
	for pattern, kind := range writes {
		all[pattern] = func(_ context.Context, name string, _ *http.Request, o object) (any, error) {
			return updated(s.points.one(name, operation(kind, o)))
		}
	}
	return all
}

func (s rest) aliases(ctx context.Context, name string, _ *http.Request, _ object) (any, error) {
	r, err := s.collections.ListAliases(ctx, nil)
	out := []any{}
	for _, a := range r.GetAliases() {
		if name == "" || name == a.GetCollectionName() {
			out = append(out, object{"alias_name": a.GetAliasName(), "collection_name": a.GetCollectionName()})
		}
	}
	return object{"aliases": out}, err
}

func (s rest) changeAliases(ctx context.Context, _ string, _ *http.Request, o object) (any, error) {
	m := &pb.ChangeAliases{}
	for _, item := range list(o["actions"]) {
		for kind, v := range obj(item) {
			a := obj(v)
			switch kind {
			case "create_alias":
				m.Actions = append(m.Actions, pb.NewAliasCreate(text(a["alias_name"]), text(a["collection_name"])))
			case "delete_alias":
				m.Actions = append(m.Actions, pb.NewAliasDelete(text(a["alias_name"])))
			case "rename_alias":
				m.Actions = append(m.Actions, pb.NewAliasRename(text(a["old_alias_name"]), text(a["new_alias_name"])))
			}
		}
	}
	r, err := s.collections.UpdateAliases(ctx, m)
	return r.GetResult(), err
}

func (s rest) createIndex(ctx context.Context, name string, _ *http.Request, o object) (any, error) {
	kind := pb.FieldType_FieldTypeKeyword
	if text(o["field_schema"]) == "integer" {
		kind = pb.FieldType_FieldTypeInteger
	}
	return updated(s.points.CreateFieldIndex(ctx, &pb.CreateFieldIndexCollection{CollectionName: name, FieldName: text(o["field_name"]), FieldType: &kind}))
}

func (s rest) retrieve(ctx context.Context, name string, _ *http.Request, o object) (any, error) {
	r, err := s.points.Get(ctx, &pb.GetPoints{CollectionName: name, Ids: pointIDs(o["ids"]), WithPayload: withPayload(o["with_payload"]), WithVectors: withVectors(o)})
	return plainRetrieved(r.GetResult()), err
}

func (s rest) point(ctx context.Context, name, id string) (any, error) {
	var parsed any = id
	if n := integer(json.Number(id)); n != nil {
		parsed = json.Number(id)
	}
	r, err := s.points.Get(ctx, &pb.GetPoints{CollectionName: name, Ids: pointIDs([]any{parsed}), WithVectors: pb.NewWithVectors(true)})
	if err == nil && len(r.GetResult()) == 0 {
		err = status.Errorf(codes.NotFound, "Not found: Point with id %s does not exists!", id)
	}
	if err != nil {
		return nil, err
	}
	return plainRetrieved(r.GetResult())[0], nil
}
