package access

// Line is one line of a replayed conversation, as a person reads it. Front ends make lines from the recorded bytes.
type Line struct {
	// Kind is statement, parameters, columns, row, done, error, notice, copy or note.
	Kind string `json:"kind"`
	// Text is what was said: the statement, the command tag, the error with its code.
	Text string `json:"text,omitempty"`
	// Cells are the values of a row, the names of columns, the parameters of a statement; nil pointers are NULL.
	Cells []*string `json:"cells,omitempty"`
}
