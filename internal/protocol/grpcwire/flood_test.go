package grpcwire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/vecgate/vecgate/internal/protocol/grpcwire"
	"github.com/vecgate/vecgate/internal/protocol/protocoltest"
)

// Frames of HTTP/2 (RFC 9113), written by hand: no client would send what these tests do.
const (
	frameHeaders      = 1
	frameReset        = 3
	frameContinuation = 9
	endHeaders        = 4
)

func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	b = append(b, flags)
	b = binary.BigEndian.AppendUint32(b, stream)
	return append(b, payload...)
}

// preface is the beginning of a connection, with empty settings.
func preface() []byte {
	return append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(4, 0, 0, nil)...)
}

// call is the header block of a call: HPACK without its dynamic table.
func call(path string) []byte {
	b := []byte{0x83, 0x86} // :method POST, :scheme http
	b = append(append(b, 0x04, byte(len(path))), path...)
	b = append(append(b, 0x01, 4), "docs"...)
	return append(append(b, 0x0f, 0x10, 16), "application/grpc"...)
}

// strangerAt opens a connection that has no credential.
func strangerAt(t *testing.T, w *protocoltest.GRPCWorld) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", w.Address, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// held is what the process holds after what nobody needs was given back.
func held() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// CVE-2023-44487: streams are opened and reset faster than their handlers end, so that the bound on streams under way does
// not bound the work.
func TestStreamsThatAreResetAtOnceAreBoundedInTheirWork(t *testing.T) {
	const streams, rounds, together = 8, 400, 50
	w := protocoltest.StartGRPC(t, suite(), func(c *grpcwire.Config, _ *grpcwire.Target) { c.Limits.Streams = streams })
	conn := strangerAt(t, w)
	go func() { _, _ = io.Copy(io.Discard, conn) }() // ends with the connection
	before, memory := runtime.NumGoroutine(), held()
	if _, err := conn.Write(preface()); err != nil {
		t.Fatal(err)
	}
	most, sent, id := 0, 0, uint32(1)
	for range rounds {
		var b []byte
		for range together {
			b = append(b, frame(frameHeaders, endHeaders, id, call(service+"Find"))...)
			b = append(b, frame(frameReset, 0, id, []byte{0, 0, 0, 8})...)
			id += 2
		}
		_, err := conn.Write(b)
		most = max(most, runtime.NumGoroutine())
		if err != nil {
			break // the server has had enough, which is as good
		}
		sent += together
	}
	t.Logf("%d streams were sent, %d goroutines at most besides those of before", sent, most-before)
	// One for each stream that is worked at, and a few for the connection, timers and what a call waits for.
	if most-before > 4*streams+32 {
		t.Errorf("%d goroutines more for a connection that may have %d streams", most-before, streams)
	}
	if now := held(); now > memory+32<<20 {
		t.Errorf("%d MiB more are held", (now-memory)>>20)
	}
	if n := len(w.All()); n > 0 {
		t.Errorf("%d calls without a credential reached the target", n)
	}
	if a := w.Do(t.Context(), suite().Read); a.Status.Code() != codes.OK {
		t.Errorf("another client: %v", a.Status)
	}
}

// CVE-2023-45288: a header block that never ends.
func TestHeadersThatNeverEndEndTheConnection(t *testing.T) {
	w := protocoltest.StartGRPC(t, suite())
	conn := strangerAt(t, w)
	memory := held()
	if _, err := conn.Write(append(preface(), frame(frameHeaders, 0, 1, call(service+"Find"))...)); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, conn)
		ended <- err
	}()
	field := append([]byte{0, 1, 'x', 100}, bytes.Repeat([]byte("v"), 100)...)
	block := frame(frameContinuation, 0, 1, bytes.Repeat(field, 150))
	const most = 256 << 20
	sent := 0
	for sent < most {
		n, err := conn.Write(block)
		sent += n
		if err != nil {
			break
		}
	}
	if sent >= most {
		t.Fatalf("%d MiB of headers were taken", sent>>20)
	}
	select {
	case err := <-ended:
		if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
			t.Error("the connection stayed")
		}
	case <-time.After(time.Minute):
		t.Error("the connection was not ended within a minute")
	}
	t.Logf("ended after %d KiB", sent>>10)
	if now := held(); now > memory+32<<20 {
		t.Errorf("%d MiB more are held", (now-memory)>>20)
	}
	if n := len(w.All()); n > 0 {
		t.Errorf("%d calls reached the target", n)
	}
}
