package server

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// visitors bounds the connections of a listener: all of one for HTTP, those that have not signed in of one for PostgreSQL. Whoever says nothing makes room for whoever comes: idle visitors
// must not take the files that the database's clients and the audit log need.
type visitors struct {
	most func() int

	mu   sync.Mutex
	idle map[net.Conn]time.Time // since when
	all  map[net.Conn]struct{}
}

func newVisitors(most func() int) *visitors {
	return &visitors{most: most, idle: make(map[net.Conn]time.Time), all: make(map[net.Conn]struct{})}
}

// see is http.Server.ConnState.
func (v *visitors) see(c net.Conn, state http.ConnState) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch state {
	case http.StateNew:
		if len(v.all) >= v.most() && !v.makeRoom() {
			_ = c.Close() // all others are at work
			return
		}
		v.all[c] = struct{}{}
		v.idle[c] = time.Now()
	case http.StateActive:
		delete(v.idle, c)
	case http.StateIdle:
		v.idle[c] = time.Now()
	case http.StateClosed, http.StateHijacked:
		delete(v.all, c)
		delete(v.idle, c)
	}
}

// Came and Went implement postgres.Guests: who has not signed in counts as idle.
func (v *visitors) Came(c net.Conn) { v.see(c, http.StateNew) }

// Went forgets a connection: its session is bounded elsewhere, or it is closed.
func (v *visitors) Went(c net.Conn) { v.see(c, http.StateClosed) }

// makeRoom closes the connection that has been idle longest. The caller holds mu.
func (v *visitors) makeRoom() bool {
	var oldest net.Conn
	var since time.Time
	for c, t := range v.idle {
		if oldest == nil || t.Before(since) {
			oldest, since = c, t
		}
	}
	if oldest == nil {
		return false
	}
	delete(v.idle, oldest)
	delete(v.all, oldest)
	_ = oldest.Close()
	return true
}

const (
	fewestVisitors = 32
	mostVisitors   = 4096
)

// visitorsOf is how many connections one HTTP listener takes of a process that may have so many files: an eighth, so that
// console and ops together leave most of them to the sessions.
func visitorsOf(files uint64) int {
	return int(max(fewestVisitors, min(mostVisitors, files/8)))
}
