package live

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/vecgate/vecgate/test/world"
)

// measures returns some of what the gateway tells of itself.
func measures(t *testing.T, g *world.Gateway, names ...string) map[string]int {
	t.Helper()
	res, err := http.Get(g.Ops + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	found := map[string]int{}
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		for _, n := range names {
			if n == name {
				f, err := strconv.ParseFloat(value, 64)
				if err != nil {
					t.Fatal(err)
				}
				found[name] = int(f)
			}
		}
	}
	if len(found) != len(names) {
		t.Fatalf("found %v of %v", found, names)
	}
	return found
}

// TestAThousandSessionsLeaveNothingBehind: however they end, neither a goroutine nor a file of theirs stays.
func TestAThousandSessionsLeaveNothingBehind(t *testing.T) {
	g := start(t, world.GatewayOptions{Limits: "  sign_in: 2s\n  sign_ins_per_address: 200\n"})
	sam := token(t, g, "sam")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	plain := fmt.Sprintf("127.0.0.1:%d", g.PlainPort)
	raw := func(say string) {
		conn, err := net.DialTimeout("tcp", plain, 30*time.Second)
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = conn.Write([]byte(say))
		_ = conn.Close()
	}
	ways := []func(){
		func() { // as drivers do it
			conn, err := pgx.Connect(ctx, g.DSN("sam", sam))
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := conn.Exec(ctx, "SELECT 1"); err != nil {
				t.Error(err)
			}
			_ = conn.Close(ctx)
		},
		func() { // without a word
			conn, err := pgx.Connect(ctx, g.DSN("sam", sam))
			if err != nil {
				t.Error(err)
				return
			}
			_ = conn.PgConn().Conn().Close()
		},
		func() { // in the middle of a query
			conn, err := pgx.Connect(ctx, g.DSN("sam", sam))
			if err != nil {
				t.Error(err)
				return
			}
			conn.PgConn().Frontend().SendQuery(&pgproto3.Query{String: "SELECT id FROM items"})
			_ = conn.PgConn().Frontend().Flush()
			_ = conn.PgConn().Conn().Close()
		},
		func() { // nobody gets in
			if conn, err := pgx.Connect(ctx, g.DSN("sam", "not-a-token")); err == nil {
				t.Error("somebody got in")
				_ = conn.Close(ctx)
			}
		},
		func() { raw("\x00\x00\x00\x08\x04\xd2\x16\x2f") },         // hangs up after the first packet
		func() { raw("\x00\x00\x00\x40\x00\x03\x00\x00user\x00") }, // or within it
		func() { raw("GET / HTTP/1.1\r\nHost: h\r\n\r\n") },
	}
	run := func(n int) {
		t.Helper()
		turns := make(chan func(), n)
		for i := range n {
			turns <- ways[i%len(ways)]
		}
		close(turns)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for way := range turns {
					way()
				}
			})
		}
		all.Wait()
	}
	run(5 * len(ways)) // what is made once and stays
	names := []string{"go_goroutines", "process_open_fds", "vecgate_sessions"}
	settled := func(most map[string]int) (now map[string]int) {
		t.Helper()
		for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
			now = measures(t, g, names...)
			over := now["vecgate_sessions"] > 0
			for name, n := range most {
				over = over || now[name] > n
			}
			if !over {
				return now
			}
			if time.Now().After(end) {
				t.Fatalf("a minute later there are %v, and were at most %v", now, most)
			}
		}
	}
	before := settled(nil)
	run(1000)
	// A few may be at work at any time: connections to the database that are kept, one that asks for this.
	after := settled(map[string]int{"go_goroutines": before["go_goroutines"] + 15, "process_open_fds": before["process_open_fds"] + 15})
	t.Logf("%v before, %v after", before, after)
}
