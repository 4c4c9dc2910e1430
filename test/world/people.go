package world

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/vecgate/vecgate/internal/identity/devidp"
)

// The identity providers of this world.
const (
	Corp = "corp" // people
	CI   = "ci"   // jobs
)

// People are those who can sign in at Corp, and the jobs that can at CI.
func People() *devidp.Config {
	person := func(sub, name string, groups ...string) devidp.User {
		return devidp.User{Sub: sub, Name: name, Email: sub + "@example.com", Groups: groups}
	}
	job := func(id, job string) devidp.Client {
		return devidp.Client{ID: id, Secret: id + "-secret", Sub: "service-account:recommender", Claims: map[string]any{
			"repository_owner_id": "1001", "repository_id": "2002", "repository": "acme/recommender", "job": job, "run_id": "${counter}",
		}}
	}
	loopback := []string{"http://127.0.0.1/callback"}
	return &devidp.Config{Issuers: map[string]devidp.Issuer{
		Corp: {
			Users: []devidp.User{
				person("sam", "Sam Scientist", "Vector-Read"),
				person("olga", "Olga Operations", "Vector-Write"),
				person("arno", "Arno Approver", "Vector-Approve"),
				person("anna", "Anna Approver", "Vector-Approve"),
				person("ray", "Ray Researcher", "Vector-Read", "Vector-Research"),
				person("pia", "Pia Privacy", "Vector-Read", "Privacy"),
				person("aud", "Audrey Auditor", "Auditors"),
				person("ops", "Oscar Operator", "Operators"),
				person("tess", "Tess Everything", "Everything"),
			},
			Clients: []devidp.Client{
				{ID: "vecgate-cli", Redirects: loopback},
				{ID: "vecgate-console", Redirects: []string{"http://127.0.0.1/signin/callback", "http://localhost/signin/callback"}},
			},
			Lifetime: devidp.Duration(2 * time.Hour),
		},
		CI: {Clients: []devidp.Client{job("nightly", "nightly"), job("retrain", "retrain")}},
	}}
}

// SignIn returns the ID token of one of the People, or the access token of one of the jobs of CI.
func SignIn(ctx context.Context, issuer, who string) (string, error) {
	if raw, err := token(ctx, issuer+"/dev/token", "id_token", url.Values{"user": {who}, "client_id": {"vecgate-cli"}}); err == nil {
		return raw, nil
	}
	raw, err := token(ctx, issuer+"/token", "access_token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {who}, "client_secret": {who + "-secret"},
	})
	if err != nil {
		return "", fmt.Errorf("sign in as %s: %w", who, err)
	}
	return raw, nil
}

func token(ctx context.Context, address, field string, form url.Values) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&answer); err != nil {
		return "", err
	}
	raw, _ := answer[field].(string)
	if raw == "" {
		return "", fmt.Errorf("%s: %v", resp.Status, answer["error_description"])
	}
	return raw, nil
}
