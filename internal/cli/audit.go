package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"filippo.io/age"
	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"github.com/vecgate/vecgate/internal/audit"
)

// exitTampered is the exit status when a log, or a proof, is not in order.
const exitTampered = 3

func newAuditCommand(env *Env) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "audit",
		Short: "Read, verify and prove the audit log",
		Long: "Read, verify and prove the audit log. These commands work on the log's directory, or a copy of it; they need no\n" +
			"running gateway, and change nothing.",
		Args: cobra.NoArgs,
	}
	c.PersistentFlags().StringVar(&dir, "dir", "var/audit", "directory of the log (audit.dir in the configuration)")
	c.AddCommand(newAuditShowCommand(env, &dir), newAuditVerifyCommand(env, &dir), newAuditProveCommand(env, &dir), newAuditCheckCommand(env))
	return c
}

func newAuditVerifyCommand(env *Env, dir *string) *cobra.Command {
	var key, archived, copied string
	var checkpoints, identities []string
	var live, asJSON bool
	c := &cobra.Command{
		Use:   "verify",
		Short: "Check that no record was changed, removed, reordered or put in later",
		Long: "Check every frame, the order of the records, the digests of what was said, the Merkle tree and its tiles, and\n" +
			"every signed checkpoint. Without --key the log is only checked against the key in its own directory; bring the key,\n" +
			"and a checkpoint that was kept elsewhere, to check it against a gateway that you do not trust.\n\n" +
			"With --archive it is the log's second copy that is checked, by itself, with every object of it; the gateway's own log\n" +
			"is compared too when --dir is given as well.\n\n" +
			"The exit status is 0 when the log is in order, 3 when it is not, and 1 when it could not be read.",
		Example: "  vecgate audit verify --dir var/audit\n" +
			"  vecgate audit verify --dir copy/ --key log.pub --checkpoint yesterday.note --identity auditor.key\n" +
			"  vecgate audit verify --archive vecgate.yaml --key log.pub",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if copied != "" && archived == "" {
				return errors.New("--copy is for --archive")
			}
			opts := audit.VerifyOptions{Live: live || audit.Written(*dir)}
			var err error
			if key != "" {
				if opts.Key, err = readPublicKey(key); err != nil {
					return err
				}
			}
			for _, name := range checkpoints {
				msg, err := os.ReadFile(name)
				if err != nil {
					return fmt.Errorf("read checkpoint: %w", err)
				}
				opts.Known = append(opts.Known, msg)
			}
			if opts.Identities, err = readIdentities(identities); err != nil {
				return err
			}
			if archived != "" {
				compared := ""
				if cmd.Flags().Changed("dir") {
					compared = *dir
				}
				return verifyArchive(cmd.Context(), env, archived, copied, compared, opts, asJSON)
			}
			report, err := audit.Verify(cmd.Context(), *dir, opts)
			if err != nil {
				return noLog(err, *dir)
			}
			if asJSON {
				err = printJSON(env.Stdout, report)
			} else {
				err = printReport(env.Stdout, report)
			}
			if err == nil && !report.OK() {
				err = &ExitError{Code: exitTampered, Err: fmt.Errorf("the audit log in %s is not in order", *dir)}
			}
			return err
		},
	}
	c.Flags().StringVar(&key, "key", "", "public key of the log, or the file that holds it")
	c.Flags().StringArrayVar(&checkpoints, "checkpoint", nil, "file with a signed checkpoint that was kept elsewhere; may be repeated")
	c.Flags().StringArrayVar(&identities, "identity", nil, "age identity file that opens what was said; may be repeated")
	c.Flags().StringVar(&archived, "archive", "", "check the archive that this configuration names: the gateway's, or a file with origin and archive")
	c.Flags().StringVar(&copied, "copy", "", "with --archive: keep the copy that is checked in this directory, as a log that can be read and restored")
	c.Flags().BoolVar(&live, "live", false, "the log is being written: its tail may be half written (found out by itself on this machine)")
	c.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	return c
}

