package milvustest

import (
	"testing"

	"github.com/vecgate/vecgate/test/stores"
)

func TestLangChainsAndLlamaIndexsStoresWorkThroughTheGateway(t *testing.T) {
	g := startUnder(t, stores.Policy)
	stores.Walk(t, "milvustest/stores.py",
		stores.Place{"uri": g.straight(), "token": ""}, stores.Place{"uri": g.gateway(), "token": g.As(t, "tess")}, stores.Place{"uri": g.gateway(), "token": g.As(t, "sam")},
		map[string]string{"LlamaIndex search for diversity": "KeyError"}) // it compares vectors
}
