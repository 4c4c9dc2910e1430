package chromatest

import (
	"testing"

	"github.com/vecgate/vecgate/test/stores"
)

func TestLangChainsAndLlamaIndexsStoresWorkThroughTheGateway(t *testing.T) {
	c := startUnder(t, stores.Policy)
	lines := stores.Walk(t, "chromatest",
		stores.Place{"url": c.url, "token": ""}, stores.Place{"url": c.gateway, "token": c.token(t, "tess")}, stores.Place{"url": c.gateway, "token": c.token(t, "sam")})
	for _, l := range lines {
		t.Logf("%+v", l)
	}
}
