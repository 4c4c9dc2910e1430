package attack

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/identity/login"
	"github.com/vecgate/vecgate/test/world"
)

// resident is how much memory the gateway holds, in MiB.
func resident(t *testing.T, g *world.Gateway) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", g.PID()))
	if err != nil {
		t.Fatal("the memory of a process is read from /proc, which Linux has: ", err)
	}
	var size, pages int
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize() >> 20
}

// TestAnnouncedBytesTakeNoMemory: five bytes say that 60 MiB follow, and nothing does.
func TestAnnouncedBytesTakeNoMemory(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	sam := token(t, g, "sam", login.Ask{})
	before := resident(t, g)
	var mu sync.Mutex
	var all sync.WaitGroup
	var open []net.Conn
	signingIn := make(chan bool, 10)
	for range 60 {
		all.Go(func() {
			signingIn <- true
			defer func() { <-signingIn }()
			conn := connect(t, g, "sam", sam)
			raw, err := conn.PgConn().Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			open = append(open, raw.Conn)
			mu.Unlock()
			_, _ = raw.Conn.Write(append(binary.BigEndian.AppendUint32([]byte{'B'}, 60<<20), "some"...))
		})
	}
	all.Wait()
	time.Sleep(time.Second)
	for _, c := range open {
		_, _ = c.Write([]byte("more"))
	}
	time.Sleep(time.Second)
	after := resident(t, g)
	t.Logf("%d MiB before, %d MiB after 60 announcements of 60 MiB", before, after)
	if after-before > 600 {
		t.Errorf("60 sessions that announce 60 MiB and send nothing take %d MiB", after-before)
	}
	for _, c := range open {
		c.Close()
	}
}

// TestStrangersDoNotFillTheLog: what somebody without any credential makes the gateway keep is bounded, or the disk is full
// one day and nothing passes any more.
func TestStrangersDoNotFillTheLog(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	sam := token(t, g, "sam", login.Ask{})
	// Records are counted, not bytes: segments are as long as they will ever be from the beginning.
	records := func() int {
		status, body := call(t, g, sam, http.MethodGet, "/api/v1/log", nil)
		var state struct{ Size int }
		if err := json.Unmarshal([]byte(body), &state); err != nil || status != http.StatusOK || state.Size == 0 {
			t.Fatalf("state of the log: %d %s", status, body)
		}
		return state.Size
	}
	before, logged := records(), len(g.Output())
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var all sync.WaitGroup
	var mu sync.Mutex
	sent := 0
	for range 16 {
		all.Go(func() {
			for ctx.Err() == nil {
				resp, err := http.PostForm(g.URL+"/token", url.Values{"grant_type": {"x"}})
				if err != nil {
					return
				}
				resp.Body.Close()
				mu.Lock()
				sent++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	grown := records() - before
	t.Logf("%d requests without a credential in 10 s: %d records, %d KiB of log", sent, grown, (len(g.Output())-logged)>>10)
	if sent < 1000 {
		t.Fatalf("only %d requests were sent", sent)
	}
	if grown > 100 {
		t.Errorf("%d requests of one stranger made %d records", sent, grown)
	}
}

func TestReadyTellsNoNames(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	text, err := os.ReadFile(g.Config)
	if err != nil {
		t.Fatal(err)
	}
	g.Terminate()
	// The database is gone.
	broken := strings.Replace(string(text), fmt.Sprintf("127.0.0.1:%d\"\n    database", g.Postgres.Port), "127.0.0.1:1\"\n    database", 1)
	if broken == string(text) {
		t.Fatal("the address of the database was not found")
	}
	if err := os.WriteFile(g.Config, []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	_ = g.Start(ctx) // it does not become ready
	ready := fetch(t, g.Ops+"/readyz")
	t.Log(ready)
	if strings.Contains(ready, g.Postgres.AppUser) || strings.Contains(ready, "127.0.0.1") || strings.Contains(ready, databaseOf(t, g)) {
		t.Errorf("anybody is told about the database: %s", ready)
	}
}

// TestIdleVisitorsOfTheConsoleDoNotShutTheDatabaseOut: connections that say nothing cost file descriptors, and the audit log
// needs some too.
func TestIdleVisitorsOfTheConsoleDoNotShutTheDatabaseOut(t *testing.T) {
	g := start(t, world.GatewayOptions{})
	sam := token(t, g, "sam", login.Ask{})
	if out, err := exec.Command("prlimit", "--nofile=400:400", "--pid", strconv.Itoa(g.PID())).CombinedOutput(); err != nil {
		t.Fatalf("prlimit, which comes with every Debian in util-linux, cannot bound the files of a process: %v %s", err, out)
	}
	var open []net.Conn
	for range 600 {
		c, err := net.DialTimeout("tcp", strings.TrimPrefix(g.URL, "http://"), 2*time.Second)
		if err != nil {
			break
		}
		defer c.Close()
		_, _ = c.Write([]byte("GET /signin HTTP/1.1\r\nHost: " + strings.TrimPrefix(g.URL, "http://") + "\r\n\r\n")) // and stay
		open = append(open, c)
	}
	time.Sleep(time.Second)
	conn, err := dial(t, g, "sam", sam, nil)
	if err != nil {
		t.Fatalf("with %d idle visitors of the console nobody reaches the database: %v", len(open), err)
	}
	if _, err := conn.Exec(t.Context(), "SELECT name FROM items WHERE id = 1"); err != nil {
		t.Errorf("with %d idle visitors: %v", len(open), err)
	}
}
