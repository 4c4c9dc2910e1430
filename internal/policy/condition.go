package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"

	"github.com/vecgate/vecgate/internal/access"
)

// Limits of conditions: what one may cost to evaluate, and how large it may be.
const (
	conditionCost  = 10_000
	conditionNodes = 500
	conditionDepth = 50
)

// variable is one typed fact that a condition may look at.
type variable struct {
	name string
	kind *cel.Type
	doc  string
	get  func(*facts) any
}

// facts are what a condition is evaluated over.
type facts struct {
	subject *access.Subject
	access  *access.Access
	context *access.Context
	lookUp  bool // a ticket that nobody has looked up was asked for
}

var textList = cel.ListType(cel.StringType)

// variables are all the facts. The subject's display name is not among them: it is for people's eyes only.
var variables = []variable{
	{"subject.id", cel.StringType, "stable ID", func(f *facts) any { return f.subject.ID }},
	{"subject.kind", cel.StringType, "person or workload", func(f *facts) any { return string(f.subject.Kind) }},
	{"subject.provider", cel.StringType, "identity provider", func(f *facts) any { return f.subject.Provider }},
	{"subject.groups", textList, "groups", func(f *facts) any { return orEmpty(f.subject.Groups) }},
	{"subject.person", cel.StringType, "who is counted, empty when nobody", func(f *facts) any { return f.subject.Person }},
	{"subject.owner", cel.StringType, "the person answerable for a workload", func(f *facts) any { return f.subject.Owner }},
	{"subject.instance", cel.StringType, "run of a workload", func(f *facts) any { return f.subject.Instance }},
	{"subject.method", cel.StringType, "token, scram, oauthbearer, certificate, console or api", func(f *facts) any { return f.subject.Method }},
	{"subject.scopes", textList, "scopes of the credential", func(f *facts) any { return orEmpty(f.subject.Scopes) }},
	{"subject.actor", cel.StringType, "ID of who acts for the subject, empty when nobody does", func(f *facts) any {
		if f.subject.Actor == nil {
			return ""
		}
		return f.subject.Actor.ID
	}},
	{"subject.claims", cel.MapType(cel.StringType, cel.DynType), "claims of the credential", func(f *facts) any {
		if f.subject.Claims == nil {
			return map[string]any{}
		}
		return f.subject.Claims
	}},

	{"access.action", cel.StringType, "the action", func(f *facts) any { return string(f.access.Action) }},
	{"access.target", cel.StringType, "target", func(f *facts) any { return f.access.Resource.Target }},
	{"access.namespace", cel.StringType, "namespace", func(f *facts) any { return f.access.Resource.Namespace }},
	{"access.collection", cel.StringType, "collection", func(f *facts) any { return f.access.Resource.Collection }},
	{"access.limit", cel.IntType, "LIMIT or k as the client wrote it, -1 when absent", func(f *facts) any { return f.access.Attributes.Limit }},
	{"access.offset", cel.IntType, "offset", func(f *facts) any { return f.access.Attributes.Offset }},
	{"access.rows", cel.IntType, "the most rows it can return, -1 when unbounded", func(f *facts) any { return f.access.Attributes.Rows }},
	{"access.vectors", cel.BoolType, "raw embeddings are asked for", func(f *facts) any { return f.access.Attributes.Vectors }},
	{"access.fields", textList, "fields of the answer", func(f *facts) any { return orEmpty(f.access.Attributes.Fields) }},
	{"access.filter", cel.StringType, `"", trivial, key or other`, func(f *facts) any { return string(f.access.Attributes.Filter) }},
	{"access.filter_fields", textList, "fields of the filter", func(f *facts) any { return orEmpty(f.access.Attributes.FilterFields) }},
	{"access.ids", textList, "keys named literally", func(f *facts) any { return orEmpty(f.access.Attributes.IDs) }},
	{"access.points", cel.IntType, "points that a write carries, -1 when not known", func(f *facts) any { return f.access.Attributes.Points }},
	{"access.order_by", textList, "fields that order the answer", func(f *facts) any { return orEmpty(f.access.Attributes.OrderBy) }},
	{"access.cursor", cel.BoolType, "read through a cursor", func(f *facts) any { return f.access.Attributes.Cursor }},
	{"access.role", cel.StringType, `"", lookup, join, source or destination`, func(f *facts) any { return f.access.Attributes.Role }},
	{"access.alias", cel.StringType, "alias or view that was named", func(f *facts) any { return f.access.Attributes.Alias }},
	{"access.egress", cel.BoolType, "the server would send or fetch elsewhere", func(f *facts) any { return f.access.Attributes.Egress }},
	{"access.lock", cel.BoolType, "rows are locked", func(f *facts) any { return f.access.Attributes.Lock }},
	{"access.batch", cel.IntType, "position in a batch", func(f *facts) any { return int64(f.access.Attributes.Batch) }},

	{"context.now", cel.TimestampType, "time of the decision", func(f *facts) any { return f.context.Now }},
	{"context.client", cel.StringType, "remote address", func(f *facts) any { return f.context.Client }},
	{"context.session", cel.StringType, "session ID", func(f *facts) any { return f.context.Session }},
	{"context.ticket", cel.StringType, "change ticket attached", func(f *facts) any { return f.context.Ticket }},
	{"context.channel", cel.StringType, "sql, rest or grpc", func(f *facts) any { return f.context.Channel }},
	{"context.settings", cel.MapType(cel.StringType, cel.StringType), "settings of the session", func(f *facts) any {
		if f.context.Settings == nil {
			return map[string]string{}
		}
		return f.context.Settings
	}},
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

var variableByName = func() map[string]*variable {
	m := make(map[string]*variable, len(variables))
	for i := range variables {
		m[variables[i].name] = &variables[i]
	}
	return m
}()

// ResolveName implements cel.Activation.
func (f *facts) ResolveName(name string) (any, bool) {
	if v := variableByName[name]; v != nil {
		return v.get(f), true
	}
	return nil, false
}

// Parent implements cel.Activation.
func (f *facts) Parent() cel.Activation { return nil }

// conditions compiles the conditions of one file; the environment is made when the first one comes.
type conditions struct {
	env *cel.Env
}

// condition is a compiled `when`.
type condition struct {
	text string
	prog cel.Program
	// asksAccess says that it looks at the access; of a request that could not be read these facts mean nothing.
	asksAccess bool
	// asksNamespace and asksCollection say that it looks at names that parts of a whole have and the whole may not have.
	asksNamespace, asksCollection bool
}

// asksNameIn reports whether the condition looks at a name that only the parts of a whole have.
func (c *condition) asksNameIn(whole access.Resource) bool {
	return c != nil && (c.asksNamespace && whole.Namespace == "" || c.asksCollection && whole.Collection == "")
}

// environment is what expressions are compiled in.
func (c *conditions) environment() (*cel.Env, error) {
	if c.env == nil {
		env, err := newConditionEnv()
		if err != nil {
			return nil, err
		}
		c.env = env
	}
	return c.env, nil
}

func (c *conditions) compile(text string) (*condition, error) {
	env, err := c.environment()
	if err != nil {
		return nil, err
	}
	checked, issues := env.Compile(text)
	if err := issues.Err(); err != nil {
		return nil, celFault(issues)
	}
	if !checked.OutputType().IsExactType(cel.BoolType) {
		return nil, fmt.Errorf("gives a value (%s), not true or false; compare it with something", checked.OutputType())
	}
	prog, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(conditionCost))
	if err != nil {
		return nil, fmt.Errorf("cannot be prepared: %w", err)
	}
	return &condition{
		text: text, prog: prog, asksAccess: asks(checked, "access."),
		asksNamespace: asks(checked, "access.namespace"), asksCollection: asks(checked, "access.collection", "access.alias"),
	}, nil
}

