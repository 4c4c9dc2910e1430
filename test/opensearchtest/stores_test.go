package opensearchtest

import (
	"testing"

	"github.com/vecgate/vecgate/test/stores"
)

func TestLangChainsAndLlamaIndexsStoresWorkThroughTheGateway(t *testing.T) {
	b := startUnder(t, stores.Policy)
	stores.Walk(t, "opensearchtest/stores.py",
		stores.Place{"url": server.url, "token": ""}, stores.Place{"url": b.gateway, "token": b.As(t, "tess")}, stores.Place{"url": b.gateway, "token": b.As(t, "sam")},
		map[string]string{"LangChain search for diversity": "KeyError"}) // it compares vectors
}

func TestLangChainsAndLlamaIndexsElasticsearchStoresWorkThroughTheGatewayWithAStandIn(t *testing.T) {
	b, direct := startElasticUnder(t, stores.Policy)
	stores.Walk(t, "opensearchtest/elasticstores.py",
		stores.Place{"url": direct, "token": ""}, stores.Place{"url": b.gateway, "token": b.As(t, "tess")}, stores.Place{"url": b.gateway, "token": b.As(t, "sam")},
		map[string]string{"LangChain search for diversity": "IndexError"}) // it compares vectors
}
