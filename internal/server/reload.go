package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/approval/ticket"
	"github.com/vecgate/vecgate/internal/config"
	"github.com/vecgate/vecgate/internal/identity"
	"github.com/vecgate/vecgate/internal/policy"
	"github.com/vecgate/vecgate/internal/vault"
)

// watch follows the files: what can be swapped is swapped while sessions live, and their next request is judged anew.
func (s *Server) watch(ctx context.Context) error {
	w := &config.Watcher{Path: s.config.File, Hangup: s.options.Reload, Apply: s.reload, Current: s.meter.configured, Log: s.log}
	return w.Run(ctx, s.config)
}

// reload takes over the policy, who is believed, and the credentials: all of it or none. What else changed needs a restart.
func (s *Server) reload(ctx context.Context, was, c *config.Config) error {
	rules, err := policy.Load(string(c.Policy), policy.Options{Targets: names(s.config), Tickets: s.checks(c)})
	if err != nil {
		return err
	}
	systems, err := ticketSystems(c)
	if err != nil {
		return err
	}
	if err := ticket.Check(systems); err != nil {
		return err
	}
	believed, err := sources(c, &s.carriers)
	if err != nil {
		return err
	}
	if err := identity.Check(believed); err != nil {
		return err
	}
	if _, err := vault.New(credentials(c)); err != nil {
		return err
	}
	old := s.policy.Load()
	if rules.Digest() != old.Digest() {
		// On record before it is in force: nothing is ever decided by a policy that the log does not name.
		if err := s.records.Policy(ctx, rules.Digest(), "replaces "+old.Digest()); err != nil {
			return fmt.Errorf("record the new policy: %w", err)
		}
	}
	if err := s.registry.Reload(believed); err != nil {
		return err
	}
	if err := s.vault.Replace(credentials(c)); err != nil {
		return err
	}
	if err := s.tickets.Replace(systems); err != nil {
		return err
	}
	s.policy.Swap(rules)
	s.gate.CutOff(func(who *access.Subject) bool {
		_, out := errors.AsType[*access.Refusal](s.registry.Standing(ctx, who))
		return out
	}, errors.New("the configuration no longer lets it in"))
	now := s.options.Now()
	s.policySince.Store(&now)
	if fixed := config.RestartFor(was, c); len(fixed) > 0 {
		s.log.Warn("these changes wait for a restart", "keys", fixed)
	}
	s.log.Info("configuration taken over", "policy", rules.Digest(), "statements", rules.Statements())
	return nil
}

func credentials(c *config.Config) []vault.Entry {
	var all []vault.Entry
	for i := range c.Targets {
		t := &c.Targets[i]
		all = append(all, vault.Entry{Target: t.Name, User: t.Credential.User, Password: t.Credential.Password.Source})
	}
	return all
}
