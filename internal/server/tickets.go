package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/vecgate/vecgate/internal/approval/ticket"
	"github.com/vecgate/vecgate/internal/config"
	"github.com/vecgate/vecgate/internal/identity/claim"
	"github.com/vecgate/vecgate/internal/policy"
)

// ticketSystems are what the configuration says about who keeps change tickets.
func ticketSystems(c *config.Config) ([]ticket.Config, error) {
	var all []ticket.Config
	var faults []error
	for i := range c.Tickets {
		t := &c.Tickets[i]
		s := ticket.Config{
			Name: t.Name, Kind: t.Kind, Match: t.Match, URL: t.URL, Link: t.Link, Header: t.Credential.Header, Accounts: t.Accounts,
			Reviewers: t.Reviewers, MaxAge: t.MaxAge, Covers: t.Covers, Keep: t.Keep, Fresh: t.Fresh, Wait: t.Wait,
			Approved: t.Approved, By: t.ReviewedBy, Authors: t.Authors, Opens: t.Opens, Closes: t.Closes, At: t.ReviewedAt,
			States: t.States, Repository: t.Repository,
		}
		credential := t.Credential
		s.Credential = func() (string, string, error) {
			secret, err := credential.Token.Read()
			return credential.User, secret.Reveal(), err
		}
		if t.Account != "" {
			template, err := claim.ParseTemplate(t.Account)
			if err != nil {
				faults = append(faults, fmt.Errorf("tickets[%d].account: %w", i, err))
				continue
			}
			s.Account = template.Expand
		}
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.ResponseHeaderTimeout, transport.MaxResponseHeaderBytes, transport.MaxConnsPerHost = 30*time.Second, 64<<10, 16
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		if !t.CA.IsZero() {
			pool, err := authorities(t.CA)
			if err != nil {
				faults = append(faults, fmt.Errorf("tickets[%d].ca: %w", i, err))
				continue
			}
			transport.TLSClientConfig.RootCAs = pool
		}
		s.Transport = transport
		all = append(all, s)
	}
	return all, errors.Join(faults...)
}

// checks is what the policy asks about tickets: nobody, when the configuration connects no system.
func (s *Server) checks(c *config.Config) policy.Tickets {
	if len(c.Tickets) == 0 {
		return nil
	}
	return s.tickets
}
