package devidp

import (
	"crypto/rand"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// device is a device code (RFC 8628) that waits for a person.
type device struct {
	client   string
	scope    string
	audience string
	userCode string
	user     *User // once somebody was chosen
	denied   bool
	polled   time.Time
	expires  time.Time
}

// pollEvery is the interval that devices are told. It is short, since nobody is kept waiting for a phone here.
const pollEvery = time.Second

func (i *issuer) deviceAuthorization(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request", "the form cannot be read")
		return
	}
	c, ok := i.authenticate(r)
	if !ok {
		refuse(w, http.StatusUnauthorized, "invalid_client", "no such client, or its secret is wrong")
		return
	}
	if len(r.PostForm.Get("scope")) > 1024 {
		refuse(w, http.StatusBadRequest, "invalid_scope", "scope is too long")
		return
	}
	id := rand.Text()
	d := &device{
		client: c.ID, scope: r.PostForm.Get("scope"), audience: first(r.PostForm.Get("resource"), r.PostForm.Get("audience")),
		userCode: newUserCode(), expires: i.now().Add(deviceLife),
	}
	i.mu.Lock()
	i.forget()
	full := len(i.devices) >= maxPending
	if !full {
		i.devices[id] = d
	}
	i.mu.Unlock()
	if full {
		refuse(w, http.StatusServiceUnavailable, "temporarily_unavailable", "too many sign-ins are open")
		return
	}
	reply(w, http.StatusOK, map[string]any{
		"device_code": id, "user_code": d.userCode, "verification_uri": i.url + "/device",
		"verification_uri_complete": i.url + "/device?" + url.Values{"user_code": {d.userCode}}.Encode(),
		"expires_in":                int(deviceLife.Seconds()), "interval": int(pollEvery.Seconds()),
	})
}

// newUserCode has letters only that are hard to confuse, and make no words (RFC 8628 section 6.1).
func newUserCode() string {
	const letters = "BCDFGHJKLMNPQRSTVWXZ"
	var b strings.Builder
	for n := range 8 {
		if n == 4 {
			b.WriteByte('-')
		}
		k, _ := rand.Int(rand.Reader, big.NewInt(int64(len(letters)))) // never fails, see crypto/rand
		b.WriteByte(letters[k.Int64()])
	}
	return b.String()
}

// normal is a user code as people may type it.
func normal(s string) string {
	s = strings.ToUpper(strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' {
			return -1
		}
		return r
	}, s))
	if len(s) != 8 {
		return ""
	}
	return s[:4] + "-" + s[4:]
}

// waiting returns the device with a user code that nobody has answered yet. The caller holds the lock.
func (i *issuer) waiting(userCode string) (*device, bool) {
	for _, d := range i.devices {
		if d.userCode == userCode && userCode != "" && d.user == nil && !d.denied && i.now().Before(d.expires) {
			return d, true
		}
	}
	return nil, false
}

func (i *issuer) devicePage(w http.ResponseWriter, r *http.Request) {
	typed := r.URL.Query().Get("user_code")
	userCode := normal(typed)
	i.mu.Lock()
	d, ok := i.waiting(userCode)
	i.mu.Unlock()
	if !ok {
		p := page{Title: "Connect a device"}
		if typed != "" {
			p.Message = "No device waits with that code, or it has expired."
		}
		i.show(w, http.StatusOK, "code", p)
		return
	}
	i.show(w, http.StatusOK, "choose", page{
		Title: "Connect a device", Client: d.client, Users: i.Users, UserCode: userCode, Action: "device", Query: url.Values{"user_code": {userCode}},
	})
}

func (i *issuer) deviceChoose(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		i.show(w, http.StatusBadRequest, "fault", page{Title: "This sign-in cannot go on", Message: "The form cannot be read."})
		return
	}
	u, chosen := i.user(r.PostForm.Get("user"))
	i.mu.Lock()
	d, ok := i.waiting(normal(r.PostForm.Get("user_code")))
	if ok {
		d.user, d.denied = u, !chosen
	}
	i.mu.Unlock()
	switch {
	case !ok:
		i.show(w, http.StatusBadRequest, "code", page{Title: "Connect a device", Message: "No device waits with that code, or it has expired."})
	case !chosen:
		i.show(w, http.StatusOK, "done", page{Title: "Refused", Message: "The device was told no. You can close this page."})
	default:
		i.show(w, http.StatusOK, "done", page{Title: "Connected", Message: "The device is signed in as " + first(u.Name, u.Sub) + ". You can close this page."})
	}
}

func (i *issuer) redeemDevice(w http.ResponseWriter, r *http.Request, c *Client) {
	i.mu.Lock()
	defer i.mu.Unlock()
	id := r.PostForm.Get("device_code")
	d, ok := i.devices[id]
	if !ok || d.client != c.ID {
		refuse(w, http.StatusBadRequest, "invalid_grant", "the device code is unknown, spent or another client's")
		return
	}
	now := i.now()
	early := !d.polled.IsZero() && now.Sub(d.polled) < pollEvery/2
	d.polled = now
	switch {
	case now.After(d.expires):
		delete(i.devices, id)
		refuse(w, http.StatusBadRequest, "expired_token", "nobody answered in time")
	case d.denied:
		delete(i.devices, id)
		refuse(w, http.StatusBadRequest, "access_denied", "the person said no")
	case d.user != nil:
		delete(i.devices, id)
		i.answer(w, d.user, c, d.scope, "", d.audience)
	case early:
		refuse(w, http.StatusBadRequest, "slow_down", "ask less often")
	default:
		refuse(w, http.StatusBadRequest, "authorization_pending", "nobody has answered yet")
	}
}
