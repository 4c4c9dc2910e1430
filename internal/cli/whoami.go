package cli

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

func newWhoamiCommand(env *Env) *cobra.Command {
	var (
		where  remote
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "whoami",
		Short: "Show who you are to the gateway",
		Long:  "Show who you are to the gateway: the subject that its policy sees, with its groups.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			g, raw, err := where.connect(env)
			if err != nil {
				return err
			}
			who, err := g.Whoami(cmd.Context(), raw)
			if err != nil {
				return err
			}
			if asJSON {
				e := jsonTo(env.Stdout)
				e.SetIndent("", "  ")
				return e.Encode(who)
			}
			w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
			for _, line := range [][2]string{
				{"subject", who.ID},
				{"name", who.Name},
				{"kind", string(who.Kind)},
				{"groups", strings.Join(who.Groups, ", ")},
				{"person", who.Person},
				{"owner", who.Owner},
				{"instance", who.Instance},
				{"scopes", strings.Join(who.Scopes, ", ")},
				{"targets", strings.Join(who.Targets, ", ")},
				{"ticket", who.Ticket},
				{"expires", who.Expires.Local().Format(time.DateTime)},
				{"gateway", g.URL},
			} {
				if line[1] != "" {
					fmt.Fprintf(w, "%s\t%s\n", line[0], line[1])
				}
			}
			return w.Flush()
		},
	}
	where.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
