package qdranttest

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	pb "github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
	"github.com/vecgate/vecgate/internal/protocol/qdrant"
	"github.com/vecgate/vecgate/test/qdranttest/standin"
)

// astray is REST with a fault: what was judged to be about a collection is sent to the secret one, as if it were read wrongly.
type astray struct{ httpwire.Dialect }

func (d astray) Read(ctx context.Context, r *httpwire.Request) (*httpwire.Call, error) {
	c, err := d.Dialect.Read(ctx, r)
	if err == nil {
		c.Path = strings.ReplaceAll(c.Path, "/collections/public", "/collections/secret")
	}
	return c, err
}

// astrayRPC is the same fault at the other door.
type astrayRPC struct{ grpcwire.Dialect }

func (d astrayRPC) Read(ctx context.Context, r *grpcwire.Request) (*grpcwire.Call, error) {
	c, err := d.Dialect.Read(ctx, r)
	if err == nil {
		m := c.Message.ProtoReflect()
		if f := m.Descriptor().Fields().ByName("collection_name"); f != nil && m.Get(f).String() == "public" {
			m.Set(f, protoreflect.ValueOfString("secret"))
		}
	}
	return c, err
}

// TestARequestThatWasReadWronglyReachesNoOtherCollectionOfAStandIn sends what was judged to be about one collection to
// another, and what was judged to be read to where it would be written.
func TestARequestThatWasReadWronglyReachesNoOtherCollectionOfAStandIn(t *testing.T) {
	engine, err := standin.StartRBAC(protocoltest.Secret)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(engine.Close)
	for _, x := range []struct {
		name   string
		narrow bool
		want   int
	}{{"with the key", false, http.StatusOK}, {"with tokens", true, http.StatusForbidden}} {
		w := protocoltest.Start(t, &protocoltest.Suite{New: func() httpwire.Dialect { return astray{qdrant.NewREST(time.Now)} }, Upstream: engine.Handler},
			func(_ *httpwire.Config, target *httpwire.Target) {
				target.Shows = httpwire.APIKey
				if x.narrow {
					target.Narrow = qdrant.Mint(time.Now)
				}
			})
		if x.want == http.StatusOK { // it makes the collections
			for _, name := range []string{"secret", "public2"} {
				if a := w.Do(t.Context(), protocoltest.Request{Method: "PUT", Path: "/collections/" + name, Body: `{"vectors":{"size":2,"distance":"Cosine"}}`}); a.Status != http.StatusOK {
					t.Fatal(a)
				}
			}
		}
		for _, body := range []protocoltest.Request{
			{Method: "POST", Path: "/collections/public/points/scroll", Body: `{}`},
			{Method: "POST", Path: "/collections/public/points/count", Body: `{}`},
			{Method: "PUT", Path: "/collections/public/points", Body: `{"points":[{"id":1,"vector":[1,2]}]}`},
			{Method: "GET", Path: "/collections/public"},
		} {
			if a := w.Do(t.Context(), body); a.Status != x.want {
				t.Errorf("%s: %s %s: %v, want %d", x.name, body.Method, body.Path, a, x.want)
			}
		}
	}
	answers := map[string]grpcwire.Method{}
	for _, m := range qdrant.Methods() {
		answers[m.Name] = m
	}
	for narrow, want := range map[bool]bool{false: true, true: false} {
		w := protocoltest.StartGRPC(t, &protocoltest.GRPCSuite{
			New:      func() grpcwire.Dialect { return astrayRPC{qdrant.NewGRPC(time.Now)} },
			Upstream: func(context.Context, string, proto.Message) (proto.Message, error) { return nil, nil },
		}, func(_ *grpcwire.Config, target *grpcwire.Target) {
			target.Address, target.Shows = engine.GRPC, grpcwire.APIKey
			if narrow {
				target.Narrow = qdrant.Mint(time.Now)
			}
		})
		for _, r := range []protocoltest.GRPCRequest{
			{Method: pb.Points_Scroll_FullMethodName, Message: &pb.ScrollPoints{CollectionName: "public"}},
			{Method: pb.Points_Upsert_FullMethodName, Message: &pb.UpsertPoints{CollectionName: "public", Points: []*pb.PointStruct{{Id: pb.NewIDNum(1), Vectors: pb.NewVectors(1, 2)}}}},
		} {
			if a := w.Do(t.Context(), r); (a.Status.Code() == 0) != want {
				t.Errorf("narrow %v: %s: %v", narrow, r.Method, a.Status)
			}
		}
	}
}

