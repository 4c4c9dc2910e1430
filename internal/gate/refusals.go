package gate

import (
	"errors"
	"fmt"

	"github.com/vecgate/vecgate/internal/access"
)

// refusalOf turns a decision that is not an allow into words.
func refusalOf(d access.Decision) *access.Refusal {
	code := d.Reason.Code
	if code == "" || code == access.CodeAllowed {
		code = access.CodeNoRule
	}
	return &access.Refusal{Code: code, Rule: d.Reason.Rule, Message: "not allowed: " + d.Reason.Sentence, Hint: d.Reason.Hint}
}

func notReleased(r access.Request, held access.Decision) *access.Refusal {
	refusal := &access.Refusal{Code: access.CodeNotReleased, Rule: held.Reason.Rule, Ref: r.ID}
	switch r.State {
	case access.StateDenied:
		who, why := "an approver", ""
		for _, v := range r.Decisions {
			if !v.Approve {
				who = v.Name
				if who == "" {
					who = v.Subject
				}
				if v.Reason != "" {
					why = ": " + v.Reason
				}
			}
		}
		refusal.Message = fmt.Sprintf("request %s was denied by %s%s", r.ID, who, why)
	case access.StateExpired:
		refusal.Message = fmt.Sprintf("nobody released request %s in time", r.ID)
		refusal.Hint = "send it again to ask anew"
	default:
		refusal.Message = fmt.Sprintf("request %s is %s", r.ID, r.State)
		refusal.Hint = "send it again to ask anew"
	}
	return refusal
}

func notRecorded(err error) *access.Refusal {
	return &access.Refusal{
		Code: access.CodeNotRecorded, Err: err,
		Message: "the request could not be written to the audit log, so it was not carried out",
		Hint:    "tell the operator of the gateway; its log has the details",
	}
}

// asRefusal returns the refusal inside err, or a refusal of that code that hides err from the client.
func asRefusal(err error, code access.Code) *access.Refusal {
	if r := findRefusal(err); r != nil {
		return r
	}
	return &access.Refusal{Code: code, Err: err, Message: "internal error", Hint: "the operator's log has the details under this reference"}
}

func findRefusal(err error) *access.Refusal {
	if r, ok := errors.AsType[*access.Refusal](err); ok {
		return r
	}
	return nil
}
