package server

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestIdleVisitorsMakeRoomAndBusyOnesStay(t *testing.T) {
	entered, leave := make(chan bool, 10), make(chan bool)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/busy" {
			entered <- true
			select {
			case <-leave:
			case <-r.Context().Done():
			}
		}
		_, _ = io.WriteString(w, "ok")
	}))
	v := newVisitors(func() int { return 3 })
	server.Config.ConnState = v.see
	server.Start()
	t.Cleanup(server.Close) // after the visitors have gone, for it waits for those at work
	visit := func(path string) net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		_ = c.SetDeadline(time.Now().Add(30 * time.Second))
		if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		return c
	}
	answered := func(c net.Conn) bool {
		n, err := c.Read(make([]byte, 4096))
		return err == nil && n > 0
	}
	// rest waits until the server knows that all but the busy one are idle, which it learns after its client has the answer.
	rest := func() {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
			v.mu.Lock()
			resting := len(v.idle) == len(v.all)-1
			v.mu.Unlock()
			if resting {
				return
			}
			if time.Now().After(end) {
				t.Fatal("a visitor that has been answered is not idle")
			}
		}
	}
	work := func() net.Conn {
		t.Helper()
		c := visit("/busy")
		select {
		case <-entered:
		case <-time.After(30 * time.Second):
			t.Fatal("a visitor could not start to work")
		}
		return c
	}
	busy := work()
	for range 20 {
		if !answered(visit("/")) {
			t.Fatal("a visitor was turned away although others were idle")
		}
		rest()
	}
	v.mu.Lock()
	all := len(v.all)
	v.mu.Unlock()
	if all > 3 {
		t.Errorf("%d connections are open", all)
	}
	second, third := work(), work()
	if answered(visit("/")) {
		t.Error("a fourth visitor came in although three were at work")
	}
	close(leave)
	for _, c := range []net.Conn{busy, second, third} {
		if !answered(c) {
			t.Error("a visitor at work was shown out")
		}
	}
}
