package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/admin"
)

// row is an access request as a line of a list; it is also what is sent when one changes.
type row struct {
	ID       string    `json:"id"`
	State    string    `json:"state"`
	Who      string    `json:"who"`
	Kind     string    `json:"kind"`
	Action   string    `json:"action"`
	Gravity  string    `json:"gravity"`
	Resource string    `json:"resource"`
	Others   string    `json:"others"` // "and 2 more"
	Text     string    `json:"text"`
	Rule     string    `json:"rule"`
	Target   string    `json:"target"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires"`
	Progress string    `json:"progress"` // "1 of 2"
	Mine     bool      `json:"mine"`
	May      bool      `json:"may"`
	Ago      string    `json:"-"`
}

func rowOf(r admin.Request, now time.Time) row {
	v := row{
		ID: r.ID, State: string(r.State), Who: visible(r.Subject.Display()), Rule: r.Terms.Rule, Target: r.Target,
		Created: r.Created, Expires: r.Expires, Progress: fmt.Sprintf("%d of %d", r.Yes, max(r.Terms.Persons, 1)), Mine: r.Mine, May: r.May,
		Ago: ago(r.Created, now), Text: visible(oneLine(r.Text)), Action: string(access.Unknown), Gravity: "grave", Resource: r.Target,
	}
	if r.Subject.Kind != access.Person {
		v.Kind = string(r.Subject.Kind)
	}
	if len(r.Accesses) > 0 {
		first := r.Accesses[0]
		v.Action, v.Gravity, v.Resource = string(first.Action), gravity(first.Action), visible(first.Resource.String())
		if n := len(r.Accesses) - 1; n > 0 {
			v.Others = fmt.Sprintf("and %d more", n)
		}
	}
	return v
}

// oneLine is the beginning of a statement for a list.
func oneLine(s string) string {
	b := make([]rune, 0, 160)
	space := false
	for _, r := range s {
		if r == '\n' || r == '\t' || r == ' ' || r == '\r' {
			space = len(b) > 0
			continue
		}
		if space {
			b, space = append(b, ' '), false
		}
		if b = append(b, r); len(b) >= 160 {
			return string(b) + "…"
		}
	}
	return string(b)
}

func rowsOf(list []admin.Request, now time.Time) []row {
	rows := make([]row, len(list))
	for i := range list {
		rows[i] = rowOf(list[i], now)
	}
	return rows
}

type requestsData struct {
	frame
	View string // waiting, open, mine, all
	Rows []row
	Next string // link to older ones
	Live bool   // the first page moves by itself
}

// requests lists access requests.
func (s *Console) requests(w http.ResponseWriter, r *http.Request, c admin.Caller) error {
	q := r.URL.Query()
	d := requestsData{frame: s.frame(r, c, "Requests", "requests"), View: q.Get("view")}
	f := admin.RequestFilter{Limit: 50}
	switch d.View {
	case "open":
		f.States = []access.State{access.StateOpen}
	case "mine":
		f.Mine = true
	case "all":
	default:
		d.View = "waiting"
		f.States, f.Waiting = []access.State{access.StateOpen}, true
	}
	before, err := before(q)
	if err != nil {
		return err
	}
	f.Before, d.Live = before, before.IsZero()
	list, more, err := s.Service.ListRequests(r.Context(), c, f)
	if err != nil {
		return err
	}
	d.Rows = rowsOf(list, d.Now)
	if more {
		d.Next = older("/requests", url.Values{"view": {d.View}}, list[len(list)-1].Created)
	}
	s.render(w, r, http.StatusOK, "requests", d)
	return nil
}

// before reads where the next page of a list begins.
func before(q url.Values) (time.Time, error) {
	text := q.Get("before")
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, admin.ErrNotFound
	}
	return t, nil
}

func older(path string, q url.Values, last time.Time) string {
	q.Set("before", last.UTC().Format(time.RFC3339Nano))
	return path + "?" + q.Encode()
}

// requestEvents sends the rows that change, for the lists and the cards.
func (s *Console) requestEvents(w http.ResponseWriter, r *http.Request, c admin.Caller) error {
	welcome := func(ctx context.Context) (admin.Caller, error) {
		now := s.caller(r)
		if now.Subject == nil {
			return now, &access.Refusal{Code: access.CodeIdentity, Message: "nobody is signed in any more", Hint: "sign in again"}
		}
		return now, s.Admit(ctx, now.Subject)
	}
	return admin.Events(w, r, s.Service, c, welcome, func(v admin.Request) any { return rowOf(v, s.Now()) })
}
