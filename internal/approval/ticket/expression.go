package ticket

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"

	"github.com/vecgate/vecgate/internal/access"
)

// Limits of expressions. One is evaluated while a request is decided, over a document that others wrote.
const (
	expressionCost  = 100_000
	expressionNodes = 500
	expressionDepth = 50
)

// gives is what an expression is for.
type gives string

const (
	truth  gives = "true or false"
	people gives = "an account, or a list of them"
	moment gives = "a time"
)

// expression is compiled CEL over the document of a ticket, and over who does what when it judges that.
type expression struct {
	text string
	prog cel.Program
}

type variables map[string]any

// environment is what expressions are compiled in; judging ones see subject and access too.
func environment(judging bool) (*cel.Env, error) {
	options := []cel.EnvOption{
		cel.ParserExpressionSizeLimit(4096), cel.ParserRecursionLimit(expressionDepth), cel.ExpressionNodeLimit(expressionNodes),
		cel.RegexProgramSizeLimit(1000), cel.DefaultUTCTimeZone(true), ext.Strings(), ext.Sets(),
		cel.Function("glob", cel.Overload("glob_string_string", []*cel.Type{cel.StringType, cel.StringType}, cel.BoolType,
			cel.BinaryBinding(func(pattern, s ref.Val) ref.Val {
				return types.Bool(access.Glob(string(pattern.(types.String)), string(s.(types.String))))
			}))),
		cel.Variable("ticket", cel.DynType), cel.Variable("name", cel.StringType),
	}
	if judging {
		texts := cel.MapType(cel.StringType, cel.StringType)
		options = append(options, cel.Variable("subject", texts), cel.Variable("access", texts))
	}
	return cel.NewEnv(options...)
}

func compileExpression(text string, judging bool, want gives) (*expression, error) {
	env, err := environment(judging)
	if err != nil {
		return nil, fmt.Errorf("prepare expressions: %w", err)
	}
	checked, issues := env.Compile(text)
	if err := issues.Err(); err != nil {
		var said []string
		for _, e := range issues.Errors() {
			message, _, _ := strings.Cut(e.Message, "\n")
			message, _, _ = strings.Cut(message, " expecting ")
			said = append(said, fmt.Sprintf("%s (column %d)", message, e.Location.Column()+1))
		}
		return nil, errors.New(strings.Join(said[:min(len(said), 3)], "; "))
	}
	out := checked.OutputType()
	if !fits(out, want) {
		return nil, fmt.Errorf("gives %s, and is for %s", out, want)
	}
	prog, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(expressionCost))
	if err != nil {
		return nil, fmt.Errorf("cannot be prepared: %w", err)
	}
	return &expression{text: text, prog: prog}, nil
}

func fits(out *cel.Type, want gives) bool {
	if out.IsExactType(cel.DynType) {
		return true
	}
	switch want {
	case truth:
		return out.IsExactType(cel.BoolType)
	case moment:
		return out.IsExactType(cel.StringType) || out.IsExactType(cel.TimestampType) || out.IsExactType(cel.IntType)
	}
	return out.Kind() == types.StringKind || out.Kind() == types.ListKind || out.Kind() == types.MapKind
}

func (e *expression) eval(v variables) (any, error) {
	out, _, err := e.prog.Eval(map[string]any(v))
	if err != nil {
		return nil, err
	}
	return native(out, 0)
}

// native is a value as documents hold them.
func native(v ref.Val, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errors.New("the value nests too deep")
	}
	switch v := v.(type) {
	case types.Bool:
		return bool(v), nil
	case types.String:
		return string(v), nil
	case types.Int:
		return int64(v), nil
	case types.Double:
		return float64(v), nil
	case types.Timestamp:
		return v.Time, nil
	case types.Null:
		return nil, nil
	}
	switch v := v.Value().(type) {
	case map[string]any, []any:
		return v, nil
	case map[ref.Val]ref.Val:
		object := make(map[string]any, len(v))
		for k, e := range v {
			name, ok := k.(types.String)
			if !ok {
				return nil, errors.New("a member's name is not a string")
			}
			value, err := native(e, depth+1)
			if err != nil {
				return nil, err
			}
			object[string(name)] = value
		}
		return object, nil
	case []ref.Val:
		list := make([]any, 0, len(v))
		for _, e := range v {
			value, err := native(e, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		return list, nil
	}
	return nil, fmt.Errorf("the value is %s", v.Type().TypeName())
}

func (e *expression) truth(v variables) (bool, error) {
	out, err := e.eval(v)
	if err != nil {
		return false, err
	}
	b, ok := out.(bool)
	if !ok {
		return false, errors.New("it is neither true nor false")
	}
	return b, nil
}

// people are accounts: texts, which are their names, or objects of which name, account, login, user_name or email is one.
func (e *expression) people(v variables) ([]account, error) {
	out, err := e.eval(v)
	if err != nil {
		return nil, err
	}
	list, ok := out.([]any)
	if !ok {
		list = []any{out}
	}
	var all []account
	for _, item := range list {
		switch item := item.(type) {
		case string:
			if item == "" {
				return nil, errors.New("an account is empty")
			}
			all = append(all, account{name: item, claims: map[string]any{"account": item}})
		case map[string]any:
			a := account{claims: item}
			for _, member := range []string{"account", "name", "login", "user_name", "username", "email"} {
				if a.name = text(item, member); a.name != "" {
					break
				}
			}
			if a.name == "" {
				return nil, errors.New("an account has neither account, name, login, user_name nor email")
			}
			all = append(all, a)
		default:
			return nil, errors.New("an account is neither a text nor an object")
		}
	}
	return all, nil
}

// moment is a time: a timestamp, RFC 3339, or seconds since 1970. Null and the empty text are none.
func (e *expression) moment(v variables) (time.Time, error) {
	out, err := e.eval(v)
	if err != nil {
		return time.Time{}, err
	}
	switch out := out.(type) {
	case nil:
		return time.Time{}, nil
	case time.Time:
		return out, nil
	case int64:
		return time.Unix(out, 0), nil
	case string:
		if out == "" {
			return time.Time{}, nil
		}
		for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700"} {
			if t, err := time.Parse(form, out); err == nil {
				return t, nil
			}
		}
	}
	return time.Time{}, errors.New("it is not a time such as 2026-01-31T08:00:00Z")
}

// subjectOf is what conditions may ask about who asks.
func subjectOf(s *access.Subject) map[string]string {
	return map[string]string{"id": s.ID, "kind": string(s.Kind), "person": s.Person, "owner": s.Owner, "instance": s.Instance}
}

// accessOf is what conditions may ask about what is done.
func accessOf(a *access.Access) map[string]string {
	return map[string]string{
		"action": string(a.Action), "target": a.Resource.Target, "namespace": a.Resource.Namespace, "collection": a.Resource.Collection,
		"resource": a.Resource.String(),
	}
}
