package analysis

import (
	"errors"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
	"github.com/pganalyze/pg_query_go/v6/parser"
)

// largeText is the length from which parses wait for each other: small ones are faster than the waiting.
const largeText = 4 << 10

// parse runs PostgreSQL's own grammar over a text that the guard has passed.
func (a *Analyzer) parse(text string) ([]*pg.RawStmt, *Fault) {
	if len(text) > largeText {
		a.turns <- struct{}{}
		defer func() { <-a.turns }()
	}
	tree, err := pg.Parse(text)
	if err != nil {
		return nil, parseFault(err)
	}
	return tree.Stmts, nil
}

func parseFault(err error) *Fault {
	fault := &Fault{SQLSTATE: "42601", Message: err.Error()}
	var said *parser.Error
	if errors.As(err, &said) {
		fault.Message, fault.Position = said.Message, said.Cursorpos
	}
	if strings.Contains(fault.Message, "memory exhausted") || strings.Contains(fault.Message, "stack depth") ||
		strings.Contains(fault.Message, "recursion") {
		fault.SQLSTATE = "54001"
	}
	return fault
}

// part returns the text of one statement without the blanks around it.
func part(text string, raw *pg.RawStmt) string {
	start, length := int(raw.StmtLocation), int(raw.StmtLen)
	if start < 0 || start > len(text) {
		return text
	}
	end := len(text)
	if length > 0 && start+length <= len(text) {
		end = start + length
	}
	return strings.TrimSpace(text[start:end])
}
