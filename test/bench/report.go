package main

import (
	"fmt"
	"strings"
)

// report writes the results as ratios: TPS to direct and to PgBouncer of the same kind of client hop, and CPU per transaction.
func report(p plan, f *field, r results, memory string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Benchmarks

Measured %s by `+"`make bench`"+` on %s: client, proxies and database on the same machine, so that a
ratio of throughputs mostly shows how much CPU each takes from the others. %d rounds of %d s each, interleaved; medians. Read ratios within a row, not absolute numbers,
and differences under 15 %% as noise.

The database is PostgreSQL %s with pgvector, without fsync (nothing is written by these workloads). PgBouncer pools per session. The hop from the proxy to the database is without TLS for all. vecgate runs with policy, masking rules,
recording of full answers and the durable audit log on; **before-forward** flushes the record of every query to disk before the query is forwarded, **before-release** lets a read run meanwhile.
"select" is pgbench's select-only on the data set's items by key; "knn" is `+"`ORDER BY embedding <=> $1 LIMIT 10`"+` over 2,000 vectors of 384 dimensions with an HNSW index.

| column | meaning |
|---|---|
| tps | transactions per second |
| ÷ direct | tps relative to no proxy, same client hop |
| ÷ PgBouncer | tps relative to PgBouncer, same client hop |
| CPU µs | CPU time of the proxy's processes per transaction |

`, p.measured.Format("2006-01-02"), p.machine, p.rounds, p.seconds, f.version)
	tps := func(s sample) float64 { return s.tps }
	for _, tls := range []bool{false, true} {
		if tls && !p.tls {
			continue
		}
		if tls {
			b.WriteString("## TLS on the client's hop\n\n")
		} else {
			b.WriteString("## No TLS on the client's hop\n\n")
		}
		for _, w := range f.workloads {
			fmt.Fprintf(&b, "### %s\n\n| proxy |", w.name)
			for _, c := range p.clients {
				fmt.Fprintf(&b, " c=%d tps | ÷ direct | ÷ PgBouncer | ms | CPU µs |", c)
			}
			b.WriteString("\n|---|" + strings.Repeat("---:|", 5*len(p.clients)) + "\n")
			for _, cont := range f.contenders {
				if cont.tls != tls {
					continue
				}
				fmt.Fprintf(&b, "| %s |", cont.name)
				for _, c := range p.clients {
					have := r[key{w.name, cont.name, c}]
					if len(have) == 0 {
						b.WriteString(" – | – | – | – | – |")
						continue
					}
					value := median(have, tps)
					direct := median(r[key{w.name, f.reference("direct", tls), c}], tps)
					bouncer := median(r[key{w.name, f.reference("PgBouncer", tls), c}], tps)
					fmt.Fprintf(&b, " %.0f | %s | %s | %.3f | %s |", value, ratio(value, direct), ratio(value, bouncer),
						median(have, func(s sample) float64 { return s.latency }), cpu(cont, median(have, func(s sample) float64 { return s.cpu })))
				}
				b.WriteString("\n")
			}
			b.WriteString("\n")
		}
	}
	b.WriteString(memory)
	return b.String()
}

func ratio(a, b float64) string {
	if b == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", a/b)
}

func cpu(c contender, v float64) string {
	if c.pids == nil {
		return "–"
	}
	return fmt.Sprintf("%.0f", v)
}

func (f *field) reference(name string, tls bool) string {
	if tls {
		return name + " +TLS"
	}
	return name
}
