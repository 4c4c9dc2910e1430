package secret

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"testing"
)

// TestVerifierAgreesWithTheRFC uses the example exchange of RFC 7677 section 3.
func TestVerifierAgreesWithTheRFC(t *testing.T) {
	salt, err := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	if err != nil {
		t.Fatal(err)
	}
	auth := []byte("n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
	v := derive(t, "pencil", salt)
	m := hmac.New(sha256.New, v.ServerKey)
	m.Write(auth)
	if got := base64.StdEncoding.EncodeToString(m.Sum(nil)); got != "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" {
		t.Errorf("server signature %s", got)
	}
	proof, err := base64.StdEncoding.DecodeString("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
	if err != nil {
		t.Fatal(err)
	}
	m = hmac.New(sha256.New, v.StoredKey)
	m.Write(auth)
	for i, b := range m.Sum(nil) {
		proof[i] ^= b
	}
	if got := sha256.Sum256(proof); !bytes.Equal(got[:], v.StoredKey) {
		t.Error("the RFC's client proof does not fit the stored key")
	}
}

func derive(t *testing.T, password string, salt []byte) Verifier {
	t.Helper()
	salted, err := pbkdf2.Key(sha256.New, password, salt, Iterations, sha256.Size)
	if err != nil {
		t.Fatal(err)
	}
	return fromSalted(salted, salt)
}