// TestATokenOpensWhatWasJudgedOnlyAndExpiresBeforeAStandIn looks at the tokens that a stand-in is shown.
func TestATokenOpensWhatWasJudgedOnlyAndExpiresBeforeAStandIn(t *testing.T) {
	engine, err := standin.StartRBAC(protocoltest.Secret)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(engine.Close)
	now := time.Now()
	w := protocoltest.Start(t, &protocoltest.Suite{New: func() httpwire.Dialect { return qdrant.NewREST(time.Now) }, Upstream: engine.Handler},
		func(_ *httpwire.Config, target *httpwire.Target) {
			target.Shows, target.Narrow = httpwire.APIKey, qdrant.Mint(func() time.Time { return now })
		})
	for _, name := range []string{"a", "b"} {
		if a := w.Do(t.Context(), protocoltest.Request{Method: "PUT", Path: "/collections/" + name, Body: `{"vectors":{"size":2,"distance":"Cosine"}}`}); a.Status != http.StatusOK {
			t.Fatal(a)
		}
	}
	w.Oblige(access.Obligations{Filters: []access.FilterRule{{Pattern: "docs/**", Field: "tenant", Values: []string{"a"}, Rule: "own"}}})
	engine.Shown()
	all := standin.Access{Global: "r"}
	on := func(name, level string) standin.Access {
		return standin.Access{Collections: map[string]string{name: level}}
	}
	for _, x := range []struct {
		method, path, body string
		want               []standin.Token
	}{
		{"POST", "/collections/a/points/count", `{}`, []standin.Token{{Method: "GET /aliases", Access: all}, {Method: "GET /collections", Access: all}, {Method: "POST /collections/{name}/points/count", Access: on("a", "r")}}},
		{"POST", "/collections/a/points", `{"ids":[1]}`, []standin.Token{{Method: "POST /collections/{name}/points/scroll", Access: on("a", "r")}, {Method: "POST /collections/{name}/points", Access: on("a", "r")}}},
		{
			"PUT", "/collections/b/points", `{"points":[{"id":1,"vector":[1,2],"payload":{"tenant":"a"}}]}`,
			[]standin.Token{{Method: "POST /collections/{name}/points/count", Access: on("b", "r")}, {Method: "PUT /collections/{name}/points", Access: on("b", "rw")}},
		},
		{"GET", "/collections", "", []standin.Token{{Method: "GET /collections", Access: all}}},
	} {
		if a := w.Do(t.Context(), protocoltest.Request{Method: x.method, Path: x.path, Body: x.body}); a.Status != http.StatusOK {
			t.Errorf("%s %s: %v", x.method, x.path, a)
		}
		for i := range x.want {
			x.want[i].Subject, x.want[i].Expires = "corp:alice", now.Add(time.Minute).Unix()
		}
		if d := gocmp.Diff(x.want, engine.Shown()); d != "" {
			t.Errorf("%s %s (-want +shown):\n%s", x.method, x.path, d)
		}
	}
	now = now.Add(-2 * time.Minute) // a clock that is slow, or a token that was kept
	if a := w.Do(t.Context(), protocoltest.Request{Method: "POST", Path: "/collections/a/points/scroll", Body: `{}`}); a.Status != http.StatusForbidden {
		t.Errorf("with a token that has expired: %v", a)
	}
	if len(engine.Shown()) > 0 {
		t.Error("a token that has expired was taken")
	}
}

func TestAKeyThatWasReplacedSignsNothingMoreBeforeAStandIn(t *testing.T) {
	s := minting(t)
	s.fill(t)
	token := s.As(t, "tess")
	count := func() (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.Address["rest"]+"/collections/customers/points/count", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode, resp.Status
	}
	if code, status := count(); code != http.StatusOK {
		t.Fatal(status)
	}
	s.engine.Rotate("another-key-of-the-database")
	if code, status := count(); code == http.StatusOK {
		t.Errorf("with tokens of the old key: %s", status)
	}
	if err := os.WriteFile(filepath.Join(s.Dir, "qdrant.key"), []byte("another-key-of-the-database"), 0o600); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		code, status := count()
		if code == http.StatusOK {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the new key is not used 30 seconds after it stands in its file: %s", status)
		}
	}
}
