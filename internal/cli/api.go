package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/admin"
)

// api calls the API of a gateway.
type api struct {
	url    string
	token  string
	client *http.Client
}

// maxAnswer bounds an answer that is read as a whole.
const maxAnswer = 64 << 20

// api signs in for a command: with VECGATE_TOKEN when it is set, else as every command does.
func (r *remote) api(ctx context.Context, env *Env) (*api, error) {
	if token := strings.TrimSpace(env.Getenv("VECGATE_TOKEN")); token != "" {
		g, err := r.gateway(env)
		if err != nil {
			return nil, err
		}
		return &api{g.URL, token, g.HTTP}, nil
	}
	g, token, err := r.bearer(ctx, env)
	if err != nil {
		return nil, err
	}
	return &api{g.URL, token, g.HTTP}, nil
}

// get asks for something and reads the answer into out.
func (a *api) get(ctx context.Context, path string, q url.Values, out any) error {
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	return a.call(ctx, http.MethodGet, path, nil, out)
}

func (a *api) call(ctx context.Context, method, path string, in, out any) error {
	res, err := a.send(ctx, a.client, method, path, in)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read answer of %s: %w", a.url, err)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("read answer of %s: %w", a.url, err)
	}
	return nil
}

// stream calls line for every line of an answer that may be long.
func (a *api) stream(ctx context.Context, path string, line func(*json.Decoder) error) error {
	client := *a.client
	client.Timeout = 0 // ctx ends it
	res, err := a.send(ctx, &client, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	for d := json.NewDecoder(res.Body); d.More(); {
		if err := line(d); err != nil {
			return fmt.Errorf("read answer of %s: %w", a.url, err)
		}
	}
	return nil
}

// send returns an answer that says yes; what says no becomes an error in the gateway's words.
func (a *api) send(ctx context.Context, client *http.Client, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.url+admin.Prefix+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, &HintError{Err: err, Hint: "is the gateway running, and is its console listening at " + a.url + "?"}
	}
	if res.StatusCode < 300 {
		return res, nil
	}
	defer res.Body.Close()
	return nil, a.no(res)
}

func (a *api) no(res *http.Response) error {
	var answer struct {
		Error admin.Fault `json:"error"`
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil || json.Unmarshal(body, &answer) != nil || answer.Error.Message == "" {
		return &HintError{Err: fmt.Errorf("%s answered %s", a.url, res.Status), Hint: "is that the address of a vecgate console?"}
	}
	f := answer.Error
	if f.Code == admin.CodeNotFound && f.Message == errNoSuch.Error() {
		return &HintError{Err: errNoSuch}
	}
	hint := f.Hint
	if hint == "" && (f.Code == access.CodeIdentity || f.Code == access.CodeExpired) {
		hint = "vecgate login"
	}
	return &HintError{Err: errors.New(visible(f.Message)), Hint: visible(hint)}
}

// listing are the flags of a command that lists.
type listing struct {
	limit int
	json  bool
}

func (l *listing) flags(c *cobra.Command) {
	c.Flags().IntVarP(&l.limit, "limit", "n", 50, "how many at most")
	c.Flags().BoolVar(&l.json, "json", false, "print JSON")
}

func (l *listing) query() url.Values {
	return url.Values{"limit": {fmt.Sprint(l.limit)}}
}
