// Package standin stands in for systems that keep change tickets: ServiceNow's Table API and GitHub's pull requests, both
// as far as the gateway asks them and after what is published of them, and a system of its own that answers with JSON.
//
// It is none of them: it knows what a test puts in, and answers reads. Start at Start.
package standin

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Server is the three systems on one port: ServiceNow at /api/now, GitHub at /github, the other at /changes.
type Server struct {
	URL string

	http  *httptest.Server
	token string

	mu      sync.Mutex
	asked   []string // what was asked for, without the host
	answer  func(w http.ResponseWriter, r *http.Request) bool
	changes map[string]map[string]any
	rows    map[string][]map[string]any // by table
	pulls   map[string]*Pull            // by owner/name/number
}

// Pull is a pull request of GitHub's.
type Pull struct {
	Author, Head, State, MergedAt string
	Draft                         bool
	Title                         string
	Labels                        []string
	Reviews                       []Review
	Commits                       []string // logins of their authors
	Files                         []string
}

// Review is one of a pull request.
type Review struct {
	Login, State, Commit, Association, Type, At string
}

// Start serves until Close. token is what every request must show.
func Start(token string) *Server {
	s := &Server{token: token, changes: map[string]map[string]any{}, rows: map[string][]map[string]any{}, pulls: map[string]*Pull{}}
	s.http = httptest.NewServer(s)
	s.URL = s.http.URL
	return s
}

// Close ends it.
func (s *Server) Close() { s.http.Close() }

// Change puts a ticket into the system that answers with JSON.
func (s *Server) Change(name string, document map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changes[name] = document
}

// Row puts a row into a table of ServiceNow's; fields of other records stand in it under their dotted names.
func (s *Server) Row(table string, row map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows[table] = append(s.rows[table], row)
}

// Clear empties a table.
func (s *Server) Clear(table string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.rows, table)
}

// Pull puts a pull request into a repository of GitHub's.
func (s *Server) Pull(repository string, number int, p Pull) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pulls[fmt.Sprintf("%s/%d", repository, number)] = &p
}

// Answer puts something else in the place of what the systems would answer, while it returns true; nil ends that.
func (s *Server) Answer(with func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = with
}

// Asked is what was asked for so far: paths with their queries.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, r.URL.RequestURI())
	other := s.answer
	s.mu.Unlock()
	if other != nil && other(w, r) {
		return
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	switch {
	case strings.HasPrefix(r.URL.Path, "/api/now/table/"):
		s.serviceNow(w, r)
	case strings.HasPrefix(r.URL.Path, "/github/repos/"):
		s.gitHub(w, r)
	case strings.HasPrefix(r.URL.Path, "/changes/"):
		s.change(w, r)
	default:
		reply(w, http.StatusNotFound, map[string]any{"error": "nothing is here"})
	}
}

