package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/admin"
)

func newRequestsCommand(env *Env) *cobra.Command {
	c := &cobra.Command{
		Use:     "requests",
		Aliases: []string{"request", "req"},
		Short:   "See and decide on what policy holds until a person releases it",
		Args:    cobra.NoArgs,
	}
	c.AddCommand(newRequestsLsCommand(env), newRequestsShowCommand(env), newRequestsVoteCommand(env, true), newRequestsVoteCommand(env, false))
	return c
}

func newRequestsLsCommand(env *Env) *cobra.Command {
	var (
		where     remote
		list      listing
		mine, all bool
		waiting   bool
		states    []string
		target    string
	)
	c := &cobra.Command{
		Use:   "ls",
		Short: "List access requests",
		Long: "List access requests, newest first: those that are open, of those that you asked for, may decide on, or may audit.\n" +
			"--waiting lists those that wait for your own word, --mine those that you asked for in any state, --all everything.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := where.api(cmd.Context(), env)
			if err != nil {
				return err
			}
			q := list.query()
			switch {
			case len(states) > 0:
				q["state"] = states
			case !mine && !all:
				q.Set("state", string(access.StateOpen))
			}
			if mine {
				q.Set("mine", "1")
			}
			if waiting {
				q.Set("waiting", "1")
			}
			if target != "" {
				q.Set("target", target)
			}
			var raw json.RawMessage
			if err := a.get(cmd.Context(), "/requests", q, &raw); err != nil {
				return err
			}
			if list.json {
				return printJSON(env.Stdout, raw)
			}
			var answer struct {
				Requests []admin.Request `json:"requests"`
				Next     string          `json:"next"`
			}
			if err := json.Unmarshal(raw, &answer); err != nil {
				return err
			}
			return printRequests(env, answer.Requests, answer.Next != "")
		},
	}
	where.flags(c)
	list.flags(c)
	c.Flags().BoolVar(&mine, "mine", false, "those that you asked for")
	c.Flags().BoolVar(&waiting, "waiting", false, "those that wait for your word")
	c.Flags().BoolVar(&all, "all", false, "in any state")
	c.Flags().StringSliceVar(&states, "state", nil, "in these states: open, approved, denied, used, expired, abandoned")
	c.Flags().StringVar(&target, "target", "", "of this target")
	return c
}

func printRequests(env *Env, list []admin.Request, more bool) error {
	if len(list) == 0 {
		fmt.Fprintln(env.Stderr, "nothing here; --all lists what is over as well")
		return nil
	}
	w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "REQUEST\tSTATE\tWHO\tWHAT\tYES\tASKED")
	for _, r := range list {
		state := string(r.State)
		switch {
		case r.May:
			state += " (your word)"
		case r.Mine:
			state += " (yours)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d of %d\t%s\n", r.ID, state, visible(r.Subject.Display()), visible(summary(r.Accesses)), r.Yes, max(r.Terms.Persons, 1), since(env.Now(), r.Created))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if more {
		fmt.Fprintln(env.Stderr, "there are more; --limit shows them")
	}
	return nil
}

// summary is what a list of accesses would do, on one line.
func summary(list []access.Access) string {
	return (&access.Operation{Accesses: list}).Summary()
}

// since is how long ago something was, for people.
func since(now, t time.Time) string {
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return "never"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d d ago", int(d.Hours()/24))
}

func newRequestsShowCommand(env *Env) *cobra.Command {
	var where remote
	var asJSON, full bool
	c := &cobra.Command{
		Use:   "show REQUEST",
		Short: "Show one access request: who, what exactly will run, who decides",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := where.api(cmd.Context(), env)
			if err != nil {
				return err
			}
			var raw json.RawMessage
			if err := a.get(cmd.Context(), "/requests/"+url.PathEscape(args[0]), nil, &raw); err != nil {
				return naming(err, "request "+args[0], "vecgate requests ls --all")
			}
			if asJSON {
				return printJSON(env.Stdout, raw)
			}
			var r admin.Request
			if err := json.Unmarshal(raw, &r); err != nil {
				return err
			}
			return printRequest(env, r, full)
		},
	}
	where.flags(c)
	c.Flags().BoolVar(&full, "full", false, "show every number of an embedding")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func printRequest(env *Env, r admin.Request, full bool) error {
	w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	field := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, visible(value))
		}
	}
	field("request", r.ID)
	field("state", string(r.State))
	field("who", r.Subject.Display()+" ("+r.Subject.ID+", "+string(r.Subject.Kind)+")")
	field("groups", strings.Join(r.Subject.Groups, ", "))
	field("owner", r.Subject.Owner)
	if r.Subject.Actor != nil {
		field("actor", r.Subject.Actor.ID)
	}
	for i, x := range r.Accesses {
		name := ""
		if i == 0 {
			name = "would"
		}
		fmt.Fprintf(w, "%s\t%s on %s\n", name, x.Action, visible(x.Resource.String()))
	}
	field("rule", r.Terms.Rule)
	field("released by", fmt.Sprintf("%d of %s; %d so far", max(r.Terms.Persons, 1), strings.Join(r.Terms.Groups, ", "), r.Yes))
	field("ticket", r.Ticket)
	field("", r.TicketLink)
	field("asked", r.Created.Local().Format(time.DateTime)+", "+since(env.Now(), r.Created))
	if r.State == access.StateOpen || r.State == access.StateApproved {
		field("until", r.Expires.Local().Format(time.DateTime))
	}
	field("session", r.Session)
	field("reason", r.Reason)
	for _, v := range r.Decisions {
		word := "denied by"
		if v.Approve {
			word = "approved by"
		}
		name := v.Name
		if name == "" {
			name = v.Subject
		}
		if v.Reason != "" {
			name += ": " + v.Reason
		}
		field(word, name)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	text := r.Text
	if !full {
		text = admin.Brief(text)
	}
	fmt.Fprintf(env.Stdout, "\n%s\n", indent(visibleLines(text), "  "))
	if text != r.Text {
		fmt.Fprintln(env.Stderr, "\nembeddings are shortened; --full shows every number")
	}
	switch {
	case r.May:
		fmt.Fprintf(env.Stderr, "\ndecide: vecgate requests approve %s --reason '…'\n        vecgate requests deny %s --reason '…'\n", r.ID, r.ID)
	case r.Why != nil:
		fmt.Fprintf(env.Stderr, "\nyou cannot decide on it: %s\n", visible(r.Why.Message))
	}
	return nil
}

