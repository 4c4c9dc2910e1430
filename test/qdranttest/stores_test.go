package qdranttest

import (
	"strconv"
	"testing"

	"github.com/vecgate/vecgate/test/qdranttest/standin"
	"github.com/vecgate/vecgate/test/stage"
	"github.com/vecgate/vecgate/test/stores"
)

func TestLangChainsAndLlamaIndexsStoresWorkThroughTheGatewayBeforeAStandIn(t *testing.T) {
	engine, err := standin.Start(secret)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(engine.Close)
	s := &set{engine: engine, Stage: stage.Start(t, stage.Options{
		Listeners: []stage.Listener{{Name: "rest", Protocol: "http"}, {Name: "grpc", Protocol: "grpc"}},
		Targets: []stage.Target{{
			Name: "docs", Engine: "qdrant", Address: engine.REST,
			More: `grpc_address: "` + engine.GRPC + `", credential: {password: "${env:QDRANT_KEY}", header: api-key}`,
		}},
		Environ: []string{"QDRANT_KEY=" + secret},
		Policy:  stores.Policy,
	})}
	at := func(d door) stores.Place {
		port := 0
		if d.grpc != "" {
			var err error
			if port, err = strconv.Atoi(d.grpc[len("127.0.0.1:"):]); err != nil {
				t.Fatal(err)
			}
		}
		return stores.Place{"url": "http://" + d.rest, "grpc_port": port, "token": d.token}
	}
	for _, grpc := range []bool{false, true} {
		stores.Walk(t, "qdranttest/stores.py", at(s.direct(grpc)), at(s.through(t, "tess", grpc)), at(s.through(t, "sam", grpc)), nil)
	}
}
