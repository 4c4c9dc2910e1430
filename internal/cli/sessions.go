package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/vecgate/vecgate/internal/admin"
	"github.com/vecgate/vecgate/internal/audit"
	"github.com/vecgate/vecgate/internal/recording"
	"github.com/vecgate/vecgate/internal/server"
)

func newSessionsCommand(env *Env) *cobra.Command {
	c := &cobra.Command{
		Use:     "sessions",
		Aliases: []string{"session"},
		Short:   "See, replay and end sessions",
		Args:    cobra.NoArgs,
	}
	c.AddCommand(newSessionsLsCommand(env), newSessionsShowCommand(env), newSessionsReplayCommand(env), newSessionsKillCommand(env))
	return c
}

func newSessionsLsCommand(env *Env) *cobra.Command {
	var (
		where           remote
		list            listing
		past            bool
		subject, target string
	)
	c := &cobra.Command{
		Use:   "ls",
		Short: "List open sessions, or with --past those that have ended",
		Long:  "List open sessions, or with --past those that have ended: your own, and everybody's for auditors and operators.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := where.api(cmd.Context(), env)
			if err != nil {
				return err
			}
			q := list.query()
			if !past {
				q.Set("live", "1")
			}
			if subject != "" {
				q.Set("subject", subject)
			}
			if target != "" {
				q.Set("target", target)
			}
			var raw json.RawMessage
			if err := a.get(cmd.Context(), "/sessions", q, &raw); err != nil {
				return err
			}
			if list.json {
				return printJSON(env.Stdout, raw)
			}
			var answer struct {
				Sessions []admin.Session `json:"sessions"`
				Next     string          `json:"next"`
			}
			if err := json.Unmarshal(raw, &answer); err != nil {
				return err
			}
			return printSessions(env, answer.Sessions, past, answer.Next != "")
		},
	}
	where.flags(c)
	list.flags(c)
	c.Flags().BoolVar(&past, "past", false, "those that have ended")
	c.Flags().StringVar(&subject, "subject", "", "of this subject")
	c.Flags().StringVar(&target, "target", "", "with this target")
	return c
}

func printSessions(env *Env, list []admin.Session, past, more bool) error {
	if len(list) == 0 {
		if past {
			fmt.Fprintln(env.Stderr, "no session has ended yet")
		} else {
			fmt.Fprintln(env.Stderr, "no session is open; --past lists those that have ended")
		}
		return nil
	}
	w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SESSION\tWHO\tTARGET\tCLIENT\tREQUESTS\tROWS\tOPENED\tSTATE")
	for _, s := range list {
		state := "open"
		if !s.Live() {
			state = "ended"
			if s.Cause != "" {
				state = visible(s.Cause)
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%s\t%s\n", s.ID, visible(s.Subject.Display()), s.Target, s.Client, s.Requests, s.Rows, since(env.Now(), s.Opened), state)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if more {
		fmt.Fprintln(env.Stderr, "there are more; --limit shows them")
	}
	return nil
}

func newSessionsShowCommand(env *Env) *cobra.Command {
	var where remote
	var asJSON bool
	c := &cobra.Command{
		Use:   "show SESSION",
		Short: "Show one session",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := where.api(cmd.Context(), env)
			if err != nil {
				return err
			}
			var raw json.RawMessage
			if err := a.get(cmd.Context(), "/sessions/"+url.PathEscape(args[0]), nil, &raw); err != nil {
				return naming(err, "session "+args[0], "vecgate sessions ls --past")
			}
			if asJSON {
				return printJSON(env.Stdout, raw)
			}
			var s admin.Session
			if err := json.Unmarshal(raw, &s); err != nil {
				return err
			}
			w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
			state := "open"
			if s.Closed != nil {
				state = "ended " + s.Closed.Local().Format(time.DateTime)
			}
			if s.Cause != "" {
				state += ": " + s.Cause
			}
			for _, f := range [][2]string{
				{"session", s.ID},
				{"who", s.Subject.Display()},
				{"subject", s.Subject.ID},
				{"kind", string(s.Subject.Kind)},
				{"groups", strings.Join(s.Subject.Groups, ", ")},
				{"owner", s.Subject.Owner},
				{"instance", s.Subject.Instance},
				{"signed in", s.Subject.Method + " " + s.Subject.Credential},
				{"target", s.Target},
				{"client", s.Client},
				{"program", s.Program},
				{"opened", s.Opened.Local().Format(time.DateTime)},
				{"state", state},
				{"requests", fmt.Sprint(s.Requests)},
				{"rows", fmt.Sprint(s.Rows)},
				{"bytes", fmt.Sprint(s.Bytes)},
				{"first record", fmt.Sprint(s.FirstSeq)},
			} {
				if f[1] != "" {
					fmt.Fprintf(w, "%s\t%s\n", f[0], visible(f[1]))
				}
			}
			return w.Flush()
		},
	}
	where.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func newSessionsKillCommand(env *Env) *cobra.Command {
	var where remote
	var reason string
	c := &cobra.Command{
		Use:   "kill SESSION",
		Short: "End a session at once, in the middle of a query if need be",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := where.api(cmd.Context(), env)
			if err != nil {
				return err
			}
			err = a.call(cmd.Context(), http.MethodPost, "/sessions/"+url.PathEscape(args[0])+"/kill", map[string]string{"reason": reason}, nil)
			if err != nil {
				return naming(err, "open session "+args[0], "vecgate sessions ls")
			}
			_, err = fmt.Fprintf(env.Stdout, "session %s: ended\n", args[0])
			return err
		},
	}
	where.flags(c)
	c.Flags().StringVarP(&reason, "reason", "r", "", "why, for the record")
	return c
}

func newSessionsReplayCommand(env *Env) *cobra.Command {
	var (
		where      remote
		dir        string
		identities []string
		from       int
		asJSON     bool
	)
	c := &cobra.Command{
		Use:   "replay SESSION",
		Short: "Tell what was said in a session, as its client sent it and got it",
		Long: "Tell what was said in a session, as its client sent it and got it: what was masked stays masked.\n\n" +
			"Without --dir the gateway is asked, and writes down that you looked. With --dir the log in that directory is read, or a copy\n" +
			"of it, without any gateway; --identity names the age identity that opens what was said.",
		Example: "  vecgate sessions replay 0n3zk8v1t5bq2mxy4c\n  vecgate sessions replay 0n3zk8v1t5bq2mxy4c --dir var/audit --identity auditor.key",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			session := args[0]
			out := bufio.NewWriter(env.Stdout)
			emit := func(x admin.Exchange) error { return printExchange(out, x) }
			if asJSON {
				lines := jsonTo(out)
				emit = func(x admin.Exchange) error { return lines.Encode(x) }
			}
			var err error
			if dir != "" || len(identities) > 0 {
				err = replayLog(cmd.Context(), firstNonEmpty(dir, "var/audit"), identities, session, from, emit)
			} else {
				err = replayGateway(cmd.Context(), env, &where, session, from, emit)
			}
			return errors.Join(err, out.Flush())
		},
	}
	where.flags(c)
	c.Flags().StringVar(&dir, "dir", "", "directory of the log, to read it without a gateway")
	c.Flags().StringArrayVar(&identities, "identity", nil, "age identity file that opens what was said; may be repeated")
	c.Flags().IntVar(&from, "from", 1, "begin with this exchange")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per exchange")
	return c
}

