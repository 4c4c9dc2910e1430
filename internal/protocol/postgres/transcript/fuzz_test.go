package transcript_test

import (
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/postgres/transcript"
)

// FuzzTell tells a session of three exchanges: one, another, and the first again.
func FuzzTell(f *testing.F) {
	f.Add(asked(f, &pgproto3.Query{String: "SELECT 1"}), answered(f, columns(field("c", 1700, 1)), &pgproto3.DataRow{Values: [][]byte{vector(3), nil}}, selec1, ready),
		asked(f, &pgproto3.Query{String: "DEALLOCATE s; DISCARD ALL"}), answered(f, &pgproto3.CommandComplete{CommandTag: []byte("DEALLOCATE")}, &pgproto3.CommandComplete{CommandTag: []byte("DISCARD ALL")}, ready), false, false)
	f.Add(asked(f, &pgproto3.Parse{Name: "s", Query: "x", ParameterOIDs: []uint32{1009}}, &pgproto3.Describe{ObjectType: 'S', Name: "s"}, sync),
		answered(f, &pgproto3.ParseComplete{}, &pgproto3.ParameterDescription{ParameterOIDs: []uint32{1009}}, columns(field("c", 23, 0)), ready),
		asked(f, &pgproto3.Bind{PreparedStatement: "s", Parameters: [][]byte{nil}, ResultFormatCodes: []int16{1}}, &pgproto3.Execute{}, sync),
		answered(f, &pgproto3.BindComplete{}, &pgproto3.DataRow{Values: [][]byte{{0, 0, 0, 1}}}, selec1, ready), false, true)
	f.Add(asked(f, &pgproto3.Parse{Query: "x", ParameterOIDs: []uint32{1009}}, &pgproto3.Bind{Parameters: [][]byte{nil}}, &pgproto3.Execute{}, sync),
		answered(f, &pgproto3.ParseComplete{}, &pgproto3.ErrorResponse{Code: "42601"}, ready), []byte("C\x00\x00\x00\x06Ss"), []byte(nil), true, false)
	f.Add([]byte("d\x00\x00\x00\x05x"), []byte("G\x00\x00\x00\x07\x00\x00\x00"), []byte("P"), []byte("T"), true, true)
	f.Fuzz(func(t *testing.T, asked1, answered1, asked2, answered2 []byte, refused, succeeded bool) {
		var c transcript.Conversation
		read := 1
		for _, x := range []transcript.Exchange{
			{Asked: asked1, Answered: answered1, Succeeded: succeeded},
			{Asked: asked2, Answered: answered2, Refused: refused, Refusal: "no"},
			{Asked: asked1, Answered: answered1},
		} {
			told := 0
			read += len(x.Asked) + len(x.Answered)
			if err := c.Tell(x, func(line access.Line) error {
				told += len(line.Text)
				if line.Kind == "" {
					t.Fatal("a line without a kind")
				}
				for _, c := range line.Cells {
					if c != nil {
						told += len(*c)
						if len(*c) > transcript.MaxCell+64 {
							t.Fatalf("a cell of %d bytes", len(*c))
						}
					}
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if told > 4096*read {
				t.Fatalf("%d bytes told of %d", told, read)
			}
		}
	})
}
