package audit

import "time"

// State is how a log that is being written stands.
type State struct {
	Origin   string
	Key      string    // the public key, in the form that note.NewVerifier reads
	Records  uint64    // that are durable
	Signed   uint64    // that the last checkpoint signs
	SignedAt time.Time // zero when nothing was signed yet
	Note     []byte    // the last checkpoint
	Failed   error     // why nothing can be written at the moment
	Since    time.Time // since when
}

// State returns how the log stands.
func (l *Log) State() State {
	l.mu.Lock()
	failed, since := l.failed, l.since
	l.mu.Unlock()
	f := &l.follower
	s := State{
		Origin: l.opts.Origin, Key: f.signer.public, Records: f.durableRecords.Load(), Signed: f.published.Load(), Failed: failed,
	}
	if failed != nil {
		s.Since = since
	}
	f.mu.Lock()
	s.SignedAt, s.Note = f.signedAt, f.note
	f.mu.Unlock()
	return s
}
