package cli

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vecgate/vecgate/internal/identity/jwt"
	"github.com/vecgate/vecgate/internal/identity/login"
)

func newTokenRevokeCommand(env *Env) *cobra.Command {
	var where remote
	var reason string
	cmd := &cobra.Command{
		Use:   "revoke [CREDENTIAL]",
		Short: "End a token or a secret of the gateway before its time",
		Long: `End a token or a secret of the gateway before its time, with what was made of it and the sessions that it opened.

Without an argument, read from standard input what vecgate token printed: a token, or the name and the password of a secret.
Whoever holds one may end it.

With an argument, end the credential of that name: vg_… for a secret, vg:… for a token, as the audit log has it. That takes an
operator and a reason. A token of an identity provider cannot be ended here: suspend its subject.`,
		Example: `  vecgate token revoke <secret.txt
  vecgate token revoke vg_k7m2p9q4x5z8w3nd --reason "found in a build log"`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				held, err := readMinted(env.Stdin)
				if err != nil {
					return err
				}
				g, err := where.gateway(env)
				if err != nil {
					return err
				}
				if err := g.Revoke(cmd.Context(), held); err != nil {
					return err
				}
				_, err = fmt.Fprintln(env.Stderr, "what was given opens nothing any more")
				return err
			}
			if reason == "" {
				return &HintError{Err: errors.New("ending a credential of somebody else needs a reason"), Hint: "say why, for the record: --reason '…'"}
			}
			a, err := where.api(cmd.Context(), env)
			if err != nil {
				return err
			}
			body := map[string]string{"credential": args[0], "reason": reason}
			if res, err := a.send(cmd.Context(), a.client, http.MethodPost, "/credentials/end", body); err != nil {
				return err
			} else if err := res.Body.Close(); err != nil {
				return err
			}
			_, err = fmt.Fprintf(env.Stderr, "%s opens nothing any more\n", visible(args[0]))
			return err
		},
	}
	where.flags(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the record")
	return cmd
}

// readMinted reads what vecgate token printed.
func readMinted(in io.Reader) (login.Minted, error) {
	body, err := io.ReadAll(io.LimitReader(in, jwt.MaxSize+1000))
	if err != nil {
		return login.Minted{}, fmt.Errorf("read what to revoke: %w", err)
	}
	switch words := strings.Fields(string(body)); len(words) {
	case 1:
		return login.Minted{Token: words[0]}, nil
	case 2:
		return login.Minted{Username: words[0], Token: words[1]}, nil
	}
	return login.Minted{}, &HintError{
		Err:  errors.New("standard input holds neither a token nor a name and a password"),
		Hint: "give what vecgate token printed: vecgate token revoke <FILE; operators can name the credential instead",
	}
}