func printReport(w io.Writer, r *audit.Report) error {
	b := bufio.NewWriter(w)
	verdict := "in order"
	if !r.OK() {
		verdict = "NOT IN ORDER"
	}
	fmt.Fprintf(b, "log          %s: %s\n", r.Origin, verdict)
	fmt.Fprintf(b, "records      %d, from %d", r.Records-r.First, r.First)
	if !r.Begins.IsZero() {
		fmt.Fprintf(b, " (%s) to %d (%s)", r.Begins.Format(time.RFC3339), r.Records-1, r.Ends.Format(time.RFC3339))
	}
	fmt.Fprintf(b, ", in %d %s\n", r.Segments, plural(int64(r.Segments), "segment"))
	fmt.Fprintf(b, "checkpoints  %d, the last one signs %d records\n", r.Checkpoints, r.Signed)
	fmt.Fprintf(b, "signed by    %s\n", r.Key)
	fmt.Fprintf(b, "root         %s\n", r.Root)
	fmt.Fprintf(b, "bodies       %d: %d opened and read, %d sealed to others, %d destroyed\n", r.Bodies, r.Unsealed, r.Sealed, r.Destroyed)
	if r.Records > r.Signed {
		fmt.Fprintf(b, "not signed   the last %d records: nothing proves yet that they are all\n", r.Records-r.Signed)
	}
	seqs := func(name string, list []uint64, what string) {
		if len(list) > 0 {
			fmt.Fprintf(b, "%-12s %d %s: %s\n", name, len(list), what, firstOf(list, 10))
		}
	}
	seqs("unknown", r.Unknown, "requests were forwarded and how they ended is not on record")
	seqs("gaps", r.Gaps, "times nothing could be recorded, and requests were refused")
	seqs("recovered", r.Recoveries, "times a crash left something half written")
	for _, p := range r.Problems {
		fmt.Fprintf(b, "problem      record %d", p.Seq)
		if p.Until > p.Seq {
			fmt.Fprintf(b, " to %d", p.Until)
		}
		if p.Where != "" {
			fmt.Fprintf(b, " (%s)", p.Where)
		}
		fmt.Fprintf(b, ": %s\n", p.What)
	}
	if r.More > 0 {
		fmt.Fprintf(b, "problem      and %d more\n", r.More)
	}
	return b.Flush()
}

// plural is the word for n of something.
func plural(n int64, one string) string {
	if n == 1 {
		return one
	}
	return one + "s"
}

func firstOf(list []uint64, n int) string {
	var words []string
	for _, seq := range list[:min(n, len(list))] {
		words = append(words, strconv.FormatUint(seq, 10))
	}
	if len(list) > n {
		words = append(words, "…")
	}
	return strings.Join(words, ", ")
}

func newAuditProveCommand(env *Env, dir *string) *cobra.Command {
	var seq int64
	var record string
	c := &cobra.Command{
		Use:   "prove --seq N",
		Short: "Write the evidence that a record is in the log",
		Long: "Write a proof in the C2SP tlog-proof format to standard output: with the record (--record) and the log's public\n" +
			"key, anyone can check it without the log (vecgate audit check, or any other tool that reads the format).",
		Example: "  vecgate audit prove --seq 73894 --record 73894.json > 73894.tlog-proof",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if seq < 0 {
				return &HintError{Err: errors.New("--seq is missing"), Hint: "find the record with `vecgate audit show`"}
			}
			r, err := audit.OpenDir(*dir)
			if err != nil {
				return noLog(err, *dir)
			}
			proof, err := r.Prove(cmd.Context(), uint64(seq))
			if err != nil {
				return err
			}
			if record != "" {
				_, envelope, err := r.Record(cmd.Context(), uint64(seq))
				if err != nil {
					return err
				}
				if err := os.WriteFile(record, envelope, 0o600); err != nil {
					return fmt.Errorf("write record: %w", err)
				}
			}
			_, err = env.Stdout.Write(proof)
			return err
		},
	}
	c.Flags().Int64Var(&seq, "seq", -1, "the record's sequence number")
	c.Flags().StringVar(&record, "record", "", "also write the record, byte for byte, to this file")
	return c
}

func newAuditCheckCommand(env *Env) *cobra.Command {
	var key string
	c := &cobra.Command{
		Use:     "check --key KEY PROOF RECORD",
		Short:   "Check a proof without the log",
		Long:    "Check that the record is in the log that the key signed. The exit status is 0 when it is, and 3 when it is not.",
		Example: "  vecgate audit check --key log.pub 73894.tlog-proof 73894.json",
		Args:    cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			if key == "" {
				return &HintError{Err: errors.New("--key is missing"), Hint: "get the log's public key (log.pub) from its operator, not from who brings the proof"}
			}
			verifier, err := readPublicKey(key)
			if err != nil {
				return err
			}
			proof, err := os.ReadFile(args[0])
			if err != nil {
				return fmt.Errorf("read proof: %w", err)
			}
			envelope, err := os.ReadFile(args[1])
			if err != nil {
				return fmt.Errorf("read record: %w", err)
			}
			seq, err := audit.CheckProof(proof, envelope, verifier)
			if err != nil {
				return &ExitError{Code: exitTampered, Err: err}
			}
			_, err = fmt.Fprintf(env.Stdout, "record %d is in the log %s\n", seq, verifier.Name())
			return err
		},
	}
	c.Flags().StringVar(&key, "key", "", "public key of the log, or the file that holds it")
	return c
}

