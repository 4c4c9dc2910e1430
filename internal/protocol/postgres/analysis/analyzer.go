package analysis

import (
	"runtime"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// Options say for which target an Analyzer works and how much it takes on. Zero limits mean the defaults.
type Options struct {
	Target string // the first segment of every resource

	MaxText       int // bytes of one text; 16 MiB
	MaxScore      int // how long and deep an expression may be, see guard; 4,000
	MaxStatements int // in one text; 100
	MaxTokens     int // that are no literals, in one text; 200,000
	Concurrency   int // parses of large texts at one time; GOMAXPROCS
	CacheBytes    int // of cached plans; 64 MiB
}

// Analyzer turns texts into plans. It is safe for concurrent use.
type Analyzer struct {
	opts  Options
	turns chan struct{}
	cache *cache
}

// New returns an Analyzer.
func New(opts Options) *Analyzer {
	preset := func(n *int, to int) {
		if *n <= 0 {
			*n = to
		}
	}
	preset(&opts.MaxText, 16<<20)
	preset(&opts.MaxScore, 4000)
	preset(&opts.MaxStatements, 100)
	preset(&opts.MaxTokens, 200_000)
	preset(&opts.Concurrency, runtime.GOMAXPROCS(0))
	preset(&opts.CacheBytes, 64<<20)
	return &Analyzer{opts: opts, turns: make(chan struct{}, opts.Concurrency), cache: newCache(opts.CacheBytes)}
}

// Analyze returns what the text means over the catalog; never nil. Plans are kept by exact text and catalog epoch.
func (a *Analyzer) Analyze(text string, cat *Catalog) *Plan {
	if plan := a.cache.get(text, cat.Epoch); plan != nil {
		return plan
	}
	plan := a.analyze(text, cat)
	a.cache.put(plan)
	return plan
}

func (a *Analyzer) analyze(text string, cat *Catalog) *Plan {
	plan := &Plan{Text: text, Epoch: cat.Epoch}
	stmts, fault := a.read(text)
	if fault != nil {
		plan.Refused = fault
		return plan
	}
	for _, raw := range stmts {
		plan.Statements = append(plan.Statements, analyse(raw.Stmt, part(text, raw), cat))
	}
	return plan
}

// read guards and parses a text.
func (a *Analyzer) read(text string) ([]*pg.RawStmt, *Fault) {
	if fault := a.guard(text); fault != nil {
		return nil, fault
	}
	return a.parse(text)
}
