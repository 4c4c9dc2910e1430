package chromatest

import (
	"testing"

	"github.com/vecgate/vecgate/test/stores"
)

func TestLangChainsAndLlamaIndexsStoresWorkThroughTheGateway(t *testing.T) {
	c := startUnder(t, stores.Policy)
	stores.Walk(t, "chromatest/stores.py",
		stores.Place{"url": c.url, "token": ""}, stores.Place{"url": c.gateway, "token": c.As(t, "tess")}, stores.Place{"url": c.gateway, "token": c.As(t, "sam")},
		map[string]string{"LangChain search for diversity": "'NoneType' object is not subscriptable"}) // it compares vectors
}
