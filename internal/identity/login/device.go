package login

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/vecgate/vecgate/internal/identity/oidc"
)

// Prompt is what a person needs to sign in on another device.
type Prompt struct {
	URL      string `json:"verification_uri"`
	Complete string `json:"verification_uri_complete"` // with the code in it; may be empty
	Code     string `json:"user_code"`
}

// Device signs a person in by the device flow (RFC 8628): show tells them where to go, and the provider is asked until
// they have answered.
func (c *Client) Device(ctx context.Context, show func(Prompt)) (*Tokens, error) {
	m, err := oidc.Discover(ctx, c.HTTP, c.Issuer)
	if err != nil {
		return nil, err
	}
	if m.DeviceAuthorization == "" || m.Token == "" {
		return nil, fmt.Errorf("%s has no device flow", c.Issuer)
	}
	form := url.Values{"client_id": {c.ClientID}, "scope": {c.Scope}}
	if c.Secret != "" {
		form.Set("client_secret", c.Secret)
	}
	var begun struct {
		Prompt
		answer
		Device   string `json:"device_code"`
		Expires  int    `json:"expires_in"`
		Interval int    `json:"interval"`
	}
	status, err := post(ctx, c.HTTP, m.DeviceAuthorization, form, &begun)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK || begun.Device == "" || begun.Code == "" {
		return nil, fmt.Errorf("%s answered: %s", c.Issuer, describe(begun.Error, begun.Description))
	}
	prompt := Prompt{URL: short(begun.URL), Complete: short(begun.Complete), Code: short(begun.Code)}
	show(prompt)
	if begun.Interval <= 0 {
		begun.Interval = 5
	}
	if begun.Expires <= 0 || begun.Expires > 3600 {
		begun.Expires = 600
	}
	ctx, cancel := context.WithTimeoutCause(ctx, time.Duration(begun.Expires)*time.Second, fmt.Errorf("nobody answered in time"))
	defer cancel()
	for wait := time.Duration(min(begun.Interval, 60)) * time.Second; ; {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, fmt.Errorf("sign-in was not finished: %w", context.Cause(ctx))
		}
		a, code, err := c.redeem(ctx, m.Token, url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {begun.Device},
		})
		switch {
		case err == nil:
			return c.check(a, "")
		case code == "authorization_pending":
		case code == "slow_down":
			wait += 5 * time.Second
		default:
			return nil, err
		}
	}
}
