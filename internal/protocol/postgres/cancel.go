package postgres

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"sync"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/gate"
	"github.com/vecgate/vecgate/internal/protocol/postgres/startup"
)

// keys knows the live sessions by the process number that their clients were given, which is ours and not the target's.
type keys struct {
	mu   sync.Mutex
	live map[uint32]*session
}

// add gives a session its process number and key: four bytes for protocol 3.0, 32 for 3.2.
func (k *keys) add(s *session) {
	size := 4
	if s.version >= startup.Version32 {
		size = 32
	}
	s.key = make([]byte, size)
	_, _ = rand.Read(s.key) // never fails, see crypto/rand
	var b [4]byte
	k.mu.Lock()
	defer k.mu.Unlock()
	for {
		_, _ = rand.Read(b[:])
		pid := binary.BigEndian.Uint32(b[:]) & 0x7fffffff
		if _, taken := k.live[pid]; !taken && pid != 0 {
			s.pid = pid
			k.live[pid] = s
			return
		}
	}
}

func (k *keys) remove(s *session) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.live, s.pid)
}

func (k *keys) all() []*session {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := make([]*session, 0, len(k.live))
	for _, s := range k.live {
		all = append(all, s)
	}
	return all
}

// wrongKeys is how many wrong keys a session takes before cancel requests for it are ignored: short keys can be guessed.
const wrongKeys = 20

// cancel carries out a cancel request. The client gets no answer whatever happens.
func (k *keys) cancel(ctx context.Context, server *Server, p startup.Packet, address string) {
	k.mu.Lock()
	s := k.live[p.PID]
	if s == nil || s.wrongKeys >= wrongKeys || subtle.ConstantTimeCompare(s.key, p.Key) != 1 {
		if s != nil {
			s.wrongKeys++
		}
		k.mu.Unlock()
		// Recorded like any other wrong secret, and no faster.
		server.config.Gate.RefuseSignIn(ctx, gate.SignIn{Client: address, Method: "cancel"}, &access.Refusal{
			Code: access.CodeIdentity, Message: "cancel request with a wrong key",
		})
		return
	}
	k.mu.Unlock()
	server.log.InfoContext(ctx, "cancel requested", "session", s.gate.ID(), "client", address)
	s.gate.NoteCancel(address)
	s.takeBack(ctx)
}

// takeBack cancels what the session does at the moment: a request that is held, or a statement that runs.
func (s *session) takeBack(ctx context.Context) {
	s.flight.Lock()
	if s.held != nil {
		s.held(errTakenBack)
		s.flight.Unlock()
		return
	}
	running := s.running
	s.flight.Unlock()
	if running {
		s.cancelUpstream(ctx)
	}
}

// cancelUpstream asks the target to cancel what runs, and waits until it has taken note. One request at a time is enough.
func (s *session) cancelUpstream(ctx context.Context) {
	if !s.stopping.CompareAndSwap(false, true) {
		return
	}
	defer s.stopping.Store(false)
	ctx, done := context.WithTimeout(ctx, 5*time.Second)
	defer done()
	if err := s.up.cancel(ctx); err != nil {
		s.log.ErrorContext(ctx, "cancel at the target", "session", s.gate.ID(), "error", err)
	}
}
