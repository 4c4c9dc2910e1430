package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/vecgate/vecgate/internal/admin"
)

func newIdentitiesCommand(env *Env) *cobra.Command {
	c := &cobra.Command{
		Use:     "identities",
		Aliases: []string{"identity"},
		Short:   "See who uses the gateway, cut somebody off, let them in again",
		Args:    cobra.NoArgs,
	}
	c.AddCommand(newIdentitiesLsCommand(env), newIdentitiesSuspendCommand(env), newIdentitiesReinstateCommand(env))
	return c
}

func newIdentitiesLsCommand(env *Env) *cobra.Command {
	var (
		where   remote
		list    listing
		subject string
	)
	c := &cobra.Command{
		Use:   "ls",
		Short: "List who has used the gateway, last seen first, and who is cut off",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := where.api(cmd.Context(), env)
			if err != nil {
				return err
			}
			q := list.query()
			if subject != "" {
				q.Set("subject", subject)
			}
			var raw json.RawMessage
			if err := a.get(cmd.Context(), "/identities", q, &raw); err != nil {
				return err
			}
			if list.json {
				return printJSON(env.Stdout, raw)
			}
			var answer struct {
				Identities  []admin.Identity   `json:"identities"`
				Suspensions []admin.Suspension `json:"suspensions"`
			}
			if err := json.Unmarshal(raw, &answer); err != nil {
				return err
			}
			return printIdentities(env, answer.Identities, answer.Suspensions)
		},
	}
	where.flags(c)
	list.flags(c)
	c.Flags().StringVar(&subject, "subject", "", "only this subject")
	return c
}

func printIdentities(env *Env, list []admin.Identity, suspended []admin.Suspension) error {
	w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SUBJECT\tNAME\tKIND\tPERSON\tLAST SEEN\tSESSIONS\tSTATE")
	for i := range list {
		id := &list[i]
		state := ""
		if id.Suspended != nil {
			state = "cut off"
		} else if id.Live > 0 {
			state = fmt.Sprintf("%d open", id.Live)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\n", visible(id.Subject.ID), visible(id.Subject.Display()), id.Subject.Kind,
			visible(id.Subject.Person), since(env.Now(), id.LastSeen), id.Sessions, state)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, s := range suspended {
		fmt.Fprintf(env.Stdout, "cut off: %s, %s by %s: %s\n", visible(s.Who), since(env.Now(), s.At), visible(s.By), visible(s.Reason))
	}
	return nil
}

func newIdentitiesSuspendCommand(env *Env) *cobra.Command {
	var where remote
	var reason string
	c := &cobra.Command{
		Use:   "suspend SUBJECT-OR-PERSON",
		Short: "Cut somebody off at once, live sessions included",
		Long: `Cut off a subject by its ID (corp:sam), or a person by name with every account and workload of theirs: nothing that they
show opens anything from now on, and what is live ends, in the middle of a query if need be. It takes an operator.`,
		Example: "  vecgate identities suspend corp:sam --reason 'left the company'",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := where.api(cmd.Context(), env)
			if err != nil {
				return err
			}
			in := map[string]string{"who": args[0], "reason": reason}
			if err := a.call(cmd.Context(), http.MethodPost, "/identities/suspend", in, nil); err != nil {
				return withNext(err, "vecgate identities ls")
			}
			_, err = fmt.Fprintf(env.Stdout, "%s: cut off\n", visible(args[0]))
			return err
		},
	}
	where.flags(c)
	c.Flags().StringVarP(&reason, "reason", "r", "", "why, for the record")
	return c
}

func newIdentitiesReinstateCommand(env *Env) *cobra.Command {
	var where remote
	c := &cobra.Command{
		Use:   "reinstate SUBJECT-OR-PERSON",
		Short: "Let somebody in again",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := where.api(cmd.Context(), env)
			if err != nil {
				return err
			}
			if err := a.call(cmd.Context(), http.MethodPost, "/identities/reinstate", map[string]string{"who": args[0]}, nil); err != nil {
				return withNext(err, "vecgate identities ls")
			}
			_, err = fmt.Fprintf(env.Stdout, "%s: may come in again\n", visible(args[0]))
			return err
		},
	}
	where.flags(c)
	return c
}
