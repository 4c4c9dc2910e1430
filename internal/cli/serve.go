package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"runtime/pprof"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/vecgate/vecgate/internal/config"
	"github.com/vecgate/vecgate/internal/server"
)

func newServeCommand(env *Env) *cobra.Command {
	var file, profile string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the gateway",
		Long: `Run the gateway until it is told to stop (SIGINT, SIGTERM): sessions then have limits.drain to end by themselves.
SIGHUP reads the configuration and the policy again, as does a change of the files.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(env, file)
			if err != nil {
				return err
			}
			if profile != "" {
				out, err := os.Create(profile)
				if err != nil {
					return err
				}
				defer out.Close()
				if err := pprof.StartCPUProfile(out); err != nil {
					return err
				}
				defer pprof.StopCPUProfile()
			}
			hup := make(chan os.Signal, 1)
			signal.Notify(hup, syscall.SIGHUP)
			defer signal.Stop(hup)
			return server.Run(cmd.Context(), c, server.Options{
				Version: Version, Log: newLog(env, c.Log), Now: env.Now, Reload: hup,
				Ready: func() {
					notifySystemd(env, "READY=1")
					go debug.FreeOSMemory() // what was needed to start is several times what is needed from now on
				},
			})
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "vecgate.yaml", "configuration file")
	cmd.Flags().StringVar(&profile, "cpu-profile", "", "write a CPU profile of the whole run to this file")
	return cmd
}

// loadConfig reads a configuration; its faults are printed one to a line.
func loadConfig(env *Env, file string) (*config.Config, error) {
	c, faults := config.LoadWith(file, env.Getenv)
	for _, f := range faults {
		fmt.Fprintln(env.Stderr, f)
	}
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return nil, &HintError{Err: errors.New("there is no configuration to read"), Hint: "name the file with --config, or go to its directory; docs/guide/getting-started.md writes a first one"}
	}
	if config.Fatal(faults) {
		return nil, &HintError{
			Err:  fmt.Errorf("%s cannot be used as it is", file),
			Hint: "every fault stands above with its line; vecgate check -c " + file + " reads it again without serving",
		}
	}
	return c, nil
}

func newLog(env *Env, l config.Log) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(l.Level)) // checked when the configuration was read
	o := &slog.HandlerOptions{Level: level}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(env.Stderr, o))
	}
	return slog.New(slog.NewTextHandler(env.Stderr, o))
}
