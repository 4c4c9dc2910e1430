package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/vecgate/vecgate/internal/server"
)

func newCheckCommand(env *Env) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Read the configuration and the policy, and report every fault, without serving",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(env, file)
			if err != nil {
				return err
			}
			summary, err := server.Check(c)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(env.Stdout, "%s: ok: %s\n", file, summary)
			return err
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "vecgate.yaml", "configuration file")
	return cmd
}
