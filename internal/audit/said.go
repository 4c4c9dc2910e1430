package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Said returns the bodies that belong to a record which was read from this log, in order: what was said of its Request since
// the record of that request before. The error is ErrDestroyed when they are no longer all there.
func (r *Reader) Said(ctx context.Context, record *Record) ([]*Piece, error) {
	// They were said a short while before; how many bytes they have tells whether the look back was long enough.
	for back := uint64(1024); ; back *= 16 {
		from := record.Seq - min(record.Seq, back)
		var said []*Piece
		var size int64
		err := r.frames(ctx, from, func(seq uint64, f *frame) error {
			switch f.kind {
			case kindRecord:
				if seq >= record.Seq {
					return io.EOF
				}
				if filter := (Filter{Request: record.Request}); !filter.may(f.payload) {
					return nil
				}
				before := new(Record)
				if err := DecodeRecord(f.payload, before); err != nil {
					return fmt.Errorf("record %d: %w", seq, err)
				}
				if before.Request == record.Request {
					said, size = nil, 0
				}
			case kindBody:
				b, err := parseBody(f.payload)
				if err != nil {
					return fmt.Errorf("body before record %d: %w", seq, err)
				}
				if b.request != record.Request {
					return nil
				}
				size += int64(len(f.payload))
				b.header, b.sealed = slices.Clone(b.header), slices.Clone(b.sealed)
				said = append(said, &Piece{Seq: seq, Request: b.request, Direction: b.direction, body: b})
			}
			return nil
		})
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		switch {
		case size == record.Sealed:
			return said, nil
		case size > record.Sealed, from == 0:
			return nil, fmt.Errorf("what was said before record %d: %w", record.Seq, ErrDestroyed)
		}
	}
}
