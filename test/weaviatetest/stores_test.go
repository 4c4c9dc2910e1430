package weaviatetest

import (
	"strconv"
	"testing"

	"github.com/vecgate/vecgate/test/stores"
)

func TestLangChainsAndLlamaIndexsStoresWorkThroughTheGateway(t *testing.T) {
	w := startUnder(t, stores.Policy)
	at := func(http, grpc, token string) stores.Place {
		h, _ := strconv.Atoi(port(http))
		g, _ := strconv.Atoi(port(grpc))
		return stores.Place{"http": h, "grpc": g, "token": token}
	}
	stores.Walk(t, "weaviatetest/stores.py",
		at(w.server.Address, w.GRPC, w.Key), at(w.gateway, w.calls, w.As(t, "tess")), at(w.gateway, w.calls, w.As(t, "sam")),
		map[string]string{
			"LangChain search for diversity": "KeyError", // it compares vectors
			// Neither store tells that a write was refused; Weaviate's client logs it.
			"LangChain add": "3834d6e4", "LlamaIndex add": "null",
		})
}
