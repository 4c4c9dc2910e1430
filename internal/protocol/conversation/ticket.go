package conversation

import (
	"errors"
	"net/http"
)

// longestTicket is how long the name of a change ticket may be.
const longestTicket = 128

// errTicket says what a ticket must be that cannot be one.
var errTicket = errors.New("X-Vecgate-Ticket holds one name of a change ticket, of at most 128 characters, without spaces: leave it out or set it once")

// Ticket returns the change ticket that a request brings, empty when it brings none. One that cannot be read is not passed
// over: the ticket of the session or of the credential would count in its place.
func Ticket(h http.Header) (string, error) {
	values := h.Values("X-Vecgate-Ticket")
	if len(values) == 0 {
		return "", nil
	}
	name := values[0]
	if len(values) > 1 || name == "" || len(name) > longestTicket {
		return "", errTicket
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f {
			return "", errTicket
		}
	}
	return name, nil
}
