package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/approval"
)

// Requests implements approval.Store.
type Requests struct{ db *DB }

var _ approval.Store = (*Requests)(nil)

// Requests keeps the access requests.
func (db *DB) Requests() *Requests { return &Requests{db} }

// Create implements approval.Store.
func (s *Requests) Create(ctx context.Context, r access.Request) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = s.db.write.ExecContext(ctx,
		`INSERT INTO requests (id, digest, subject, person, target, state, created, expires, version, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?)`,
		r.ID, r.Digest, r.Subject.ID, r.Subject.Person, r.Target, string(r.State), micros(r.Created), micros(r.Expires), string(body))
	if taken(err) {
		return approval.ErrConflict
	}
	return err
}

// Get implements approval.Store.
func (s *Requests) Get(ctx context.Context, id string) (access.Request, approval.Version, error) {
	return scanRequest(s.db.read.QueryRowContext(ctx, `SELECT version, body FROM requests WHERE id = ?`, id))
}

// Live implements approval.Store.
func (s *Requests) Live(ctx context.Context, digest string) (access.Request, approval.Version, error) {
	return scanRequest(s.db.read.QueryRowContext(ctx,
		`SELECT version, body FROM requests WHERE digest = ? AND state IN ('open', 'approved')`, digest))
}

func scanRequest(row *sql.Row) (r access.Request, v approval.Version, err error) {
	var body string
	if err := row.Scan(&v, &body); err != nil {
		if errors.Is(err, sql.ErrNoRows) {
			return r, 0, approval.ErrNotFound
		}
		return r, 0, err
	}
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		return r, 0, fmt.Errorf("read stored request: %w", err)
	}
	return r, v, nil
}

// Update implements approval.Store.
func (s *Requests) Update(ctx context.Context, r access.Request, was approval.Version) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	result, err := s.db.write.ExecContext(ctx,
		`UPDATE requests SET state = ?, expires = ?, version = version + 1, body = ? WHERE id = ? AND version = ?`,
		string(r.State), micros(r.Expires), string(body), r.ID, int64(was))
	if taken(err) {
		return approval.ErrConflict
	}
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return approval.ErrConflict
}

// List implements approval.Store.
func (s *Requests) List(ctx context.Context, f approval.Filter) ([]access.Request, error) {
	var q query
	for _, state := range f.States {
		q.args = append(q.args, string(state))
	}
	if n := len(f.States); n > 0 {
		q.where = append(q.where, "state IN (?"+strings.Repeat(", ?", n-1)+")")
	}
	q.equal("subject", f.Subject)
	q.equal("person", f.Person)
	q.equal("target", f.Target)
	q.before("created", f.Before)
	rows, err := s.db.read.QueryContext(ctx, "SELECT body FROM requests"+q.tail("created DESC, id", f.Limit), q.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []access.Request
	for rows.Next() {
		var body string
		var r access.Request
		if err := rows.Scan(&body); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			return nil, fmt.Errorf("read stored request: %w", err)
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// CountOpen implements approval.Store.
func (s *Requests) CountOpen(ctx context.Context, subject string) (n int, err error) {
	err = s.db.read.QueryRowContext(ctx, `SELECT count(*) FROM requests WHERE (subject = ? OR ? = '') AND state = 'open'`, subject, subject).Scan(&n)
	return n, err
}

// Due implements approval.Store.
func (s *Requests) Due(ctx context.Context, at time.Time, limit int) ([]string, error) {
	rows, err := s.db.read.QueryContext(ctx,
		`SELECT id FROM requests WHERE state IN ('open', 'approved') AND expires <= ? ORDER BY expires LIMIT ?`, micros(at), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}
