package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/gate"
)

// Roll implements gate.Roll. What it is told is queued and written soon after: the audit log, not the roll, is the
// evidence, and a session must not wait for it.
type Roll struct {
	db      *DB
	gateway string
	queue   chan entry
	done    chan struct{} // closed when the writer has ended

	mu     sync.RWMutex
	closed bool
}

var _ gate.Roll = (*Roll)(nil)

// entry is a session that opened or closed, or a barrier for those who wait until everything before it is written.
type entry struct {
	info    gate.SessionInfo
	opened  bool
	barrier chan struct{}
}

const (
	queued     = 4096 // entries in memory before tellers wait
	atOnce     = 256  // entries written by one transaction
	retryAfter = time.Second
)

// Roll keeps sessions and the identities seen.
func (db *DB) Roll() *Roll { return db.roll }

func openRoll(ctx context.Context, db *DB, gateway string) (*Roll, error) {
	_, err := db.write.ExecContext(ctx, `UPDATE sessions SET closed = ?, cause = 'the gateway ended' WHERE gateway = ? AND closed = 0`,
		micros(db.now()), gateway)
	if err != nil {
		return nil, fmt.Errorf("close sessions left open: %w", err)
	}
	r := &Roll{db: db, gateway: gateway, queue: make(chan entry, queued), done: make(chan struct{})}
	go r.run()
	return r, nil
}

// SessionOpened implements gate.Roll.
func (r *Roll) SessionOpened(info gate.SessionInfo) { r.tell(entry{info: info, opened: true}) }

// SessionClosed implements gate.Roll.
func (r *Roll) SessionClosed(info gate.SessionInfo) { r.tell(entry{info: info}) }

func (r *Roll) tell(e entry) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.closed {
		return false
	}
	r.queue <- e
	return true
}

