package redact_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/vecgate/vecgate/internal/protocol/postgres/redact"
)

func TestErrorKeepsWhatClientsActOnAndNoData(t *testing.T) {
	in := []redact.Field{
		{'S', "ERROR"},
		{'V', "ERROR"},
		{'C', "23505"},
		{'M', `duplicate key value violates unique constraint "customers_email_key"`},
		{'D', "Key (email)=(alice@example.com) already exists."},
		{'H', "Try bob@example.com."},
		{'W', "COPY customers, line 1: \"alice@example.com\""},
		{'q', "SELECT 'alice@example.com'"},
		{'p', "7"},
		{'P', "12"},
		{'s', "public"},
		{'t', "customers"},
		{'c', "email"},
		{'d', "text"},
		{'n', "customers_email_key"},
		{'F', "nbtinsert.c"},
		{'L', "666"},
		{'R', "_bt_check_unique"},
		{'z', "alice@example.com"},
	}
	want := []redact.Field{
		{'S', "ERROR"},
		{'V', "ERROR"},
		{'P', "12"},
		{'s', "public"},
		{'t', "customers"},
		{'c', "email"},
		{'d', "text"},
		{'n', "customers_email_key"},
		{'C', "23505"},
		{'M', "unique violation (details withheld)"},
	}
	got := redact.Fields(in)
	if diff := cmp.Diff(want, got[:len(got)-1]); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if last := got[len(got)-1]; last.Code != 'H' || !strings.Contains(last.Value, "withheld") {
		t.Errorf("last field = %+v, want a hint of our own", last)
	}
}

func TestRedactedErrorReadsAsAnError(t *testing.T) {
	original := &pgproto3.ErrorResponse{
		Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: "22P02",
		Message: `invalid input syntax for type integer: "alice@example.com"`, Position: 8, File: "numutils.c", Line: 618,
	}
	encoded, err := original.Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := redact.Body(nil, encoded[5:])
	if err != nil {
		t.Fatal(err)
	}
	var got pgproto3.ErrorResponse
	if err := got.Decode(body); err != nil {
		t.Fatal(err)
	}
	if got.Severity != "ERROR" || got.Code != "22P02" || got.Position != 8 || got.Message != "invalid text representation (details withheld)" {
		t.Errorf("redacted error = %+v", got)
	}
	if bytes.Contains(body, []byte("alice")) || bytes.Contains(body, []byte("numutils")) {
		t.Errorf("redacted error still says %q", body)
	}
}

func TestRaiseCannotSmuggleAValueThroughANameOrACode(t *testing.T) {
	secret := strings.Repeat("alice@example.com ", 4)
	for _, f := range []redact.Field{
		{'s', secret},
		{'t', secret},
		{'c', secret},
		{'n', secret},
		{'d', secret},
		{'S', secret},
		{'V', secret},
		{'C', "alice@example.com"},
		{'C', "ali@e"},
		{'P', "alice@example.com"},
		{'P', "12345678901"},
		{'?', "alice"},
	} {
		for _, got := range redact.Fields([]redact.Field{f}) {
			if strings.Contains(got.Value, "ali") {
				t.Errorf("field %c came out as %+v", f.Code, got)
			}
		}
	}
}

func TestAVectorOfTheWrongLengthIsCalledThatAndNothingElseOfTheMessagePasses(t *testing.T) {
	const named = "different vector dimensions (details withheld)"
	for message, want := range map[string]string{
		"different vector dimensions 384 and 3":       named,
		"different halfvec dimensions 384 and 3":      named,
		"expected 384 dimensions, not 3":              named,
		"different vector dimensions 384 and 3 alice": "data exception (details withheld)",
		"expected alice dimensions, not 3":            "data exception (details withheld)",
		"\nexpected 384 dimensions, not 3":            "data exception (details withheld)",
	} {
		got := redact.Fields([]redact.Field{{'C', "22000"}, {'M', message}})
		for _, f := range got {
			if f.Code == 'M' && f.Value != want {
				t.Errorf("%q came out as %q, want %q", message, f.Value, want)
			}
		}
	}
	for _, f := range redact.Fields([]redact.Field{{'C', "P0001"}, {'M', "different vector dimensions 384 and 3"}}) {
		if f.Value == named {
			t.Error("another error passes as one about dimensions")
		}
	}
}

func TestMessageIsTheConditionOrTheClass(t *testing.T) {
	for state, want := range map[string]string{
		"22P02": "invalid text representation (details withheld)",
		"22026": "data exception (details withheld)",
		"P0002": "PL/pgSQL error (details withheld)",
		"ABCDE": "error (details withheld)",
		"":      "error (details withheld)",
	} {
		if got := redact.Message(state); got != want {
			t.Errorf("Message(%q) = %q, want %q", state, got, want)
		}
	}
}

func TestMalformedMessageIsRefused(t *testing.T) {
	for name, body := range map[string]string{
		"empty":               "",
		"no end":              "MSecret\x00",
		"field without end":   "MSecret",
		"bytes after the end": "MSecret\x00\x00x",
		"code without value":  "M",
	} {
		out, err := redact.Body([]byte("sent:"), []byte(body))
		if !errors.Is(err, redact.ErrMalformed) || string(out) != "sent:" {
			t.Errorf("%s: Body = %q, %v", name, out, err)
		}
	}
	got := redact.Fields([]redact.Field{{'M', "a\x00\x00secret"}}) // a value cannot hold a zero
	for _, f := range got {
		if strings.Contains(f.Value, "secret") {
			t.Errorf("a zero in a value let %+v through", f)
		}
	}
}

func FuzzBody(f *testing.F) {
	f.Add([]byte("SERROR\x00C22P02\x00Msecret\x00Dsecret\x00P12\x00\x00"))
	f.Add([]byte("\x00"))
	f.Add([]byte("Csecre\x00C22P02\x00\x00"))
	f.Fuzz(func(t *testing.T, body []byte) {
		out, err := redact.Body(nil, body)
		if err != nil {
			if len(out) != 0 {
				t.Fatal("a refused message left bytes behind")
			}
			return
		}
		fields, err := redact.Parse(out)
		if err != nil {
			t.Fatalf("redacted message does not parse: %v", err)
		}
		for _, field := range fields {
			switch field.Code {
			case 'M':
				if !strings.HasSuffix(field.Value, " (details withheld)") {
					t.Fatalf("message %q is not ours", field.Value)
				}
			case 'S', 'V', 'C', 's', 't', 'c', 'n', 'd', 'P', 'H':
			default:
				t.Fatalf("field %c came through", field.Code)
			}
		}
		again, err := redact.Body(nil, out)
		if err != nil || !bytes.Equal(again, out) {
			t.Fatalf("redacting twice changes %q to %q (%v)", out, again, err)
		}
	})
}
