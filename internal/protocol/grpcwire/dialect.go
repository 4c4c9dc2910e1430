package grpcwire

import (
	"context"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/mask"
	"github.com/vecgate/vecgate/internal/protocol/jsonstream"
)

// Dialect is one engine's gRPC interface. Its methods are called from many goroutines.
type Dialect interface {
	// Methods is the closed table of what clients may call. A call that is not in it is judged as able to do anything,
	// written down, and never sent on. The table must not change.
	Methods() []Method

	// Metadata names the metadata, in lower case, that a request may carry on to the engine. All other is dropped.
	Metadata() []string

	// Read says what a call of the table would do, and as what it is to be sent on. An *Unclear error means that it could
	// not be read; any other means that the gateway could not find out.
	Read(context.Context, *Request) (*Call, error)

	// Error puts a refusal into the engine's own form: a status, or a message of the method's answer for engines that say
	// no inside of a success. The code must not be one that clients take as an invitation to try again, unless the
	// refusal's is access.CodeShuttingDown. The method is nil for one that is not in the table.
	Error(*Method, *access.Refusal) (proto.Message, *status.Status)
}

// Method is one operation of an engine.
//
// Every message of a client's stream is a request of its own: read, judged, written down and obliged before it is sent
// on; a refused one ends the stream. The first message opens the stream, and all answers pass through its mask, and
// through the first mask of a later message under another protection: a mask of a stream hides by what stands in the
// answer, not by what the request asked for.
type Method struct {
	// Name as gRPC writes it: /qdrant.Points/Search.
	Name string
	// Request and Response are made for every call.
	Request, Response protoreflect.MessageType
	// ClientStreams and ServerStreams say that more than one message goes that way.
	ClientStreams, ServerStreams bool
	// Actions are what policy is asked about, for the reference; more than one when it depends on the request.
	Actions []access.Action
	// About says in a sentence what decides between them, or what else is to be known.
	About string
	// Open, when not nil, is what the gateway itself answers to those who show no credential: an engine's clients ask it
	// before they sign in, and the answer says nothing of any data.
	Open proto.Message
}

// Request is a call of the table, read strictly: its message holds no field that the gateway does not know.
type Request struct {
	Method  *Method
	Target  string
	Message proto.Message
	// Metadata holds what Dialect.Metadata names, each once.
	Metadata map[string]string
	// Later says that the message is not the first of a client's stream.
	Later bool
	// Ask lets the gateway itself look something up at the target, on its own credential. What the engine says instead of
	// an answer is an error that status.FromError understands.
	Ask func(ctx context.Context, method string, request, response proto.Message) error
	// Look is Ask for the target's HTTP interface, with GET; nil where Target.Look is.
	Look func(ctx context.Context, path string) (status int, answer jsonstream.Value, err error)
	// May says whether policy would let the subject do something by itself, if need be once a person released it. Nothing
	// is recorded: it is for leaving things out of answers, never for letting a request pass.
	May func(access.Access) bool
}

// Call is what a request would do, and as what it is sent on.
type Call struct {
	Accesses []access.Access
	// Free says that the call touches no data: it is recorded like any other and needs no rule.
	Free bool
	// Message and Metadata are sent.
	Message  proto.Message
	Metadata map[string]string
	// Record is written down and shown to people instead of Message, when that holds a secret such as a password.
	Record proto.Message
	// Oblige takes on obligations, or returns an *access.Refusal that says which one cannot be fulfilled. Nil means that no
	// obligation can concern the call, because its answer holds nothing that is stored in a collection; where a filter
	// concerns one of its accesses the carrier refuses it all the same. It may be called more than once and leaves Message
	// as it is.
	Oblige func(*access.Obligations) (*Obliged, error)
	// Failure, if not nil, says with which code an engine says no inside of an answer, for those that do so with status OK;
	// "" when it does not. An answer is read for it, and sent on as it came unless it is masked.
	Failure func(answer proto.Message) string
	// Done, if not nil, is called after the target carried out the call.
	Done func()
}

// Obliged is how a call is sent and answered under its obligations.
type Obliged struct {
	// Message is sent instead of the call's own, when it is not nil.
	Message proto.Message
	// Filtered says that every filter of every access is fulfilled (access.Obligations.Filters). Without it, a call one of
	// whose accesses is under a filter is refused (access.Obligations.Unfiltered).
	Filtered bool
	// Check, if not nil, is called right before the call is sent, when it has been decided, released and written down. It
	// finds out with Ask what obligations want to be known about stored points; its error, an *access.Refusal or a fault
	// of the look-up, keeps the call from being sent. It may still narrow Message, such as to those of the points asked for
	// that may be reached.
	Check func(context.Context) error
	// Mask hides in an answer what must be hidden, and counts its rows. An error withholds the answer.
	Mask func(*mask.Hider, proto.Message) (rows int64, err error)
	// Rows is the most that the answer may hold, as Mask counts them; 0 bounds nothing.
	Rows int64
	// Mute says that the engine's own error messages are withheld, because they may quote what is hidden.
	Mute bool
}

// Unclear says why a request could not be read.
type Unclear struct{ Why string }

// Error implements error.
func (u *Unclear) Error() string { return u.Why }
