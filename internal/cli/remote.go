package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vecgate/vecgate/internal/identity/jwt"
	"github.com/vecgate/vecgate/internal/identity/login"
)

// remote is a gateway elsewhere and the credential to show it: what every command that calls a gateway needs.
type remote struct {
	address string
	idToken string
	ca      string
}

// flags adds the flags that all those commands share.
func (r *remote) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.address, "gateway", "", "URL of the gateway (default: $VECGATE_GATEWAY, else that of the last login)")
	cmd.Flags().StringVar(&r.idToken, "id-token", "", "file with a token of an identity provider, - for standard input (default: $VECGATE_ID_TOKEN or the file $VECGATE_ID_TOKEN_FILE, else the last login)")
	cmd.Flags().StringVar(&r.ca, "ca", "", "file with certificates to trust for the gateway besides the system's (default: $VECGATE_CA)")
}

// gateway returns the gateway to call.
func (r *remote) gateway(env *Env) (*login.Gateway, error) {
	address := firstNonEmpty(r.address, env.Getenv("VECGATE_GATEWAY"), signIns(env).Current())
	if address == "" {
		return nil, &HintError{Err: errors.New("no gateway is named"), Hint: "vecgate login --gateway URL, or set VECGATE_GATEWAY"}
	}
	client, err := r.client(env)
	if err != nil {
		return nil, err
	}
	return login.NewGateway(address, client)
}

// client trusts the system's certificates and those of --ca.
func (r *remote) client(env *Env) (*http.Client, error) {
	client := &http.Client{Timeout: 30 * time.Second}
	path := firstNonEmpty(r.ca, env.Getenv("VECGATE_CA"))
	if path == "" {
		return client, nil
	}
	body, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read certificates: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(body) {
		return nil, fmt.Errorf("%s holds no certificate", path)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	client.Transport = transport
	return client, nil
}

// token returns the credential to show the gateway: given by flag, by environment, or kept by the last login.
func (r *remote) token(env *Env, g *login.Gateway) (string, error) {
	if r.idToken != "" {
		return readToken(env, r.idToken)
	}
	if raw := strings.TrimSpace(env.Getenv("VECGATE_ID_TOKEN")); raw != "" {
		return raw, nil
	}
	// A file is how Kubernetes and others hand over tokens that they renew.
	if path := env.Getenv("VECGATE_ID_TOKEN_FILE"); path != "" {
		return readToken(env, path)
	}
	kept, err := signIns(env).Load(g.URL)
	if errors.Is(err, login.ErrNone) {
		return "", &HintError{Err: fmt.Errorf("you are not signed in at %s", g.URL), Hint: "vecgate login --gateway " + g.URL + "; in a CI job, set VECGATE_ID_TOKEN"}
	}
	if err != nil {
		return "", err
	}
	if !env.Now().Before(kept.Expires) {
		return "", &HintError{Err: fmt.Errorf("your sign-in at %s expired at %s", g.URL, kept.Expires.Local().Format(time.DateTime)), Hint: "vecgate login"}
	}
	return kept.Token, nil
}

// connect is gateway and token in one.
func (r *remote) connect(env *Env) (*login.Gateway, string, error) {
	g, err := r.gateway(env)
	if err != nil {
		return nil, "", err
	}
	raw, err := r.token(env, g)
	return g, raw, err
}

// bearer returns a token of the gateway itself, good for a few minutes, for commands that call its API.
func (r *remote) bearer(ctx context.Context, env *Env) (*login.Gateway, string, error) {
	g, raw, err := r.connect(env)
	if err != nil {
		return nil, "", err
	}
	minted, err := g.Exchange(ctx, raw, login.Ask{Lifetime: 5 * time.Minute})
	if err != nil {
		return nil, "", err
	}
	return g, minted.Token, nil
}

func readToken(env *Env, path string) (string, error) {
	in := env.Stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", fmt.Errorf("read token: %w", err)
		}
		defer f.Close()
		in = f
	}
	body, err := io.ReadAll(io.LimitReader(in, jwt.MaxSize+100))
	if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	raw := strings.TrimSpace(string(body))
	if raw == "" || len(raw) > jwt.MaxSize {
		return "", fmt.Errorf("read token: %s holds nothing, or more than a token", path)
	}
	return raw, nil
}

// signIns is where sign-ins are kept.
func signIns(env *Env) login.Cache {
	base := env.Getenv("XDG_CONFIG_HOME")
	if base == "" {
		base = filepath.Join(env.Home, ".config")
	}
	return login.Cache{Dir: filepath.Join(base, "vecgate")}
}

func firstNonEmpty(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}

// unreached says what to look at when a gateway could not be reached.
func unreached(err error) error {
	failed, ok := errors.AsType[*url.Error](err)
	if _, hinted := errors.AsType[*HintError](err); !ok || hinted {
		return err
	}
	at, parsed := url.Parse(failed.URL)
	if parsed != nil {
		return err
	}
	return &HintError{Err: err, Hint: "does it listen at " + at.Scheme + "://" + at.Host + "? A gateway is named by the address of its console (gateway.url), with --gateway or VECGATE_GATEWAY"}
}
