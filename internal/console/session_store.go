package console

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"

	"github.com/vecgate/vecgate/internal/access"
)

// Bounds on who is signed in at once; the oldest go first.
const (
	maxSignedIn   = 10_000
	maxPerSubject = 20
)

// sessions are the browsers that are signed in. They live in memory: after a restart people sign in again.
type sessions struct {
	mu   *sync.Mutex
	live map[[sha256.Size]byte]signedIn // by the digest of the cookie's value
	now  func() time.Time
}

type signedIn struct {
	subject *access.Subject
	began   time.Time
}

func newSessions(now func() time.Time) sessions {
	return sessions{mu: new(sync.Mutex), live: make(map[[sha256.Size]byte]signedIn), now: now}
}

// begin signs a subject in until its credential ends, and returns the cookie's value.
func (s *sessions) begin(subject *access.Subject) string {
	token := rand.Text() + rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	theirs := 0
	for k, v := range s.live {
		if !now.Before(v.subject.Expires) {
			delete(s.live, k)
		} else if v.subject.ID == subject.ID {
			theirs++
		}
	}
	if theirs >= maxPerSubject {
		s.dropOldest(func(v signedIn) bool { return v.subject.ID == subject.ID })
	}
	if len(s.live) >= maxSignedIn {
		s.dropOldest(func(signedIn) bool { return true })
	}
	s.live[sha256.Sum256([]byte(token))] = signedIn{subject, now}
	return token
}

func (s *sessions) dropOldest(match func(signedIn) bool) {
	var oldest [sha256.Size]byte
	var began time.Time
	for k, v := range s.live {
		if match(v) && (began.IsZero() || v.began.Before(began)) {
			oldest, began = k, v.began
		}
	}
	delete(s.live, oldest)
}

// subject returns who a cookie's value stands for, nil for nobody.
func (s *sessions) subject(token string) *access.Subject {
	if token == "" || len(token) > 128 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := sha256.Sum256([]byte(token))
	v, ok := s.live[key]
	if !ok {
		return nil
	}
	if !s.now().Before(v.subject.Expires) {
		delete(s.live, key)
		return nil
	}
	return v.subject
}

func (s *sessions) end(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, sha256.Sum256([]byte(token)))
}
