package transcript_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/vecgate/vecgate/internal/protocol/postgres/transcript"
)

// prepares is an exchange that prepares a statement of one int4 column and describes it.
func prepares(t testing.TB, name, text string) transcript.Exchange {
	return transcript.Exchange{
		Asked:    asked(t, &pgproto3.Parse{Name: name, Query: text}, &pgproto3.Describe{ObjectType: 'S', Name: name}, sync),
		Answered: answered(t, &pgproto3.ParseComplete{}, &pgproto3.ParameterDescription{ParameterOIDs: []uint32{23}}, columns(field("n", 23, 0)), ready),
	}
}

// executes is an exchange that runs a prepared statement, with binary values.
func executes(t testing.TB, name string) transcript.Exchange {
	return transcript.Exchange{
		Asked: asked(t, &pgproto3.Bind{PreparedStatement: name, ParameterFormatCodes: []int16{1}, Parameters: [][]byte{{0, 0, 1, 0}}, ResultFormatCodes: []int16{1}},
			&pgproto3.Execute{}, sync),
		Answered: answered(t, &pgproto3.BindComplete{}, &pgproto3.DataRow{Values: [][]byte{{0, 0, 2, 0}}}, selec1, ready),
	}
}

func simple(t testing.TB, text string, tags ...string) transcript.Exchange {
	var messages []pgproto3.BackendMessage
	for _, tag := range tags {
		messages = append(messages, &pgproto3.CommandComplete{CommandTag: []byte(tag)})
	}
	return transcript.Exchange{Asked: asked(t, &pgproto3.Query{String: text}), Answered: answered(t, append(messages, ready)...)}
}

const unknown = `its text is not in what was read`

