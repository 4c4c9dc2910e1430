package audit

import "sync"

// preparer makes the next segment ready while the current one fills.
type preparer struct {
	mu    sync.Mutex
	busy  chan struct{} // closed when the work under way is done; nil when there is none
	ready *fresh
}

// begin calls prepare in the background. It is called by the committer only, never while work is under way.
func (p *preparer) begin(prepare func() (*fresh, error)) {
	done := make(chan struct{})
	p.mu.Lock()
	p.busy = done
	p.mu.Unlock()
	go func() {
		defer close(done)
		f, err := prepare()
		if err != nil {
			f = nil
		}
		p.mu.Lock()
		p.ready = f
		p.mu.Unlock()
	}()
}

// take waits for the work under way and returns what it made, or nil.
func (p *preparer) take() *fresh {
	p.mu.Lock()
	busy := p.busy
	p.mu.Unlock()
	if busy != nil {
		<-busy
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.ready
	p.busy, p.ready = nil, nil
	return f
}
