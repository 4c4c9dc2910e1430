package qdrant

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/vault"
)

// Mint makes a vault.Narrow of a server's API key: what is shown instead of the key is a token, signed with it, that may do
// what one request was judged by and nothing else, for lifetime (https://qdrant.tech/documentation/guides/security/,
// "Granular access control with JWT"). The server must run with jwt_rbac. A mistake in how a request was read can then not
// reach another collection, nor write where only reading was judged.
//
// A token is made for every request and none is kept: signing one takes microseconds, less than it takes to look after
// tokens that expire, and a key that was replaced is not used again.
func Mint(now func() time.Time) vault.Narrow {
	return func(c vault.Credential, subject string, accesses []access.Access) (vault.Credential, error) {
		if c.Secret.Empty() {
			return c, nil
		}
		may, err := grantOf(accesses)
		if err != nil {
			return vault.Credential{}, err
		}
		token, err := signed(claims{Expires: now().Add(lifetime).Unix(), Access: may, Subject: subject}, c.Secret.Reveal())
		if err != nil {
			return vault.Credential{}, fmt.Errorf("mint a token for %s: %w", c.Name, err)
		}
		c.Secret = vault.NewSecret(token)
		return c, nil
	}
}

// lifetime must outlast the way to the server only: a token is checked when the request comes in. Servers forgive a clock
// that is half a minute off.
const lifetime = time.Minute

// claims are those that Qdrant knows. It has full access where access is missing, so that is never left out.
type claims struct {
	Expires int64  `json:"exp"`
	Access  any    `json:"access"`
	Subject string `json:"subject,omitempty"` // for Qdrant's own audit log
}

// grant is what a token lets do on one collection.
type grant struct {
	Collection string `json:"collection"`
	Access     string `json:"access"`
}

// The claims of access: globally r or m, on a collection r or rw.
const (
	mayRead   = "r"
	mayWrite  = "rw"
	mayManage = "m"
)

// mostGranted is how many collections one request may be about; a token is a header, and servers bound those.
const mostGranted = 64

// needs is what Qdrant asks for each action, of those that its operations are; whatever is not in it needs mayManage.
var needs = map[access.Action]string{
	access.Search: mayRead, access.Fetch: mayRead, access.Scroll: mayRead, access.Count: mayRead, access.Aggregate: mayRead,
	access.SchemaList: mayRead, access.SchemaRead: mayRead, access.AliasRead: mayRead, access.SnapshotList: mayRead,
	access.ClusterRead: mayRead, access.MetaMetrics: mayRead,
	access.Upsert: mayWrite, access.Update: mayWrite, access.UpdateVectors: mayWrite,
	access.Delete: mayWrite, access.DeleteByFilter: mayWrite, access.DeleteAll: mayWrite,
	access.IndexCreate: mayWrite, access.IndexDrop: mayWrite, access.SnapshotCreate: mayWrite, access.SnapshotDelete: mayWrite,
	access.SnapshotDownload: mayWrite, // streaming one makes it first
}

// grantOf is the least access with which the server does what was judged: lists of collections where every access is of
// one, and global otherwise.
func grantOf(accesses []access.Access) (any, error) {
	on, global := map[string]string{}, ""
	for i := range accesses {
		need, at := needs[accesses[i].Action], accesses[i].Resource.Collection
		switch {
		case need == "", at == "" && need == mayWrite:
			return mayManage, nil
		case at == "":
			global = mayRead
		case on[at] != mayWrite:
			on[at] = need
		}
	}
	if global != "" {
		for _, need := range on {
			if need == mayWrite {
				return mayManage, nil
			}
		}
		return global, nil
	}
	if len(on) > mostGranted {
		return nil, &access.Refusal{
			Code: access.CodeLimit, Message: fmt.Sprintf("a request may be about %d collections at most, and this one is about %d", mostGranted, len(on)),
			Hint: "ask for them in several requests",
		}
	}
	list := make([]grant, 0, len(on))
	for _, name := range slices.Sorted(maps.Keys(on)) {
		list = append(list, grant{name, on[name]})
	}
	return list, nil
}

// signed is a JSON Web Token (RFC 7519) with HMAC-SHA256, the one algorithm that Qdrant takes.
func signed(c claims, key string) (string, error) {
	body, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	encode := base64.RawURLEncoding.EncodeToString
	token := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode(body)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(token))
	return token + "." + encode(mac.Sum(nil)), nil
}
