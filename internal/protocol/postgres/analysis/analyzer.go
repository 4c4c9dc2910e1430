package analysis

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
	opts Options
}

// New returns an Analyzer.
func New(opts Options) *Analyzer { return &Analyzer{opts: opts} }

// Analyze returns what the text means over the catalog; never nil. Plans are kept by exact text and catalog epoch.
func (a *Analyzer) Analyze(text string, cat *Catalog) *Plan {
	return &Plan{Text: text, Epoch: cat.Epoch, Refused: &Fault{SQLSTATE: "0A000", Message: "not analysed yet"}}
}
