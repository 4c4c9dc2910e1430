//go:build linux

package netloop

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// pair is both ends of a connection over loopback.
func pair(t testing.TB) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, _ := l.Accept()
		accepted <- c
	}()
	if near, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if far = <-accepted; far == nil {
		t.Fatal("nothing was accepted")
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

// loops are a set that ends with the test, when every task must have ended.
func loops(t testing.TB, n int) *Set {
	t.Helper()
	s, err := New(n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, l := range s.loops {
			for i := 0; l.tasks.Load() != 0 && i < 1000; i++ {
				time.Sleep(5 * time.Millisecond)
			}
			if n := l.tasks.Load(); n != 0 {
				t.Errorf("%d tasks did not end", n)
			}
		}
		s.Close()
	})
	return s
}

// run runs f as a task and waits for its end.
func run(s *Set, f func(*Task)) {
	done := make(chan struct{})
	s.Go(func(t *Task) {
		defer close(done)
		f(t)
	})
	<-done
}

func conn(t *testing.T, task *Task, from net.Conn) *Conn {
	c, err := task.Conn(from)
	if err != nil {
		t.Error(err)
	}
	return c
}

func TestEchoesPassOnAndOffTheLoop(t *testing.T) {
	s := loops(t, 2)
	const clients, rounds = 40, 200
	var all sync.WaitGroup
	for range clients {
		near, far := pair(t)
		s.Go(func(task *Task) {
			c := conn(t, task, far)
			defer c.Close()
			buf := make([]byte, 300)
			for round := 0; ; round++ {
				switch round % 7 {
				case 0:
					task.Attach()
				case 5:
					task.Detach()
				}
				n, err := c.Read(buf)
				if err != nil {
					if !errors.Is(err, io.EOF) {
						t.Error(err)
					}
					return
				}
				if _, err := c.Write(buf[:n]); err != nil {
					t.Error(err)
					return
				}
			}
		})
		all.Go(func() {
			defer near.Close()
			said, heard := make([]byte, 150), make([]byte, 150)
			for range rounds {
				_, _ = rand.Read(said)
				if _, err := near.Write(said); err != nil {
					t.Error(err)
					return
				}
				if _, err := io.ReadFull(near, heard); err != nil || !bytes.Equal(said, heard) {
					t.Errorf("echo differs: %v", err)
					return
				}
			}
		})
	}
	all.Wait()
}

func TestMoreThanTheBuffersHoldPassesWhileOthersHaveTheirTurn(t *testing.T) {
	s := loops(t, 1)
	near, far := pair(t)
	const size = 32 << 20
	s.Go(func(task *Task) { // writes more than the socket takes
		c := conn(t, task, far)
		defer c.Close()
		task.Attach()
		if n, err := c.Write(make([]byte, size)); n != size || err != nil {
			t.Errorf("wrote %d bytes, %v", n, err)
		}
	})
	other, end := pair(t)
	s.Go(func(task *Task) {
		c := conn(t, task, end)
		defer c.Close()
		task.Attach()
		_, _ = io.Copy(c, c)
	})
	var one [1]byte
	for range 20 { // while the first task waits for its peer
		if _, err := other.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(other, one[:]); err != nil {
			t.Fatal(err)
		}
	}
	other.Close()
	if n, err := io.Copy(io.Discard, near); n != size || err != nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
}

func TestWhoeverReadsALotLetsOthersIn(t *testing.T) {
	s := loops(t, 1)
	near, far := pair(t)
	var stop, turns atomic.Int64
	s.Go(func(task *Task) {
		c := conn(t, task, far)
		defer c.Close()
		task.Attach()
		buf := make([]byte, 64)
		for {
			if _, err := c.Read(buf); err != nil {
				return
			}
		}
	})
	s.Go(func(task *Task) {
		task.Attach()
		for stop.Load() == 0 {
			turns.Add(1)
			task.Wake()
			task.Park()
		}
	})
	block := make([]byte, 256<<10)
	for range 16 {
		before := turns.Load()
		if _, err := near.Write(block); err != nil {
			t.Fatal(err)
		}
		for turns.Load() == before { // for ever, if the reader never lets go
			time.Sleep(time.Millisecond)
		}
	}
	stop.Store(1)
	near.Close()
}

func TestDeadlinesEndWhatWaits(t *testing.T) {
	for _, attached := range []bool{true, false} {
		s := loops(t, 1)
		_, far := pair(t)
		run(s, func(task *Task) {
			c := conn(t, task, far)
			defer c.Close()
			if attached {
				task.Attach()
			}
			_ = c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("attached %v: Read = %v, want a deadline", attached, err)
			}
			var ne net.Error
			_, err := c.Read(make([]byte, 1))
			if !errors.As(err, &ne) || !ne.Timeout() {
				t.Errorf("attached %v: a deadline that has passed = %v", attached, err)
			}
			_ = c.SetReadDeadline(time.Time{})
			time.AfterFunc(10*time.Millisecond, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) }) // by somebody else, while it waits
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("attached %v: Read = %v, want a deadline", attached, err)
			}
			_ = c.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
			if _, err := c.Write(make([]byte, 64<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("attached %v: Write = %v, want a deadline", attached, err)
			}
		})
	}
}

