package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Version is set by the build: -ldflags "-X github.com/vecgate/vecgate/internal/cli.Version=v0.1.0".
var Version = "dev"

func newVersionCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this binary",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			revision := ""
			if info, ok := debug.ReadBuildInfo(); ok {
				for _, s := range info.Settings {
					if s.Key == "vcs.revision" {
						revision = " " + s.Value
					}
				}
			}
			_, err := fmt.Fprintf(env.Stdout, "vecgate %s%s %s/%s %s\n", Version, revision, runtime.GOOS, runtime.GOARCH, runtime.Version())
			return err
		},
	}
}
