package value

import (
	"context"
	"fmt"
	"maps"

	"github.com/jackc/pgx/v5"
)

// Family is a group of types whose values travel alike.
type Family uint8

// The families. Other is every type that has no form for a hidden value but NULL.
const (
	Other       Family = iota
	Text               // the same bytes in both formats
	JSON               // text in both formats
	JSONB              // text; in binary a version byte and text
	Bytea              // \x hex; raw in binary
	UUID               // 36 characters; 16 bytes
	Bool               // t, f; one byte
	Int2               // decimal; big-endian, as the next two
	Int4               //
	Int8               //
	OID                // decimal; four unsigned bytes
	Float4             // decimal; IEEE 754
	Float8             //
	Numeric            // decimal; digits of base 10000
	Date               // days since 2000-01-01 in binary
	Time               // microseconds in binary
	Timestamp          // microseconds since 2000-01-01 in binary
	TimestampTZ        //
	Interval           // microseconds, days, months in binary
	Inet               // address and network
	Bit                // zeros and ones; count and packed bits
	Array              // of Elem
	Vector             // pgvector: [1,2]; dimensions, zero, float4 each
	HalfVec            // pgvector: as Vector with float2
	SparseVec          // pgvector: {1:0.5}/3; dimensions, count, zero, indices, float4 each
)

// Type is what a type OID means in one database.
type Type struct {
	OID    uint32
	Name   string
	Family Family
	Elem   Family // of an Array: what its elements are
}

// IsVector reports whether values of the type are embeddings; a bit string can be one, but a column of it need not.
func (t Type) IsVector() bool {
	return t.Family == Vector || t.Family == HalfVec || t.Family == SparseVec
}

// Types resolves the type OIDs of one database. It is immutable and safe for concurrent use; a nil *Types knows the
// built-in types.
type Types struct {
	added map[uint32]Type
}

// Lookup returns the type of an OID; one that nobody knows is of family Other.
func (t *Types) Lookup(oid uint32) Type {
	if typ, ok := builtin[oid]; ok {
		return typ
	}
	if t != nil {
		if typ, ok := t.added[oid]; ok {
			return typ
		}
	}
	return Type{OID: oid}
}

// Load reads the types of a database that are not built in: pgvector's and citext, which are recognised by name and by
// the extension they belong to, and the arrays and domains of known types.
func Load(ctx context.Context, db interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
},
) (*Types, error) {
	rows, err := db.Query(ctx, loadQuery)
	if err != nil {
		return nil, fmt.Errorf("read the types of the database: %w", err)
	}
	var list []row
	list, err = pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	if err != nil {
		return nil, fmt.Errorf("read the types of the database: %w", err)
	}
	return resolve(list), nil
}

// Every name is qualified: what is in the connection's search_path must not change what this reads.
const loadQuery = `
SELECT t.oid::pg_catalog.int8, t.typname::pg_catalog.text, coalesce(e.extname::pg_catalog.text, ''),
       CASE WHEN t.typcategory OPERATOR(pg_catalog.=) 'A' THEN t.typelem::pg_catalog.int8 ELSE 0 END,
       t.typbasetype::pg_catalog.int8
FROM pg_catalog.pg_type t
LEFT JOIN pg_catalog.pg_depend d
       ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass AND d.objid OPERATOR(pg_catalog.=) t.oid
      AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
      AND d.deptype OPERATOR(pg_catalog.=) 'e'
LEFT JOIN pg_catalog.pg_extension e ON e.oid OPERATOR(pg_catalog.=) d.refobjid
WHERE t.oid OPERATOR(pg_catalog.>=) 16384
  AND (e.oid IS NOT NULL OR t.typcategory OPERATOR(pg_catalog.=) 'A' OR t.typtype OPERATOR(pg_catalog.=) 'd')
ORDER BY t.oid`

type row struct {
	OID       int64
	Name      string
	Extension string
	Elem      int64
	Base      int64
}

// extensions are the types that are recognised by name when the extension of that name brought them.
var extensions = map[[2]string]Family{
	{"vector", "vector"}:    Vector,
	{"vector", "halfvec"}:   HalfVec,
	{"vector", "sparsevec"}: SparseVec,
	{"citext", "citext"}:    Text,
}

func resolve(list []row) *Types {
	t := &Types{added: map[uint32]Type{}}
	for _, r := range list {
		if family, ok := extensions[[2]string{r.Extension, r.Name}]; ok {
			t.added[uint32(r.OID)] = Type{OID: uint32(r.OID), Name: r.Name, Family: family}
		}
	}
	// A domain may be over a domain, an array over either: settle until nothing changes.
	for before := -1; before != len(t.added); {
		before = len(t.added)
		for _, r := range list {
			oid := uint32(r.OID)
			if _, known := t.added[oid]; known {
				continue
			}
			switch {
			case r.Elem != 0:
				if elem := t.Lookup(uint32(r.Elem)); elem.Family != Other && elem.Family != Array {
					t.added[oid] = Type{OID: oid, Name: r.Name, Family: Array, Elem: elem.Family}
				}
			case r.Base != 0:
				if base := t.Lookup(uint32(r.Base)); base.Family != Other {
					t.added[oid] = Type{OID: oid, Name: r.Name, Family: base.Family, Elem: base.Elem}
				}
			}
		}
	}
	return t
}

// Find returns the type of a name among those that Load added; the console and tests use it.
func (t *Types) Find(name string) (Type, bool) {
	if t != nil {
		for typ := range maps.Values(t.added) {
			if typ.Name == name {
				return typ, true
			}
		}
	}
	return Type{}, false
}