func TestCloseEndsWhatWaits(t *testing.T) {
	for _, attached := range []bool{true, false} {
		s := loops(t, 1)
		_, far := pair(t)
		run(s, func(task *Task) {
			c := conn(t, task, far)
			if attached {
				task.Attach()
			}
			time.AfterFunc(10*time.Millisecond, func() { c.Close() })
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("attached %v: Read = %v, want net.ErrClosed", attached, err)
			}
			if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
				t.Errorf("attached %v: Write = %v, want net.ErrClosed", attached, err)
			}
			if err := c.Close(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("attached %v: Close = %v, want net.ErrClosed", attached, err)
			}
		})
	}
}

func TestTheEndOfAPeerIsSeen(t *testing.T) {
	for _, attached := range []bool{true, false} {
		s := loops(t, 1)
		near, far := pair(t)
		run(s, func(task *Task) {
			c := conn(t, task, far)
			defer c.Close()
			if attached {
				task.Attach()
			}
			// What was said before the end comes first, whether it arrives with the end or before it.
			if _, err := near.Write([]byte("good")); err != nil {
				t.Error(err)
			}
			near.Close()
			got, err := io.ReadAll(c)
			if string(got) != "good" || err != nil {
				t.Errorf("attached %v: read %q, %v", attached, got, err)
			}
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("attached %v: the second time: %v", attached, err)
			}
		})
	}
}

func TestAReaderHearsOfAnotherConnection(t *testing.T) {
	s := loops(t, 1)
	near, far := pair(t)
	other, end := pair(t)
	run(s, func(task *Task) {
		c, d := conn(t, task, far), conn(t, task, end)
		defer c.Close()
		defer d.Close()
		task.Attach()
		d.Instant(true)
		if _, err := d.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || d.Able() {
			t.Errorf("there is nothing to read: %v", err)
		}
		d.Instant(false)
		c.Also(d)
		time.AfterFunc(10*time.Millisecond, func() { _, _ = other.Write([]byte("x")) })
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || !d.Able() {
			t.Errorf("Read = %v while the other connection has something to say (%v)", err, d.Able())
		}
		if n, err := d.Read(make([]byte, 8)); n != 1 || err != nil {
			t.Errorf("read %d bytes of the other connection, %v", n, err)
		}
		time.AfterFunc(10*time.Millisecond, func() { _, _ = near.Write([]byte("y")) })
		if n, err := c.Read(make([]byte, 8)); n != 1 || err != nil {
			t.Errorf("read %d bytes, %v", n, err)
		}
	})
}

func TestATaskIsAskedToLeave(t *testing.T) {
	s := loops(t, 1)
	near, far := pair(t)
	tasks := make(chan *Task, 1)
	go func() {
		task := <-tasks
		for !task.OnLoop() {
			time.Sleep(time.Millisecond)
		}
		task.Leave()
		for task.OnLoop() {
			time.Sleep(time.Millisecond)
		}
		_, _ = near.Write([]byte("x"))
	}()
	run(s, func(task *Task) {
		c := conn(t, task, far)
		defer c.Close()
		tasks <- task
		task.Attach()
		if n, err := c.Read(make([]byte, 8)); n != 1 || err != nil || task.Attached() {
			t.Errorf("read %d bytes, %v, attached %v", n, err, task.Attached())
		}
	})
}

// A wake must never be lost, whenever it comes: many goroutines wake tasks that park, attach and detach themselves.
func TestNoWakeIsLost(t *testing.T) {
	s := loops(t, 2)
	const tasks, rounds = 16, 2000
	var all sync.WaitGroup
	for range tasks {
		all.Add(1)
		s.Go(func(task *Task) {
			defer all.Done()
			var said atomic.Int64
			ask := make(chan struct{}, 1)
			defer close(ask)
			go func() {
				for range ask {
					said.Add(1)
					task.Wake()
				}
			}()
			for i := range int64(rounds) {
				if i%10 == 3 {
					task.Detach()
				}
				task.Attach()
				ask <- struct{}{}
				for said.Load() <= i {
					task.Park()
				}
			}
		})
	}
	all.Wait()
}

func TestTLSWorksOverALoop(t *testing.T) {
	cert := certificate(t)
	s := loops(t, 1)
	near, far := pair(t)
	client := tls.Client(near, &tls.Config{InsecureSkipVerify: true})
	done := make(chan error, 1)
	go func() {
		said, heard := make([]byte, 100<<10), make([]byte, 100<<10)
		_, _ = rand.Read(said)
		go func() { _, _ = client.Write(said) }()
		_, err := io.ReadFull(client, heard)
		if err == nil && !bytes.Equal(said, heard) {
			err = errors.New("the echo differs")
		}
		client.Close()
		done <- err
	}()
	run(s, func(task *Task) {
		c := conn(t, task, far)
		secure := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
		defer secure.Close()
		if err := secure.HandshakeContext(context.Background()); err != nil {
			t.Error(err)
			return
		}
		task.Attach()
		// A deadline in the middle must not break what follows.
		var first [1]byte
		c.Instant(true)
		n, err := secure.Read(first[:])
		c.Instant(false)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
		if _, err := secure.Write(first[:n]); err != nil {
			t.Error(err)
		}
		_, _ = io.Copy(secure, secure) // to the end of the client
	})
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func certificate(t *testing.T) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestWhatHasNoDescriptorIsRefused(t *testing.T) {
	s := loops(t, 1)
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	run(s, func(task *Task) {
		if _, err := task.Conn(a); err == nil {
			t.Error("a pipe was taken")
		}
	})
}
