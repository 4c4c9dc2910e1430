package qdrant

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
			return status, object([]string{"result"}, []jsonstream.Value{object([]string{"aliases"}, []jsonstream.Value{jsonstream.List(object(
				[]string{"alias_name", "collection_name"}, []jsonstream.Value{jsonstream.String("prod"), jsonstream.String(to)}))})}), nil
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
	n := &names{now: time.Now}
	asked := 0
	list := func(context.Context) (map[string]string, error) {
		asked++
		n.forget() // somebody changes an alias meanwhile
		return map[string]string{"prod": "old"}, nil
	}
	for range 2 {
		if to, err := n.collection(t.Context(), "prod", list); err != nil || to != "old" {
			t.Errorf("%s %v", to, err)
		}
	}
	if asked != 2 {
		t.Errorf("asked %d times", asked)
	}
	if _, err := n.collection(t.Context(), "prod", func(context.Context) (map[string]string, error) { return nil, errors.New("no answer") }); err == nil {
		t.Error("without an answer a name is taken for itself")
	}
}
