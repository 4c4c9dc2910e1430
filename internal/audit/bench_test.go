package audit

import (
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// BenchmarkAppend is the hot path: each appender seals a request of 300 bytes, appends its intent and waits until that
// is durable. One operation is one record with its body.
func BenchmarkAppend(b *testing.B) {
	for _, appenders := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("appenders=%d", appenders), func(b *testing.B) {
			l := open(b, Options{Segment: 64 << 20})
			said := make([]byte, 300)
			var n atomic.Int64
			b.ReportAllocs()
			b.ResetTimer()
			before := cpu(b)
			var wg sync.WaitGroup
			for a := range appenders {
				wg.Go(func() {
					session := fmt.Sprintf("s%d", a)
					r := sample()
					r.Session, r.Request = session, session+".1"
					for n.Add(1) <= int64(b.N) {
						if err := l.Body(r.Request, Asked, said); err != nil {
							b.Error(err)
							return
						}
						if err := l.Append(r).Wait(b.Context()); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/record")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// cpu is the time that this process has spent on all cores.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkBody is what taking down an answer costs.
func BenchmarkBody(b *testing.B) {
	for _, size := range []int{256, 4 << 10, 64 << 10} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			l := open(b, Options{Segment: 64 << 20})
			p := make([]byte, 0, size)
			for i := 0; len(p) < size; i++ {
				p = fmt.Appendf(p, "D\x00\x00\x01\x10item %d, colour %d, price %d.%02d|", i*7919%10007, i%13, i*31%997, i%100)
			}
			p = p[:size]
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if err := l.Body("s1.1", Answered, p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRequest is what one client waits for per request when it asks one thing after the other: its intent is durable,
// its outcome follows.
func BenchmarkRequest(b *testing.B) {
	l := open(b, Options{Segment: 64 << 20})
	before := cpu(b)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		exchange(b, l, "s", n)
	}
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/request")
}

// BenchmarkVerify is how fast a log is checked, bodies included.
func BenchmarkVerify(b *testing.B) {
	dir := b.TempDir()
	l := open(b, Options{Dir: dir, Segment: 4 << 20})
	for n := range 20_000 {
		r := sample()
		r.Session, r.Request = "s", fmt.Sprintf("s.%d", n)
		if err := l.Body(r.Request, Asked, make([]byte, 300)); err != nil {
			b.Fatal(err)
		}
		l.Append(r)
		l.Append(outcome("s", n))
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if report := verify(b, dir); !report.OK() || report.Records != 40_000 {
			b.Fatalf("%+v", report)
		}
	}
	b.ReportMetric(40_000*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
