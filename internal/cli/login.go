package cli

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/identity/login"
)

func newLoginCommand(env *Env) *cobra.Command {
	var (
		where     remote
		device    bool
		noBrowser bool
		provider  string
		timeout   time.Duration
	)
	cmd := &cobra.Command{
		Use:   "login",
		Short: "Sign in at a gateway, with a browser",
		Long: `Sign in at a gateway through the identity provider that it names, with a browser on this machine (authorization code
with PKCE) or, with --device, with a browser anywhere. The sign-in is kept in a file that only you can read until it
expires; vecgate logout forgets it.`,
		Example: "  vecgate login --gateway https://vecgate.example.com\n  vecgate login --device",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeoutCause(cmd.Context(), timeout, fmt.Errorf("nobody answered within %s", timeout))
			defer cancel()
			g, err := where.gateway(env)
			if err != nil {
				return err
			}
			card, err := g.Card(ctx)
			if err != nil {
				return err
			}
			p, err := chooseProvider(card, provider)
			if err != nil {
				return err
			}
			client := &login.Client{Issuer: p.Issuer, ClientID: p.ClientID, Scope: p.Scope, HTTP: g.HTTP, Now: env.Now}
			tokens, err := signIn(ctx, env, client, device, noBrowser)
			if err != nil {
				return err
			}
			who, err := g.Whoami(ctx, tokens.ID)
			if err != nil {
				return &HintError{Err: fmt.Errorf("%s knows you, but the gateway does not take its word: %w", p.Name, err), Hint: "ask an operator of the gateway"}
			}
			kept := &login.Kept{Gateway: g.URL, Provider: p.Name, Token: tokens.ID, Expires: tokens.Expires}
			if err := signIns(env).Save(kept); err != nil {
				return err
			}
			fmt.Fprintf(env.Stderr, "Signed in at %s as %s (%s) until %s.\n", g.URL, who.Display, who.ID, tokens.Expires.Local().Format(time.DateTime))
			return nil
		},
	}
	where.flags(cmd)
	_ = cmd.Flags().MarkHidden("id-token") // a login makes one
	cmd.Flags().BoolVar(&device, "device", false, "sign in with a browser on another device")
	cmd.Flags().BoolVar(&noBrowser, "no-browser", false, "print the address and open no browser")
	cmd.Flags().StringVar(&provider, "provider", "", "name of the identity provider (default: the gateway's only one for people)")
	cmd.Flags().DurationVar(&timeout, "timeout", 5*time.Minute, "how long to wait for you")
	return cmd
}

func newLogoutCommand(env *Env) *cobra.Command {
	var where remote
	cmd := &cobra.Command{
		Use:   "logout",
		Short: "Forget the sign-in at a gateway",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			g, err := where.gateway(env)
			if err != nil {
				return err
			}
			err = signIns(env).Delete(g.URL)
			if errors.Is(err, login.ErrNone) {
				fmt.Fprintf(env.Stderr, "You were not signed in at %s.\n", g.URL)
				return nil
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(env.Stderr, "Signed out at %s.\n", g.URL)
			return nil
		},
	}
	where.flags(cmd)
	_ = cmd.Flags().MarkHidden("id-token")
	return cmd
}

func chooseProvider(card *login.Card, name string) (login.Provider, error) {
	var usable []login.Provider
	var names []string
	for _, p := range card.Providers {
		if p.Kind == access.Person && p.ClientID != "" {
			usable = append(usable, p)
			names = append(names, p.Name)
			if p.Name == name {
				return p, nil
			}
		}
	}
	switch {
	case len(usable) == 0:
		return login.Provider{}, &HintError{Err: fmt.Errorf("the gateway names no identity provider that people can sign in with"), Hint: "the operator sets client_id of a provider of kind person"}
	case name != "":
		return login.Provider{}, &HintError{Err: fmt.Errorf("the gateway has no provider %q", name), Hint: "its providers are: " + strings.Join(names, ", ")}
	case len(usable) > 1:
		return login.Provider{}, &HintError{Err: fmt.Errorf("the gateway has several identity providers"), Hint: "choose with --provider: " + strings.Join(names, ", ")}
	}
	return usable[0], nil
}

func signIn(ctx context.Context, env *Env, client *login.Client, device, noBrowser bool) (*login.Tokens, error) {
	if device {
		return client.Device(ctx, func(p login.Prompt) {
			fmt.Fprintf(env.Stderr, "On any device, open\n\n  %s\n\nand enter the code %s\n", p.URL, p.Code)
			if p.Complete != "" {
				fmt.Fprintf(env.Stderr, "\nor open this, and compare the code:\n\n  %s\n", p.Complete)
			}
			fmt.Fprintln(env.Stderr, "\nWaiting for you …")
		})
	}
	return client.Browser(ctx, func(address string) {
		if !noBrowser && openBrowser(env, address) == nil {
			fmt.Fprintf(env.Stderr, "Your browser should show the sign-in at %s. If it does not, open\n\n  %s\n\n", client.Issuer, address)
			return
		}
		fmt.Fprintf(env.Stderr, "Open this address in a browser on this machine to sign in:\n\n  %s\n\n", address)
	})
}

// openBrowser starts $BROWSER or the system's. The address is no secret: what it leads to needs this process.
func openBrowser(env *Env, address string) error {
	command := env.Getenv("BROWSER")
	args := []string{address}
	if command == "" {
		switch runtime.GOOS {
		case "darwin":
			command = "open"
		case "windows":
			command, args = "rundll32", []string{"url.dll,FileProtocolHandler", address}
		default:
			if env.Getenv("DISPLAY") == "" && env.Getenv("WAYLAND_DISPLAY") == "" {
				return errors.New("no display")
			}
			command = "xdg-open"
		}
	}
	c := exec.Command(command, args...) // not of a context: people go on using the browser when they have signed in
	if err := c.Start(); err != nil {
		return fmt.Errorf("open browser: %w", err)
	}
	go func() { _ = c.Wait() }()
	return nil
}