func newAuditShowCommand(env *Env, dir *string) *cobra.Command {
	var filter audit.Filter
	var types []string
	var since, until string
	var limit int
	var asJSON, said bool
	var identities []string
	c := &cobra.Command{
		Use:   "show [SEQ]",
		Short: "Show records",
		Long: "Show records, or one of them. --said shows what is sealed beside it in its place: a change ticket as its system showed it, what was\n" +
			"asked for; --identity names the age identity that opens it, when the gateway keeps none.",
		Example: "  vecgate audit show --subject corp:alice --type refusal --since 24h\n" +
			"  vecgate audit show 73894\n" +
			"  vecgate audit show 73893 --said --identity auditor.key",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opens, err := readIdentities(identities)
			if err == nil && said && len(identities) == 0 {
				opens, err = ownIdentity(*dir)
			}
			if err != nil {
				return err
			}
			r, err := audit.OpenDir(*dir, opens...)
			if err != nil {
				return noLog(err, *dir)
			}
			if len(args) == 1 {
				return showOne(cmd.Context(), env, r, args[0], said)
			}
			if said {
				return &HintError{Err: errors.New("--said is for one record"), Hint: "vecgate audit show SEQ --said"}
			}
			for _, t := range types {
				if !slices.Contains(recordTypes, audit.Type(t)) {
					return &HintError{Err: fmt.Errorf("--type %q is not a type of record", t), Hint: fmt.Sprintf("the types are %s", listed(recordTypes))}
				}
				filter.Types = append(filter.Types, audit.Type(t))
			}
			if filter.Since, err = moment(env, since); err != nil {
				return fmt.Errorf("--since: %w", err)
			}
			if filter.Until, err = moment(env, until); err != nil {
				return fmt.Errorf("--until: %w", err)
			}
			if limit <= 0 || limit > maxShown {
				return fmt.Errorf("--limit is %d, and must be from 1 to %d", limit, maxShown)
			}
			records, err := r.Before(cmd.Context(), 0, limit, filter)
			if err != nil {
				return err
			}
			if len(records) == 0 {
				fmt.Fprintln(env.Stderr, "no record is like that")
			}
			slices.Reverse(records)
			b := bufio.NewWriter(env.Stdout)
			for _, record := range records {
				if asJSON {
					err = jsonTo(b).Encode(record)
				} else {
					_, err = fmt.Fprintln(b, recordLine(record))
				}
				if err != nil {
					return err
				}
			}
			return b.Flush()
		},
	}
	c.Flags().StringVar(&filter.Session, "session", "", "of this session")
	c.Flags().StringVar(&filter.Request, "request", "", "of this request")
	c.Flags().StringVar(&filter.Subject, "subject", "", "of this subject")
	c.Flags().StringVar(&filter.Target, "target", "", "on this target")
	c.Flags().StringSliceVar(&types, "type", nil, "of this type: "+listed(recordTypes)+"; may be repeated")
	c.Flags().StringVar(&since, "since", "", "not older than this: a duration (24h) or a time (2026-01-31T08:00:00Z)")
	c.Flags().StringVar(&until, "until", "", "older than this: a duration or a time")
	c.Flags().IntVar(&limit, "limit", 100, "the last so many records")
	c.Flags().BoolVar(&asJSON, "json", false, "print records as JSON, one on a line")
	c.Flags().BoolVar(&said, "said", false, "of one record: what is sealed beside it, as it was said")
	c.Flags().StringArrayVar(&identities, "identity", nil, "age identity file that opens what was said; may be repeated")
	return c
}

const maxShown = 1_000_000

// recordTypes are those that can be asked for.
var recordTypes = []audit.Type{
	audit.TypeIntent, audit.TypeOutcome, audit.TypeRefusal, audit.TypeSessionOpen, audit.TypeSessionClose, audit.TypeSignIn, audit.TypeRequest,
	audit.TypeVote, audit.TypeTicket, audit.TypePolicy, audit.TypeAdmin, audit.TypeStart, audit.TypeStop, audit.TypeRecovered, audit.TypeGap,
}

func listed(types []audit.Type) string {
	var words []string
	for _, t := range types {
		words = append(words, string(t))
	}
	return strings.Join(words, ", ")
}

