package scram

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

// client is the other side, written from RFC 5802.
type client struct{ secret, header, binding, first, said string }

func verifier(t testing.TB, secret string) Verifier {
	salted, err := pbkdf2.Key(sha256.New, secret, []byte("salt and pepper"), 4096, 32)
	if err != nil {
		t.Fatal(err)
	}
	key := sha256.Sum256(digest(salted, "Client Key"))
	return Verifier{[]byte("salt and pepper"), 4096, key[:], digest(salted, "Server Key")}
}

func (c *client) hello() []byte {
	c.first = "n=,r=fyko+d2lbbFgONRv9qkxdawL"
	return []byte(c.header + c.first)
}

func (c *client) final(t testing.TB, serverFirst []byte) []byte {
	nonce, _, _ := strings.Cut(string(serverFirst), ",")
	bare := "c=" + base64.StdEncoding.EncodeToString([]byte(c.header+c.binding)) + "," + nonce
	c.said = c.first + "," + string(serverFirst) + "," + bare
	salted, err := pbkdf2.Key(sha256.New, c.secret, []byte("salt and pepper"), 4096, 32)
	if err != nil {
		t.Fatal(err)
	}
	key := digest(salted, "Client Key")
	stored := sha256.Sum256(key)
	proof := make([]byte, 32)
	subtle.XORBytes(proof, key, digest(stored[:], c.said))
	return []byte(bare + ",p=" + base64.StdEncoding.EncodeToString(proof))
}

func TestTheRightSecretIsTaken(t *testing.T) {
	for _, c := range []struct{ mechanism, header, binding string }{
		{SHA256, "n,,", ""}, {SHA256Plus, "p=tls-server-end-point,,", "the certificate"},
	} {
		s := &Server{Mechanism: c.mechanism, Verifier: verifier(t, "right"), Binding: []byte(c.binding), Offered: c.binding != ""}
		peer := &client{secret: "right", header: c.header, binding: c.binding}
		first, err := s.First(peer.hello())
		if err != nil {
			t.Fatal(err)
		}
		final, err := s.Final(peer.final(t, first))
		if err != nil {
			t.Fatalf("%s: %v", c.mechanism, err)
		}
		if want := "v=" + base64.StdEncoding.EncodeToString(digest(s.Verifier.ServerKey, peer.said)); string(final) != want {
			t.Errorf("%s: %s, want %s", c.mechanism, final, want)
		}
	}
}

func TestTheWrongSecretAndTheWrongChannelAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		mechanism, header, theirs, secret string
		offered                           bool
		want                              error
	}{
		"wrong secret":    {SHA256, "n,,", "", "wrong", false, ErrProof},
		"other channel":   {SHA256Plus, "p=tls-server-end-point,,", "another certificate", "right", true, ErrBinding},
		"downgrade":       {SHA256, "y,,", "", "right", true, ErrBinding},
		"plus, not bound": {SHA256Plus, "n,,", "", "right", true, ErrMalformed},
		"authzid":         {SHA256, "n,a=root,", "", "right", false, ErrMalformed},
		"bound, not plus": {SHA256, "p=tls-server-end-point,,", "the certificate", "right", true, ErrMalformed},
		"other binding":   {SHA256Plus, "p=tls-unique,,", "the certificate", "right", true, ErrMalformed},
	} {
		s := &Server{Mechanism: c.mechanism, Verifier: verifier(t, "right"), Binding: []byte("the certificate"), Offered: c.offered}
		peer := &client{secret: c.secret, header: c.header, binding: c.theirs}
		first, err := s.First(peer.hello())
		if err == nil {
			_, err = s.Final(peer.final(t, first))
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestAReplayedProofIsRefused(t *testing.T) {
	one := &Server{Mechanism: SHA256, Verifier: verifier(t, "right")}
	peer := &client{secret: "right", header: "n,,"}
	first, _ := one.First(peer.hello())
	final := peer.final(t, first)
	two := &Server{Mechanism: SHA256, Verifier: one.Verifier}
	if _, err := two.First(peer.hello()); err != nil {
		t.Fatal(err)
	}
	if _, err := two.Final(final); err == nil {
		t.Error("a proof for another nonce was taken")
	}
}

func FuzzServer(f *testing.F) {
	f.Add([]byte("n,,n=,r=abc"), []byte("c=biws,r=abc,p=AAAA"))
	v := verifier(f, "right")
	f.Fuzz(func(t *testing.T, first, final []byte) {
		s := &Server{Mechanism: SHA256, Verifier: v}
		if _, err := s.First(first); err != nil {
			return
		}
		if _, err := s.Final(final); err == nil {
			t.Error("a made-up proof was taken")
		}
	})
}
