package console

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/admin"
)

type sessionsData struct {
	frame
	Filter admin.SessionFilter
	Live   []admin.Session
	Past   []admin.Session
	First  bool   // the first page, which shows live sessions too
	Again  string // link to the same page as it is by then
	Next   string
}

// sessionList shows who is connected, and who was.
func (s *Console) sessionList(w http.ResponseWriter, r *http.Request, c admin.Caller) error {
	q := r.URL.Query()
	at, err := before(q)
	if err != nil {
		return err
	}
	d := sessionsData{frame: s.frame(r, c, "Sessions", "sessions"), First: at.IsZero()}
	d.Filter = admin.SessionFilter{Subject: field(q, "subject"), Target: field(q, "target"), Before: at, Limit: 50}
	names := url.Values{}
	for name, v := range map[string]string{"subject": d.Filter.Subject, "target": d.Filter.Target} {
		if v != "" {
			names.Set(name, v)
		}
	}
	if d.First {
		d.Again = "/sessions?" + names.Encode()
		live, err := s.Service.LiveSessions(r.Context(), c)
		if err != nil {
			return err
		}
		d.Live = d.Filter.Choose(live)
	}
	past, more, err := s.Service.PastSessions(r.Context(), c, d.Filter)
	if err != nil {
		return err
	}
	d.Past = past
	if more && len(past) > 0 {
		d.Next = older("/sessions", names, past[len(past)-1].Opened)
	}
	s.render(w, r, http.StatusOK, "sessions", d)
	return nil
}

// field reads a filter that a person typed.
func field(q url.Values, name string) string {
	v := strings.TrimSpace(q.Get(name))
	if len(v) > 512 {
		return v[:512]
	}
	return v
}

type sessionData struct {
	frame
	admin.Session
	Command string
}

// session shows one session.
func (s *Console) session(w http.ResponseWriter, r *http.Request, c admin.Caller) error {
	v, err := s.Service.Session(r.Context(), c, r.PathValue("id"))
	if err != nil {
		return err
	}
	s.render(w, r, http.StatusOK, "session", sessionData{
		frame: s.frame(r, c, "Session "+v.ID, "sessions"), Session: v, Command: "vecgate sessions replay " + v.ID,
	})
	return nil
}

// kill ends a session.
func (s *Console) kill(w http.ResponseWriter, r *http.Request, c admin.Caller) error {
	if err := r.ParseForm(); err != nil {
		return &access.Refusal{Code: access.CodeLimit, Message: "the form cannot be read"}
	}
	id := r.PathValue("id")
	if err := s.Service.KillSession(r.Context(), c, id, r.PostForm.Get("reason")); err != nil {
		return err
	}
	back(w, r, "/sessions/"+url.PathEscape(id), "killed")
	return nil
}
