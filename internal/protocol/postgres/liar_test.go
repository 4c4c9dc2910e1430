package postgres

import (
	"bytes"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/postgres/analysis"
	"github.com/vecgate/vecgate/internal/protocol/postgres/value"
	"github.com/vecgate/vecgate/internal/protocol/postgres/wire"
)

// described25 is a RowDescription of columns of type text that say that they are of relation 7.
func described25(attnums ...byte) string {
	body := "\x00" + string(rune(len(attnums)))
	for _, n := range attnums {
		body += z("c") + "\x00\x00\x00\x07\x00" + string(rune(n)) + "\x00\x00\x00\x19\xff\xff\xff\xff\xff\xff\x00\x00"
	}
	return msg('T', body)
}

func rowOf(values ...string) string {
	body := "\x00" + string(rune(len(values)))
	for _, v := range values {
		body += "\x00\x00\x00" + string(rune(len(v))) + v
	}
	return msg('D', body)
}

// lie is what a client gets, and how it ends, when it asks for SELECT id, email in those steps and a stand-in of a target
// answers so. The email is hidden.
func lie(t *testing.T, name, answer string, steps ...step) ([]byte, error) {
	t.Helper()
	up, target := net.Pipe()
	client, mine := net.Pipe()
	var got bytes.Buffer
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		_, _ = got.ReadFrom(client) // until it is closed
	}()
	go func() {
		_, _ = target.Write([]byte(answer)) // as much of it as is taken
		target.Close()
	}()
	treatment := &analysis.Treatment{
		Columns: []access.Treatment{{}, {Mask: access.MaskRedact}}, Types: []uint32{0, 25}, Redact: true,
		Forbidden: map[analysis.ColumnKey]access.Treatment{{Relation: 7, Attnum: 2}: {Mask: access.MaskRedact}},
	}
	statement := &analysis.Statement{Kind: analysis.Select, ReturnsRows: true, RowCap: access.Unbounded}
	s := &session{
		server: &Server{masker: &value.Masker{Hider: &mask.Hider{}}}, client: mine, status: 'I', inside: &snapshot{types: &value.Types{}},
		up: &upstream{conn: up, in: wire.NewReader(up), settings: []setting{{"session_authorization", "app"}}},
	}
	x := &s.x
	x.reset(s)
	x.redact = true
	x.steps = steps
	x.runs = []execution{{
		statement: statement, of: &prepared{plan: &analysis.Plan{Statements: []*analysis.Statement{statement}}},
		effect: -1, cap: access.Unbounded, treatment: treatment,
	}}
	for i := range x.steps {
		if st := &x.steps[i]; st.own {
			st.run = &x.runs[0]
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- x.answer(t.Context()) }()
	var err error
	select {
	case err = <-ended:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s: the relay neither goes on nor ends", name)
	}
	if err == nil && s.up.in.Len() > 0 {
		// What comes behind the end is looked at as what the target says by itself.
		x.reset(s)
		x.unasked = true
		err = x.answer(t.Context())
	}
	mine.Close()
	up.Close()
	<-heard
	return got.Bytes(), err
}

