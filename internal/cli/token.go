package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vecgate/vecgate/internal/identity/login"
)

// scopes are what a token can be narrowed to.
var scopes = []string{"read", "write", "approve", "audit", "operate"}

func newTokenCommand(env *Env) *cobra.Command {
	var (
		where remote
		ask   login.Ask
		actor string
	)
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Print a short-lived token to use as a password",
		Long: `Exchange your sign-in, or the ID token of a CI job, for a short-lived token of the gateway, and print it and nothing else.
It can be narrower than you are: for reading only (--scope read), for one target (--target), with a change ticket (--ticket).

With --secret, print a name and a password for clients that can only sign in by SCRAM, each on its own line.`,
		Example: `  PGPASSWORD=$(vecgate token) psql "host=gw port=6432 dbname=products user=me"
  vecgate token --ticket CHG-7 --scope write --ttl 10m
  VECGATE_ID_TOKEN=$CI_JOB_JWT vecgate token --gateway https://vecgate.example.com`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if ask.Lifetime != 0 && ask.Lifetime < time.Second {
				return fmt.Errorf("--ttl %s is shorter than a second", ask.Lifetime)
			}
			for _, scope := range ask.Scopes {
				if !slices.Contains(scopes, scope) {
					return &HintError{
						Err:  fmt.Errorf("--scope %q is not known: a token with it would be good for nothing", scope),
						Hint: "the scopes are " + strings.Join(scopes, ", "),
					}
				}
			}
			g, raw, err := where.connect(env)
			if err != nil {
				return err
			}
			if actor != "" {
				if ask.Actor, err = readToken(env, actor); err != nil {
					return err
				}
			}
			minted, err := g.Exchange(cmd.Context(), raw, ask)
			if err != nil {
				return err
			}
			if ask.Secret {
				_, err = fmt.Fprintf(env.Stdout, "%s\n%s\n", minted.Username, minted.Token)
				return err
			}
			_, err = fmt.Fprintln(env.Stdout, minted.Token)
			return err
		},
	}
	where.flags(cmd)
	cmd.Flags().StringVar(&ask.Ticket, "ticket", "", "change ticket to attach to everything that is done with the token")
	cmd.Flags().StringSliceVar(&ask.Scopes, "scope", nil, "what the token is good for: read, write, approve, audit or operate (default: all that you may)")
	cmd.Flags().StringSliceVar(&ask.Targets, "target", nil, "target that the token is good for (default: all)")
	cmd.Flags().DurationVar(&ask.Lifetime, "ttl", 0, "how long the token lives (default: as the gateway says)")
	cmd.Flags().BoolVar(&ask.Secret, "secret", false, "print a name and a password for SCRAM instead")
	cmd.Flags().StringVar(&actor, "actor", "", "file with the token of who acts on your behalf")
	cmd.AddCommand(newTokenRevokeCommand(env))
	return cmd
}
