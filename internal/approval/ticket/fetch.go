package ticket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
)

var errRedirect = errors.New("it redirects, which is not followed")

// newClient returns a client that follows nobody anywhere: the credential goes to the configured address only.
func newClient(t http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect },
	}
}

// placeholder stands for the ticket's name, or for what a group of the pattern fits.
var placeholder = regexp.MustCompile(`\{(?:ticket|[1-9])\}`)

// fill puts a name into an address, as one segment or one value of the query: it adds no segment and no parameter.
func fill(address, ticket string, groups []string) string {
	path, query, isQuery := strings.Cut(address, "?")
	one := func(escape func(string) string) func(string) string {
		return func(m string) string {
			if m == "{ticket}" {
				return escape(ticket)
			}
			if n := int(m[1] - '0'); n < len(groups) {
				return escape(groups[n])
			}
			return ""
		}
	}
	path = placeholder.ReplaceAllStringFunc(path, one(url.PathEscape))
	if !isQuery {
		return path
	}
	return path + "?" + placeholder.ReplaceAllStringFunc(query, one(url.QueryEscape))
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// fetch gets one document of the system.
func (s *system) fetch(ctx context.Context, address, accept string) (any, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", s.Name, err)
	}
	request.Header.Set("Accept", accept)
	request.Header.Set("User-Agent", "vecgate")
	secret := ""
	if s.Credential != nil {
		var user string
		if user, secret, err = s.Credential(); err != nil {
			return nil, &access.Refusal{Message: fmt.Sprintf("the gateway has no credential for %s", s.Name), Hint: operator, Err: err}
		}
		switch {
		case secret == "":
		case s.Header != "":
			request.Header.Set(s.Header, secret)
		case user != "":
			request.SetBasicAuth(user, secret)
		default:
			request.Header.Set("Authorization", "Bearer "+secret)
		}
	}
	response, err := s.client.Do(request)
	if err != nil {
		var of *url.Error
		if errors.As(err, &of) {
			err = of.Err // without the address, which may say more than people should see
		}
		if errors.Is(err, errRedirect) {
			return nil, &access.Refusal{Message: fmt.Sprintf("%s redirects the gateway, which it does not follow", s.Name), Hint: operator, Err: err}
		}
		return nil, fmt.Errorf("ask %s: %w", s.Name, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("read what %s says: %w", s.Name, err)
	}
	if err := s.status(response.StatusCode); err != nil {
		return nil, err
	}
	if len(body) > maxDocument {
		return nil, &access.Refusal{Message: fmt.Sprintf("what %s says of it is longer than %d bytes", s.Name, maxDocument), Hint: operator}
	}
	if len(secret) >= 8 && bytes.Contains(body, []byte(secret)) {
		return nil, &access.Refusal{Message: fmt.Sprintf("%s repeats the gateway's credential in its answer", s.Name), Hint: operator}
	}
	document, err := readDocument(body)
	if err != nil {
		return nil, &access.Refusal{Message: fmt.Sprintf("what %s says of it cannot be read", s.Name), Hint: operator, Err: err}
	}
	return document, nil
}

const operator = "tell the operator of the gateway; its log has the details"

// status says what a status other than 200 means for the subject.
func (s *system) status(code int) error {
	said := errors.New("status " + strconv.Itoa(code))
	switch {
	case code == http.StatusOK:
		return nil
	case code == http.StatusNotFound || code == http.StatusGone:
		return &access.Refusal{Message: fmt.Sprintf("%s has no such ticket, or does not show it to the gateway", s.Name), Hint: "attach a ticket that is there"}
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return &access.Refusal{Message: fmt.Sprintf("%s does not let the gateway in", s.Name), Hint: operator, Err: said}
	case code == http.StatusTooManyRequests || code >= 500:
		return &access.Refusal{Message: fmt.Sprintf("%s cannot answer now", s.Name), Hint: askAgain, Err: said}
	}
	return &access.Refusal{Message: fmt.Sprintf("%s does not take the question", s.Name), Hint: operator, Err: said}
}
