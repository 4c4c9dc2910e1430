package admin

import (
	"context"
	"time"
)

// Targets are the registered databases.
type Targets interface {
	// List returns the targets as they stand. Credentials are never part of it.
	List(context.Context) ([]Target, error)
}

// Target is a registered database.
type Target struct {
	Name     string    `json:"name"`
	Engine   string    `json:"engine"`
	Address  string    `json:"address"`
	Database string    `json:"database,omitempty"`
	TLS      string    `json:"tls,omitempty"` // verify-full, …
	Reads    string    `json:"reads,omitempty"`
	Record   string    `json:"record,omitempty"`
	Version  string    `json:"version,omitempty"`
	Ready    bool      `json:"ready"`
	Fault    string    `json:"fault,omitempty"` // why it is not
	Checked  time.Time `json:"checked,omitzero"`
	Sessions int       `json:"sessions"` // open now; filled by Service
}

// ListTargets returns the targets.
func (s *Service) ListTargets(ctx context.Context, c Caller) ([]Target, error) {
	if err := s.either(c, "see the targets"); err != nil {
		return nil, err
	}
	list, err := s.Targets.List(ctx)
	if err != nil {
		return nil, err
	}
	live, err := s.Sessions.Live(ctx)
	if err != nil {
		return nil, err
	}
	for i := range list {
		for _, l := range live {
			if l.Target == list[i].Name {
				list[i].Sessions++
			}
		}
	}
	return list, nil
}
