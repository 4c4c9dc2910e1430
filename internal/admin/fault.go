package admin

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"github.com/vecgate/vecgate/internal/access"
)

// Fault is an error as people see it, the same in the API and in the console.
type Fault struct {
	Status  int         `json:"-"`
	Code    access.Code `json:"code"`
	Message string      `json:"message"`
	Hint    string      `json:"hint,omitempty"`
	Ref     string      `json:"ref,omitempty"`
}

// CodeNotFound is the code of a thing that does not exist, or that the caller may not see.
const CodeNotFound access.Code = "not-found"

// FaultOf turns an error into words for the caller. What is not meant for the caller goes to the operator's log, under a
// reference that the caller gets.
func FaultOf(ctx context.Context, log *slog.Logger, err error) Fault {
	refusal, ok := errors.AsType[*access.Refusal](err)
	switch {
	case ok:
		f := Fault{Status: statusOf(refusal.Code), Code: refusal.Code, Message: refusal.Message, Hint: refusal.Hint, Ref: refusal.Ref}
		if errors.Is(refusal.Err, ErrNotFound) {
			f.Status = http.StatusNotFound
		}
		if refusal.Err != nil {
			level := slog.LevelWarn
			if f.Status == http.StatusUnauthorized {
				level = slog.LevelDebug // anybody can cause any number of these; the audit log counts them
			}
			log.Log(ctx, level, "refused", "code", refusal.Code, "ref", refusal.Ref, "error", refusal.Err)
		}
		return f
	case errors.Is(err, ErrNotFound):
		return Fault{Status: http.StatusNotFound, Code: CodeNotFound, Message: "there is no such thing, or it is not yours to see", Hint: "check the address, and who you are signed in as"}
	case ctx.Err() != nil:
		return Fault{Status: 499, Code: access.CodeCanceled, Message: "the client went away"}
	}
	ref := rand.Text()[:8]
	log.ErrorContext(ctx, "internal error", "ref", ref, "error", err)
	return Fault{
		Status: http.StatusInternalServerError, Code: access.CodeInternal, Ref: ref,
		Message: "internal error (reference " + ref + ")", Hint: "the operator's log has the details under this reference",
	}
}

func statusOf(code access.Code) int {
	switch code {
	case access.CodeIdentity, access.CodeExpired:
		return http.StatusUnauthorized
	case access.CodeDenied, access.CodeNoRule, access.CodeScope, access.CodeSeparation:
		return http.StatusForbidden
	case access.CodeNotReleased, access.CodeHeld:
		return http.StatusConflict
	case access.CodeLimit, access.CodeUnclear:
		return http.StatusUnprocessableEntity
	case access.CodeNotRecorded, access.CodeUnavailable, access.CodeShuttingDown:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

func writeFault(w http.ResponseWriter, f Fault) {
	if f.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="vecgate"`)
	}
	writeJSON(w, f.Status, map[string]Fault{"error": f})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"error":{"code":"internal","message":"internal error"}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // the client may have gone
}