func replayGateway(ctx context.Context, env *Env, where *remote, session string, from int, emit func(admin.Exchange) error) error {
	a, err := where.api(ctx, env)
	if err != nil {
		return err
	}
	err = a.stream(ctx, fmt.Sprintf("/sessions/%s/replay?from=%d", url.PathEscape(session), max(from, 0)), func(d *json.Decoder) error {
		var x admin.Exchange
		if err := d.Decode(&x); err != nil {
			return err
		}
		return emit(x)
	})
	return naming(err, "session "+session, "vecgate sessions ls --past")
}

// replayLog reads the log itself.
func replayLog(ctx context.Context, dir string, files []string, session string, from int, emit func(admin.Exchange) error) error {
	identities, err := readIdentities(files)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		if identities, err = ownIdentity(dir); err != nil {
			return err
		}
	}
	reader, err := audit.OpenDir(dir, identities...)
	if err != nil {
		return noLog(err, dir)
	}
	err = server.Replay(ctx, reader, session, recording.Options{}, from, emit)
	switch {
	case errors.Is(err, admin.ErrNotFound):
		return &HintError{Err: fmt.Errorf("the log in %s has no session %s", dir, visible(session)), Hint: "vecgate audit show --dir " + dir + " --type session.open"}
	case err != nil:
		return noLog(err, dir)
	}
	return nil
}

// printExchange writes an exchange for a terminal: what strangers chose is shown so that it cannot harm it.
func printExchange(w io.Writer, x admin.Exchange) error {
	verdict := x.Verdict()
	switch {
	case verdict == "released":
		verdict += " by " + x.Grant
	case x.Grant != "" && verdict != "deny":
		verdict += ", request " + x.Grant
	}
	what := summary(x.Accesses)
	if x.Unclear != "" {
		what = "unclear: " + x.Unclear
	}
	fmt.Fprintf(w, "%s  #%d  %s  %s", x.Time.UTC().Format("15:04:05.000"), x.Number, verdict, visible(what))
	if x.Rule != "" {
		fmt.Fprintf(w, "  (rule %s)", visible(x.Rule))
	}
	if x.Ticket != "" {
		fmt.Fprintf(w, "  ticket %s", visible(x.Ticket))
	}
	if x.Micros > 0 {
		fmt.Fprintf(w, "  %s", time.Duration(x.Micros)*time.Microsecond)
	}
	fmt.Fprintln(w)
	if x.Sealed != "" {
		fmt.Fprintf(w, "    [%s]\n", visible(x.Sealed))
	}
	for _, l := range x.Lines {
		switch l.Kind {
		case "columns", "row":
			fmt.Fprintf(w, "    %s\n", cells(l.Cells, " | "))
			if l.Kind == "columns" {
				fmt.Fprintln(w, "    "+strings.Repeat("-", min(100, max(3, len(cells(l.Cells, " | "))))))
			}
		case "parameters":
			fmt.Fprintf(w, "    with %s\n", cells(l.Cells, ", "))
		default:
			fmt.Fprintln(w, indent(visibleLines(l.Text), "    "))
		}
	}
	if !x.Ended && x.Verdict() != "deny" {
		fmt.Fprintln(w, "    [how it ended is not on record]")
	}
	_, err := fmt.Fprintln(w)
	return err
}

func cells(list []*string, between string) string {
	all := make([]string, len(list))
	for i, c := range list {
		all[i] = "null"
		if c != nil {
			all[i] = visible(*c)
		}
	}
	return strings.Join(all, between)
}
