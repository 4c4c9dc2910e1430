package console

import (
	"net/http"
	"strings"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/admin"
)

type requestData struct {
	frame
	admin.Request
	Row     row
	Needed  int
	Open    bool
	Error   string // why the last try did not work
	Hint    string
	Typed   string // the reason, when the last try did not work
	Command string // the same on the command line
}

func (s *Console) requestPage(r *http.Request, c admin.Caller, v admin.Request) requestData {
	return requestData{
		frame: s.frame(r, c, "Request "+v.ID, "requests"), Request: v, Row: rowOf(v, s.Now()), Needed: max(v.Terms.Persons, 1),
		Open: v.State == access.StateOpen, Command: "vecgate requests approve " + v.ID + " --reason '…'",
	}
}

// request shows one access request: who, what, why, and what the caller may do about it.
func (s *Console) request(w http.ResponseWriter, r *http.Request, c admin.Caller) error {
	v, err := s.Service.Request(r.Context(), c, r.PathValue("id"))
	if err != nil {
		return err
	}
	s.render(w, r, http.StatusOK, "request", s.requestPage(r, c, v))
	return nil
}

// decide takes the caller's word on a request.
func (s *Console) decide(w http.ResponseWriter, r *http.Request, c admin.Caller) error {
	if err := r.ParseForm(); err != nil {
		return &access.Refusal{Code: access.CodeLimit, Message: "the form cannot be read", Hint: "open the request and try again"}
	}
	word := r.PostForm.Get("word")
	if word != "approve" && word != "deny" {
		return &access.Refusal{Code: access.CodeLimit, Message: "the form says neither yes nor no", Hint: "open the request and try again"}
	}
	reason := strings.TrimSpace(r.PostForm.Get("reason"))
	v, err := s.Service.Request(r.Context(), c, r.PathValue("id"))
	if err != nil {
		return err
	}
	// What the person saw is what the person decides on.
	if digest := r.PostForm.Get("digest"); digest != v.Digest {
		return &access.Refusal{Code: access.CodeNotReleased, Ref: v.ID, Message: "this form was not made for what the request holds", Hint: "open the request again"}
	}
	after, err := s.Service.Decide(r.Context(), c, v.ID, word == "approve", reason)
	if err != nil {
		f := admin.FaultOf(r.Context(), s.Log, err)
		if f.Status >= 500 {
			return err
		}
		if fresh, again := s.Service.Request(r.Context(), c, v.ID); again == nil {
			v = fresh
		}
		d := s.requestPage(r, c, v)
		d.Error, d.Hint, d.Typed = f.Message, f.Hint, reason
		s.render(w, r, f.Status, "request", d)
		return nil
	}
	did := "denied"
	if word == "approve" {
		did = "approved"
	}
	back(w, r, "/requests/"+after.ID, did)
	return nil
}

// Left is how long the request stays open, for the card.
func (d requestData) Left() time.Duration { return d.Expires.Sub(d.Now) }
