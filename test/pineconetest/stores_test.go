package pineconetest

import (
	"testing"

	"github.com/vecgate/vecgate/test/stores"
)

func TestLangChainsAndLlamaIndexsStoresWorkThroughTheGatewayBeforeAStandIn(t *testing.T) {
	s := start(t, stores.Policy)
	stores.Walk(t, "pineconetest/stores.py",
		stores.Place{"url": s.direct, "token": key}, stores.Place{"url": s.through, "token": s.As(t, "tess")}, stores.Place{"url": s.through, "token": s.As(t, "sam")},
		map[string]string{"LangChain search for diversity": "has no attribute 'values'"}) // it compares vectors
}
