package httpwire

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Signing says for which service of Amazon's, and where, requests are signed.
type Signing struct {
	Region  string
	Service string // es for OpenSearch Service, aoss for OpenSearch Serverless
}

// sign puts Amazon's Signature Version 4 into a request that is complete; id and secret are an access key.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func (s *Signing) sign(r *http.Request, id, secret string, now time.Time) error {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return err
		}
		_ = r.Body.Close()
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	payload := sha256.Sum256(body)
	digest, at := hex.EncodeToString(payload[:]), now.UTC().Format("20060102T150405Z")
	r.Header.Set("X-Amz-Date", at)
	r.Header.Set("X-Amz-Content-Sha256", digest)
	signed := map[string]string{"host": r.Host, "x-amz-date": at, "x-amz-content-sha256": digest}
	r.Header.Set("Authorization", s.authorization(r.Method, r.URL, signed, digest, id, secret, at))
	return nil
}

// authorization is the header that says who signed what. The path is encoded once more than it is sent.
func (s *Signing) authorization(method string, u *url.URL, signed map[string]string, digest, id, secret, at string) string {
	var headers strings.Builder
	names := slices.Sorted(maps.Keys(signed))
	for _, name := range names {
		headers.WriteString(name + ":" + strings.TrimSpace(signed[name]) + "\n")
	}
	list := strings.Join(names, ";")
	canonical := strings.Join([]string{method, escaped(u.EscapedPath(), "/"), canonicalQuery(u.Query()), headers.String(), list, digest}, "\n")
	scope := strings.Join([]string{at[:8], s.Region, s.Service, "aws4_request"}, "/")
	sum := sha256.Sum256([]byte(canonical))
	text := strings.Join([]string{"AWS4-HMAC-SHA256", at, scope, hex.EncodeToString(sum[:])}, "\n")
	key := []byte("AWS4" + secret)
	for _, part := range []string{at[:8], s.Region, s.Service, "aws4_request", text} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return "AWS4-HMAC-SHA256 Credential=" + id + "/" + scope + ", SignedHeaders=" + list + ", Signature=" + hex.EncodeToString(key)
}

func canonicalQuery(query url.Values) string {
	var pairs []string
	for name, values := range query {
		for _, v := range values {
			pairs = append(pairs, escaped(name, "")+"="+escaped(v, ""))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// escaped encodes every byte but letters, digits, -._~ and those of keep.
func escaped(s, keep string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("-._~"+keep, c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	return b.String()
}
