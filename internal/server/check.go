package server

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/vecgate/vecgate/internal/approval/ticket"
	"github.com/vecgate/vecgate/internal/config"
	"github.com/vecgate/vecgate/internal/identity"
	"github.com/vecgate/vecgate/internal/policy"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
)

// Check reads everything that a configuration refers to, as Run would, without listening or connecting. It returns one
// line that says what was found, and one for every operation that the configuration describes: they are on no page.
func Check(c *config.Config) (string, error) {
	var faults []error
	var operations strings.Builder
	rules, err := policy.Load(string(c.Policy), policy.Options{Targets: names(c)})
	if err != nil {
		faults = append(faults, err)
	}
	if systems, err := ticketSystems(c); err != nil {
		faults = append(faults, err)
	} else if err := ticket.Check(systems); err != nil {
		faults = append(faults, err)
	}
	believed, err := sources(c, new(carriers))
	if err == nil {
		err = identity.Check(believed)
	}
	if err != nil {
		faults = append(faults, err)
	}
	if _, err := OpenArchive(c.Audit.Origin, c.Audit.Archive); err != nil {
		faults = append(faults, fmt.Errorf("audit.archive: %w", err))
	}
	certificate := func(where string, t *config.ServerTLS) {
		if t == nil {
			return
		}
		if _, _, err := serverTLS(t, slog.New(slog.DiscardHandler)); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", where, err))
		}
	}
	for i := range c.Listeners {
		certificate(fmt.Sprintf("listeners[%d]", i), c.Listeners[i].TLS)
	}
	if c.Console != nil {
		certificate("console", c.Console.TLS)
	}
	if c.Ops != nil {
		certificate("ops", c.Ops.TLS)
	}
	for i := range c.Targets {
		t := &c.Targets[i]
		if _, err := clientTLS(t); err != nil {
			faults = append(faults, fmt.Errorf("targets[%d]: %w", i, err))
		}
		if t.Engine == config.EngineGeneric {
			d, err := described(t)
			if err != nil {
				faults = append(faults, fmt.Errorf("targets[%d]: %w", i, err))
			} else {
				operations.WriteString(listedOf(t.Name, d.Routes()))
			}
		}
		if _, err := t.Credential.Password.Read(); err != nil {
			faults = append(faults, fmt.Errorf("targets[%d].credential.password: %w", i, err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s, %s, %s, policy %.12s with %s%s",
		some(len(c.Listeners), "listener"), some(len(c.Targets), "target"), some(len(c.Identity.Providers), "identity provider"),
		rules.Digest(), some(rules.Statements(), "statement"), operations.String()), nil
}

// some is "1 listener", "2 listeners".
func some(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// listedOf tells what each operation of a target is to a policy.
func listedOf(target string, routes []httpwire.Route) string {
	var b strings.Builder
	for _, r := range routes {
		actions := make([]string, len(r.Actions))
		for i, a := range r.Actions {
			actions[i] = string(a)
		}
		fmt.Fprintf(&b, "\n%s: %s %s (%s) is %s", target, r.Method, r.Path, r.Name, strings.Join(actions, ", or "))
	}
	return b.String()
}
