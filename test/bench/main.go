// Command bench measures vecgate beside PgBouncer, HAProxy and no proxy at all, in one interleaved run, and writes
// docs/benchmarks.md. It measures whole processes from outside with pgbench, callers of its own and /proc; it knows nothing of how vecgate works.
//
//	go run ./test/bench                    everything: about half an hour
//	go run ./test/bench -seconds 3 -rounds 1 -write=false   a quick look
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// plan is what one run measures.
type plan struct {
	seconds  int
	rounds   int
	clients  []int
	only     string
	profile  string
	write    bool
	idle     int
	tls      bool
	http     bool
	machine  string
	measured time.Time
}

func run(ctx context.Context) error {
	p := plan{measured: time.Now().UTC(), machine: machine()}
	var clients string
	flag.IntVar(&p.seconds, "seconds", 6, "length of one pgbench run")
	flag.IntVar(&p.rounds, "rounds", 3, "how often each combination is measured; the median counts")
	flag.StringVar(&clients, "clients", "1,8,32", "numbers of concurrent clients")
	flag.StringVar(&p.only, "only", "", "only combinations whose name contains this")
	flag.StringVar(&p.profile, "profile", "", "write vecgate's CPU profile of the whole run to this file")
	flag.BoolVar(&p.write, "write", true, "write docs/benchmarks.md")
	flag.IntVar(&p.idle, "idle", 1000, "idle connections for the memory measurement; 0 leaves it out")
	flag.BoolVar(&p.tls, "tls", true, "also measure with TLS on the client's hop")
	flag.BoolVar(&p.http, "http", true, "also measure the HTTP and gRPC front ends")
	flag.Parse()
	for _, c := range strings.Split(clients, ",") {
		var n int
		if _, err := fmt.Sscan(c, &n); err != nil || n < 1 {
			return fmt.Errorf("-clients: %q is not a list of positive numbers", clients)
		}
		p.clients = append(p.clients, n)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	field, err := stand(ctx, log, p)
	if err != nil {
		return err
	}
	defer field.close()
	results, err := field.measure(ctx, p)
	if err != nil {
		return err
	}
	memory, err := field.memory(ctx, p)
	if err != nil {
		log.Error("memory not measured", "error", err) // what was measured before is worth keeping
		memory = "## Memory\n\nNot measured in this run.\n"
	}
	text := report(p, field, results, memory)
	if p.http {
		more, err := field.http(ctx, p)
		if err != nil {
			return fmt.Errorf("HTTP: %w", err)
		}
		text += more
		if more, err = field.rpc(ctx, p); err != nil {
			return fmt.Errorf("gRPC: %w", err)
		}
		text += more
	}
	fmt.Println(text)
	if !p.write {
		return nil
	}
	return os.WriteFile("docs/benchmarks.md", []byte(text), 0o644)
}

// machine describes where the numbers were measured.
func machine() string {
	cpu := "unknown CPU"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		n := 0
		for line := range strings.SplitSeq(string(info), "\n") {
			if name, ok := strings.CutPrefix(line, "model name"); ok {
				cpu = strings.TrimLeft(name, "\t :")
				n++
			}
		}
		cpu = fmt.Sprintf("%d x %s", n, cpu)
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return fmt.Sprintf("%s, Linux %s", cpu, strings.TrimSpace(string(kernel)))
}
