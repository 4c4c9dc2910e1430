// Package analysis understands PostgreSQL's SQL: what a text would do (Statement.Accesses), what every column of its
// answer is made of (Statement.Outputs), which columns decide what comes back (Statement.Shaping) and where values flow
// to (Statement.Sinks); and what must be refused, masked or redacted under a protection (Statement.Oblige).
//
// It opens no socket except LoadCatalog's connection, and knows no user and no rule. It never rewrites a text: what was
// analysed is what is sent. What it is not sure of it calls unclear, which is refused. Start at Analyzer.Analyze.
package analysis
