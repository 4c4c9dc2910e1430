package console

import (
	"net/http"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/admin"
)

type overviewData struct {
	frame
	Queue   []row // what waits for the caller
	More    bool
	Mine    []row
	Live    []admin.Session
	LiveAll int
	State   admin.LogState
	Recent  []admin.Record
}

// overview shows what waits for the caller, who is connected, and how the log stands.
func (s *Console) overview(w http.ResponseWriter, r *http.Request, c admin.Caller) error {
	ctx := r.Context()
	d := overviewData{frame: s.frame(r, c, "Overview", "overview")}
	waiting, more, err := s.Service.ListRequests(ctx, c, admin.RequestFilter{States: []access.State{access.StateOpen}, Waiting: true, Limit: 20})
	if err != nil {
		return err
	}
	d.Queue, d.More = rowsOf(waiting, d.Now), more
	mine, _, err := s.Service.ListRequests(ctx, c, admin.RequestFilter{Mine: true, Limit: 5})
	if err != nil {
		return err
	}
	d.Mine = rowsOf(mine, d.Now)
	live, err := s.Service.LiveSessions(ctx, c)
	if err != nil {
		return err
	}
	d.LiveAll, d.Live = len(live), live[:min(len(live), 8)]
	if d.State, err = s.Service.LogState(ctx, c); err != nil {
		return err
	}
	if d.Auditor {
		recent, _, err := s.Service.ListRecords(ctx, c, admin.RecordFilter{
			Types: []string{"refusal", "signin", "vote", "admin", "policy", "request"}, Limit: 8,
		})
		if err != nil {
			return err
		}
		d.Recent = recent
	}
	s.render(w, r, http.StatusOK, "overview", d)
	return nil
}