func TestNamesStandForWhatTheServerHasByThem(t *testing.T) {
	failing := func(messages ...pgproto3.FrontendMessage) transcript.Exchange {
		return transcript.Exchange{Asked: asked(t, append(messages, sync)...), Answered: answered(t, &pgproto3.ErrorResponse{Severity: "ERROR", Code: "42P05", Message: "no"}, ready)}
	}
	silent := func(x transcript.Exchange, succeeded bool) transcript.Exchange {
		x.Answered, x.Succeeded = nil, succeeded
		return x
	}
	refused := func(x transcript.Exchange) transcript.Exchange {
		return transcript.Exchange{Asked: x.Asked, Refused: true, Refusal: "not allowed"}
	}
	for name, c := range map[string]struct {
		statement string
		then      []transcript.Exchange
		known     string // "" when it must not be known
	}{
		"nothing between":                    {"s", nil, "FIRST"},
		"other statements between":           {"s", []transcript.Exchange{prepares(t, "r", "SECOND"), executes(t, "r")}, "FIRST"},
		"closed":                             {"s", []transcript.Exchange{{Asked: asked(t, &pgproto3.Close{ObjectType: 'S', Name: "s"}, sync), Answered: answered(t, &pgproto3.CloseComplete{}, ready)}}, ""},
		"a portal of the same name closed":   {"s", []transcript.Exchange{{Asked: asked(t, &pgproto3.Close{ObjectType: 'P', Name: "s"}, sync), Answered: answered(t, &pgproto3.CloseComplete{}, ready)}}, "FIRST"},
		"deallocated":                        {"s", []transcript.Exchange{simple(t, "DEALLOCATE S", "DEALLOCATE")}, ""},
		"another deallocated":                {"s", []transcript.Exchange{simple(t, "DEALLOCATE PREPARE r", "DEALLOCATE")}, "FIRST"},
		"deallocated by a quoted name":       {"S x", []transcript.Exchange{simple(t, `SELECT ';' /* ; */; -- ;`+"\n"+`DEALLOCATE "S x"`, "SELECT 1", "DEALLOCATE")}, ""},
		"another, of another case":           {"S", []transcript.Exchange{simple(t, "DEALLOCATE S", "DEALLOCATE")}, "FIRST"},
		"deallocated in words not read":      {"s", []transcript.Exchange{simple(t, `DEALLOCATE U&"\0073"`, "DEALLOCATE")}, ""},
		"all deallocated":                    {"s", []transcript.Exchange{simple(t, "deallocate all", "DEALLOCATE ALL")}, ""},
		"all discarded":                      {"s", []transcript.Exchange{simple(t, "DISCARD ALL", "DISCARD ALL")}, ""},
		"plans discarded":                    {"s", []transcript.Exchange{simple(t, "DISCARD PLANS", "DISCARD PLANS")}, "FIRST"},
		"deallocated by a statement":         {"s", []transcript.Exchange{prepares(t, "d", "DEALLOCATE s"), {Asked: asked(t, &pgproto3.Bind{PreparedStatement: "d"}, &pgproto3.Execute{}, sync), Answered: answered(t, &pgproto3.BindComplete{}, &pgproto3.CommandComplete{CommandTag: []byte("DEALLOCATE")}, ready)}}, ""},
		"deallocation refused":               {"s", []transcript.Exchange{refused(simple(t, "DEALLOCATE s"))}, "FIRST"},
		"deallocation of which no answer":    {"s", []transcript.Exchange{silent(simple(t, "DEALLOCATE s"), true)}, ""},
		"deallocation that is not certain":   {"s", []transcript.Exchange{silent(simple(t, "SELECT 1; DEALLOCATE r"), false)}, ""},
		"a query of which no answer":         {"s", []transcript.Exchange{silent(simple(t, "SELECT 1"), false)}, "FIRST"},
		"a string that says so":              {"s", []transcript.Exchange{silent(simple(t, "SELECT $a$; DEALLOCATE s;$a$, E'\\'; DISCARD ALL'"), true)}, "FIRST"},
		"prepared again in vain":             {"s", []transcript.Exchange{failing(&pgproto3.Parse{Name: "s", Query: "SECOND"})}, "FIRST"},
		"prepared again, refused":            {"s", []transcript.Exchange{refused(prepares(t, "s", "SECOND"))}, "FIRST"},
		"prepared again, not certain":        {"s", []transcript.Exchange{silent(prepares(t, "s", "SECOND"), false)}, ""},
		"prepared again, of which no answer": {"s", []transcript.Exchange{silent(transcript.Exchange{Asked: asked(t, &pgproto3.Close{ObjectType: 'S', Name: "s"}, &pgproto3.Parse{Name: "s", Query: "SECOND"}, sync)}, true)}, "SECOND"},
		"prepared again in SQL":              {"s", []transcript.Exchange{simple(t, "DEALLOCATE s; PREPARE s(int) AS SECOND", "DEALLOCATE", "PREPARE")}, "PREPARE s(int) AS SECOND"},
		"an error before":                    {"s", []transcript.Exchange{failing(&pgproto3.Parse{Name: "r", Query: "broken"}, &pgproto3.Close{ObjectType: 'S', Name: "s"})}, "FIRST"},
		"without a name":                     {"", nil, "FIRST"},
		"without a name, another":            {"", []transcript.Exchange{prepares(t, "", "SECOND")}, "SECOND"},
		"without a name, another in vain":    {"", []transcript.Exchange{failing(&pgproto3.Parse{Query: "SECOND"})}, ""},
		"without a name, another refused":    {"", []transcript.Exchange{refused(prepares(t, "", "SECOND"))}, "FIRST"},
		"without a name, a query":            {"", []transcript.Exchange{simple(t, "SELECT 1", "SELECT 1")}, ""},
		"without a name, a query refused":    {"", []transcript.Exchange{refused(simple(t, "SELECT 1"))}, ""},
		"an exchange that is not recorded":   {"s", []transcript.Exchange{{Succeeded: true}}, ""},
		"an exchange that cannot be read":    {"s", []transcript.Exchange{{Cut: true, Answered: answered(t, &pgproto3.ParseComplete{}, ready)}}, ""},
		"an exchange that is cut":            {"s", []transcript.Exchange{{Asked: asked(t, &pgproto3.Parse{Name: "r", Query: "SECOND"}), Cut: true}}, ""},
		"COPY that is cut":                   {"s", []transcript.Exchange{{Asked: append(asked(t, &pgproto3.Query{String: "COPY t FROM STDIN"}), 'd', 0, 0, 9, 0, 'x'), Cut: true, Succeeded: true}}, "FIRST"},
		"the server speaks by itself":        {"s", []transcript.Exchange{{Answered: answered(t, &pgproto3.NotificationResponse{Channel: "c"})}}, "FIRST"},
		"long names":                         {strings.Repeat("s", 70), []transcript.Exchange{{Asked: asked(t, &pgproto3.Close{ObjectType: 'S', Name: strings.Repeat("s", 63)}, sync), Answered: answered(t, &pgproto3.CloseComplete{}, ready)}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, shown := range []bool{true, false} {
				var conversation transcript.Conversation
				for _, x := range append([]transcript.Exchange{prepares(t, c.statement, "FIRST")}, c.then...) {
					if shown {
						tellNext(t, &conversation, x)
					} else {
						conversation.Skip(x)
					}
				}
				got := tellNext(t, &conversation, executes(t, c.statement))
				want := "prepared earlier:\nstatement " + c.known + "\n"
				if c.known == "" {
					want = unknown
				}
				if !strings.Contains(got, want) || c.known == "" && (strings.Contains(got, "FIRST") || strings.Contains(got, "SECOND")) {
					t.Errorf("shown %t:\n%swant %q", shown, got, want)
				}
			}
		})
	}
}

func TestValuesAreReadByWhatWasDescribedEarlier(t *testing.T) {
	var c transcript.Conversation
	c.Skip(prepares(t, "s", "SELECT n FROM t WHERE n < $1"))
	c.Skip(prepares(t, "r", "SELECT n FROM r"))
	want := "parameters | 256\ncolumns | n\nrow | 512\ndone SELECT 1\n"
	for range 2 {
		if got := tellNext(t, &c, executes(t, "s")); !strings.HasSuffix(got, "statement SELECT n FROM t WHERE n < $1\n"+want) {
			t.Errorf("told:\n%s", got)
		}
	}
}

