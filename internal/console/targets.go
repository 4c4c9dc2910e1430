package console

import (
	"net/http"

	"github.com/vecgate/vecgate/internal/admin"
)

type targetsData struct {
	frame
	List []admin.Target
}

// targets shows the registered databases.
func (s *Console) targets(w http.ResponseWriter, r *http.Request, c admin.Caller) error {
	list, err := s.Service.ListTargets(r.Context(), c)
	if err != nil {
		return err
	}
	s.render(w, r, http.StatusOK, "targets", targetsData{s.frame(r, c, "Targets", "targets"), list})
	return nil
}
