package transcript_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/internal/protocol/postgres/transcript"
)

var update = flag.Bool("update", false, "write what is told into testdata")

// session is what a client said and was answered after sign-in, taken down on the wire.
func session(t *testing.T, client string) []transcript.Exchange {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + client + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var list []transcript.Exchange
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestSessionsOfClientsAreTold(t *testing.T) {
	for _, client := range []string{"pgx", "asyncpg", "psycopg"} {
		t.Run(client, func(t *testing.T) {
			var c transcript.Conversation
			var got strings.Builder
			for i, x := range session(t, client) {
				fmt.Fprintf(&got, "-- %d\n%s", i+1, tellNext(t, &c, x))
			}
			file := "testdata/" + client + ".txt"
			if *update {
				if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
		})
	}
}
