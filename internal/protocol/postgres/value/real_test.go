package value_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/postgres/value"
	"github.com/vecgate/vecgate/test/postgrestest"
)

// literals are values that hold a secret, one or more of every type that can be masked or shown; secret is the part
// that must never come out, as text.
var literals = []struct {
	sql    string
	secret string
	family value.Family
}{
	{`'zq-Secret-Wörter'::text`, "zq-Secret-Wörter", value.Text},
	{`''::text`, "", value.Text},
	{`'zq-Secret'::varchar(20)`, "zq-Secret", value.Text},
	{`'zq-Secret'::char(12)`, "zq-Secret", value.Text},
	{`'zq-secret'::name`, "zq-secret", value.Text},
	{`'<a>zq-Secret</a>'::xml`, "zq-Secret", value.Text},
	{`'{"k": "zq-Secret"}'::json`, "zq-Secret", value.JSON},
	{`'{"k": "zq-Secret"}'::jsonb`, "zq-Secret", value.JSONB},
	{`'zq-Secret'::bytea`, "zq-Secret", value.Bytea},
	{`'6f1c1a4e-8a4f-4f0b-9d5e-0c1d2e3f4a5b'::uuid`, "6f1c1a4e-8a4f-4f0b-9d5e-0c1d2e3f4a5b", value.UUID},
	{`true`, "", value.Bool},
	{`31847::int2`, "31847", value.Int2},
	{`(-1938472651)::int4`, "-1938472651", value.Int4},
	{`8273645910283746::int8`, "8273645910283746", value.Int8},
	{`3918273645::oid`, "3918273645", value.OID},
	{`1.5e-7::float4`, "1.5e-07", value.Float4},
	{`(-12345.678901)::float8`, "-12345.678901", value.Float8},
	{`12345678901234567890.12345`, "12345678901234567890.12345", value.Numeric},
	{`-0.0001200::numeric`, "-0.0001200", value.Numeric},
	{`'NaN'::numeric`, "", value.Numeric},
	{`100000000::numeric`, "100000000", value.Numeric},
	{`'1984-07-31'::date`, "1984-07-31", value.Date},
	{`'0044-03-15 BC'::date`, "0044-03-15", value.Date},
	{`'infinity'::date`, "", value.Date},
	{`'13:37:42.5'::time`, "13:37:42.5", value.Time},
	{`'1984-07-31 13:37:42.123456'::timestamp`, "1984-07-31 13:37", value.Timestamp},
	{`'1884-07-31 13:37:42.1'::timestamp`, "1884-07-31 13:37", value.Timestamp},
	{`'1984-07-31 13:37:42+00'::timestamptz`, "1984-07-31 13:37", value.TimestampTZ},
	{`'5 mons 3 days 04:05:06.7'::interval`, "5 mons 3 days", value.Interval},
	{`'203.0.113.77'::inet`, "203.0.113.77", value.Inet},
	{`'203.0.113.0/24'::cidr`, "203.0.113", value.Inet},
	{`'2001:db8::dead/64'::inet`, "2001:db8::dead", value.Inet},
	{`B'10110011101'`, "10110011101", value.Bit},
	{`ARRAY['zq-Secret', 'a "b" \ c', NULL, '', 'null']::text[]`, "zq-Secret", value.Array},
	{`'{{zq-Secret,b},{c,d}}'::text[]`, "zq-Secret", value.Array},
	{`'[3:4]={zq-Secret,b}'::text[]`, "zq-Secret", value.Array},
	{`'{}'::text[]`, "", value.Array},
	{`'{918273645,2}'::int4[]`, "918273645", value.Array},
	{`'[0.125,-2,3.5e-09]'::vector`, "[0.125,-2", value.Vector},
	{`'[0.125,-2,3.5]'::halfvec`, "[0.125,-2", value.HalfVec},
	{`'{1:0.125,30000:-2}/50000'::sparsevec`, "30000:-2", value.SparseVec},
	{`'point(1,2)'::text::name::text`, "point(1,2)", value.Text},
	{`'[918273,918275)'::int4range`, "918273", value.Other},
	{`'(91.5,82.25)'::point`, "91.5,82.25", value.Other},
	{`'$918,273.64'::money`, "918,273.64", value.Other},
	{`'zq-Secret'::tsvector`, "zq-Secret", value.Other},
	{`row(1, 'zq-Secret')`, "zq-Secret", value.Other},
	{`'08:00:2b:01:02:03'::macaddr`, "08:00:2b:01:02:03", value.Other},
	{`'mood-secret'::mood`, "mood-secret", value.Other},
	{`'zq-Secret'::label`, "zq-Secret", value.Text},
	{`ARRAY['zq-Secret']::label[]`, "zq-Secret", value.Array},
	{`'[0.125,-2]'::embedding`, "[0.125,-2", value.Vector},
	{`'zq-Secret'::fake.vector`, "zq-Secret", value.Other},
}

