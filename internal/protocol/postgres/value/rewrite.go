package value

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// MaxRow is the longest row that is rewritten, before and after.
const MaxRow = 16 << 20

// ErrRow is wrapped by every error of Rewriter.Row: the row cannot be vouched for and must not reach the client.
var ErrRow = errors.New("row cannot be rewritten")

// A Rewriter rewrites the rows of one result set. It is immutable, and safe for concurrent use unless Inside has been called.
type Rewriter struct {
	masker  *Masker
	columns []column
}

type column struct {
	treatment access.Treatment
	typ       Type
	format    int16
	touched   bool
	inside    *jsonstream.Node // of a document that is masked inside
}

// NewRewriter plans the rewriting of rows that have one column per treatment. The type OIDs are those of the
// RowDescription, or of the plan when the server sent none; the formats are as a Bind has them: none (all text), one
// for all, or one for each column.
func NewRewriter(m *Masker, types *Types, treatments []access.Treatment, oids []uint32, formats []int16) (*Rewriter, error) {
	if len(oids) != len(treatments) {
		return nil, fmt.Errorf("plan the rewriting of rows: %d types for %d columns", len(oids), len(treatments))
	}
	if n := len(formats); n > 1 && n != len(treatments) {
		return nil, fmt.Errorf("plan the rewriting of rows: %d formats for %d columns", n, len(treatments))
	}
	r := &Rewriter{masker: m, columns: make([]column, len(treatments))}
	for i, t := range treatments {
		c := column{treatment: t, typ: types.Lookup(oids[i]), touched: t.Mask != access.MaskNone}
		switch len(formats) {
		case 0:
		case 1:
			c.format = formats[0]
		default:
			c.format = formats[i]
		}
		if c.format != TextFormat && c.format != BinaryFormat {
			return nil, fmt.Errorf("plan the rewriting of rows: column %d has format %d", i+1, c.format)
		}
		r.columns[i] = c
	}
	return r, nil
}

// Inside says what happens to a document in a column whose mask is access.MaskInside; without it, the document is NULL. A
// Rewriter of which this has been said is for one goroutine at a time.
func (r *Rewriter) Inside(i int, n *jsonstream.Node) { r.columns[i].inside = n }

// Touches reports whether any column is changed at all; rows of a Rewriter that touches nothing need not pass it.
func (r *Rewriter) Touches() bool {
	for i := range r.columns {
		if r.columns[i].touched {
			return true
		}
	}
	return false
}

// Row appends a whole DataRow message, with its type and length, whose body is body as rewritten. On an error dst comes
// back as it was, and nothing of the row must be sent. Row does not keep body, which must not overlap dst's free space.
func (r *Rewriter) Row(dst, body []byte) ([]byte, error) {
	if len(body) > MaxRow {
		return dst, fmt.Errorf("%w: it has %d bytes, more than %d", ErrRow, len(body), MaxRow)
	}
	if len(body) < 2 {
		return dst, fmt.Errorf("%w: it ends within the number of fields", ErrRow)
	}
	if n := int(binary.BigEndian.Uint16(body)); n != len(r.columns) {
		return dst, fmt.Errorf("%w: it has %d fields for %d columns", ErrRow, n, len(r.columns))
	}
	start := len(dst)
	out := append(dst, 'D', 0, 0, 0, 0)
	out = append(out, body[:2]...)
	rest := body[2:]
	for i := range r.columns {
		if len(rest) < 4 {
			return dst, fmt.Errorf("%w: it ends within the length of field %d", ErrRow, i+1)
		}
		n := int32(binary.BigEndian.Uint32(rest))
		if n < -1 || int64(n) > int64(len(rest)-4) {
			return dst, fmt.Errorf("%w: field %d says it has %d bytes of %d", ErrRow, i+1, n, len(rest)-4)
		}
		c := &r.columns[i]
		end := 4 + max(int(n), 0)
		if n == -1 || !c.touched {
			out = append(out, rest[:end]...)
			rest = rest[end:]
			continue
		}
		at := len(out)
		out = append(out, 0, 0, 0, 0)
		var cell []byte
		null := false
		if c.treatment.Mask == access.MaskInside {
			cell, null = r.masker.document(out, c, rest[4:end:end])
		} else {
			cell, null = r.masker.Mask(out, c.treatment, c.typ, c.format, rest[4:end:end])
		}
		size := int64(-1)
		if null {
			cell = cell[:at+4]
		} else {
			size = int64(len(cell) - at - 4)
		}
		out = cell
		if len(out)-start > MaxRow+5 {
			return dst, fmt.Errorf("%w: it grows beyond %d bytes", ErrRow, MaxRow)
		}
		binary.BigEndian.PutUint32(out[at:], uint32(int32(size)))
		rest = rest[end:]
	}
	if len(rest) != 0 {
		return dst, fmt.Errorf("%w: %d bytes follow its last field", ErrRow, len(rest))
	}
	binary.BigEndian.PutUint32(out[start+1:], uint32(len(out)-start-1))
	return out, nil
}
