package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/admin"
)

//go:embed templates
var templateFiles embed.FS

// loadPages parses each page with the layout and the parts that all share.
func loadPages(a *assets) (map[string]*template.Template, error) {
	base, err := template.New("layout.html").Funcs(funcs(a)).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, err
	}
	entries, err := fs.Glob(templateFiles, "templates/page_*.html")
	if err != nil {
		return nil, err
	}
	pages := make(map[string]*template.Template)
	for _, name := range entries {
		t, err := template.Must(base.Clone()).ParseFS(templateFiles, name)
		if err != nil {
			return nil, err
		}
		pages[strings.TrimSuffix(strings.TrimPrefix(name, "templates/page_"), ".html")] = t
	}
	return pages, nil
}

func funcs(a *assets) template.FuncMap {
	return template.FuncMap{
		"asset":     a.path,
		"text":      plain,
		"visible":   visible,
		"statement": statement,
		"brief":     admin.Brief,
		"cut":       cut,
		"utc":       func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"iso":       func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) },
		"clock":     func(t time.Time) string { return t.UTC().Format("15:04:05.000") },
		"day":       func(t time.Time) string { return t.UTC().Format("2006-01-02") },
		"count":     count,
		"size":      size,
		"took":      took,
		"span":      length,
		"join":      strings.Join,
		"add":       func(a, b int) int { return a + b },
		"short":     short,
		"gravity":   gravity,
		"arg":       func(v ...any) []any { return v },
		"ago":       ago,
		"display":   display,
		"masked":    func(s string) bool { return s == "[redacted]" },
	}
}

// frame is what every page has around it.
type frame struct {
	Title    string
	Section  string // of the navigation
	Gateway  string
	Version  string
	Caller   *access.Subject
	Auditor  bool
	Operator bool
	Now      time.Time
	Done     string // what a form that led here did
	Path     string
	Waiting  int // access requests that wait for the caller's word
}

func (s *Console) frame(r *http.Request, c admin.Caller, title, section string) frame {
	waiting := 0
	if c.Subject != nil {
		// A badge is not worth an error page: when it cannot be counted there is none.
		list, _, _ := s.Service.ListRequests(r.Context(), c, admin.RequestFilter{States: []access.State{access.StateOpen}, Waiting: true, Limit: 100})
		waiting = len(list)
	}
	return frame{
		Waiting: waiting, Title: title, Section: section, Gateway: s.Service.Gateway, Version: s.Service.Version, Caller: c.Subject,
		Auditor: s.Service.Auditor(c), Operator: s.Service.Operator(c), Now: s.Now(), Done: done[r.URL.Query().Get("done")], Path: r.URL.RequestURI(),
	}
}

// done are the words that a page may be asked to say after a form: a closed list, so that no link puts words into ours.
var done = map[string]string{
	"approved":   "Your approval is on record.",
	"denied":     "Your denial is on record.",
	"killed":     "The session was ended.",
	"suspended":  "Cut off. Live sessions have ended, and no credential of theirs opens anything.",
	"reinstated": "Let in again.",
}

// render writes a page as a whole or not at all.
func (s *Console) render(w http.ResponseWriter, r *http.Request, status int, page string, data any) {
	var b bytes.Buffer
	t, ok := s.pages[page]
	if !ok {
		http.Error(w, "internal error", http.StatusInternalServerError)
		s.Log.ErrorContext(r.Context(), "no such page", "page", page)
		return
	}
	if err := t.Execute(&b, data); err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		s.Log.ErrorContext(r.Context(), "render page", "page", page, "error", err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w) // the browser may have gone
}

type faultData struct {
	frame
	admin.Fault
	SignIn string
}

// fault shows an error page.
func (s *Console) fault(w http.ResponseWriter, r *http.Request, c admin.Caller, err error) {
	f := admin.FaultOf(r.Context(), s.Log, err)
	title := map[int]string{
		http.StatusNotFound: "Not found", http.StatusForbidden: "Not allowed", http.StatusUnauthorized: "Signed out",
		http.StatusConflict: "Too late", http.StatusUnprocessableEntity: "That did not work",
	}[f.Status]
	if title == "" {
		title = "Something went wrong"
	}
	d := faultData{frame: s.frame(r, c, title, ""), Fault: f}
	if c.Subject == nil {
		to := "/"
		if r.Method == http.MethodGet {
			to = local(r.URL.RequestURI())
		}
		d.SignIn = "/signin?to=" + template.URLQueryEscaper(to)
	}
	s.render(w, r, f.Status, "fault", d)
}

// display is the name of a subject for people.
func display(v any) string {
	switch s := v.(type) {
	case access.Subject:
		return s.Display()
	case *access.Subject:
		return s.Display()
	}
	return ""
}

// count writes a number with thin spaces between thousands.
func count(v any) string {
	s := fmt.Sprint(v)
	neg := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteRune('\u202f')
		}
		b.WriteRune(c)
	}
	if neg {
		return "−" + b.String()
	}
	return b.String()
}

func size(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

// took writes how long an exchange ran, given in microseconds.
func took(micros int64) string {
	switch {
	case micros < 1000:
		return fmt.Sprintf("%d µs", micros)
	case micros < 1_000_000:
		return fmt.Sprintf("%.1f ms", float64(micros)/1e3)
	}
	return fmt.Sprintf("%.1f s", float64(micros)/1e6)
}

// length writes a duration for people: "15 min", "1 h 30 min".
func length(d time.Duration) string {
	d = d.Round(time.Second)
	if d < 0 {
		d = -d
	}
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		if m := int(d.Minutes()) % 60; m != 0 {
			return fmt.Sprintf("%d h %d min", int(d.Hours()), m)
		}
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d d", int(d.Hours()/24))
}

// ago writes a time as people say it, as seen from now.
func ago(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return "never"
	case d < -time.Second:
		return "in " + length(d)
	case d < 2*time.Second:
		return "just now"
	case d >= time.Hour:
		d = d.Truncate(time.Hour)
	}
	return length(d) + " ago"
}

// short is the beginning of a digest.
func short(digest string) string {
	digest = strings.TrimPrefix(digest, "sha256:")
	if len(digest) > 12 {
		return digest[:12]
	}
	return digest
}

// gravity colours an action by what it could do.
func gravity(a access.Action) string {
	switch {
	case a.Weight() >= access.AliasWrite.Weight():
		return "grave"
	case a.Writes():
		return "write"
	case a.Weight() >= access.ListIDs.Weight():
		return "bulk"
	}
	return "read"
}