func reply(w http.ResponseWriter, status int, v any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (s *Server) change(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+s.token {
		reply(w, http.StatusUnauthorized, map[string]any{"error": "who are you"})
		return
	}
	s.mu.Lock()
	found, ok := s.changes[strings.TrimPrefix(r.URL.Path, "/changes/")]
	found = maps.Clone(found)
	s.mu.Unlock()
	if !ok {
		reply(w, http.StatusNotFound, map[string]any{"error": "no such change"})
		return
	}
	reply(w, http.StatusOK, found)
}

// serviceNow answers GET /api/now/table/{table} with sysparm_query (conditions a=b, with ^ for and, ^OR for or),
// sysparm_fields and sysparm_limit.
func (s *Server) serviceNow(w http.ResponseWriter, r *http.Request) {
	if _, password, ok := r.BasicAuth(); !ok || password != s.token {
		reply(w, http.StatusUnauthorized, map[string]any{"error": map[string]any{"message": "User Not Authenticated", "detail": "Required to provide Auth information"}, "status": "failure"})
		return
	}
	q := r.URL.Query()
	limit, err := strconv.Atoi(q.Get("sysparm_limit"))
	if err != nil {
		limit = 10_000
	}
	fields := strings.Split(q.Get("sysparm_fields"), ",")
	s.mu.Lock()
	defer s.mu.Unlock()
	result := []map[string]any{}
	for _, row := range s.rows[strings.TrimPrefix(r.URL.Path, "/api/now/table/")] {
		if !selected(row, q.Get("sysparm_query")) || len(result) == limit {
			continue
		}
		shown := map[string]any{}
		for _, f := range fields {
			if v, ok := row[f]; ok {
				shown[f] = v
			}
		}
		result = append(result, shown)
	}
	reply(w, http.StatusOK, map[string]any{"result": result})
}

func selected(row map[string]any, query string) bool {
	for either := range strings.SplitSeq(query, "^OR") {
		all := true
		for condition := range strings.SplitSeq(either, "^") {
			field, value, _ := strings.Cut(condition, "=")
			have, _ := row[field].(string)
			if field == "sysapproval" {
				have, _ = row["sysapproval.sys_id"].(string)
			}
			all = all && have == value
		}
		if all {
			return true
		}
	}
	return false
}

// gitHub answers GET /repos/{owner}/{repo}/pulls/{number} and its reviews, commits and files.
func (s *Server) gitHub(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+s.token {
		reply(w, http.StatusUnauthorized, map[string]any{"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest", "status": "401"})
		return
	}
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/github/repos/"), "/")
	s.mu.Lock()
	defer s.mu.Unlock()
	var p *Pull
	if len(parts) >= 4 && parts[2] == "pulls" {
		p = s.pulls[parts[0]+"/"+parts[1]+"/"+parts[3]]
	}
	if p == nil || len(parts) > 5 {
		reply(w, http.StatusNotFound, map[string]any{"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"})
		return
	}
	if len(parts) == 4 {
		reply(w, http.StatusOK, p.json(parts[0]+"/"+parts[1], parts[3]))
		return
	}
	var list []any
	switch parts[4] {
	case "reviews":
		for i, v := range p.Reviews {
			list = append(list, v.json(80+i))
		}
	case "commits":
		for _, login := range p.Commits {
			list = append(list, map[string]any{"sha": p.Head, "author": user(login, "User"), "committer": user("web-flow", "User"), "commit": map[string]any{"message": "change"}})
		}
	case "files":
		for _, name := range p.Files {
			list = append(list, map[string]any{"sha": "bbcd538c8e72b8c175046e27cc8f907076331401", "filename": name, "status": "added"})
		}
	}
	reply(w, http.StatusOK, page(list, r))
}

// page is the part of a list that per_page and page ask for.
func page(list []any, r *http.Request) []any {
	size, err := strconv.Atoi(r.URL.Query().Get("per_page"))
	if err != nil {
		size = 30
	}
	number, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil {
		number = 1
	}
	from := min((number-1)*size, len(list))
	return append([]any{}, list[from:min(from+size, len(list))]...)
}

func user(login, kind string) any {
	if login == "" {
		return nil // an account that is no more
	}
	id := 0
	for _, c := range login {
		id = id*31%100_003 + int(c)
	}
	return map[string]any{"login": login, "id": id, "type": kind, "site_admin": false, "url": "https://api.github.com/users/" + login}
}

func (p *Pull) json(repository, number string) map[string]any {
	n, _ := strconv.Atoi(number)
	labels := []any{}
	for i, name := range p.Labels {
		labels = append(labels, map[string]any{"id": 208045946 + i, "name": name, "color": "f29513", "default": false})
	}
	var merged any
	if p.MergedAt != "" {
		merged = p.MergedAt
	}
	state := p.State
	if state == "" {
		state = "open"
	}
	return map[string]any{
		"id": 1, "number": n, "state": state, "locked": false, "title": p.Title, "body": "Please pull these awesome changes in!", "user": user(p.Author, "User"),
		"labels": labels, "draft": p.Draft, "merged_at": merged, "merged": merged != nil, "html_url": "https://github.com/" + repository + "/pull/" + number,
		"head": map[string]any{"ref": "new-topic", "sha": p.Head}, "base": map[string]any{"ref": "main", "sha": "6dcb09b5b57875f334f61aebed695e2e4193db5e"},
		"author_association": "OWNER",
	}
}

func (v Review) json(id int) map[string]any {
	kind, association, at := v.Type, v.Association, v.At
	if kind == "" {
		kind = "User"
	}
	if association == "" {
		association = "MEMBER"
	}
	if at == "" {
		at = "2026-11-17T17:43:43Z"
	}
	return map[string]any{
		"id": id, "user": user(v.Login, kind), "body": "Here is the body for the review.", "state": v.State, "commit_id": v.Commit,
		"submitted_at": at, "author_association": association,
	}
}
