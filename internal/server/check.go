package server

import (
	"errors"
	"fmt"

	"github.com/vecgate/vecgate/internal/config"
	"github.com/vecgate/vecgate/internal/identity"
	"github.com/vecgate/vecgate/internal/policy"
)

// Check reads everything that a configuration refers to, as Run would, without listening or connecting. It returns one
// line that says what was found.
func Check(c *config.Config) (string, error) {
	var faults []error
	rules, err := policy.Load(string(c.Policy), policy.Options{Targets: names(c)})
	if err != nil {
		faults = append(faults, err)
	}
	believed, err := sources(c)
	if err == nil {
		err = identity.Check(believed)
	}
	if err != nil {
		faults = append(faults, err)
	}
	for i := range c.Listeners {
		if _, err := serverTLS(c.Listeners[i].TLS); err != nil {
			faults = append(faults, fmt.Errorf("listeners[%d]: %w", i, err))
		}
	}
	for i := range c.Targets {
		t := &c.Targets[i]
		if _, err := clientTLS(t); err != nil {
			faults = append(faults, fmt.Errorf("targets[%d]: %w", i, err))
		}
		if t.Engine == config.EngineGeneric {
			if _, err := described(t); err != nil {
				faults = append(faults, fmt.Errorf("targets[%d]: %w", i, err))
			}
		}
		if _, err := t.Credential.Password.Read(); err != nil {
			faults = append(faults, fmt.Errorf("targets[%d].credential.password: %w", i, err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s, %s, %s, policy %.12s with %s",
		some(len(c.Listeners), "listener"), some(len(c.Targets), "target"), some(len(c.Identity.Providers), "identity provider"),
		rules.Digest(), some(rules.Statements(), "statement")), nil
}

// some is "1 listener", "2 listeners".
func some(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
