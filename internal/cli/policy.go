package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/policy"
)

func newPolicyCommand(env *Env) *cobra.Command {
	c := &cobra.Command{
		Use:   "policy",
		Short: "Check, test and explain policies",
		Args:  cobra.NoArgs,
	}
	c.AddCommand(newPolicyCheckCommand(env), newPolicyTestCommand(env), newPolicyExplainCommand(env), newPolicyDiffCommand(env), newPolicySchemaCommand(env))
	return c
}

func newPolicyCheckCommand(env *Env) *cobra.Command {
	var targets []string
	c := &cobra.Command{
		Use:     "check FILE",
		Short:   "Read a policy and report everything that is wrong with it",
		Example: "  vecgate policy check policy.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := loadPolicy(env, args[0], policy.Options{Targets: targets})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(env.Stdout, "%s: ok, %d statements, %s\n", args[0], p.Statements(), p.Digest())
			return err
		},
	}
	c.Flags().StringSliceVar(&targets, "targets", nil, "registered targets; a pattern that names none of them is a fault")
	return c
}

// loadPolicy reads a policy; faults go to standard error, one on a line, as compilers print them.
func loadPolicy(env *Env, path string, opts policy.Options) (*policy.Policy, error) {
	p, err := policy.Load(path, opts)
	if err == nil {
		return p, nil
	}
	return nil, printFaults(env, path, err)
}

func printFaults(env *Env, path string, err error) error {
	faults, ok := errors.AsType[policy.Faults](err)
	if !ok {
		return err
	}
	for _, f := range faults {
		if _, err := fmt.Fprintln(env.Stderr, f); err != nil {
			return err
		}
	}
	what := "faults"
	if len(faults) == 1 {
		what = "fault"
	}
	return fmt.Errorf("%s has %d %s", path, len(faults), what)
}

func newPolicyTestCommand(env *Env) *cobra.Command {
	var quiet bool
	c := &cobra.Command{
		Use:   "test FILE...",
		Short: "Ask a policy the cases written beside it, and compare the answers with those expected",
		Long: `Each FILE lists cases (who asks what) and the answers that are expected, reasons included,
and names the policy that it is about.`,
		Example: "  vecgate policy test policy_test.yaml",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			passed, failed := 0, 0
			for _, path := range args {
				suite, err := policy.LoadSuite(path)
				if err != nil {
					return printFaults(env, path, err)
				}
				p, err := loadPolicy(env, suite.Policy, policy.Options{Tickets: suite.Tickets()})
				if err != nil {
					return err
				}
				for _, r := range suite.Run(p) {
					if r.Differences == nil {
						passed++
						if !quiet {
							fmt.Fprintf(env.Stdout, "PASS  %s  %s\n", r.Case.Position, r.Case.Name)
						}
						continue
					}
					failed++
					fmt.Fprintf(env.Stdout, "FAIL  %s  %s\n", r.Case.Position, r.Case.Name)
					for _, d := range r.Differences {
						fmt.Fprintf(env.Stdout, "      %s\n", d)
					}
					fmt.Fprintf(env.Stdout, "      the policy says: %s\n", r.Decision.Reason.Sentence)
				}
			}
			if _, err := fmt.Fprintf(env.Stdout, "%d passed, %d failed\n", passed, failed); err != nil {
				return err
			}
			if failed > 0 {
				return &ExitError{Code: 1}
			}
			return nil
		},
	}
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print failures only")
	return c
}

// asked are the flags that describe a request.
type asked struct {
	subject, kind, person, owner, provider string
	groups, scopes, claims                 []string
	action, on, ticket, client, channel    string
	limit, rows, points                    int64
	vectors, cursor                        bool
}

func (a *asked) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&a.subject, "subject", "", "ID of the subject, such as corp:alice")
	f.StringVar(&a.kind, "kind", string(access.Person), "person or workload")
	f.StringVar(&a.person, "person", "", "person who is counted for the subject")
	f.StringVar(&a.owner, "owner", "", "person answerable for a workload")
	f.StringVar(&a.provider, "provider", "", "identity provider")
	f.StringSliceVar(&a.groups, "groups", nil, "groups of the subject")
	f.StringSliceVar(&a.scopes, "scopes", nil, "scopes of the credential")
	f.StringArrayVar(&a.claims, "claim", nil, "claim of the credential, NAME=VALUE; again for more, and again with the same name for a list")
	f.StringVar(&a.action, "action", "", "action, such as search")
	f.StringVar(&a.on, "on", "", "resource, such as products/public/items")
	f.StringVar(&a.ticket, "ticket", "", "change ticket attached to the request")
	f.StringVar(&a.client, "client", "", "remote address")
	f.StringVar(&a.channel, "channel", "", "sql, rest or grpc")
	f.Int64Var(&a.limit, "limit", access.Unbounded, "LIMIT or k of the request; -1: none")
	f.Int64Var(&a.rows, "rows", access.Unbounded, "the most rows that it can return; -1: as --limit says")
	f.Int64Var(&a.points, "points", 0, "points that a write carries")
	f.BoolVar(&a.vectors, "vectors", false, "raw embeddings are asked for")
	f.BoolVar(&a.cursor, "cursor", false, "the answer is read through a cursor")
	for _, name := range []string{"subject", "action", "on"} {
		_ = c.MarkFlagRequired(name) // fails only for a flag that does not exist
	}
}

