package devidp

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"net/url"
)

//go:embed pages
var files embed.FS

var pages = template.Must(template.ParseFS(files, "pages/*.html"))

// page is what the few pages show.
type page struct {
	Title    string
	Message  string
	Client   string
	UserCode string
	Action   string
	Users    []User
	Query    url.Values // sent along with the choice
	Issuer   string
	Clients  []Client
}

func (i *issuer) show(w http.ResponseWriter, status int, name string, p page) {
	p.Issuer = i.url
	delete(p.Query, "user")
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, p); err != nil {
		i.log.Error("render page", "page", name, "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w) // the person may have gone
}

func (i *issuer) home(w http.ResponseWriter, _ *http.Request) {
	i.show(w, http.StatusOK, "home", page{Title: "Identity provider", Users: i.Users, Clients: i.Clients})
}

func asset(name, contentType string) http.HandlerFunc {
	body, err := files.ReadFile("pages/" + name)
	if err != nil {
		panic(err) // embedded at build time
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(body) // the browser may have gone
	}
}
