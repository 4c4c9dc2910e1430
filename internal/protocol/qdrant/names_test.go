package qdrant

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	pb "github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"

	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	"github.com/vecgate/vecgate/internal/protocol/httpwire"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

func TestAnAliasIsJudgedAndSentOnAsWhatItStandsFor(t *testing.T) {
	now := time.Now()
	d := NewREST(func() time.Time { return now })
	to, status := "public", 200
	read := func() string {
		r := &httpwire.Request{Target: "docs", Params: map[string]string{"collection": "prod"}, Body: literal(`{}`)}
		r.Ask = func(context.Context, string) (int, jsonstream.Value, error) {
			return status, literal(`{"result":{"aliases":[{"alias_name":"prod","collection_name":"` + to + `"}],"collections":[{"name":"public"}]}}`), nil
		}
		for _, route := range Routes() {
			if route.Name == "count_points" {
				r.Route = &route
			}
		}
		c, err := d.Read(t.Context(), r)
		if err != nil {
			return err.Error()
		}
		return c.Accesses[0].Resource.Collection + " " + c.Path + " " + c.Accesses[0].Attributes.Alias
	}
	got := []string{read()}
	to = "secret"
	got = append(got, read()) // what is judged is what is sent on, also while the gateway does not know of the change
	now = now.Add(remember)
	got = append(got, read())
	to = "third"
	d.names.forget() // as after aliases were changed through the gateway
	got = append(got, read())
	d.names.forget()
	status = 403
	got = append(got, read())
	want := []string{
		"public /collections/public/points/count prod", "public /collections/public/points/count prod", "secret /collections/secret/points/count prod",
		"third /collections/third/points/count prod", "unavailable: the target does not tell which collection is meant",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnAnswerThatAChangeOvertookIsNotKept(t *testing.T) {
	n := NewNames(time.Now)
	asked := 0
	list := func(context.Context) (*directoryOf, error) {
		asked++
		n.forget() // somebody changes an alias meanwhile
		return &directoryOf{aliases: map[string]string{"prod": "old"}}, nil
	}
	for range 2 {
		if to, err := n.collection(t.Context(), "prod", list); err != nil || to != "old" {
			t.Errorf("%s %v", to, err)
		}
	}
	if asked != 2 {
		t.Errorf("asked %d times", asked)
	}
	if _, err := n.collection(t.Context(), "prod", func(context.Context) (*directoryOf, error) { return nil, errors.New("no answer") }); err == nil {
		t.Error("without an answer a name is taken for itself")
	}
}

// TestANameThatIsNoCollectionIsNotTakenForOneLater: an alias of that name may be made beside the gateway at any time, and lead
// to what the caller may not reach. No alias can be made of the name of a collection.
func TestANameThatIsNoCollectionIsNotTakenForOneLater(t *testing.T) {
	n := NewNames(time.Now)
	d := &directoryOf{collections: map[string]bool{"public": true, "secret": true}}
	asked := 0
	list := func(context.Context) (*directoryOf, error) { asked++; return d, nil }
	for _, x := range []struct {
		name, want string
		asked      int
	}{{"public", "public", 1}, {"public", "public", 1}, {"new", "new", 2}, {"new", "new", 3}, {"public", "public", 3}} {
		if got, err := n.collection(t.Context(), x.name, list); err != nil || got != x.want || asked != x.asked {
			t.Errorf("%s is %s after %d questions, %v; want %s after %d", x.name, got, asked, err, x.want, x.asked)
		}
	}
	d = &directoryOf{collections: d.collections, aliases: map[string]string{"new": "secret", "odd": "a name with spaces"}}
	if got, err := n.collection(t.Context(), "new", list); err != nil || got != "secret" {
		t.Errorf("right after the alias was made, new is %s, %v", got, err)
	}
	if got, err := n.collection(t.Context(), "odd", list); err == nil {
		t.Errorf("an alias of a collection that cannot be named here is %s", got)
	}
}

// TestWhatIsChangedAtOneDoorIsKnownAtTheOther: an alias that takes the name of a collection that was dropped at one door is
// not taken for the collection at the other.
func TestWhatIsChangedAtOneDoorIsKnownAtTheOther(t *testing.T) {
	names := NewNames(time.Now)
	rest, rpc := NewREST(time.Now), NewGRPC(time.Now)
	rest.Share(names)
	rpc.Share(names)
	told := `{"result":{"aliases":[],"collections":[{"name":"public"},{"name":"secret"}]}}`
	seen := func() string {
		methods := Methods()
		i := slices.IndexFunc(methods, func(m grpcwire.Method) bool { return m.Name == pb.Points_Count_FullMethodName })
		c, err := rpc.Read(t.Context(), &grpcwire.Request{
			Method: &methods[i], Target: "docs", Message: &pb.CountPoints{CollectionName: "public"},
			Ask: func(_ context.Context, _ string, _, response proto.Message) error {
				switch m := response.(type) {
				case *pb.ListAliasesResponse:
					if strings.Contains(told, "alias_name") {
						m.Aliases = []*pb.AliasDescription{{AliasName: "public", CollectionName: "secret"}}
					}
				case *pb.ListCollectionsResponse:
					m.Collections = []*pb.CollectionDescription{{Name: "public"}, {Name: "secret"}}
				}
				return nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		return c.Accesses[0].Resource.Collection + " " + c.Message.(*pb.CountPoints).GetCollectionName()
	}
	if got := seen(); got != "public public" {
		t.Error(got)
	}
	told = `{"result":{"aliases":[{"alias_name":"public","collection_name":"secret"}],"collections":[{"name":"secret"}]}}`
	for _, route := range Routes() {
		if route.Name != "update_aliases" {
			continue
		}
		c, err := rest.Read(t.Context(), &httpwire.Request{
			Route: &route, Target: "docs", Body: literal(`{"actions":[{"create_alias":{"alias_name":"public","collection_name":"secret"}}]}`),
			Ask: func(context.Context, string) (int, jsonstream.Value, error) { return 200, literal(told), nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		c.Done()
	}
	if got := seen(); got != "secret secret" {
		t.Errorf("after the alias was made at the other door: %s", got)
	}
}
