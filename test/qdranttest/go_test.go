package qdranttest

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	pb "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// goDay is a day of Qdrant's own client in Go.
func goDay(ctx context.Context, d door) (seen []string, err error) {
	host, port, err := net.SplitHostPort(d.grpc)
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	client, err := pb.NewClient(&pb.Config{Host: host, Port: n, APIKey: d.token, PoolSize: 1})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	say := func(name string, v any, err error) {
		line := name + " " + plain(v)
		if err != nil {
			line = name + " " + status.Code(errors.Unwrap(err)).String()
		}
		seen = append(seen, line)
	}
	say("create", nil, client.CreateCollection(ctx, &pb.CreateCollection{CollectionName: "goday", VectorsConfig: pb.NewVectorsConfig(&pb.VectorParams{Size: 2, Distance: pb.Distance_Cosine})}))
	var points []*pb.PointStruct
	for i := range 5 {
		points = append(points, &pb.PointStruct{Id: pb.NewIDNum(uint64(i)), Vectors: pb.NewVectors(float32(i), 1), Payload: pb.NewValueMap(map[string]any{"email": "x@y", "n": i})})
	}
	up, err := client.Upsert(ctx, &pb.UpsertPoints{CollectionName: "goday", Points: points})
	say("upsert", up.GetStatus(), err)
	names, err := client.ListCollections(ctx)
	say("collections", names, err)
	found, err := client.Query(ctx, &pb.QueryPoints{CollectionName: "goday", Query: pb.NewQuery(1, 1), WithPayload: pb.NewWithPayload(true), Limit: pb.PtrOf(uint64(2))})
	for _, p := range found {
		say("hit", []any{p.GetId().GetNum(), p.GetScore(), p.GetPayload()["email"].GetStringValue()}, nil)
	}
	say("query", len(found), err)
	page, err := client.Scroll(ctx, &pb.ScrollPoints{CollectionName: "goday", Filter: &pb.Filter{Must: []*pb.Condition{pb.NewMatchInt("n", 3)}}})
	say("scroll", len(page), err)
	got, err := client.Get(ctx, &pb.GetPoints{CollectionName: "goday", Ids: []*pb.PointId{pb.NewIDNum(1)}, WithVectors: pb.NewWithVectors(true)})
	say("get", len(got), err)
	say("vectors", got[0].GetVectors().GetVector().GetDense().GetData(), nil)
	count, err := client.Count(ctx, &pb.CountPoints{CollectionName: "goday"})
	say("count", count, err)
	gone, err := client.Delete(ctx, &pb.DeletePoints{CollectionName: "goday", Points: pb.NewPointsSelector(pb.NewIDNum(1))})
	say("delete", gone.GetStatus(), err)
	_, err = client.Count(ctx, &pb.CountPoints{CollectionName: "none"})
	say("none", nil, err)
	say("drop", nil, client.DeleteCollection(ctx, "goday"))
	return seen, nil
}

func TestANormalDayInGoLooksTheSameThroughTheGatewayBeforeAStandIn(t *testing.T) {
	s := start(t)
	direct, err := goDay(t.Context(), s.direct(true))
	if err != nil {
		t.Fatal(err)
	}
	through, err := goDay(t.Context(), s.through(t, "tess", true))
	if err != nil {
		t.Fatal(err)
	}
	if d := gocmp.Diff(direct, through); d != "" || len(direct) < 13 {
		t.Errorf("what Tess sees in Go through the gateway differs (-direct +gateway):\n%s", d)
	}

	// A held upsert, and a refused drop, of somebody else.
	s.fill(t)
	sam, arno := s.through(t, "sam", true), s.As(t, "arno")
	host, port, _ := strings.Cut(sam.grpc, ":")
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	client, err := pb.NewClient(&pb.Config{Host: host, Port: n, APIKey: sam.token, PoolSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	done := make(chan error, 1)
	go func() {
		_, err := client.Upsert(t.Context(), &pb.UpsertPoints{CollectionName: "customers", Points: []*pb.PointStruct{{Id: pb.NewIDNum(500), Vectors: pb.NewVectors(1, 2, 3)}}})
		done <- err
	}()
	id, err := s.First(t.Context(), arno, "/api/v1/requests?state=open")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Approve(t.Context(), arno, id); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("the released upsert: %v", err)
	}
	if n, err := client.Count(t.Context(), &pb.CountPoints{CollectionName: "customers"}); err != nil || n != 21 {
		t.Errorf("afterwards there are %d, %v", n, err)
	}
	err = client.DeleteCollection(t.Context(), "customers")
	if st, _ := status.FromError(err); st.Code() != codes.PermissionDenied || !strings.Contains(st.Message(), "drops-are-denied") {
		t.Errorf("the drop: %v", err)
	}
}

func plain(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
