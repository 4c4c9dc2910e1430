package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/vecgate/vecgate/internal/identity"
	"github.com/vecgate/vecgate/internal/identity/secret"
)

// Identity implements identity.Store.
type Identity struct{ db *DB }

var _ identity.Store = (*Identity)(nil)

// Identity keeps revocations, suspensions and minted secrets.
func (db *DB) Identity() *Identity { return &Identity{db} }

// RevokeToken implements identity.Store.
func (s *Identity) RevokeToken(ctx context.Context, jti string, until time.Time) error {
	_, err := s.db.write.ExecContext(ctx,
		`INSERT INTO revoked_tokens (jti, valid_until) VALUES (?, ?) ON CONFLICT (jti) DO UPDATE SET valid_until = excluded.valid_until`,
		jti, micros(until))
	return err
}

// TokenRevoked implements identity.Store.
func (s *Identity) TokenRevoked(ctx context.Context, jti string) (bool, error) {
	var n int
	err := s.db.read.QueryRowContext(ctx, `SELECT count(*) FROM revoked_tokens WHERE jti = ?`, jti).Scan(&n)
	return n > 0, err
}

// Suspend implements identity.Store.
func (s *Identity) Suspend(ctx context.Context, p identity.Suspension) error {
	_, err := s.db.write.ExecContext(ctx,
		`INSERT INTO suspensions (who, reason, author, since) VALUES (?, ?, ?, ?)
		 ON CONFLICT (who) DO UPDATE SET reason = excluded.reason, author = excluded.author, since = excluded.since`,
		p.Who, p.Reason, p.By, micros(p.At))
	return err
}

// Reinstate implements identity.Store.
func (s *Identity) Reinstate(ctx context.Context, who string) error {
	_, err := s.db.write.ExecContext(ctx, `DELETE FROM suspensions WHERE who = ?`, who)
	return err
}

// Suspensions implements identity.Store.
func (s *Identity) Suspensions(ctx context.Context) ([]identity.Suspension, error) {
	rows, err := s.db.read.QueryContext(ctx, `SELECT who, reason, author, since FROM suspensions ORDER BY who`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []identity.Suspension
	for rows.Next() {
		var p identity.Suspension
		var at int64
		if err := rows.Scan(&p.Who, &p.Reason, &p.By, &at); err != nil {
			return nil, err
		}
		p.At = fromMicros(at)
		list = append(list, p)
	}
	return list, rows.Err()
}

// PutSecret implements secret.Store.
func (s *Identity) PutSecret(ctx context.Context, e secret.Entry, now time.Time, room int) error {
	verifier, err := json.Marshal(e.Verifier)
	if err != nil {
		return err
	}
	return s.db.within(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM secrets WHERE holder = ? AND expires <= ?`, e.Holder, micros(now)); err != nil {
			return err
		}
		var living int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM secrets WHERE holder = ?`, e.Holder).Scan(&living); err != nil {
			return err
		}
		if living >= room {
			return secret.ErrTooMany
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO secrets (name, holder, verifier, subject, expires) VALUES (?, ?, ?, ?, ?)`,
			e.Name, e.Holder, string(verifier), string(e.Subject), micros(e.Expires))
		return err
	})
}

// Secret implements secret.Store.
func (s *Identity) Secret(ctx context.Context, name string) (secret.Entry, error) {
	e := secret.Entry{Name: name}
	var verifier, subject string
	var expires int64
	err := s.db.read.QueryRowContext(ctx, `SELECT holder, verifier, subject, expires FROM secrets WHERE name = ?`, name).
		Scan(&e.Holder, &verifier, &subject, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return e, secret.ErrUnknown
	}
	if err != nil {
		return e, err
	}
	if err := json.Unmarshal([]byte(verifier), &e.Verifier); err != nil {
		return e, fmt.Errorf("read stored secret %s: %w", name, err)
	}
	e.Subject, e.Expires = []byte(subject), fromMicros(expires)
	return e, nil
}

// DeleteSecret implements secret.Store.
func (s *Identity) DeleteSecret(ctx context.Context, name string) error {
	_, err := s.db.write.ExecContext(ctx, `DELETE FROM secrets WHERE name = ?`, name)
	return err
}