// Sync returns when everything told so far can be looked up.
func (r *Roll) Sync(ctx context.Context) error {
	barrier := make(chan struct{})
	if !r.tell(entry{barrier: barrier}) {
		return errors.New("the store is closed")
	}
	select {
	case <-barrier:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *Roll) close() {
	r.mu.Lock()
	r.closed = true
	close(r.queue)
	r.mu.Unlock()
	<-r.done
}

// run owns the queue's other end: it writes what was told, in order, many at once.
func (r *Roll) run() {
	defer close(r.done)
	for first := range r.queue {
		batch := []entry{first}
	gather:
		for len(batch) < atOnce {
			select {
			case e, ok := <-r.queue:
				if !ok {
					break gather
				}
				batch = append(batch, e)
			default:
				break gather
			}
		}
		if err := r.write(batch); err != nil {
			r.db.log.Error("write roll; trying again", "entries", len(batch), "error", err)
			time.Sleep(retryAfter)
			if err := r.write(batch); err != nil {
				r.db.log.Error("write roll; the audit log has these sessions, lists will not", "entries", len(batch), "error", err)
			}
		}
		for _, e := range batch {
			if e.barrier != nil {
				close(e.barrier)
			}
		}
	}
}

func (r *Roll) write(batch []entry) error {
	ctx := context.Background()
	return r.db.within(ctx, func(tx *sql.Tx) error {
		for _, e := range batch {
			if e.barrier != nil {
				continue
			}
			if err := r.writeOne(ctx, tx, e); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r *Roll) writeOne(ctx context.Context, tx *sql.Tx, e entry) error {
	i := e.info
	body, err := json.Marshal(i.Subject)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO sessions (id, gateway, subject, person, target, client, channel, program, opened, closed, first_seq, last_seq,
			request_count, row_count, byte_count, cause, body)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET closed = excluded.closed, last_seq = excluded.last_seq, request_count = excluded.request_count,
			row_count = excluded.row_count, byte_count = excluded.byte_count, cause = excluded.cause
		WHERE sessions.closed = 0`,
		i.ID, r.gateway, i.Subject.ID, i.Subject.Person, i.Target, i.Client, i.Channel, cut(i.Program), micros(i.Opened), micros(i.Closed),
		int64(i.FirstSeq), int64(i.LastSeq), int64(i.Requests), i.Rows, i.Bytes, i.Cause, string(body))
	if err != nil {
		return fmt.Errorf("session %s: %w", i.ID, err)
	}
	seen, sessions, requests, rows := i.Closed, 0, int64(i.Requests), i.Rows
	if e.opened {
		seen, sessions, requests, rows = i.Opened, 1, 0, 0
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO identities (subject, person, first_seen, last_seen, session_count, request_count, row_count, client, target, body)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (subject) DO UPDATE SET person = excluded.person,
			last_seen = CASE WHEN excluded.last_seen > identities.last_seen THEN excluded.last_seen ELSE identities.last_seen END,
			session_count = identities.session_count + excluded.session_count,
			request_count = identities.request_count + excluded.request_count,
			row_count = identities.row_count + excluded.row_count,
			client = excluded.client, target = excluded.target, body = excluded.body`,
		i.Subject.ID, i.Subject.Person, micros(i.Opened), micros(seen), sessions, requests, rows, i.Client, i.Target, string(body))
	if err != nil {
		return fmt.Errorf("identity %s: %w", i.Subject.ID, err)
	}
	return nil
}

// cut bounds what a client calls itself.
func cut(program string) string {
	return strings.ToValidUTF8(program[:min(len(program), 256)], "")
}

// ErrNotFound is returned for a session or identity that was never seen.
var ErrNotFound = errors.New("not found")

// SessionFilter chooses sessions; its zero value chooses the newest hundred.
type SessionFilter struct {
	ID      string
	Subject string
	Person  string
	Target  string
	Open    bool      // only those that have not ended
	Since   time.Time // opened then or later
	Before  time.Time // opened before; for the next page
	Limit   int
}

// Sessions returns sessions, newest first. The counts of an open session are those of its opening.
func (r *Roll) Sessions(ctx context.Context, f SessionFilter) ([]gate.SessionInfo, error) {
	var q query
	q.equal("id", f.ID)
	q.equal("subject", f.Subject)
	q.equal("person", f.Person)
	q.equal("target", f.Target)
	q.since("opened", f.Since)
	q.before("opened", f.Before)
	if f.Open {
		q.where = append(q.where, "closed = 0")
	}
	rows, err := r.db.read.QueryContext(ctx, `SELECT id, target, client, channel, program, opened, closed, first_seq, last_seq,
		request_count, row_count, byte_count, cause, body FROM sessions`+q.tail("opened DESC, id DESC", f.Limit), q.args...)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	defer rows.Close()
	var list []gate.SessionInfo
	for rows.Next() {
		var i gate.SessionInfo
		var opened, closed int64
		var body string
		if err := rows.Scan(&i.ID, &i.Target, &i.Client, &i.Channel, &i.Program, &opened, &closed, &i.FirstSeq, &i.LastSeq,
			&i.Requests, &i.Rows, &i.Bytes, &i.Cause, &body); err != nil {
			return nil, fmt.Errorf("list sessions: %w", err)
		}
		i.Opened, i.Closed, i.Subject = fromMicros(opened), fromMicros(closed), new(access.Subject)
		if err := json.Unmarshal([]byte(body), i.Subject); err != nil {
			return nil, fmt.Errorf("read subject of session %s: %w", i.ID, err)
		}
		list = append(list, i)
	}
	return list, rows.Err()
}

// Session returns one session, or ErrNotFound.
func (r *Roll) Session(ctx context.Context, id string) (gate.SessionInfo, error) {
	list, err := r.Sessions(ctx, SessionFilter{ID: id, Limit: 1})
	if err == nil && (id == "" || len(list) == 0) {
		err = fmt.Errorf("session %q: %w", id, ErrNotFound)
	}
	if err != nil {
		return gate.SessionInfo{}, err
	}
	return list[0], nil
}

// Seen is an identity that has opened a session, as last seen.
type Seen struct {
	Subject   access.Subject
	FirstSeen time.Time
	LastSeen  time.Time
	Sessions  int64
	Requests  int64 // of its sessions that have ended
	Rows      int64
	Client    string
	Target    string
}

// IdentityFilter chooses identities; its zero value chooses the hundred seen last.
type IdentityFilter struct {
	Subject string
	Person  string
	Before  time.Time // last seen before; for the next page
	Limit   int
}

// Identities returns the identities seen, the last one first.
func (r *Roll) Identities(ctx context.Context, f IdentityFilter) ([]Seen, error) {
	var q query
	q.equal("subject", f.Subject)
	q.equal("person", f.Person)
	q.before("last_seen", f.Before)
	rows, err := r.db.read.QueryContext(ctx, `SELECT first_seen, last_seen, session_count, request_count, row_count, client, target, body
		FROM identities`+q.tail("last_seen DESC, subject", f.Limit), q.args...)
	if err != nil {
		return nil, fmt.Errorf("list identities: %w", err)
	}
	defer rows.Close()
	var list []Seen
	for rows.Next() {
		var s Seen
		var first, last int64
		var body string
		if err := rows.Scan(&first, &last, &s.Sessions, &s.Requests, &s.Rows, &s.Client, &s.Target, &body); err != nil {
			return nil, fmt.Errorf("list identities: %w", err)
		}
		s.FirstSeen, s.LastSeen = fromMicros(first), fromMicros(last)
		if err := json.Unmarshal([]byte(body), &s.Subject); err != nil {
			return nil, fmt.Errorf("read stored identity: %w", err)
		}
		list = append(list, s)
	}
	return list, rows.Err()
}
