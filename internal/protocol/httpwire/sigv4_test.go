package httpwire

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/vault"
)

// TestSignaturesAreThoseThatAmazonPublishes goes by the test suite of Signature Version 4 and by the example of its documentation.
func TestSignaturesAreThoseThatAmazonPublishes(t *testing.T) {
	const id, secret, at = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830T123600Z"
	empty := sha256.Sum256(nil)
	suite := map[string]string{"host": "example.amazonaws.com", "x-amz-date": at}
	for _, x := range []struct {
		name, method, uri, service string
		signed                     map[string]string
		want                       string
	}{
		{"get-vanilla", "GET", "/", "service", suite, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"post-vanilla", "POST", "/", "service", suite, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		{"get-vanilla-query-order-key-case", "GET", "/?Param2=value2&Param1=value1", "service", suite, "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		{
			"the documentation's", "GET", "/?Action=ListUsers&Version=2010-05-08", "iam",
			map[string]string{"host": "iam.amazonaws.com", "x-amz-date": at, "content-type": "application/x-www-form-urlencoded; charset=utf-8"},
			"5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
		},
	} {
		u, err := url.Parse(x.uri)
		if err != nil {
			t.Fatal(err)
		}
		s := &Signing{Region: "us-east-1", Service: x.service}
		got := s.authorization(x.method, u, x.signed, hex.EncodeToString(empty[:]), id, secret, at)
		if !strings.HasSuffix(got, "Signature="+x.want) || !strings.Contains(got, "Credential="+id+"/20150830/us-east-1/"+x.service+"/aws4_request") {
			t.Errorf("%s: %s, want %s", x.name, got, x.want)
		}
	}
}

func TestARequestIsSignedAsItIsSent(t *testing.T) {
	tt := &target{Target: Target{Address: "search.example.com:443", Shows: SigV4, Signing: Signing{Region: "eu-west-1", Service: "es"}}, now: func() time.Time { return time.Unix(0, 0) }}
	send := func(path, body string) *http.Request {
		r, err := tt.request(t.Context(), "POST", path, "refresh=true", []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if err := tt.show(r, vault.Credential{User: "AKID", Secret: vault.NewSecret("hush")}); err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := send("/a/_doc/x:1", `{"n":1}`)
	sum := sha256.Sum256([]byte(`{"n":1}`))
	if r.Header.Get("X-Amz-Content-Sha256") != hex.EncodeToString(sum[:]) || r.Header.Get("X-Amz-Date") != "19700101T000000Z" {
		t.Errorf("%v", r.Header)
	}
	if text, err := io.ReadAll(r.Body); err != nil || string(text) != `{"n":1}` {
		t.Errorf("what is sent is %q, %v", text, err)
	}
	signature := r.Header.Get("Authorization")
	if !strings.HasPrefix(signature, "AWS4-HMAC-SHA256 Credential=AKID/19700101/eu-west-1/es/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=") || strings.Contains(signature, "hush") {
		t.Errorf("%s", signature)
	}
	if other := send("/a/_doc/x:2", `{"n":1}`).Header.Get("Authorization"); other == signature {
		t.Error("another path has the same signature")
	}
	if other := send("/a/_doc/x:1", `{"n":2}`).Header.Get("Authorization"); other == signature {
		t.Error("another document has the same signature")
	}
	if got := escaped("/a b/ü%3A:~", "/"); got != "/a%20b/%C3%BC%253A%3A~" {
		t.Errorf("encoded as %s", got)
	}
}