// read sends a query with the extended protocol and returns the only cell, its type and the bytes of the DataRow.
func read(t *testing.T, conn *pgx.Conn, sql string, format int16) ([]byte, uint32) {
	t.Helper()
	result := conn.PgConn().ExecParams(t.Context(), sql, nil, nil, nil, []int16{format}).Read()
	if result.Err != nil {
		t.Fatalf("%s: %v", sql, result.Err)
	}
	return result.Rows[0][0], result.FieldDescriptions[0].DataTypeOID
}

func open(t *testing.T) (*pgx.Conn, *value.Types) {
	t.Helper()
	conn := postgrestest.Start(t).NewDatabase(t).Admin.Connect(t)
	if _, err := conn.Exec(t.Context(), `
		CREATE TYPE mood AS ENUM ('mood-secret');
		CREATE DOMAIN label AS text;
		CREATE DOMAIN embedding AS vector(2);
		CREATE SCHEMA fake;
		CREATE TYPE fake.vector AS ENUM ('zq-Secret')`); err != nil {
		t.Fatal(err)
	}
	types, err := value.Load(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	return conn, types
}

func TestTypesOfARealDatabaseAreRecognised(t *testing.T) {
	conn, types := open(t)
	for _, l := range literals {
		_, oid := read(t, conn, "SELECT "+l.sql, value.TextFormat)
		if typ := types.Lookup(oid); typ.Family != l.family || typ.OID != oid && typ.Family != value.Other {
			t.Errorf("%s has type %+v, want family %d", l.sql, typ, l.family)
		}
	}
	if _, found := types.Find("halfvec"); !found {
		t.Error("halfvec is not found by name")
	}
}

func TestBinaryValueReadsAsPostgreSQLWritesIt(t *testing.T) {
	conn, types := open(t)
	for _, l := range literals {
		text, oid := read(t, conn, "SELECT "+l.sql, value.TextFormat)
		typ := types.Lookup(oid)
		if typ.Family == value.Other {
			continue
		}
		raw, _ := read(t, conn, "SELECT "+l.sql, value.BinaryFormat)
		if got, ok := value.AppendText(nil, typ, value.BinaryFormat, raw); !ok || string(got) != string(text) {
			t.Errorf("%s reads as %q (%v), PostgreSQL writes %q", l.sql, got, ok, text)
		}
	}
}

// TestNoPartOfAMaskedValueIsLeft masks real values of every type in both formats with every mask: what comes out must
// be NULL or a value that pgx reads as the same type, and hold no four bytes in a row of what went in, in
// the other format or in this one.
func TestNoPartOfAMaskedValueIsLeft(t *testing.T) {
	conn, types := open(t)
	m := masker(t)
	for _, l := range literals {
		text, oid := read(t, conn, "SELECT "+l.sql, value.TextFormat)
		raw, _ := read(t, conn, "SELECT "+l.sql, value.BinaryFormat)
		typ := types.Lookup(oid)
		for _, treatment := range []access.Treatment{
			redact, hash, partial, {Mask: access.MaskNull}, {Mask: access.MaskDrop}, {Mask: "novel"},
		} {
			for format, field := range [][]byte{text, raw} {
				name := fmt.Sprintf("%s of %s in format %d", treatment.Mask, l.sql, format)
				out, null := m.Mask([]byte("kept"), treatment, typ, int16(format), field)
				if !bytes.HasPrefix(out, []byte("kept")) {
					t.Fatalf("%s overwrote what was there: %q", name, out)
				}
				out = out[4:]
				if null {
					if len(out) != 0 {
						t.Errorf("%s is NULL and left %q", name, out)
					}
					continue
				}
				if typ.Family == value.Other {
					t.Errorf("%s = %q, want NULL for a type that has no form", name, out)
				}
				shown := out
				if treatment.Mask == access.MaskPartial {
					shown = nil
					if tail, ok := bytes.CutPrefix(out, []byte("****")); !ok || len([]rune(string(tail))) > 4 || !bytes.HasSuffix(field, tail) {
						t.Errorf("%s = %q", name, out)
					}
				}
				for _, secret := range [][]byte{[]byte(l.secret), field, text, raw} {
					if window := common(shown, secret, l.family); window != "" {
						t.Errorf("%s = %q holds %q of the value", name, out, window)
					}
				}
				if oid == 142 || l.family == value.Array && typ.Elem != value.Text {
					continue
				}
				var decoded any
				if err := decode(conn, oid, int16(format), out, &decoded); err != nil {
					t.Errorf("%s = %q does not read as its type: %v", name, out, err)
				}
			}
		}
	}
}

func decode(conn *pgx.Conn, oid uint32, format int16, out []byte, into *any) error {
	typ, ok := conn.TypeMap().TypeForOID(oid)
	if !ok { // pgx knows the domains' and arrays' base types only
		typ, ok = conn.TypeMap().TypeForOID(map[bool]uint32{true: pgtype.TextArrayOID, false: pgtype.TextOID}[bytes.HasPrefix(out, []byte("{")) || len(out) > 12 && out[3] == 1])
	}
	if !ok {
		return fmt.Errorf("pgx does not know type %d", oid)
	}
	v, err := typ.Codec.DecodeValue(conn.TypeMap(), typ.OID, format, out)
	*into = v
	return err
}

// common returns four bytes in a row that masked and secret share; framing (zeros and small lengths), the punctuation of
// the type and hexadecimal digits that meet by accident are not the value's.
func common(masked, secret []byte, family value.Family) string {
	for i := 0; i+4 <= len(secret); i++ {
		window := secret[i : i+4]
		framing := bytes.Count(window, []byte{0}) > 1
		if !framing && bytes.Contains(masked, window) && (family != value.UUID || strings.Trim(string(window), "0123456789abcdef-") != "") {
			return string(window)
		}
	}
	return ""
}

func TestHashIsTheSameInBothFormats(t *testing.T) {
	conn, types := open(t)
	m := masker(t)
	hashed := 0
	for _, l := range literals {
		text, oid := read(t, conn, "SELECT "+l.sql, value.TextFormat)
		raw, _ := read(t, conn, "SELECT "+l.sql, value.BinaryFormat)
		typ := types.Lookup(oid)
		asText, textNull := m.Mask(nil, hash, typ, value.TextFormat, text)
		asBinary, binaryNull := m.Mask(nil, hash, typ, value.BinaryFormat, raw)
		if textNull != binaryNull {
			t.Errorf("hash of %s is NULL in one format only", l.sql)
		}
		if textNull || binaryNull {
			continue
		}
		hashed++
		if got, ok := value.AppendText(nil, typ, value.BinaryFormat, asBinary); !ok || string(got) != string(asText) {
			t.Errorf("hash of %s is %q in binary, %q in text", l.sql, got, asText)
		}
	}
	if hashed < 10 {
		t.Errorf("only %d values have a hash", hashed)
	}
}

func TestEscapedByteaHashesAsTheSameBytes(t *testing.T) {
	conn, types := open(t)
	m := masker(t)
	const sql = `SELECT '\x00ff5c5c41e4'::bytea`
	raw, oid := read(t, conn, sql, value.BinaryFormat)
	want, _ := m.Mask(nil, hash, types.Lookup(oid), value.BinaryFormat, raw)
	for _, output := range []string{"hex", "escape"} {
		if _, err := conn.Exec(t.Context(), "SET bytea_output = "+output); err != nil {
			t.Fatal(err)
		}
		text, _ := read(t, conn, sql, value.TextFormat)
		got, null := m.Mask(nil, hash, types.Lookup(oid), value.TextFormat, text)
		if null || string(got) != fmt.Sprintf(`\x%x`, want) {
			t.Errorf("hash of %s in %s format = %q, want %x", text, output, got, want)
		}
	}
}
