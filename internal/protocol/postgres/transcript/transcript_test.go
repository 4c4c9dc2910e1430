package transcript_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/postgres/transcript"
)

func asked(t testing.TB, messages ...pgproto3.FrontendMessage) []byte {
	t.Helper()
	var out []byte
	for _, m := range messages {
		var err error
		if out, err = m.Encode(out); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func answered(t testing.TB, messages ...pgproto3.BackendMessage) []byte {
	t.Helper()
	var out []byte
	for _, m := range messages {
		var err error
		if out, err = m.Encode(out); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// tell is the exchange as text, one line each.
func tell(t testing.TB, asked, answered []byte) string {
	t.Helper()
	return tellNext(t, new(transcript.Conversation), transcript.Exchange{Asked: asked, Answered: answered})
}

// tellNext is the next exchange of a session.
func tellNext(t testing.TB, c *transcript.Conversation, x transcript.Exchange) string {
	t.Helper()
	var b strings.Builder
	if err := c.Tell(x, func(line access.Line) error {
		b.WriteString(line.Kind)
		if line.Text != "" {
			b.WriteString(" " + strings.ReplaceAll(line.Text, "\n", "\n  "))
		}
		for _, c := range line.Cells {
			if c == nil {
				b.WriteString(" | NULL")
			} else {
				b.WriteString(" | " + *c)
			}
		}
		b.WriteString("\n")
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func columns(fields ...pgproto3.FieldDescription) *pgproto3.RowDescription {
	return &pgproto3.RowDescription{Fields: fields}
}

func field(name string, oid uint32, format int16) pgproto3.FieldDescription {
	return pgproto3.FieldDescription{Name: []byte(name), DataTypeOID: oid, Format: format}
}

func vector(dims int) []byte {
	out := binary.BigEndian.AppendUint16(nil, uint16(dims))
	out = append(out, 0, 0)
	for i := range dims {
		out = binary.BigEndian.AppendUint32(out, math.Float32bits(float32(i)/8))
	}
	return out
}

var (
	ready  = &pgproto3.ReadyForQuery{TxStatus: 'I'}
	sync   = &pgproto3.Sync{}
	selec1 = &pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")}
)

func TestSimpleQueryIsTold(t *testing.T) {
	got := tell(t,
		asked(t, &pgproto3.Query{String: "SELECT id, email FROM customers; DELETE FROM items"}),
		answered(t,
			columns(field("id", 23, 0), field("email", 25, 0)),
			&pgproto3.DataRow{Values: [][]byte{[]byte("7"), []byte("[redacted]")}},
			&pgproto3.NoticeResponse{Severity: "NOTICE", Code: "00000", Message: "slow"},
			&pgproto3.DataRow{Values: [][]byte{[]byte("8"), nil}},
			selec1,
			&pgproto3.ErrorResponse{Severity: "ERROR", Code: "42501", Message: "not allowed", Detail: "rule no-deletes", Hint: "ask"},
			ready))
	want := `statement SELECT id, email FROM customers; DELETE FROM items
columns | id | email
row | 7 | [redacted]
notice NOTICE 00000: slow
row | 8 | NULL
done SELECT 1
error ERROR 42501: not allowed
  DETAIL: rule no-deletes
  HINT: ask
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("transcript (-want +got):\n%s", diff)
	}
}

func TestANoticeStandsAfterTheQueryThatItIsAbout(t *testing.T) {
	held := &pgproto3.NoticeResponse{Severity: "NOTICE", Code: "00000", Message: "held for approval"}
	for name, c := range map[string]struct {
		answers []pgproto3.BackendMessage
		want    string
	}{
		"released":  {[]pgproto3.BackendMessage{held, held, selec1, ready}, "statement SELECT 1\nnotice NOTICE 00000: held for approval\nnotice NOTICE 00000: held for approval\ndone SELECT 1\n"},
		"no answer": {[]pgproto3.BackendMessage{held}, "statement SELECT 1\nnotice NOTICE 00000: held for approval\n"},
	} {
		if got := tell(t, asked(t, &pgproto3.Query{String: "SELECT 1"}), answered(t, c.answers...)); got != c.want {
			t.Errorf("%s:\n%s", name, got)
		}
	}
}

func TestPipelineIsToldStatementByStatement(t *testing.T) {
	execute := &pgproto3.Execute{}
	got := tell(t,
		asked(t,
			&pgproto3.Parse{Query: "SELECT $1::int4, embedding FROM items", ParameterOIDs: []uint32{23}},
			&pgproto3.Bind{ParameterFormatCodes: []int16{1}, Parameters: [][]byte{{0, 0, 0, 42}}, ResultFormatCodes: []int16{1}},
			&pgproto3.Describe{ObjectType: 'P'}, execute,
			&pgproto3.Bind{PreparedStatement: "before", Parameters: [][]byte{[]byte("x"), nil}},
			&pgproto3.Execute{MaxRows: 10},
			&pgproto3.Parse{Query: "broken"}, &pgproto3.Bind{}, execute, sync),
		answered(t,
			&pgproto3.ParseComplete{}, &pgproto3.BindComplete{},
			columns(field("int4", 23, 1), field("embedding", 16400, 1)),
			&pgproto3.DataRow{Values: [][]byte{{0, 0, 0, 42}, vector(384)}}, selec1,
			&pgproto3.BindComplete{}, &pgproto3.PortalSuspended{},
			&pgproto3.ErrorResponse{Severity: "ERROR", Code: "42601", Message: "syntax error"}, ready))
	want := `statement SELECT $1::int4, embedding FROM items
parameters | 42
columns | int4 | embedding
row | 42 | [0,0.125,0.25,0.375, … 384 dims]
done SELECT 1
note statement "before", prepared earlier; its text is not in what was read
parameters | x | NULL
note at most 10 rows
done suspended: there may be more rows
statement broken
error ERROR 42601: syntax error
note not run, because of the error before it:
note not run, because of the error before it:
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("transcript (-want +got):\n%s", diff)
	}
}

func TestFormatsOfTheBindCountWhereTheStatementWasDescribed(t *testing.T) {
	got := tell(t,
		asked(t, &pgproto3.Describe{ObjectType: 'S', Name: "s"}, &pgproto3.Bind{PreparedStatement: "s", ResultFormatCodes: []int16{1, 0}}, &pgproto3.Execute{}, sync),
		answered(t, &pgproto3.ParameterDescription{}, columns(field("n", 20, 0), field("t", 25, 0)), &pgproto3.BindComplete{},
			&pgproto3.DataRow{Values: [][]byte{{0, 0, 0, 0, 0, 0, 1, 0}, []byte("x")}}, selec1, ready))
	if !strings.Contains(got, "row | 256 | x\n") {
		t.Errorf("transcript:\n%s", got)
	}
}

func TestCopyIsToldInItsPlace(t *testing.T) {
	got := tell(t,
		asked(t, &pgproto3.Query{String: "COPY items FROM STDIN"}, &pgproto3.CopyData{Data: []byte("1\ta\n")}, &pgproto3.CopyDone{},
			&pgproto3.Query{String: "COPY items TO STDOUT"}),
		answered(t, &pgproto3.CopyInResponse{}, &pgproto3.CommandComplete{CommandTag: []byte("COPY 1")}, ready,
			&pgproto3.CopyOutResponse{}, &pgproto3.CopyData{Data: []byte("1\ta\n")}, &pgproto3.CopyDone{}, &pgproto3.CommandComplete{CommandTag: []byte("COPY 1")}, ready))
	want := `statement COPY items FROM STDIN
note COPY from the client begins
copy 1	a
done COPY 1
statement COPY items TO STDOUT
note COPY to the client begins
copy 1	a
done COPY 1
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("transcript (-want +got):\n%s", diff)
	}
}

func TestValuesAreShownByTypeOrByWhatTheyLookLike(t *testing.T) {
	long := strings.Repeat("é", transcript.MaxCell)
	for name, c := range map[string]struct {
		oid    uint32
		format int16
		value  []byte
		want   string
	}{
		"text vector":       {16400, 0, []byte("[1,2,3,4,5,6,7,8,9]"), "[1,2,3,4, … 9 dims]"},
		"short vector":      {16400, 0, []byte("[1,2,3]"), "[1,2,3]"},
		"bracketed text":    {25, 0, []byte("[a,b,c,d,e,f,g,h,i,j]"), "[a,b,c,d,e,f,g,h,i,j]"},
		"binary half":       {16410, 1, []byte{0, 2, 0, 0, 0x3c, 0, 0xc0, 0}, "[1,-2]"},
		"binary enum":       {16500, 1, []byte("happy"), "happy"},
		"binary unknown":    {16500, 1, []byte{1, 2, 3}, `\x010203`},
		"malformed int":     {23, 1, []byte{1, 2, 3}, `\x010203`},
		"invalid text":      {25, 0, []byte{'a', 0xff}, `\x61ff`},
		"uuid":              {2950, 1, bytes.Repeat([]byte{0xab}, 16), "abababab-abab-abab-abab-abababababab"},
		"jsonb":             {3802, 1, []byte("\x01{}"), "{}"},
		"long text":         {25, 0, []byte(long), long[:transcript.MaxCell] + fmt.Sprintf(" … %d bytes", len(long))},
		"long binary value": {16500, 1, make([]byte, 9000), `\x` + strings.Repeat("00", 2048) + " … 9000 bytes"},
	} {
		got := tell(t, nil, answered(t, columns(field("c", c.oid, c.format)), &pgproto3.DataRow{Values: [][]byte{c.value}}))
		if want := "columns | c\nrow | " + c.want + "\n"; got != want {
			t.Errorf("%s:\n got %q\nwant %q", name, got, want)
		}
	}
}

func TestRecordingThatIsCutOrBeginsMidwayIsReadAsFarAsItGoes(t *testing.T) {
	q := asked(t, &pgproto3.Query{String: "SELECT email FROM customers"})
	a := answered(t, columns(field("email", 25, 0)), &pgproto3.DataRow{Values: [][]byte{[]byte("[redacted]")}}, selec1, ready)
	got := tell(t, q[:len(q)-5], a[:len(a)-8])
	if !strings.Contains(got, "row | [redacted]") || strings.Count(got, "the recording ends within a message") != 2 {
		t.Errorf("cut recording:\n%s", got)
	}
	got = tell(t, nil, a[20:])
	if !strings.Contains(got, "cannot be read") || !strings.Contains(got, "row | [redacted]") || !strings.Contains(got, "done SELECT 1") {
		t.Errorf("recording that begins midway:\n%s", got)
	}
	if got = tell(t, q, nil); got != "statement SELECT email FROM customers\n" {
		t.Errorf("request without an answer:\n%s", got)
	}
}

func TestNothingIsToldAfterEmitFails(t *testing.T) {
	stop := errors.New("stop")
	calls := 0
	err := new(transcript.Conversation).Tell(transcript.Exchange{
		Asked:    asked(t, &pgproto3.Query{String: "SELECT 1"}, &pgproto3.Query{String: "SELECT 2"}),
		Answered: answered(t, selec1, ready, selec1, ready),
	}, func(access.Line) error { calls++; return stop })
	if err != stop || calls != 1 {
		t.Errorf("Tell = %v after %d calls, want stop after 1", err, calls)
	}
}
