package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// caller is one client's way to make one call and to read all of its answer.
type caller interface {
	call() error
	close()
}

// load has so many callers make one call after the other for a while.
func load(ctx context.Context, clients int, length time.Duration, open func() (caller, error), pids func() []int) (sample, error) {
	callers := make([]caller, clients)
	for i := range callers {
		c, err := open()
		if err != nil {
			return sample{}, err
		}
		defer c.close()
		for range 3 { // connections, look-ups and caches are not what is measured
			if err := c.call(); err != nil {
				return sample{}, err
			}
		}
		callers[i] = c
	}
	var (
		mu    sync.Mutex
		took  []time.Duration
		fault error
		wait  sync.WaitGroup
	)
	before, began := cpuTime(pids), time.Now()
	for _, c := range callers {
		wait.Go(func() {
			var mine []time.Duration
			for time.Since(began) < length && ctx.Err() == nil {
				start := time.Now()
				if err := c.call(); err != nil {
					mu.Lock()
					fault = err
					mu.Unlock()
					return
				}
				mine = append(mine, time.Since(start))
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
		})
	}
	wait.Wait()
	elapsed, after := time.Since(began), cpuTime(pids)
	if fault != nil || len(took) == 0 {
		return sample{}, fmt.Errorf("%d calls were answered, then: %w", len(took), fault)
	}
	slices.Sort(took)
	n := float64(len(took))
	return sample{
		tps: n / elapsed.Seconds(), latency: float64(took[len(took)/2].Microseconds()) / 1000, cpu: float64((after - before).Microseconds()) / n,
	}, nil
}

// httpCaller keeps one connection, and writes the same bytes again and again.
type httpCaller struct {
	conn    net.Conn
	answer  *bufio.Reader
	request []byte
}

func dialHTTP(address string, request []byte) (caller, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &httpCaller{conn, bufio.NewReaderSize(conn, 64<<10), request}, nil
}

func (c *httpCaller) call() error {
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.answer, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return fmt.Errorf("status %d: %s", resp.StatusCode, text)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

func (c *httpCaller) close() { c.conn.Close() }

// loads measures every job on every way, interleaved. The second way is the proxy that the others are compared with.
func (f *field) loads(ctx context.Context, p plan, kind string, jobs []string, ways []way, dial func(job int, w way) (caller, error)) (results, error) {
	out := results{}
	for round := range p.rounds {
		for j, job := range jobs {
			for _, clients := range p.clients {
				for i := range ways {
					w := ways[(i+round)%len(ways)]
					name := fmt.Sprintf("%s %s %d %s", kind, job, clients, w.name)
					if p.only != "" && !strings.Contains(name, p.only) {
						continue
					}
					s, err := load(ctx, clients, time.Duration(p.seconds)*time.Second, func() (caller, error) { return dial(j, w) }, w.pids)
					if err != nil {
						return nil, fmt.Errorf("%s: %w", name, err)
					}
					f.log.Info("measured", "round", round+1, "what", name, "tps", int(s.tps), "ms", s.latency, "cpu_us", int(s.cpu))
					out[key{job, w.name, clients}] = append(out[key{job, w.name, clients}], s)
				}
			}
		}
	}
	return out, nil
}

// loadTables are the tables of what loads measured.
func loadTables(p plan, jobs []string, ways []way, r results) string {
	var b strings.Builder
	for _, job := range jobs {
		fmt.Fprintf(&b, "### %s\n\n| proxy |", job)
		for _, c := range p.clients {
			fmt.Fprintf(&b, " c=%d per s | ÷ HAProxy | ms | CPU µs |", c)
		}
		b.WriteString("\n|---|" + strings.Repeat("---:|", 4*len(p.clients)) + "\n")
		for _, w := range ways {
			fmt.Fprintf(&b, "| %s |", w.name)
			for _, c := range p.clients {
				have := r[key{job, w.name, c}]
				if len(have) == 0 {
					b.WriteString(" – | – | – | – |")
					continue
				}
				rate := func(s sample) float64 { return s.tps }
				value, peer := median(have, rate), median(r[key{job, ways[1].name, c}], rate)
				fmt.Fprintf(&b, " %.0f | %s | %.3f | %s |", value, ratio(value, peer), median(have, func(s sample) float64 { return s.latency }),
					cpu(contender{pids: w.pids}, median(have, func(s sample) float64 { return s.cpu })))
			}
			b.WriteString("\n")
		}
		b.WriteString("\n")
	}
	return b.String()
}