func newConditionEnv() (*cel.Env, error) {
	options := []cel.EnvOption{
		cel.ParserExpressionSizeLimit(4096), cel.ParserRecursionLimit(conditionDepth), cel.ExpressionNodeLimit(conditionNodes),
		cel.RegexProgramSizeLimit(1000), cel.DefaultUTCTimeZone(true),
		ext.Strings(), ext.Sets(),
		cel.Function("glob", cel.Overload("glob_string_string", []*cel.Type{cel.StringType, cel.StringType}, cel.BoolType,
			cel.BinaryBinding(func(pattern, s ref.Val) ref.Val {
				return types.Bool(access.Glob(string(pattern.(types.String)), string(s.(types.String))))
			}))),
		cel.Function("within", cel.Overload("within_string_string", []*cel.Type{cel.StringType, cel.StringType}, cel.BoolType,
			cel.BinaryBinding(within))),
	}
	for i := range variables {
		options = append(options, cel.VariableWithDoc(variables[i].name, variables[i].kind, variables[i].doc))
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		return nil, fmt.Errorf("prepare conditions: %w", err)
	}
	return env, nil
}

// celFault says what is wrong with an expression, in one line.
func celFault(issues *cel.Issues) error {
	var said []string
	for _, e := range issues.Errors() {
		message, _, _ := strings.Cut(e.Message, "\n")
		message, _, _ = strings.Cut(message, " expecting ") // a list of every token there is
		for _, root := range []string{"subject", "access", "context"} {
			if strings.Contains(message, "undeclared reference to '"+root) {
				message += fmt.Sprintf("; %s has %s", root, strings.Join(variablesOf(root), ", "))
			}
		}
		said = append(said, fmt.Sprintf("%s (column %d)", message, e.Location.Column()+1))
		if len(said) == 3 {
			break
		}
	}
	return errors.New(strings.Join(said, "; "))
}

func variablesOf(root string) []string {
	var names []string
	for i := range variables {
		if name, ok := strings.CutPrefix(variables[i].name, root+"."); ok {
			names = append(names, name)
		}
	}
	return names
}

// asks reports whether an expression looks at a variable whose name begins so.
func asks(checked *cel.Ast, names ...string) bool {
	begins := func(name string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(name, n) })
	}
	for _, r := range checked.NativeRep().ReferenceMap() {
		if begins(r.Name) {
			return true
		}
	}
	found := false
	ast.PreOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.IdentKind && (e.AsIdent() == "access" || begins(e.AsIdent())) {
			found = true
		}
	}))
	return found
}

// eval evaluates the condition. An error means that it is not known whether it holds.
func (c *condition) eval(f *facts) (bool, error) {
	out, _, err := c.prog.Eval(f)
	if err != nil {
		return false, err
	}
	holds, ok := out.(types.Bool)
	if !ok {
		return false, fmt.Errorf("the condition gave %s, not true or false", out.Type().TypeName())
	}
	return bool(holds), nil
}

// holds evaluates the condition for a statement that gives or takes something: what is not known counts against the
// request. A nil condition always holds.
func (c *condition) holds(f *facts, gives bool) bool {
	if c == nil {
		return true
	}
	if c.asksAccess && f.access.Action == access.Unknown {
		return !gives
	}
	holds, err := c.eval(f)
	if err != nil {
		return !gives
	}
	return holds
}
