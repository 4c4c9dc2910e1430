package console

import (
	"net/http"
	"net/url"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/admin"
)

type identitiesData struct {
	frame
	Filter    admin.IdentityFilter
	List      []admin.Identity
	Suspended []admin.Suspension
	Next      string
}

// identities shows who has used the gateway, and who is cut off.
func (s *Console) identities(w http.ResponseWriter, r *http.Request, c admin.Caller) error {
	q := r.URL.Query()
	at, err := before(q)
	if err != nil {
		return err
	}
	d := identitiesData{frame: s.frame(r, c, "Identities", "identities")}
	d.Filter = admin.IdentityFilter{Subject: field(q, "subject"), Person: field(q, "person"), Before: at, Limit: 50}
	list, suspended, more, err := s.Service.ListIdentities(r.Context(), c, d.Filter)
	if err != nil {
		return err
	}
	d.List, d.Suspended = list, suspended
	if more && len(list) > 0 {
		d.Next = older("/identities", url.Values{"subject": {d.Filter.Subject}, "person": {d.Filter.Person}}, list[len(list)-1].LastSeen)
	}
	s.render(w, r, http.StatusOK, "identities", d)
	return nil
}

// suspend cuts somebody off.
func (s *Console) suspend(w http.ResponseWriter, r *http.Request, c admin.Caller) error {
	if err := r.ParseForm(); err != nil {
		return &access.Refusal{Code: access.CodeLimit, Message: "the form cannot be read"}
	}
	if err := s.Service.Suspend(r.Context(), c, r.PostForm.Get("who"), r.PostForm.Get("reason")); err != nil {
		return err
	}
	back(w, r, "/identities", "suspended")
	return nil
}

// reinstate lets somebody in again.
func (s *Console) reinstate(w http.ResponseWriter, r *http.Request, c admin.Caller) error {
	if err := r.ParseForm(); err != nil {
		return &access.Refusal{Code: access.CodeLimit, Message: "the form cannot be read"}
	}
	if err := s.Service.Reinstate(r.Context(), c, r.PostForm.Get("who")); err != nil {
		return err
	}
	back(w, r, "/identities", "reinstated")
	return nil
}
