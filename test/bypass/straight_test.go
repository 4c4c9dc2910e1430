package bypass_test

import (
	"context"
	"maps"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/vecgate/vecgate/test/bypass"
	"github.com/vecgate/vecgate/test/postgrestest"
)

// TestEveryAttackSucceedsAgainstPostgreSQL keeps the catalogue honest: an attack that shows nothing when nothing
// defends is no evidence when it shows nothing through a gateway.
func TestEveryAttackSucceedsAgainstPostgreSQL(t *testing.T) {
	worlds := bypass.Worlds(t, postgrestest.Start(t))
	bypass.Run(t, bypass.Way{
		Straight: true,
		Connect: func(ctx context.Context, world int, super bool, settings map[string]string) (*pgconn.PgConn, error) {
			dsn := worlds[world].App
			if super {
				dsn = worlds[world].Admin
			}
			config, err := pgconn.ParseConfig(dsn.String())
			if err != nil {
				return nil, err
			}
			maps.Copy(config.RuntimeParams, settings)
			return pgconn.ConnectConfig(ctx, config)
		},
	})
}
