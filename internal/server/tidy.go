package server

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Of giving memory back.
const (
	tidyEvery = time.Second
	tidyAfter = 16 << 20 // bytes allocated since it was done last
)

// tidy gives memory back to the system when nothing has been asked for a while: what a thousand sign-ins leave behind is
// more than what a thousand idle sessions need, and Go would keep it for as long as nobody allocates.
func (s *Server) tidy(ctx context.Context) error {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	var t tidiness
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if t.due(s.meter.asked.Load(), allocated()) {
			debug.FreeOSMemory()
		}
	}
}

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
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
