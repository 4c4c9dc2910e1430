package login

import (
	"encoding/json"
	"fmt"
)

// rawAnswer keeps an answer until its status says what it is.
type rawAnswer struct{ json.RawMessage }

func (a rawAnswer) message() string {
	var e struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	_ = json.Unmarshal(a.RawMessage, &e) // an answer of another shape has no message
	return firstOf(short(e.Description), short(e.Error), "no")
}

func (a rawAnswer) into(v any) error {
	if err := json.Unmarshal(a.RawMessage, v); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	return nil
}
