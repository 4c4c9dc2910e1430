package analysis

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
)

// cache keeps plans by exact text and catalog epoch. Nothing less than the text would do: two texts that differ in a
// literal, a name or a comment may differ in what they do. A hit allocates nothing.
type cache struct {
	seed   maphash.Seed
	epoch  atomic.Uint64 // of the plans that are kept; those of another hold on to a whole catalog
	shards [64]shard
}

type shard struct {
	mu      sync.RWMutex
	entries map[uint64]*entry
	queue   []uint64 // oldest first
	size    int
	limit   int
}

type entry struct {
	plan *Plan
	size int
}

// maxCachedText is the longest text whose plan is kept; longer ones are literals that do not come again.
const maxCachedText = 32 << 10

func newCache(limit int) *cache {
	c := &cache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].entries = map[uint64]*entry{}
		c.shards[i].limit = limit / len(c.shards)
	}
	return c
}

func (c *cache) key(text string, epoch uint64) uint64 {
	return maphash.String(c.seed, text) ^ epoch*0x9e3779b97f4a7c15
}

func (c *cache) get(text string, epoch uint64) *Plan {
	if len(text) > maxCachedText {
		return nil
	}
	key := c.key(text, epoch)
	s := &c.shards[key%uint64(len(c.shards))]
	s.mu.RLock()
	defer s.mu.RUnlock()
	e := s.entries[key]
	if e == nil || e.plan.Epoch != epoch || e.plan.Text != text {
		return nil
	}
	return e.plan
}

func (c *cache) put(plan *Plan) {
	if len(plan.Text) > maxCachedText {
		return
	}
	if old := c.epoch.Swap(plan.Epoch); old != plan.Epoch && old != 0 {
		c.clear()
	}
	// The caller's text may be a part of a larger buffer that must not live on.
	plan.Text = strings.Clone(plan.Text)
	key := c.key(plan.Text, plan.Epoch)
	size := weigh(plan)
	s := &c.shards[key%uint64(len(c.shards))]
	s.mu.Lock()
	defer s.mu.Unlock()
	if size > s.limit {
		return
	}
	if old := s.entries[key]; old != nil {
		s.size -= old.size
	} else {
		s.queue = append(s.queue, key)
	}
	s.entries[key] = &entry{plan: plan, size: size}
	s.size += size
	for s.size > s.limit && len(s.queue) > 1 {
		oldest := s.queue[0]
		s.queue = s.queue[1:]
		s.size -= s.entries[oldest].size
		delete(s.entries, oldest)
	}
}

func (c *cache) clear() {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		clear(s.entries)
		s.queue, s.size = nil, 0
		s.mu.Unlock()
	}
}

// weigh estimates the memory of a plan.
func weigh(p *Plan) int {
	n := 256 + 2*len(p.Text)
	for _, s := range p.Statements {
		n += weighStatement(s)
	}
	return n
}

func weighStatement(s *Statement) int {
	n := 1024 + len(s.Definitions) + 512*len(s.Accesses) + 64*len(s.Shaping) + 64*len(s.Sinks) + 16*len(s.Touches)
	for _, o := range s.Outputs {
		n += 96 + 8*len(o.Sources)
	}
	for _, f := range s.Sinks {
		n += 8 * len(f.Sources)
	}
	if s.Body != nil {
		n += weighStatement(s.Body)
	}
	// Treatments, which come later: one column each under a few protections.
	return n + 256*len(s.Outputs)
}
