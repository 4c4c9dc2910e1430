package qdrant

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/vault"
)

func doing(a access.Action, collection string) access.Access {
	r := access.Resource{Target: "docs"}
	if collection != "" {
		r = resource("docs", collection)
	}
	return access.Access{Action: a, Resource: r}
}

func TestATokenGrantsTheLeastThatWasJudged(t *testing.T) {
	for _, x := range []struct {
		accesses []access.Access
		want     string
	}{
		{nil, `[]`}, // of health, for instance: it opens nothing
		{[]access.Access{doing(access.Search, "a")}, `[{"collection":"a","access":"r"}]`},
		{[]access.Access{doing(access.Search, "b"), doing(access.Fetch, "a"), doing(access.Fetch, "b")}, `[{"collection":"a","access":"r"},{"collection":"b","access":"r"}]`},
		{[]access.Access{doing(access.Upsert, "a"), doing(access.Fetch, "a")}, `[{"collection":"a","access":"rw"}]`},
		{[]access.Access{doing(access.Fetch, "a"), doing(access.Upsert, "a")}, `[{"collection":"a","access":"rw"}]`},
		{[]access.Access{doing(access.DeleteAll, "a"), doing(access.Fetch, "b")}, `[{"collection":"a","access":"rw"},{"collection":"b","access":"r"}]`},
		{[]access.Access{doing(access.SchemaList, "")}, `"r"`},
		{[]access.Access{doing(access.SchemaList, ""), doing(access.Fetch, "a")}, `"r"`},
		{[]access.Access{doing(access.SchemaList, ""), doing(access.Upsert, "a")}, `"m"`},
		{[]access.Access{doing(access.SnapshotDelete, "")}, `"m"`},
		{[]access.Access{doing(access.SchemaDrop, "a")}, `"m"`},
		{[]access.Access{doing(access.AliasWrite, "a"), doing(access.AliasWrite, "b")}, `"m"`},
		{[]access.Access{doing(access.Unknown, "a")}, `"m"`},
		{[]access.Access{doing("something.new", "a")}, `"m"`},
	} {
		may, err := grantOf(x.accesses)
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(may)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != x.want {
			t.Errorf("for %v it grants %s, want %s", x.accesses, got, x.want)
		}
	}
	var many []access.Access
	for i := range mostGranted + 1 {
		many = append(many, doing(access.Fetch, fmt.Sprint("c", i)))
	}
	_, err := grantOf(many)
	if refusal, ok := errors.AsType[*access.Refusal](err); !ok || refusal.Code != access.CodeLimit {
		t.Errorf("for %d collections: %v", len(many), err)
	}
}

// TestEveryOperationIsGrantedWhatQdrantAsksFor goes by the table of access in Qdrant's guide to security: what a read-only
// token, one of a collection that may write, and only one that may manage, is good for.
func TestEveryOperationIsGrantedWhatQdrantAsksFor(t *testing.T) {
	asks := map[string]string{}
	for level, names := range map[string]string{
		mayRead: "get_collections get_collection collection_exists get_optimizations collection_cluster_info get_collections_aliases get_collection_aliases list_shard_keys list_snapshots " +
			"list_shard_snapshots list_full_snapshots cluster_status cluster_telemetry telemetry metrics " +
			"get_point get_points scroll_points count_points facet search_matrix_pairs search_matrix_offsets query_points query_batch_points query_points_groups search_points search_batch_points " +
			"search_point_groups recommend_points recommend_batch_points recommend_point_groups discover_points discover_batch_points",
		mayWrite: "create_field_index delete_field_index create_snapshot delete_snapshot get_snapshot create_shard_snapshot delete_shard_snapshot get_shard_snapshot stream_shard_snapshot " +
			"upsert_points delete_points update_vectors delete_vectors set_payload overwrite_payload delete_payload clear_payload batch_update",
		mayManage: "create_collection update_collection delete_collection update_collection_cluster update_aliases create_shard_key delete_shard_key recover_from_snapshot " +
			"recover_from_uploaded_snapshot recover_shard_from_snapshot recover_shard_from_uploaded_snapshot create_full_snapshot delete_full_snapshot recover_current_peer remove_peer clear_issues set_logger",
	} {
		for name := range strings.FieldsSeq(names) {
			asks[name] = level
		}
	}
	for i := range table {
		r := &table[i].route
		want, ok := asks[r.Name]
		if !ok {
			continue // free, or not in that table
		}
		delete(asks, r.Name)
		collection := ""
		if strings.HasPrefix(r.Path, coll) {
			collection = "a"
		}
		for _, a := range r.Actions {
			if a == access.Export { // always beside what needs more
				continue
			}
			may, err := grantOf([]access.Access{doing(a, collection)})
			if err != nil {
				t.Fatal(err)
			}
			level, ok := may.(string)
			if list, some := may.([]grant); some {
				level, ok = list[0].Access, true
			}
			if !ok || level != want {
				t.Errorf("%s as %s is granted %v, want %q", r.Name, a, may, want)
			}
		}
	}
	if len(asks) > 0 {
		t.Errorf("not in the table of operations: %v", asks)
	}
}

func TestATokenIsSignedWithTheKeyAndExpiresSoon(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	mint := Mint(func() time.Time { return now })
	held := vault.Credential{Name: "docs@3", Secret: vault.NewSecret("the-key"), Version: 3}
	got, err := mint(held, "corp:sam", []access.Access{doing(access.Search, "a")})
	if err != nil {
		t.Fatal(err)
	}
	token := got.Secret.Reveal()
	if strings.Contains(token, "the-key") || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", held) {
		t.Errorf("the key is in the token, or the token shows itself: %+v", got)
	}
	head, signature, _ := strings.Cut(token[strings.IndexByte(token, '.')+1:], ".")
	mac := hmac.New(sha256.New, []byte("the-key"))
	mac.Write([]byte(token[:strings.LastIndexByte(token, '.')]))
	if want := base64.RawURLEncoding.EncodeToString(mac.Sum(nil)); signature != want {
		t.Errorf("the signature is %s, want %s", signature, want)
	}
	body, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"exp":1767323105,"access":[{"collection":"a","access":"r"}],"subject":"corp:sam"}`
	if d := cmp.Diff(want, string(body)); d != "" {
		t.Errorf("claims (-want +got):\n%s", d)
	}
	if now.Add(time.Minute).Unix() != 1767323105 {
		t.Error("it does not expire after a minute")
	}
	if again, err := mint(vault.Credential{}, "corp:sam", nil); err != nil || !again.Secret.Empty() {
		t.Errorf("without a key: %v, %v", again, err)
	}
}

func BenchmarkMint(b *testing.B) {
	mint := Mint(time.Now)
	c := vault.Credential{Secret: vault.NewSecret("the-databases-own-key-of-qdrant")}
	accesses := []access.Access{doing(access.Search, "customers")}
	for b.Loop() {
		if _, err := mint(c, "corp:sam", accesses); err != nil {
			b.Fatal(err)
		}
	}
}
