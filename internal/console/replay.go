package console

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/admin"
)

// Bounds of one page of a replay; the command line and the API have none.
const (
	replayExchanges = 50
	replayLines     = 300
	replayOpen      = 20 // rows shown at once; the others on demand
	replayCells     = 40
)

type replayData struct {
	frame
	Session   admin.Session
	Exchanges []exchange
	From      int
	Next      int // number of the first exchange of the next page; 0 when there is none
	Previous  int
	Marked    []mark // exchanges that were refused or held, to jump to
}

type mark struct {
	Number int
	What   string
}

// exchange is an admin.Exchange laid out for reading.
type exchange struct {
	admin.Exchange
	Blocks []block
}

// block is a statement, a table of rows, or a sentence.
type block struct {
	Kind    string // statement, parameters, table, done, error, notice, copy, note
	Text    string
	Columns []*string
	Rows    [][]*string
	Folded  [][]*string // rows shown on demand
	Left    int         // rows that are not shown here
}

// replay tells a session as it went, as its client saw it.
func (s *Console) replay(w http.ResponseWriter, r *http.Request, c admin.Caller) error {
	from, err := strconv.Atoi(r.URL.Query().Get("from"))
	if err != nil || from < 1 {
		from = 1
	}
	v, err := s.Service.Session(r.Context(), c, r.PathValue("id"))
	if err != nil {
		return err
	}
	d := replayData{frame: s.frame(r, c, "Replay of session "+v.ID, "sessions"), Session: v, From: from}
	more, err := s.Service.Replay(r.Context(), c, v.ID, from, replayExchanges, func(e admin.Exchange) error {
		x := exchange{e, lay(e.Lines)}
		x.Lines = nil
		x.Sealed, _, _ = strings.Cut(e.Sealed, "\n") // what was asked and answered are lost for the same reason, as a rule
		d.Exchanges = append(d.Exchanges, x)
		switch v := e.Verdict(); {
		case v == "deny" || v == "not released":
			d.Marked = append(d.Marked, mark{e.Number, "refused"})
		case v == "released":
			d.Marked = append(d.Marked, mark{e.Number, "released"})
		case e.Error != "":
			d.Marked = append(d.Marked, mark{e.Number, "error"})
		}
		return nil
	})
	if err != nil {
		return err
	}
	if more {
		d.Next = d.Exchanges[len(d.Exchanges)-1].Number + 1
	}
	if from > 1 {
		d.Previous = max(1, from-replayExchanges)
	}
	s.render(w, r, http.StatusOK, "replay", d)
	return nil
}

// lay gathers columns and rows into tables and bounds them.
func lay(lines []access.Line) []block {
	var blocks []block
	shown := 0
	last := func() *block {
		if len(blocks) == 0 || blocks[len(blocks)-1].Kind != "table" {
			blocks = append(blocks, block{Kind: "table"})
		}
		return &blocks[len(blocks)-1]
	}
	for _, l := range lines {
		switch l.Kind {
		case "columns":
			blocks = append(blocks, block{Kind: "table", Columns: l.Cells[:min(len(l.Cells), replayCells)]})
		case "row":
			t := last()
			if shown >= replayLines {
				t.Left++
				continue
			}
			shown++
			cells := l.Cells[:min(len(l.Cells), replayCells)]
			if len(t.Rows) < replayOpen {
				t.Rows = append(t.Rows, cells)
			} else {
				t.Folded = append(t.Folded, cells)
			}
		case "parameters":
			blocks = append(blocks, block{Kind: l.Kind, Rows: [][]*string{l.Cells}})
		default:
			blocks = append(blocks, block{Kind: l.Kind, Text: l.Text, Columns: l.Cells})
		}
	}
	return blocks
}
