package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/vecgate/vecgate/internal/identity/devidp"
)

func newDevCommand(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Tools for development, not for production",
	}
	cmd.AddCommand(newDevIDPCommand(env), newDevTokenCommand(env))
	return cmd
}

func newDevIDPCommand(env *Env) *cobra.Command {
	var users, address string
	var quiet bool
	cmd := &cobra.Command{
		Use:   "idp",
		Short: "Run an OpenID provider that asks nobody for a password",
		Long: `Run an OpenID provider for development: discovery, authorization code with PKCE, device flow and client credentials, for
the users and clients of a YAML file. It asks nobody for a password and listens on loopback only.`,
		Example: "  vecgate dev idp --users users.yaml --address 127.0.0.1:5556",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := devidp.Load(users)
			if err != nil {
				return err
			}
			log := slog.New(slog.NewTextHandler(env.Stderr, nil))
			if quiet {
				log = slog.New(slog.DiscardHandler)
			}
			s, err := devidp.Start(config, address, devidp.Options{Log: log, Now: env.Now})
			if err != nil {
				return err
			}
			fmt.Fprintln(env.Stderr, "DEVELOPMENT ONLY: this identity provider asks nobody for a password.")
			for _, name := range slices.Sorted(maps.Keys(config.Issuers)) {
				fmt.Fprintf(env.Stdout, "issuer %s\n", s.Issuer(name))
			}
			return s.Wait(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&users, "users", "", "YAML file with users and clients")
	cmd.Flags().StringVar(&address, "address", "127.0.0.1:5556", "loopback address to listen on")
	cmd.Flags().BoolVar(&quiet, "quiet", false, "log nothing")
	_ = cmd.MarkFlagRequired("users")
	return cmd
}

func newDevTokenCommand(env *Env) *cobra.Command {
	var issuer, user, client, secret, audience string
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Print a token of vecgate dev idp, for scripts",
		Long: `Print an ID token of a user, or an access token of a client with a secret, from a running vecgate dev idp. It stands in
for a person at a browser, or for a CI system that hands its job a token.`,
		Example: `  VECGATE_ID_TOKEN=$(vecgate dev token --issuer http://127.0.0.1:5556/corp --user alice) vecgate token
  vecgate dev token --issuer http://127.0.0.1:5556/ci --client train --secret s1`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, field, form := "/dev/token", "id_token", url.Values{"user": {user}, "client_id": {client}}
			if user == "" {
				path, field, form = "/token", "access_token", url.Values{"grant_type": {"client_credentials"}, "client_id": {client}, "client_secret": {secret}}
			}
			if audience != "" {
				form.Set("audience", audience)
			}
			httpClient := &http.Client{Timeout: 10 * time.Second}
			response, err := httpClient.PostForm(issuer+path, form)
			if err != nil {
				return err
			}
			defer response.Body.Close()
			var answer map[string]any
			if err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&answer); err != nil {
				return fmt.Errorf("%s is no vecgate dev idp: %w", issuer, err)
			}
			raw, _ := answer[field].(string)
			if raw == "" {
				return fmt.Errorf("%s answered: %v", issuer, answer["error_description"])
			}
			_, err = fmt.Fprintln(env.Stdout, raw)
			return err
		},
	}
	cmd.Flags().StringVar(&issuer, "issuer", "http://127.0.0.1:5556", "issuer, as vecgate dev idp printed it")
	cmd.Flags().StringVar(&user, "user", "", "sub of the user")
	cmd.Flags().StringVar(&client, "client", "vecgate-cli", "id of the client")
	cmd.Flags().StringVar(&secret, "secret", "", "secret of the client, for a token of its own")
	cmd.Flags().StringVar(&audience, "audience", "", "audience of the access token (default: as the provider says)")
	return cmd
}
