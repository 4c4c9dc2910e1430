package standin

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// project is what the control plane knows.
type project struct {
	mu      sync.Mutex
	hosts   map[string]*host // by index; made before the index is
	indexes map[string]*described
	backups map[string]string // the index by backup
}

// described is an index as the control plane tells of it.
type described struct {
	index  *Index
	region string
	cloud  string
	tags   map[string]any
	locked bool
}

type spec struct {
	Name      string
	Dimension int
	Metric    string
	Spec      struct {
		Serverless struct{ Cloud, Region string }
	}
	Schema struct {
		Fields map[string]struct {
			Type      string
			Dimension int
			Metric    string
		}
	}
	Deployment         struct{ Cloud, Region string }
	Tags               map[string]any
	DeletionProtection string `json:"deletion_protection"`
	Source             string
	Embed              map[string]any
}

// ServeHTTP answers as the control plane.
func (p *project) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var body spec
	if r.Method == http.MethodPost || r.Method == http.MethodPatch {
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			fail(w, http.StatusBadRequest, err.Error())
			return
		}
	}
	newer := r.Header.Get("X-Pinecone-Api-Version") >= "2026-07"
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	name := ""
	if len(parts) > 1 {
		name = parts[1]
	}
	switch {
	case parts[0] == "indexes" && len(parts) == 1 && r.Method == http.MethodGet:
		list := []any{}
		for _, n := range slices.Sorted(maps.Keys(p.indexes)) {
			list = append(list, p.tell(n, newer))
		}
		say(w, http.StatusOK, map[string]any{"indexes": list})
	case parts[0] == "indexes" && (len(parts) == 1 || name == "create-for-model") && r.Method == http.MethodPost:
		p.create(w, &body, newer)
	case parts[0] == "indexes" && len(parts) == 3 && parts[2] == "backups" && r.Method == http.MethodPost:
		id := fmt.Sprintf("backup-%d", len(p.backups)+1)
		p.backups[id] = name
		say(w, http.StatusCreated, p.backup(id))
	case parts[0] == "backups" && len(parts) == 2 && r.Method == http.MethodGet && p.backups[name] != "":
		say(w, http.StatusOK, p.backup(name))
	case parts[0] == "indexes" && len(parts) == 2 && p.indexes[name] != nil:
		p.one(w, r.Method, name, &body, newer)
	default:
		fail(w, http.StatusNotFound, "Resource not found")
	}
}

func (p *project) backup(id string) map[string]any {
	return map[string]any{
		"backup_id": id, "source_index_name": p.backups[id], "source_index_id": "1", "status": "Ready", "cloud": "aws", "region": "us-east-1",
		"name": id, "created_at": "2026-01-01T00:00:00Z", "tags": map[string]any{},
	}
}

func (p *project) create(w http.ResponseWriter, s *spec, newer bool) {
	if p.indexes[s.Name] != nil {
		fail(w, http.StatusConflict, "Resource already exists")
		return
	}
	h := p.hosts[s.Name]
	if h == nil {
		fail(w, http.StatusForbidden, "the stand-in has no host for an index of that name")
		return
	}
	d := &described{cloud: s.Spec.Serverless.Cloud + s.Deployment.Cloud, region: s.Spec.Serverless.Region + s.Deployment.Region, tags: s.Tags, locked: s.DeletionProtection == "enabled"}
	for _, f := range s.Schema.Fields {
		s.Dimension, s.Metric = f.Dimension, f.Metric
	}
	if s.Embed != nil && s.Dimension == 0 {
		s.Dimension = 64
	}
	if s.Metric == "" {
		s.Metric = "cosine"
	}
	d.index = NewIndex(s.Name, s.Dimension, s.Metric)
	p.indexes[s.Name] = d
	h.serve(d.index)
	say(w, http.StatusCreated, p.tell(s.Name, newer))
}

func (p *project) one(w http.ResponseWriter, method, name string, s *spec, newer bool) {
	d := p.indexes[name]
	switch method {
	case http.MethodGet:
	case http.MethodPatch:
		if s.DeletionProtection != "" {
			d.locked = s.DeletionProtection == "enabled"
		}
		maps.Copy(d.tags, s.Tags)
	case http.MethodDelete:
		if d.locked {
			fail(w, http.StatusForbidden, "Deletion protection is enabled for this index")
			return
		}
		delete(p.indexes, name)
		p.hosts[name].serve(nil)
		w.WriteHeader(http.StatusAccepted)
		return
	default:
		fail(w, http.StatusMethodNotAllowed, "no such method")
		return
	}
	say(w, http.StatusOK, p.tell(name, newer))
}

// tell describes an index in the words of the version that was asked for.
func (p *project) tell(name string, newer bool) map[string]any {
	d := p.indexes[name]
	protection := "disabled"
	if d.locked {
		protection = "enabled"
	}
	if d.tags == nil {
		d.tags = map[string]any{}
	}
	v := map[string]any{
		"name": name, "host": p.hosts[name].reached(), "deletion_protection": protection, "tags": d.tags, "status": map[string]any{"ready": true, "state": "Ready"},
	}
	if newer {
		v["schema"] = map[string]any{"fields": map[string]any{"_values": map[string]any{"type": "dense_vector", "dimension": d.index.Dimension, "metric": d.index.Metric}}}
		v["deployment"] = map[string]any{"deployment_type": "managed", "environment": "test", "cloud": d.cloud, "region": d.region}
		return v
	}
	v["dimension"], v["metric"], v["vector_type"] = d.index.Dimension, d.index.Metric, "dense"
	v["spec"] = map[string]any{"serverless": map[string]any{"cloud": d.cloud, "region": d.region, "read_capacity": map[string]any{"mode": "OnDemand", "status": map[string]any{"state": "Ready"}}}}
	return v
}
