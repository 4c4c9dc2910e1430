package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/audit"
)

// runAudit runs `vecgate audit …` and returns what it printed and its exit status.
func runAudit(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	env := &Env{Stdout: &out, Stderr: &errs, Getenv: func(string) string { return "" }, Now: time.Now}
	status = Run(t.Context(), env, append([]string{"audit"}, args...))
	return out.String(), errs.String(), status
}

// auditLog makes a small log, and returns its directory.
func auditLog(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "audit")
	l, err := audit.Open(t.Context(), audit.Options{Dir: dir, Origin: "vecgate/test", Self: true, Segment: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 20 {
		request := fmt.Sprintf("s1.%d", n)
		if err := l.Body(request, audit.Asked, []byte("select")); err != nil {
			t.Fatal(err)
		}
		l.Append(&audit.Record{
			Type: audit.TypeIntent, Session: "s1", Request: request, Subject: "corp:alice", Effect: access.Allow, Rule: "scientists-read",
			Accesses: []access.Access{{Action: access.Search, Resource: access.Resource{Target: "products", Namespace: "public", Collection: "items"}}},
		})
		l.Append(&audit.Record{Type: audit.TypeOutcome, Session: "s1", Request: request, Subject: "corp:alice", Effect: access.Allow, Rows: 3})
	}
	l.Append(&audit.Record{Type: audit.TypeSignIn, Name: "evil\x1b[2J\u202eeman", Effect: access.Deny, Code: access.CodeIdentity})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestAuditShowTellsWhatIsSealedBesideARecord(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	l, err := audit.Open(t.Context(), audit.Options{Dir: dir, Origin: "vecgate/test", Self: true})
	if err != nil {
		t.Fatal(err)
	}
	show := func(n int) {
		if err := l.Body("ticket:CHG-7", audit.Answered, fmt.Appendf(nil, `{"version":%d}`, n)); err != nil {
			t.Fatal(err)
		}
		for range n * 3000 { // what others do meanwhile
			l.Append(&audit.Record{Type: audit.TypeSignIn, Name: "somebody"})
		}
		l.Append(&audit.Record{Type: audit.TypeTicket, Request: "ticket:CHG-7", Ticket: "CHG-7"})
	}
	show(0)
	show(1)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for seq, want := range map[string]string{"0": `{"version":0}`, "3001": `{"version":1}`, "7": ""} {
		if out, errs, status := runAudit(t, "show", seq, "--said", "--dir", dir); out != want || status != 0 {
			t.Errorf("record %s: status %d, %q, want %q\n%s", seq, status, out, want, errs)
		}
	}
	if err := os.Rename(filepath.Join(dir, "self.key"), filepath.Join(dir, "elsewhere.key")); err != nil {
		t.Fatal(err)
	}
	if out, errs, status := runAudit(t, "show", "0", "--said", "--dir", dir); status == 0 || !strings.Contains(errs, "sealed to others") {
		t.Errorf("without the key: %d %q %q", status, out, errs)
	}
	if out, _, _ := runAudit(t, "show", "0", "--said", "--dir", dir, "--identity", filepath.Join(dir, "elsewhere.key")); out != `{"version":0}` {
		t.Errorf("with the key: %q", out)
	}
	if _, errs, status := runAudit(t, "show", "--said", "--dir", dir); status == 0 || !strings.Contains(errs, "vecgate audit show SEQ --said") {
		t.Errorf("of all records: %d %q", status, errs)
	}
}

func TestAuditVerifySaysWhatItChecked(t *testing.T) {
	dir := auditLog(t)
	out, errs, status := runAudit(t, "verify", "--dir", dir)
	if status != 0 || errs != "" {
		t.Fatalf("exit status %d\n%s%s", status, out, errs)
	}
	for _, want := range []string{"vecgate/test: in order", "records      41, from 0", "the last one signs 41 records", "20 sealed to others"} {
		if !strings.Contains(out, want) {
			t.Errorf("output does not say %q:\n%s", want, out)
		}
	}
	if out, _, _ := runAudit(t, "verify", "--dir", dir, "--identity", filepath.Join(dir, "self.key")); !strings.Contains(out, "20 opened and read") {
		t.Errorf("with the identity:\n%s", out)
	}
	out, _, status = runAudit(t, "verify", "--dir", dir, "--json")
	var report audit.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil || status != 0 || report.Records != 41 {
		t.Errorf("exit status %d, %v, %+v", status, err, report)
	}
}

func TestAuditVerifyFailsForALogThatWasChanged(t *testing.T) {
	dir := auditLog(t)
	name := filepath.Join(dir, "segments", "00000001.seg")
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b[bytes.Index(b, []byte(`{"seq":7,`))+60] ^= 1
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs, status := runAudit(t, "verify", "--dir", dir)
	if status != exitTampered || !strings.Contains(out, "NOT IN ORDER") || !strings.Contains(out, "problem      record 7 (segment 1, byte ") || !strings.Contains(errs, "is not in order") {
		t.Errorf("exit status %d\n%s%s", status, out, errs)
	}
}

func TestAuditVerifyWithoutALogNamesTheWayOut(t *testing.T) {
	_, errs, status := runAudit(t, "verify", "--dir", t.TempDir())
	if status != 1 || !strings.Contains(errs, "vecgate: hint: ") || !strings.Contains(errs, "--dir") {
		t.Errorf("exit status %d\n%s", status, errs)
	}
}

func TestAProofIsCheckedWithoutTheLog(t *testing.T) {
	dir := auditLog(t)
	elsewhere := t.TempDir()
	record, proof := filepath.Join(elsewhere, "7.json"), filepath.Join(elsewhere, "7.tlog-proof")
	out, errs, status := runAudit(t, "prove", "--dir", dir, "--seq", "7", "--record", record)
	if status != 0 {
		t.Fatal(errs)
	}
	if err := os.WriteFile(proof, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "log.pub")
	if out, errs, status := runAudit(t, "check", "--key", key, proof, record); status != 0 || out != "record 7 is in the log vecgate/test\n" {
		t.Errorf("exit status %d\n%s%s", status, out, errs)
	}
	b, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(record, bytes.Replace(b, []byte("alice"), []byte("mallo"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs, status := runAudit(t, "check", "--key", key, proof, record); status != exitTampered || !strings.Contains(errs, "record 7 is not the one") {
		t.Errorf("exit status %d\n%s", status, errs)
	}
	if _, errs, status := runAudit(t, "prove", "--dir", dir, "--seq", "41"); status != 1 || !strings.Contains(errs, "only the records before 41 are signed yet") {
		t.Errorf("exit status %d\n%s", status, errs)
	}
}

func TestAuditShowFilters(t *testing.T) {
	dir := auditLog(t)
	out, errs, status := runAudit(t, "show", "--dir", dir, "--session", "s1", "--type", "intent", "--limit", "5")
	if status != 0 || strings.Count(out, "\n") != 5 || !strings.Contains(out, "corp:alice  allow  search on products/public/items  rule=scientists-read  request=s1.19") {
		t.Errorf("exit status %d\n%s%s", status, out, errs)
	}
	if out, errs, status := runAudit(t, "show", "--dir", dir, "--type", "singin"); status != 1 || out != "" || !strings.Contains(errs, `"singin" is not a type of record`) || !strings.Contains(errs, "signin") {
		t.Errorf("a type that there is not: %d %q %q", status, out, errs)
	}
	if out, errs, status := runAudit(t, "show", "--dir", dir, "--subject", "corp:nobody"); status != 0 || out != "" || !strings.Contains(errs, "no record is like that") {
		t.Errorf("nothing found: %d %q %q", status, out, errs)
	}
	out, _, _ = runAudit(t, "show", "--dir", dir, "--type", "signin", "--since", "1h")
	if strings.ContainsAny(out, "\x1b\u202e") || !strings.Contains(out, `evil\x1b[2J\u202eeman`) {
		t.Errorf("a name that a stranger chose reaches the terminal: %q", out)
	}
	out, _, _ = runAudit(t, "show", "--dir", dir, "--json", "--limit", "3")
	for line := range strings.Lines(out) {
		var r audit.Record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Errorf("%q: %v", line, err)
		}
	}
	if out, _, status := runAudit(t, "show", "--dir", dir, "7"); status != 0 || !strings.Contains(out, `"seq": 7`) {
		t.Errorf("exit status %d\n%s", status, out)
	}
	if _, errs, status := runAudit(t, "show", "--dir", dir, "99"); status != 1 || !strings.Contains(errs, "record 99") {
		t.Errorf("exit status %d\n%s", status, errs)
	}
	if _, errs, status := runAudit(t, "show", "--dir", dir, "--since", "yesterday"); status == 0 || !strings.Contains(errs, "neither a duration") {
		t.Errorf("exit status %d\n%s", status, errs)
	}
}
