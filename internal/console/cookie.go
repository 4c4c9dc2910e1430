package console

import (
	"net/http"
	"time"
)

// The cookies. The prefix makes browsers insist that they are Secure, have no Domain, and hold for the whole origin, so
// that no neighbour can plant one.
const (
	sessionCookie = "__Host-vecgate"
	signInCookie  = "__Host-vecgate-signin"
)

func (s *Console) setCookie(w http.ResponseWriter, name, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: int(life.Seconds()), Secure: true, HttpOnly: true,
		SameSite: http.SameSiteLaxMode, // links in notices lead here from elsewhere; forms from elsewhere are refused
	})
}

func (s *Console) dropCookie(w http.ResponseWriter, name string) {
	http.SetCookie(w, &http.Cookie{Name: name, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func tokenOf(r *http.Request) string {
	c, err := r.Cookie(sessionCookie)
	if err != nil {
		return ""
	}
	return c.Value
}
