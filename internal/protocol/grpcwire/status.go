package grpcwire

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/vecgate/vecgate/internal/access"
	"github.com/vecgate/vecgate/internal/protocol/conversation"
)

// Sentence is all that a refusal tells a person, on one line.
func Sentence(r *access.Refusal) string { return conversation.Sentence(r) }

// Code is the status code of a refusal for dialects that have no other idea. Only one of them is an invitation to try
// again, and it is the only refusal after which that helps.
func Code(code access.Code) codes.Code {
	switch code {
	case access.CodeIdentity, access.CodeExpired:
		return codes.Unauthenticated
	case access.CodeUnclear:
		return codes.InvalidArgument
	case access.CodeShuttingDown:
		return codes.Unavailable
	case access.CodeCanceled:
		return codes.Canceled
	case access.CodeUnavailable, access.CodeNotRecorded, access.CodeInternal:
		return codes.Internal
	}
	return codes.PermissionDenied
}

// Status is the status of a refusal for dialects that have no other idea.
func Status(r *access.Refusal) *status.Status { return status.New(Code(r.Code), Sentence(r)) }

// errorOf puts a refusal into the words of the dialect. The status is never nil.
func (t *target) errorOf(m *Method, r *access.Refusal) (proto.Message, *status.Status) {
	message, s := t.Dialect.Error(m, r)
	switch {
	case m == nil && r.Code == access.CodeUnclear:
		return nil, status.New(codes.Unimplemented, Sentence(r))
	case s != nil && s.Code() != codes.OK:
		return nil, s
	case message != nil && m != nil && message.ProtoReflect().Descriptor().FullName() == m.Response.Descriptor().FullName():
		return message, status.New(codes.OK, "")
	}
	return nil, Status(r)
}

// maxMessage is how much of a status message passes: it travels as a header.
const maxMessage = 1 << 10

// plainText makes a message of ours plain ASCII: not every client decodes what would be encoded.
func plainText(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '–' || r == '—':
			return '-'
		case r == '…':
			return '.'
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r < ' ' || r > '~':
			return '?'
		}
		return r
	}, s)
	if len(s) > maxMessage {
		s = s[:maxMessage-3] + "..."
	}
	return s
}

// escape encodes a status message as the protocol asks: everything but printable ASCII, and the percent sign.
func escape(s string) string {
	if len(s) > 8*maxMessage {
		s = strings.ToValidUTF8(s[:8*maxMessage], "")
	}
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c >= ' ' && c <= '~' && c != '%' {
			b.WriteByte(c)
			continue
		}
		const digits = "0123456789ABCDEF"
		b.Write([]byte{'%', digits[s[i]>>4], digits[s[i]&15]})
	}
	return b.String()
}

// unescape decodes what escape made; what is not properly encoded stays as it is.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if v, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				out = append(out, byte(v))
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return strings.ToValidUTF8(string(out), "?")
}

// statusOf reads how a call ended from its trailers, or from the header where there was no answer. It is nil where
// nothing says so.
func statusOf(trailer http.Header) *status.Status {
	values := trailer.Values("Grpc-Status")
	if len(values) != 1 {
		return nil
	}
	n, err := strconv.ParseUint(values[0], 10, 31)
	if err != nil {
		return nil
	}
	p := status.New(codes.Code(n), unescape(trailer.Get("Grpc-Message"))).Proto()
	if details := trailer.Get("Grpc-Status-Details-Bin"); details != "" && n != 0 {
		d := status.New(codes.OK, "").Proto()
		raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(details, "="))
		if err == nil && proto.Unmarshal(raw, d) == nil && d.GetCode() == p.GetCode() {
			p.Details = d.GetDetails()
		}
	}
	return status.FromProto(p)
}

// trailers are what ends a call.
func trailers(s *status.Status) http.Header {
	h := http.Header{"Grpc-Status": {strconv.Itoa(int(s.Code()))}}
	if m := s.Message(); m != "" && s.Code() != codes.OK {
		h.Set("Grpc-Message", escape(m))
	}
	if p := s.Proto(); len(p.GetDetails()) > 0 && s.Code() != codes.OK {
		if raw, err := proto.Marshal(p); err == nil && len(raw) <= 8*maxMessage {
			h.Set("Grpc-Status-Details-Bin", base64.RawStdEncoding.EncodeToString(raw))
		}
	}
	return h
}

// codeNames are the codes as the protocol writes them.
var codeNames = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
	"FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

func codeName(c codes.Code) string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return strconv.Itoa(int(c))
}
