package analysis

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

const near = "SELECT id, name FROM items WHERE name = 'net' ORDER BY embedding <=> $1 LIMIT 10"

func TestHitAllocatesNothing(t *testing.T) {
	a, cat, p := New(Options{Target: "products"}), smallCatalog(), protection()
	a.Analyze(near, cat).Statements[0].Oblige(p)
	if n := testing.AllocsPerRun(100, func() { a.Analyze(near, cat).Statements[0].Oblige(p) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestCacheTellsTextsAndCatalogsApart(t *testing.T) {
	a, cat := New(Options{Target: "products"}), smallCatalog()
	first := a.Analyze(near, cat)
	if a.Analyze(near, cat) != first {
		t.Error("the same text over the same catalog is analysed twice")
	}
	if a.Analyze(near+" ", cat) == first {
		t.Error("another text gets the same plan")
	}
	later := smallCatalog()
	later.Epoch++
	if a.Analyze(near, later) == first {
		t.Error("another catalog gets the same plan")
	}
}

func TestCacheStaysWithinItsSize(t *testing.T) {
	a, cat := New(Options{Target: "products", CacheBytes: 1 << 20}), smallCatalog()
	for i := range 5000 {
		a.Analyze(fmt.Sprintf("%s OFFSET %d", near, i), cat)
	}
	total, entries := 0, 0
	for i := range a.cache.shards {
		s := &a.cache.shards[i]
		total += s.size
		entries += len(s.entries)
		if len(s.queue) != len(s.entries) {
			t.Errorf("shard %d has %d entries and %d in its queue", i, len(s.entries), len(s.queue))
		}
	}
	if total > 1<<20 || entries < 50 {
		t.Errorf("%d bytes in %d entries", total, entries)
	}
	long := "SELECT '" + strings.Repeat("x", maxCachedText) + "'"
	if first := a.Analyze(long, cat); first == a.Analyze(long, cat) {
		t.Error("a long text is kept")
	}
}

func TestAnalyzeAndObligeConcurrently(t *testing.T) {
	a, cat := New(Options{Target: "products", CacheBytes: 1 << 16}), smallCatalog()
	var wait sync.WaitGroup
	for g := range 8 {
		wait.Go(func() {
			for i := range 200 {
				p := protection()
				text := fmt.Sprintf("SELECT email FROM people LIMIT %d", (i*g)%17)
				for _, s := range a.Analyze(text, cat).Statements {
					if tr, refusal := s.Oblige(p); refusal != nil || tr.Columns == nil {
						t.Errorf("%s: %v %v", text, tr, refusal)
					}
				}
			}
		})
	}
	wait.Wait()
}

func BenchmarkAnalyzeHit(b *testing.B) {
	a, cat, p := New(Options{Target: "products"}), smallCatalog(), protection()
	b.ReportAllocs()
	for b.Loop() {
		a.Analyze(near, cat).Statements[0].Oblige(p)
	}
}

func BenchmarkAnalyzeMiss(b *testing.B) {
	a, cat := New(Options{Target: "products"}), smallCatalog()
	b.ReportAllocs()
	for b.Loop() {
		a.analyze(near, cat)
	}
}

func BenchmarkGuard(b *testing.B) {
	a := New(Options{})
	b.ReportAllocs()
	for b.Loop() {
		a.guard(near)
	}
}

func TestTypesThatAreNotKnownMayRunCode(t *testing.T) {
	cat := smallCatalog()
	cat.typeOID[20_000] = &dataType{oid: 20_000}
	cat.typeOID[20_001] = &dataType{oid: 20_001, code: true}
	for oid, want := range map[uint32]bool{0: false, 25: false, 9999: false, 20_000: false, 20_001: true, 20_002: true} {
		if got := cat.RunsCode(oid); got != want {
			t.Errorf("%d: %v", oid, got)
		}
	}
}
