package attack

import (
	"os/exec"
	"testing"
	"time"

	"github.com/vecgate/vecgate/test/world"
)

func TestZZ(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	for range 3 {
		out, _ := exec.Command("find", g.AuditDir, "-type", "f", "-size", "+100k", "-printf", "%s %b %p\n").Output()
		t.Logf("%s", out)
		time.Sleep(3 * time.Second)
	}
}
