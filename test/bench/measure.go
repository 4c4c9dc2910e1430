package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// contender is one way from pgbench to the database.
type contender struct {
	name string
	env  []string     // PGHOST, PGPORT, PGUSER, PGPASSWORD, PGSSLMODE …
	pids func() []int // the processes whose CPU time counts as the proxy's; nil for none
	tls  bool         // TLS on the client's hop
}

// workload is one script of pgbench.
type workload struct {
	name     string
	script   string // file
	protocol string // simple, prepared
}

// sample is what one pgbench run showed.
type sample struct {
	tps     float64
	latency float64 // ms, mean
	cpu     float64 // microseconds of the proxy's CPU per transaction
}

// key says what was measured.
type key struct {
	workload  string
	contender string
	clients   int
}

type results map[key][]sample

func (f *field) measure(ctx context.Context, p plan) (results, error) {
	out := results{}
	for round := range p.rounds {
		for _, w := range f.workloads {
			for _, c := range p.clients {
				// Interleaved: every contender runs within the same minute, in turn.
				for i := range f.contenders {
					cont := f.contenders[(i+round)%len(f.contenders)]
					name := fmt.Sprintf("%s %d %s", w.name, c, cont.name)
					if p.only != "" && !strings.Contains(name, p.only) || cont.tls && !p.tls {
						continue
					}
					s, err := f.pgbench(ctx, p, w, cont, c)
					if err != nil {
						return nil, fmt.Errorf("%s: %w", name, err)
					}
					f.log.Info("measured", "round", round+1, "what", name, "tps", int(s.tps), "ms", s.latency, "cpu_us", int(s.cpu))
					k := key{w.name, cont.name, c}
					out[k] = append(out[k], s)
				}
			}
		}
	}
	return out, nil
}

var (
	tpsLine     = regexp.MustCompile(`(?m)^tps = ([0-9.]+) \(without initial`)
	latencyLine = regexp.MustCompile(`(?m)^latency average = ([0-9.]+) ms`)
	countLine   = regexp.MustCompile(`(?m)^number of transactions actually processed: ([0-9]+)`)
	failedLine  = regexp.MustCompile(`(?m)^number of failed transactions: ([0-9]+)`)
)

func (f *field) pgbench(ctx context.Context, p plan, w workload, c contender, clients int) (sample, error) {
	threads := min(clients, 2)
	before := cpuTime(c.pids)
	cmd := exec.CommandContext(ctx, filepath.Join(f.bin, "pgbench"), "-n", "-f", w.script, "-M", w.protocol,
		"-c", strconv.Itoa(clients), "-j", strconv.Itoa(threads), "-T", strconv.Itoa(p.seconds), "products")
	cmd.Env = append(os.Environ(), c.env...)
	text, err := cmd.CombinedOutput()
	after := cpuTime(c.pids)
	if err != nil {
		return sample{}, fmt.Errorf("pgbench: %w\n%s", err, text)
	}
	number := func(re *regexp.Regexp) float64 {
		m := re.FindSubmatch(text)
		if m == nil {
			return 0
		}
		v, _ := strconv.ParseFloat(string(m[1]), 64)
		return v
	}
	if failed := number(failedLine); failed > 0 {
		return sample{}, fmt.Errorf("pgbench: %v transactions failed", failed)
	}
	s := sample{tps: number(tpsLine), latency: number(latencyLine)}
	n := number(countLine)
	if s.tps == 0 || n == 0 {
		return sample{}, fmt.Errorf("pgbench measured nothing:\n%s", text)
	}
	s.cpu = float64((after - before).Microseconds()) / n
	return s, nil
}

// cpuTime sums user and system time of processes, from /proc/<pid>/stat (proc(5)); a clock tick is 10 ms.
func cpuTime(pids func() []int) time.Duration {
	if pids == nil {
		return 0
	}
	var ticks int64
	for _, pid := range pids() {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+2:]))
		user, _ := strconv.ParseInt(fields[11], 10, 64)
		system, _ := strconv.ParseInt(fields[12], 10, 64)
		ticks += user + system
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// rss is the resident memory of a process in kB.
func rss(pid int) int { return memory(pid, "VmRSS:") }

// memory is one line of /proc/<pid>/status (proc(5)), in kB.
func memory(pid int, name string) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.SplitSeq(string(status), "\n") {
		if rest, ok := strings.CutPrefix(line, name); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
			return n
		}
	}
	return 0
}

func median(samples []sample, of func(sample) float64) float64 {
	if len(samples) == 0 {
		return 0
	}
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	if n := len(values); n%2 == 0 {
		return (values[n/2-1] + values[n/2]) / 2
	}
	return values[len(values)/2]
}
