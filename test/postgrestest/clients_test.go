package postgrestest_test

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/vecgate/vecgate/test/data"
	"github.com/vecgate/vecgate/test/get/fetch"
	"github.com/vecgate/vecgate/test/postgrestest"
)

// The stock clients work with the server itself, so that a difference that they see
// through a gateway is the gateway's.
func TestStockClientsFindTheSameItems(t *testing.T) {
	db := postgrestest.Start(t).NewProducts(t)
	query := data.Queries()[0].Embedding
	answer := strings.Join(nearest(t, db, &query), " ")

	f, err := fetch.New(slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	python, err := f.Python(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	modules, err := f.Node(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	driver, err := f.JDBC(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, client := range []struct {
		names   []string
		environ []string
		command []string
	}{
		{
			[]string{"psycopg", "psycopg2", "asyncpg", "sqlalchemy", "langchain"},
			nil,
			[]string{python, "testdata/clients.py", db.App.String(), db.App.URL(), query.String()},
		},
		{
			[]string{"node-postgres"},
			[]string{"NODE_PATH=" + modules},
			[]string{"node", "testdata/client.js", db.App.URL(), query.String()},
		},
		{
			[]string{"jdbc"},
			[]string{"PGPASSWORD=" + db.App.Password},
			[]string{"java", "-cp", driver, "testdata/Client.java", db.App.JDBC(), db.App.User, query.String()},
		},
	} {
		cmd := exec.CommandContext(t.Context(), client.command[0], client.command[1:]...)
		cmd.Env = append(os.Environ(), client.environ...)
		var errs strings.Builder
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%v: %v\n%s", client.names, err, errs.String())
			continue
		}
		want := ""
		for _, name := range client.names {
			want += fmt.Sprintln(name, answer)
		}
		if diff := gocmp.Diff(want, string(out)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", client.names, diff)
		}
	}
}

func nearest(t *testing.T, db postgrestest.Database, query *data.Vector) []string {
	t.Helper()
	var names []string
	err := db.App.Connect(t).QueryRow(t.Context(), "SELECT array_agg(name) FROM (SELECT name FROM items ORDER BY embedding <=> $1::text::vector LIMIT 3)", query.String()).Scan(&names)
	if err != nil {
		t.Fatal(err)
	}
	return names
}
