package server

import (
	"runtime"
	"testing"
)

func TestMemoryIsGivenBackWhenNothingIsAsked(t *testing.T) {
	var d tidiness
	for i, step := range []struct {
		asked, allocated uint64
		want             bool
	}{
		{1, tidyAfter, false}, // somebody has just asked
		{1, tidyAfter, true},
		{1, 2*tidyAfter - 1, false}, // too little to be worth it
		{1, 2 * tidyAfter, true},
		{1, 2 * tidyAfter, false}, // done already
		{9, 9 * tidyAfter, false},
		{10, 9 * tidyAfter, false},
		{10, 9 * tidyAfter, true},
	} {
		if got := d.due(step.asked, step.allocated); got != step.want {
			t.Errorf("step %d: due = %v, want %v", i, got, step.want)
		}
	}
	before := allocated()
	some := make([]byte, 4<<20)
	if after := allocated(); after < before+uint64(len(some)) {
		t.Errorf("%d bytes were allocated before, and %d after %d more", before, after, len(some))
	}
	runtime.KeepAlive(some)
}

func TestGarbageIsCollectedLessOftenWhileLittleIsAlive(t *testing.T) {
	for live, want := range map[uint64]int{
		0: 2400, 1 << 20: 2400, 4 << 20: 600, 12 << 20: 200, 24 << 20: 100, 25 << 20: 100, 1 << 40: 100,
	} {
		if got := percent(live); got != want {
			t.Errorf("%d bytes are alive: %d %%, want %d %%", live, got, want)
		}
	}
	runtime.GC()
	if n := live(); n == 0 {
		t.Error("nothing is alive")
	}
}
