package httpwire

import (
	"context"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// Dialect is one engine's HTTP interface. Its methods are called from many goroutines.
type Dialect interface {
	// Routes is the closed table of what clients may ask for. A request that is not in it is judged as able to do
	// anything, written down, and never sent on. The table must not change.
	Routes() []Route

	// Read says what a request of the table would do, and as what it is to be sent on. An *Unclear error means that it
	// could not be read; any other means that the gateway could not find out.
	Read(context.Context, *Request) (*Call, error)

	// Error puts a refusal into the engine's own form. The status must not be one that clients take as an invitation to
	// try again, unless the code is access.CodeShuttingDown.
	Error(*access.Refusal) (status int, body []byte)

	// Health is a path that a healthy server answers to GET with a status below 300; empty for an engine that has none,
	// which is healthy when it answers at all.
	Health() string
}

// Accented is a Dialect whose clients have ways of their own.
type Accented interface {
	Dialect
	// Accents must not change.
	Accents() Accents
}

// Accents are what clients of one engine say or expect besides what all do.
type Accents struct {
	// JSON are further media types of a document, Lines of lines of JSON. What is sent on has the usual one.
	JSON, Lines []string
	// TypeParams are parameters that such a media type may have, besides its charset.
	TypeParams []string
	// AnswerHeaders are headers of an answer that pass, by their canonical names.
	AnswerHeaders []string
}

// Route is one operation of an engine.
type Route struct {
	// Name of the operation, in the engine's words.
	Name   string
	Method string
	// Path is a template: /api/v2/tenants/{tenant}. A parameter is one whole segment.
	Path string
	// Query are the parameters that may follow the path, each once, with a value that is a plain word. The value of one of
	// Texts may be any text, and one of Lists may come with any texts as often as it likes.
	Query, Texts, Lists []string
	// Headers are what a request may carry on to the engine, each with one value, by their canonical names. All others are
	// dropped.
	Headers []string
	// Body says that the operation takes a JSON document; Optional that it may also come without.
	Body     bool
	Optional bool
	// Lines says that it takes lines of JSON instead, one document on each (NDJSON).
	Lines bool
	// Actions are what policy is asked about, for the reference; more than one when it depends on the request.
	Actions []access.Action
	// About says in a sentence what decides between them, or what else is to be known.
	About string
	// Open, when not nil, is what the gateway itself answers to those who show no credential: an engine's clients ask it
	// before they sign in, and the answer says nothing of any data.
	Open func(Discovery) (status int, body []byte)
}

// Discovery is where people sign in, for clients that can do that by themselves. It is empty where there is no such place.
type Discovery struct {
	URL      string // of the provider's openid-configuration
	ClientID string
	Scope    string // separated by spaces
}

// Request is a request of the table, read strictly.
type Request struct {
	Route  *Route
	Target string
	Params map[string]string
	Query  map[string]string   // Texts too
	Lists  map[string][]string // as they came
	// Headers holds what Route.Headers names, as far as it came.
	Headers map[string]string
	Body    jsonstream.Value   // the zero Value when there was none
	Lines   []jsonstream.Value // of a route that takes lines; at least one
	// Subject is who asks: for what only the one who began it may go on with, such as a cursor.
	Subject string
	// Ask lets the gateway itself look something up at the target, with GET, on its own credential. The path is escaped; a
	// query may follow it after a question mark.
	Ask func(ctx context.Context, path string) (status int, answer jsonstream.Value, err error)
	// Post is Ask with POST and a document, for what changes nothing.
	Post func(ctx context.Context, path string, document jsonstream.Value) (status int, answer jsonstream.Value, err error)
	// May says whether policy would let the subject do something by itself, if need be once a person released it. Nothing
	// is recorded: it is for leaving things out of answers, never for letting a request pass.
	May func(access.Access) bool
}

// Call is what a request would do, and as what it is sent on.
type Call struct {
	Accesses []access.Access
	// Free says that the call touches no data: it is recorded like any other and needs no rule.
	Free bool
	// Method, Path, Query, Lists, Headers and either Body or Lines are sent; Path is already escaped.
	Method  string
	Path    string
	Query   map[string]string
	Lists   map[string][]string
	Headers map[string]string
	Body    jsonstream.Value
	Lines   []jsonstream.Value
	// Oblige takes on obligations, or returns an *access.Refusal that says which one cannot be fulfilled. Nil means that no
	// obligation can concern the call, because its answer holds nothing that is stored in a collection; where a filter
	// concerns one of its accesses the carrier refuses it all the same. It may be called more than once.
	Oblige func(*access.Obligations) (*Obliged, error)
	// Failure, if not nil, says with which code an engine says no inside of a success, for those that do so; "" when it does
	// not. It is given the beginning of the answer as it came: all of a short one.
	Failure func(beginning []byte) string
	// Done, if not nil, is called after the target carried out the call.
	Done func()
}

// Obliged is how a call is sent and answered under its obligations.
type Obliged struct {
	// Query, Body or Lines are sent instead of the call's own, when they are there.
	Query map[string]string
	Body  jsonstream.Value
	Lines []jsonstream.Value
	// Instead, if not nil, is what is asked of the target in the place of the call's own Method, Path and Query: what has
	// the same answer, once rewritten, and takes a condition.
	Instead *Instead
	// Filtered says that every filter of every access is fulfilled (access.Obligations.Filters). Without it, a call one of
	// whose accesses is under a filter is refused.
	Filtered bool
	// Check, if not nil, is called right before the call is sent, when it has been decided, released and written down. It
	// finds out with Ask or Post what obligations want to be known about stored points; its error, an *access.Refusal or
	// a fault of the look-up, keeps the call from being sent. It may still narrow Body, such as to those of the points
	// asked for that may be reached.
	Check func(context.Context) error
	// Rewrite, if not nil, makes another answer of a successful one that is read as a whole, before the mask; an answer
	// that is too long for that is withheld. It is for lists of what collections there are, not for points.
	Rewrite func(jsonstream.Value) (jsonstream.Value, error)
	// Mask is applied to the answer. With a mask, an answer that is not JSON is withheld.
	Mask *jsonstream.Node
	// Rows is the most that the answer may count at the mask's Count nodes; 0 bounds nothing.
	Rows int64
	// Mute says that the engine's own error messages are withheld, because they may quote what is hidden; but not 404,
	// which says that what the request itself names does not exist.
	Mute bool
}

// Instead is another operation of the target. Path is already escaped.
type Instead struct {
	Method, Path string
	Query        map[string]string
}

// Unclear says why a request could not be read.
type Unclear struct{ Why string }

// Error implements error.
func (u *Unclear) Error() string { return u.Why }