// Long runs of white space are shown as a count, as in the console: they push out of sight what stands behind them.
const (
	maxBlanks = 80
	maxLines  = 8
)

var blanks = regexp.MustCompile(`[ \p{Zs}]{` + strconv.Itoa(maxBlanks+1) + `,}`)

// visibleLines is visible for text of several lines.
func visibleLines(s string) string {
	var lines []string
	empty := 0
	rest := func() {
		if empty > maxLines {
			lines, empty = append(lines, fmt.Sprintf("[%d blank lines]", empty)), 0
		}
		for ; empty > 0; empty-- {
			lines = append(lines, "")
		}
	}
	for line := range strings.SplitSeq(s, "\n") {
		line = blanks.ReplaceAllStringFunc(strings.ReplaceAll(line, "\t", "    "), func(run string) string {
			return fmt.Sprintf("[%d spaces]", utf8.RuneCountInString(run))
		})
		if strings.TrimSpace(line) == "" {
			empty++
			continue
		}
		rest()
		lines = append(lines, visible(line))
	}
	rest()
	return strings.Join(lines, "\n")
}

func indent(s, by string) string { return by + strings.ReplaceAll(s, "\n", "\n"+by) }

func newRequestsVoteCommand(env *Env, approve bool) *cobra.Command {
	var where remote
	var reason string
	var asJSON bool
	c := &cobra.Command{
		Use:   "approve REQUEST",
		Short: "Say yes to an access request",
		Long:  "Say yes to an access request. It runs when as many persons as policy asks for have said yes; what runs is exactly what\nthe request shows, once.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !approve && strings.TrimSpace(reason) == "" {
				return &HintError{Err: errors.New("a no needs a reason"), Hint: "vecgate requests deny " + args[0] + " --reason '…'"}
			}
			a, err := where.api(cmd.Context(), env)
			if err != nil {
				return err
			}
			var raw json.RawMessage
			body := map[string]any{"approve": approve, "reason": reason}
			if err := a.call(cmd.Context(), http.MethodPost, "/requests/"+url.PathEscape(args[0])+"/votes", body, &raw); err != nil {
				if errors.Is(err, errNoSuch) {
					return naming(err, "request "+args[0], "vecgate requests ls --all")
				}
				return withNext(err, "vecgate requests show "+args[0])
			}
			if asJSON {
				return printJSON(env.Stdout, raw)
			}
			var r admin.Request
			if err := json.Unmarshal(raw, &r); err != nil {
				return err
			}
			return printVerdict(env.Stdout, r)
		},
	}
	if !approve {
		c.Use, c.Short, c.Long = "deny REQUEST", "Say no to an access request", "Say no to an access request. One person's no closes it."
	}
	where.flags(c)
	c.Flags().StringVarP(&reason, "reason", "r", "", "why, for the record")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func printVerdict(w io.Writer, r admin.Request) error {
	words := ""
	switch r.State {
	case access.StateOpen:
		words = fmt.Sprintf("your approval is on record; %d of %d persons have agreed", r.Yes, max(r.Terms.Persons, 1))
	case access.StateDenied:
		words = "denied; it will not run"
	case access.StateApproved, access.StateUsed:
		words = "released; it runs once, exactly as shown"
	default:
		words = string(r.State)
	}
	_, err := fmt.Fprintf(w, "request %s: %s\n", r.ID, words)
	return err
}

// errNoSuch is a gateway's no about a thing that is not there, or that the caller may not see.
var errNoSuch = errors.New("there is no such thing, or it is not yours to see")

// naming says which thing is not there, and what lists those that are.
func naming(err error, thing, list string) error {
	if errors.Is(err, errNoSuch) {
		return &HintError{Err: fmt.Errorf("there is no %s, or it is not yours to see", visible(thing)), Hint: list + " lists those that you may see"}
	}
	return withNext(err, list)
}

// withNext names the next command when the gateway did not name a way out.
func withNext(err error, next string) error {
	if hint, ok := errors.AsType[*HintError](err); ok && hint.Hint == "" {
		return &HintError{Err: hint.Err, Hint: next}
	}
	return err
}