func TestSessionThatIsReadFromTheMiddleOn(t *testing.T) {
	var c transcript.Conversation
	got := tellNext(t, &c, executes(t, "s"))
	if !strings.Contains(got, `statement "s", prepared earlier; `+unknown) || !strings.Contains(got, `row | \x00000200`) {
		t.Errorf("an unknown statement:\n%s", got)
	}
	// A description tells the columns, though not the text.
	x := prepares(t, "s", "")
	x.Asked = asked(t, &pgproto3.Describe{ObjectType: 'S', Name: "s"}, sync)
	x.Answered = x.Answered[5:]
	c.Skip(x)
	got = tellNext(t, &c, executes(t, "s"))
	if !strings.Contains(got, unknown) || !strings.Contains(got, "parameters | 256\ncolumns | n\nrow | 512\n") {
		t.Errorf("a described statement:\n%s", got)
	}
}

func TestPortalGoesOnInLaterExchanges(t *testing.T) {
	more := transcript.Exchange{
		Asked:    asked(t, &pgproto3.Execute{Portal: "p", MaxRows: 1}, sync),
		Answered: answered(t, &pgproto3.DataRow{Values: [][]byte{{0, 0, 2, 0}}}, &pgproto3.PortalSuspended{}, &pgproto3.ReadyForQuery{TxStatus: 'T'}),
	}
	begin := transcript.Exchange{
		Asked:    asked(t, &pgproto3.Bind{DestinationPortal: "p", PreparedStatement: "s", ResultFormatCodes: []int16{1}}, &pgproto3.Execute{Portal: "p", MaxRows: 1}, sync),
		Answered: answered(t, &pgproto3.BindComplete{}, &pgproto3.DataRow{Values: [][]byte{{0, 0, 2, 0}}}, &pgproto3.PortalSuspended{}, &pgproto3.ReadyForQuery{TxStatus: 'T'}),
	}
	var c transcript.Conversation
	c.Skip(prepares(t, "s", "FIRST"))
	c.Skip(begin)
	want := "note execute portal \"p\", bound earlier:\nstatement FIRST\nnote at most 1 rows\ncolumns | n\nrow | 512\ndone suspended: there may be more rows\n"
	for range 2 {
		if got := tellNext(t, &c, more); got != want {
			t.Errorf("told:\n%swant\n%s", got, want)
		}
	}
	c.Skip(simple(t, "COMMIT", "COMMIT"))
	if got := tellNext(t, &c, more); !strings.Contains(got, "bound earlier; what it is, is not in what was read") {
		t.Errorf("after the transaction:\n%s", got)
	}
}

func TestRefusalIsToldLast(t *testing.T) {
	x := executes(t, "s")
	x.Answered, x.Refused, x.Refusal = nil, true, "not allowed: sam may not read items"
	var c transcript.Conversation
	c.Skip(prepares(t, "s", "FIRST"))
	want := "note statement \"s\", prepared earlier:\nstatement FIRST\nparameters | 256\nerror not allowed: sam may not read items\n"
	if got := tellNext(t, &c, x); got != want {
		t.Errorf("told:\n%swant\n%s", got, want)
	}
}

func TestLongTextOfManyCommandsIsReadOnce(t *testing.T) {
	const many = 50_000
	text, tags := strings.Repeat("DEALLOCATE r;", many)+"DEALLOCATE s", make([]string, many+1)
	for i := range tags {
		tags[i] = "DEALLOCATE"
	}
	var c transcript.Conversation
	c.Skip(prepares(t, "s", "FIRST"))
	c.Skip(prepares(t, "other", "SECOND"))
	c.Skip(simple(t, text, tags...)) // takes minutes when it is read for every tag
	if got := tellNext(t, &c, executes(t, "s")); !strings.Contains(got, unknown) {
		t.Errorf("told:\n%s", got)
	}
	if got := tellNext(t, &c, executes(t, "other")); !strings.Contains(got, "SECOND") {
		t.Errorf("told:\n%s", got)
	}
}

func TestConversationRemembersSoMuch(t *testing.T) {
	var c transcript.Conversation
	long := strings.Repeat("x", transcript.MaxStatement)
	for i := range 200 { // 12 MiB
		c.Skip(prepares(t, fmt.Sprint("long", i), long))
	}
	if got := tellNext(t, &c, executes(t, "long0")); !strings.Contains(got, long) {
		t.Error("the first statement is not remembered")
	}
	if got := tellNext(t, &c, executes(t, "long199")); !strings.Contains(got, unknown) {
		t.Error("12 MiB are remembered")
	}
	c.Skip(simple(t, "DISCARD ALL", "DISCARD ALL"))
	for i := range 5000 {
		c.Skip(prepares(t, fmt.Sprint("short", i), "SELECT"))
	}
	if got := tellNext(t, &c, executes(t, "short0")); !strings.Contains(got, "statement SELECT\n") {
		t.Error("nothing is remembered after everything was forgotten")
	}
	if got := tellNext(t, &c, executes(t, "short4999")); !strings.Contains(got, unknown) {
		t.Error("5000 statements are remembered")
	}
}
