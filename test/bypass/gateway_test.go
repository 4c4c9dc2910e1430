package bypass_test

import (
	"context"
	"fmt"
	"maps"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/vecgate/vecgate/test/bypass"
	"github.com/vecgate/vecgate/test/postgrestest"
	"github.com/vecgate/vecgate/test/world"
)

// permissive lets its subject do everything except running code and reading files, so that masking stands alone between
// the attacks and the secrets.
const permissive = `
allow:
  - name: everything
    who: {groups: [Everything]}
    can: [search, fetch, scroll, list_ids, count, aggregate, export, insert, upsert, update, update_vectors, delete, delete_by_filter,
          delete_all, import, schema.list, schema.read, schema.create, schema.alter, schema.rename, schema.truncate, schema.drop,
          index.create, index.drop, index.rebuild, alias.read, alias.write, session.set, meta.diagnostics]
    on: ["**"]
protect:
  - {name: emails, fields: ["**.email"], mask: redact}
  - {name: phones, fields: ["**.phone"], mask: partial}
  - {name: numbers, fields: ["**.ssn"], mask: "null"}
  - {name: embeddings, vectors: withhold}
`

// TestNoAttackSucceedsThroughTheGateway is the promise of masking: of everything that PostgreSQL itself would show, not
// one byte of a secret arrives, and no answer depends on one.
func TestNoAttackSucceedsThroughTheGateway(t *testing.T) {
	server := postgrestest.Start(t)
	worlds := bypass.Worlds(t, server)
	gateway, err := world.StartGateway(t.Context(), world.GatewayOptions{
		Postgres: server, Database: worlds[0].App.Database, Database2: worlds[1].App.Database, Policy: permissive,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		gateway.Stop()
		if t.Failed() {
			t.Logf("the end of the gateway's log:\n%s", tail(gateway.Output(), 4000))
		}
	})
	token, err := gateway.Token(t.Context(), "tess")
	if err != nil {
		t.Fatal(err)
	}
	bypass.Run(t, bypass.Way{
		Connect: func(ctx context.Context, world int, _ bool, settings map[string]string) (*pgconn.PgConn, error) {
			config, err := pgconn.ParseConfig(fmt.Sprintf("host=127.0.0.1 port=%d dbname=%s user=tess password=%s sslmode=verify-full sslrootcert=%s",
				gateway.TLSPort, [2]string{"products", "second"}[world], token, gateway.CA))
			if err != nil {
				return nil, err
			}
			maps.Copy(config.RuntimeParams, settings)
			return pgconn.ConnectConfig(ctx, config)
		},
	})
}

func tail(text string, n int) string { return text[max(0, len(text)-n):] }