// TestATargetThatLiesShowsNothingHidden: a stand-in of a target answers SELECT id, email otherwise than it must. What it
// puts where a hidden value belongs, or where nothing belongs, does not reach the client, and the session ends.
func TestATargetThatLiesShowsNothingHidden(t *testing.T) {
	const secret = "s3cr3t"
	good, done, ready := described25(1, 2), msg('C', z("SELECT 1")), msg('Z', "I")
	for name, c := range map[string]struct {
		answer string
		passes bool
	}{
		"the truth":                          {good + rowOf("1", secret) + done + ready, true},
		"rows without a description":         {rowOf("1", secret) + done + ready, false},
		"no rows at all":                     {done + ready, true},
		"one column":                         {described25(2) + rowOf(secret) + done + ready, false},
		"three columns":                      {described25(1, 2, 2) + rowOf("1", "x", secret) + done + ready, false},
		"no columns":                         {described25() + rowOf() + rowOf("1", secret) + done + ready, false},
		"the columns exchanged":              {described25(2, 1) + rowOf(secret, "1") + done + ready, false},
		"another type":                       {strings.Replace(good, "\x00\x00\x00\x19", "\x00\x00\x00\x11", 2) + rowOf("1", secret) + done + ready, false},
		"another description later":          {good + rowOf("1", secret) + described25(2, 1) + rowOf(secret, "1") + done + ready, false},
		"a field too few":                    {good + rowOf(secret) + done + ready, false},
		"a field too many":                   {good + rowOf("1", "x", secret) + done + ready, false},
		"a negative length":                  {good + msg('D', "\x00\x02\x00\x00\x00\x01"+"1"+"\xff\xff\xff\xfe"+secret) + done + ready, false},
		"a length beyond the row":            {good + msg('D', "\x00\x02\x00\x00\x00\x01"+"1"+"\x00\x00\x00\xff"+secret) + done + ready, false},
		"bytes behind the last field":        {good + msg('D', "\x00\x02\x00\x00\x00\x01"+"1"+"\xff\xff\xff\xff"+secret) + done + ready, false},
		"rows of COPY":                       {msg('H', "\x00\x00\x00") + msg('d', secret) + msg('c', "") + done + ready, false},
		"data of COPY among rows":            {good + msg('d', secret) + done + ready, false},
		"a COPY both ways":                   {msg('W', "\x00\x00\x00") + msg('d', secret) + done + ready, false},
		"the result of a function":           {msg('V', "\x00\x00\x00\x06"+secret) + ready, false},
		"the parameters of a statement":      {msg('t', "\x00\x01"+secret) + done + ready, false},
		"rows behind the end of a statement": {good + rowOf("1", "x") + done + rowOf("1", secret) + ready, false},
		"ready before the end":               {good + rowOf("1", "x") + ready + rowOf("1", secret) + done, false},
		"another ending":                     {good + done + done + msg('Z', "I"), false},
		"a parse that nobody asked for":      {msg('1', "") + good + rowOf("1", secret) + done + ready, false},
		"a length below four":                {good + "D\x00\x00\x00\x03" + secret, false},
		"a negative message":                 {good + "T\xff\xff\xff\xff" + secret, false},
		"a message without end":              {good + "T\x7f\xff\xff\xff" + secret, false},
		"a description of many columns":      {msg('T', "\xff\xff"+strings.Repeat(z("c"), 100)) + rowOf("1", secret), false},
		"a type that there is not":           {good + msg('!', secret) + done + ready, false},
		"strings are read otherwise":         {msg('S', z("standard_conforming_strings")+z("off")) + good + rowOf(secret, "1") + done + ready, false},
		"another encoding":                   {msg('S', z("client_encoding")+z("SJIS")) + good + rowOf(secret, "1") + done + ready, false},
		"another user":                       {msg('S', z("session_authorization")+z("root")) + good + rowOf(secret, "1") + done + ready, false},
		"an error that quotes":               {msg('E', z("SERROR")+z("C22P02")+z("M"+secret)+z("D"+secret)+z("X"+secret)+"\x00") + ready, true},
		"an error of no form":                {msg('E', z("SERROR")+"M"+secret) + ready, false},
		"a notice of no form":                {msg('N', z("M"+secret)) + done + ready, false},
	} {
		got, err := lie(t, name, c.answer, step{kind: wire.Query, count: 1, effect: -1})
		if bytes.Contains(got, []byte(secret)) {
			t.Errorf("%s: the client got %s", name, show(got))
		}
		if passes := err == nil; passes != c.passes {
			t.Errorf("%s: %v, client got %s", name, err, show(got))
		}
	}
}

// TestATargetThatLiesOfAPortalShowsNothingHidden: the same of a portal that the gateway has had described, and of one that
// nothing has been said of.
func TestATargetThatLiesOfAPortalShowsNothingHidden(t *testing.T) {
	const secret = "s3cr3t"
	good, none, done, ready := described25(1, 2), msg('n'), msg('C', z("SELECT 1")), msg('Z', "I")
	failed := msg('E', z("SERROR")+z("C22P02")+z("Mno")+"\x00")
	for name, c := range map[string]struct {
		answer string
		passes bool
	}{
		"the truth":                    {good + rowOf("1", secret) + done + ready, true},
		"no description":               {rowOf("1", secret) + done + ready, false},
		"no data, and rows":            {none + rowOf("1", secret) + done + ready, false},
		"no data":                      {none + done + ready, true},
		"the columns exchanged":        {described25(2, 1) + rowOf(secret, "1") + done + ready, false},
		"one column":                   {described25(2) + rowOf(secret) + done + ready, false},
		"described once more":          {good + described25(2, 1) + rowOf(secret, "1") + done + ready, false},
		"with parameters":              {msg('t', "\x00\x00") + good + rowOf("1", secret) + done + ready, false},
		"data of COPY":                 {good + msg('d', secret) + done + ready, false},
		"an error in place of it":      {failed + ready, true},
		"rows behind an error":         {failed + rowOf("1", secret) + done + ready, false},
		"the end in place of it":       {done + ready, false},
		"suspended, then other fields": {good + rowOf("1", "x") + msg('s') + rowOf("1") + rowOf(secret, "1", "2") + ready, false},
	} {
		p := &portal{}
		got, err := lie(t, name, c.answer,
			step{kind: wire.Describe, what: 'P', effect: -1, portal: p, own: true}, step{kind: wire.Execute, count: 1, effect: -1, portal: p}, step{kind: wire.Sync, effect: -1})
		if bytes.Contains(got, []byte(secret)) || bytes.IndexByte(got, wire.RowDescription) == 0 || bytes.IndexByte(got, wire.NoData) == 0 {
			t.Errorf("%s: the client got %s", name, show(got))
		}
		if passes := err == nil; passes != c.passes {
			t.Errorf("%s: %v, client got %s", name, err, show(got))
		}
	}
}
