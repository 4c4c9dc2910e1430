package clients

import (
	"testing"

	"github.com/vecgate/vecgate/test/stores"
)

func TestLlamaIndexsStoreLooksTheSameThroughTheGateway(t *testing.T) {
	g, db := stand(t)
	at := func(p place) stores.Place {
		return stores.Place{"port": p.port, "user": p.user, "password": p.password, "database": p.database, "sslmode": p.sslmode}
	}
	stores.Walk(t, "clients/stores.py",
		at(place{db.App.Port, db.App.User, db.App.Password, db.App.Database, "require"}),
		at(place{g.TLSPort, "tess", token(t, g, "tess"), "products", "require"}), nil, nil)
}
