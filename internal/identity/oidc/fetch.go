package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Limits of what a provider may send.
const (
	maxDocument  = 1 << 20
	fetchTimeout = 10 * time.Second
)

// client returns a client that follows redirects on the same host only, and never from https to http: whoever controls
// another host must not be able to publish keys for this issuer.
func client(base *http.Client) *http.Client {
	c := &http.Client{Timeout: fetchTimeout}
	if base != nil {
		*c = *base
	}
	c.Jar = nil
	c.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		if len(via) > 3 {
			return errors.New("more than 3 redirects")
		}
		if next.URL.Host != via[0].URL.Host || next.URL.Scheme != via[0].URL.Scheme {
			return errors.New("redirected to another host")
		}
		return nil
	}
	return c
}

// fetch gets one JSON document.
func fetch(ctx context.Context, c *http.Client, address string, into any) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return fmt.Errorf("%q is not a URL", address)
	}
	if err := checkTransport(u); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("get %s: %w", address, err)
	}
	request.Header.Set("Accept", "application/json")
	response, err := c.Do(request)
	if err != nil {
		return fmt.Errorf("get %s: %w", address, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("get %s: status %d", address, response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxDocument+1))
	if err != nil {
		return fmt.Errorf("get %s: %w", address, err)
	}
	if len(body) > maxDocument {
		return fmt.Errorf("get %s: longer than %d bytes", address, maxDocument)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("get %s: %w", address, err)
	}
	return nil
}
