package postgres

import (
	"bufio"
	"encoding/binary"
	"io"
	"testing"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/audit"
)

// forgetful is a journal that keeps nothing, so that a benchmark measures the front end.
type forgetful struct{ *journal }

func (forgetful) Append(*audit.Record) audit.Commit          { return done }
func (forgetful) Body(string, audit.Direction, []byte) error { return nil }

var done = audit.Resolved(1, nil)

func BenchmarkRoundTrip(b *testing.B) {
	one := parse("", "select id, name from customers where id = $1") + bind("", "", false, "7") + execute("", 0) + syncing()
	for name, send := range map[string]string{
		"simple":   query("select id, name from customers where id = 7"),
		"extended": one,
		"prepared": bind("", "s", false, "7") + execute("", 0) + syncing(),
		"masked":   bind("", "m", false, "7") + execute("", 0) + syncing(),
	} {
		for _, through := range []bool{false, true} {
			label := name + "/direct"
			if through {
				label = name + "/gateway"
			}
			b.Run(label, func(b *testing.B) {
				w := analyzed(b, emails(access.MaskRedact))
				w.gate.Journal = forgetful{w.journal}
				dsn := w.db.App.String()
				if through {
					dsn = w.dsn()
				}
				r := dialRaw(b, dsn)
				r.send(parse("s", "select id, name from customers where id = $1") + parse("m", "select id, email from customers where id = $1") + syncing())
				r.until('Z', 1)
				in := bufio.NewReader(r.conn)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := io.WriteString(r.conn, send); err != nil {
						b.Fatal(err)
					}
					for kind := byte(0); kind != 'Z'; {
						head, err := in.Peek(5)
						if err != nil {
							b.Fatal(err)
						}
						kind = head[0]
						if _, err := in.Discard(int(binary.BigEndian.Uint32(head[1:])) + 1); err != nil {
							b.Fatal(err)
						}
					}
				}
			})
		}
	}
}