func (a *asked) request(env *Env) (*access.Subject, access.Access, access.Context, error) {
	s := &access.Subject{
		ID: a.subject, Kind: access.Kind(a.kind), Person: a.person, Owner: a.owner, Provider: a.provider, Groups: a.groups, Scopes: a.scopes,
	}
	if s.Kind != access.Person && s.Kind != access.Workload {
		return nil, access.Access{}, access.Context{}, fmt.Errorf("--kind: %q is not one of person, workload", a.kind)
	}
	for _, claim := range a.claims {
		name, value, ok := strings.Cut(claim, "=")
		if !ok || name == "" {
			return nil, access.Access{}, access.Context{}, fmt.Errorf("--claim: %q is not NAME=VALUE", claim)
		}
		if s.Claims == nil {
			s.Claims = map[string]any{}
		}
		switch had := s.Claims[name].(type) {
		case nil:
			s.Claims[name] = value
		case string:
			s.Claims[name] = []any{had, value}
		case []any:
			s.Claims[name] = append(had, value)
		}
	}
	action := access.Action(a.action)
	if !action.Known() {
		return nil, access.Access{}, access.Context{}, &HintError{Err: fmt.Errorf("--action: %q is not an action", a.action), Hint: "docs/reference/policy.md lists the actions"}
	}
	r, err := policy.ParseResource(a.on)
	if err != nil {
		return nil, access.Access{}, access.Context{}, fmt.Errorf("--on: %w", err)
	}
	rows := a.rows
	if rows == access.Unbounded {
		rows = a.limit
	}
	at := access.Attributes{Limit: a.limit, Rows: rows, Points: a.points, Vectors: a.vectors, Cursor: a.cursor}
	return s, access.Access{Action: action, Resource: r, Attributes: at}, access.Context{Now: env.Now(), Client: a.client, Channel: a.channel, Ticket: a.ticket}, nil
}

func newPolicyExplainCommand(env *Env) *cobra.Command {
	var a asked
	var asJSON bool
	c := &cobra.Command{
		Use:   "explain FILE --subject ID --action ACTION --on RESOURCE",
		Short: "Say how a policy decides on a request, and what every statement had to do with it",
		Example: `  vecgate policy explain policy.yaml --subject corp:ana --groups Vector-Read --action upsert --on products/public/items
  vecgate policy explain policy.yaml --subject ci:acme/app:train --kind workload --action export --on products/public/items --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := loadPolicy(env, args[0], policy.Options{})
			if err != nil {
				return err
			}
			s, ac, about, err := a.request(env)
			if err != nil {
				return err
			}
			x := p.Explain(s, ac, about)
			if asJSON {
				out := jsonTo(env.Stdout)
				out.SetIndent("", "  ")
				out.SetEscapeHTML(false)
				return out.Encode(x)
			}
			return printExplanation(env.Stdout, &x)
		},
	}
	a.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func printExplanation(w io.Writer, x *policy.Explanation) error {
	fmt.Fprintf(w, "%s: %s\n", x.Effect, x.Reason.Sentence)
	if x.Reason.Rule != "" {
		fmt.Fprintf(w, "rule: %s (%s)\n", x.Reason.Rule, x.Reason.Position)
	}
	fmt.Fprintf(w, "code: %s\n", x.Reason.Code)
	if x.Reason.Hint != "" {
		fmt.Fprintf(w, "hint: %s\n", x.Reason.Hint)
	}
	fmt.Fprintln(w)
	for _, st := range x.Steps {
		mark := " "
		if st.Applies {
			mark = "*"
		}
		if _, err := fmt.Fprintf(w, "%s %-12s %-34s %s\n", mark, st.Statement, st.Name, st.Why); err != nil {
			return err
		}
	}
	return nil
}

func newPolicyDiffCommand(env *Env) *cobra.Command {
	var cases []string
	c := &cobra.Command{
		Use:     "diff OLD NEW --cases FILE",
		Short:   "Say which cases two policies decide otherwise",
		Example: "  vecgate policy diff policy.yaml policy.new.yaml --cases policy_test.yaml",
		Args:    cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			changed, asked := 0, 0
			for _, path := range cases {
				suite, err := policy.LoadSuite(path)
				if err != nil {
					return printFaults(env, path, err)
				}
				opts := policy.Options{Tickets: suite.Tickets()}
				before, err := loadPolicy(env, args[0], opts)
				if err != nil {
					return err
				}
				after, err := loadPolicy(env, args[1], opts)
				if err != nil {
					return err
				}
				asked += len(suite.Cases)
				for _, ch := range suite.Diff(before, after) {
					changed++
					fmt.Fprintf(env.Stdout, "%s  %s\n", ch.Case.Position, ch.Case.Name)
					for _, d := range ch.Differences {
						fmt.Fprintf(env.Stdout, "      %s\n", d)
					}
				}
			}
			_, err := fmt.Fprintf(env.Stdout, "%d of %d cases are decided otherwise\n", changed, asked)
			return err
		},
	}
	c.Flags().StringSliceVar(&cases, "cases", nil, "files of cases to ask both policies")
	_ = c.MarkFlagRequired("cases") // fails only for a flag that does not exist
	return c
}

func newPolicySchemaCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of policy files, for editors",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := env.Stdout.Write(policy.Schema())
			return err
		},
	}
}