func showOne(ctx context.Context, env *Env, r *audit.Reader, arg string, said bool) error {
	seq, err := strconv.ParseUint(arg, 10, 63)
	if err != nil {
		return fmt.Errorf("%q is not the sequence number of a record", arg)
	}
	record, _, err := r.Record(ctx, seq)
	if err != nil {
		return err
	}
	if !said {
		return printJSON(env.Stdout, record)
	}
	pieces, err := r.Said(ctx, record)
	if err != nil {
		return err
	}
	var all []byte
	for _, p := range pieces {
		b, err := r.Unseal(p)
		if err != nil {
			return fmt.Errorf("record %d: %w", seq, err)
		}
		all = append(all, b...)
	}
	if terminal(env.Stdout) { // which what strangers chose must not harm; into a file go the bytes whose digest is on record
		all = []byte(visible(string(all)) + "\n")
	}
	_, err = env.Stdout.Write(all)
	return err
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// ownIdentity is the gateway's own key to what it recorded, when it keeps one.
func ownIdentity(dir string) ([]age.Identity, error) {
	self, err := audit.SelfIdentity(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return []age.Identity{self}, err
}

// recordLine is a record on one line. What strangers chose is shown so that it cannot break the line or the terminal.
func recordLine(r *audit.Record) string {
	words := []string{fmt.Sprintf("%8d  %s  %-13s", r.Seq, r.Time.Format("2006-01-02T15:04:05.000Z07:00"), r.Type)}
	add := func(label, s string) {
		if s != "" {
			words = append(words, label+visible(s))
		}
	}
	who := r.Subject
	if who == "" {
		who = r.Name
	}
	add("", who)
	add("", string(r.Effect))
	for i, a := range r.Accesses {
		if i == 3 {
			words = append(words, fmt.Sprintf("and %d more", len(r.Accesses)-3))
			break
		}
		words = append(words, visible(string(a.Action)+" on "+a.Resource.String()))
	}
	if len(r.Accesses) == 0 {
		add("", r.Target)
	}
	add("unclear=", r.Unclear)
	add("rule=", r.Rule)
	if r.Code != "allowed" {
		add("code=", string(r.Code))
	}
	add("grant=", r.Grant)
	add("ticket=", r.Ticket)
	add("ticket_sha256=", r.TicketHash)
	add("state=", r.State)
	if r.Type == audit.TypeOutcome {
		words = append(words, fmt.Sprintf("rows=%d bytes=%d %s", r.Rows, r.Bytes, time.Duration(r.Micros)*time.Microsecond))
	}
	add("error=", r.Error)
	add("", r.Detail)
	if r.Request != "" {
		add("request=", r.Request)
	} else {
		add("session=", r.Session)
	}
	return strings.Join(words, "  ")
}

func visible(s string) string {
	q := strconv.QuoteToGraphic(s)
	if q = q[1 : len(q)-1]; strings.ContainsFunc(q, hidesOrder) {
		q = strconv.QuoteToASCII(s)
		q = q[1 : len(q)-1]
	}
	return strings.ReplaceAll(q, `\"`, `"`)
}

// hidesOrder reports characters that change the order in which a terminal shows the others, or that show nothing although
// they count as letters.
func hidesOrder(r rune) bool {
	switch {
	case r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || r == '\u200e' || r == '\u200f' || r == '\u061c':
		return true
	case r == '\u115f' || r == '\u1160' || r == '\u3164' || r == '\uffa0' || r == '\u2800' || unicode.Is(unicode.Variation_Selector, r):
		return true
	}
	return false
}

func moment(env *Env, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil {
		return env.Now().Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, fmt.Errorf("%q is neither a duration (24h) nor a time (2026-01-31T08:00:00Z)", s)
	}
	return t, nil
}

// readPublicKey takes the key itself or the name of the file that holds it.
func readPublicKey(arg string) (note.Verifier, error) {
	text := arg
	if b, err := os.ReadFile(arg); err == nil {
		text = string(b)
	} else if !strings.Contains(arg, "+") {
		return nil, fmt.Errorf("read public key: %w", err)
	}
	key, err := note.NewVerifier(strings.TrimSpace(text))
	if err != nil {
		return nil, fmt.Errorf("%q is not the public key of a log, nor a file that holds one: %w", arg, err)
	}
	return key, nil
}

func readIdentities(names []string) ([]age.Identity, error) {
	var all []age.Identity
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("read identity: %w", err)
		}
		list, err := age.ParseIdentities(f)
		_ = f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s is not an age identity file", name) // the cause may quote the key
		}
		all = append(all, list...)
	}
	return all, nil
}

func noLog(err error, dir string) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &HintError{Err: err, Hint: fmt.Sprintf("%s holds no audit log; name its directory with --dir", dir)}
	}
	return err
}
