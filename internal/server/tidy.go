package server

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Of giving memory back.
const (
	tidyEvery = time.Second
	tidyAfter = 16 << 20 // bytes allocated since it was done last
)

// tidy says how often garbage is collected, and gives memory back to the system when nothing has been asked for a while: what a thousand sign-ins leave behind is
// more than what a thousand idle sessions need, and Go would keep it for as long as nobody allocates.
func (s *Server) tidy(ctx context.Context) error {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	var t tidiness
	_, chosen := os.LookupEnv("GOGC") // by who runs the gateway
	last := defaultPercent
	defer func() {
		if last != defaultPercent {
			debug.SetGCPercent(defaultPercent)
		}
	}()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if t.due(s.meter.asked.Load(), allocated()) {
			debug.FreeOSMemory()
		}
		if next := percent(live()); !chosen && (next > last+last/4 || next < last-last/4) {
			debug.SetGCPercent(next)
			last = next
		}
	}
}

// How much is allocated between two collections of garbage: as much as is alive, which is Go's rule, but no less than
// breadth. The few megabytes of a gateway without many sessions would be gone through many times a second otherwise, with
// other work waiting.
const (
	breadth        = 24 << 20
	defaultPercent = 100
)

// percent is what SetGCPercent is to be told when so many bytes are alive.
func percent(live uint64) int {
	return int(max(defaultPercent, breadth*100/max(live, 1<<20)))
}

// live is how many bytes of the heap the last collection found in use.
func live() uint64 { return read("/gc/heap/live:bytes") }

// tidiness decides when it is worth it: a forced collection in the middle of work would cost more than it gives.
type tidiness struct {
	asked     uint64 // requests and sign-ins at the last look
	allocated uint64 // bytes when it was done last
}

func (t *tidiness) due(asked, allocated uint64) bool {
	quiet := asked == t.asked
	t.asked = asked
	if !quiet || allocated-t.allocated < tidyAfter {
		return false
	}
	t.allocated = allocated
	return true
}

// allocated is how many bytes have been allocated since the start.
func allocated() uint64 { return read("/gc/heap/allocs:bytes") }

func read(metric string) uint64 {
	sample := []metrics.Sample{{Name: metric}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
