package httpwire

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/vecgate/vecgate/internal/access"
)

// anything is a route that takes what the tests send.
var anything = &Route{Query: []string{"x", "limit", "offset", "c", "y"}, Texts: []string{"text"}, Lists: []string{"list"}}

func taken(uri string) (path []string, query map[string]string, err error) {
	path, raw, err := address(uri)
	if err == nil {
		query, _, err = parameters(raw, anything)
	}
	return path, query, err
}

func TestPathsThatServersResolveDifferentlyAreRefused(t *testing.T) {
	for _, uri := range []string{
		"", "*", "http://other/a", "a", "//", "//a", "/a//", "/a//b", "/a/b/", "/a/.", "/a/..", "/./a", "/a/%2e%2e/b", "/a%2fb", "/a%5cb", "/a%00", "/a%", "/a%zz", "/%61", "/a%5Fb", "/a;b", "/a\\b", "/a b", "/a%20b",
		"/ä", "/%c3%a4", "/a#b", "/a?x=1&x=2", "/a?x=1&%78=2", "/a?=1", "/a?x=%00", "/a?x=%zz", "/a?x=1;y=2", "/a?x=%c3%a4", "/" + strings.Repeat("a", 5000),
	} {
		if path, query, err := taken(uri); err == nil {
			t.Errorf("%q is read as %q %q", uri, path, query)
		} else if _, ok := errors.AsType[*Unclear](err); !ok {
			t.Errorf("%q: %v", uri, err)
		}
	}
}

func TestPathsAreTakenApart(t *testing.T) {
	path, query, err := taken("/api/v2/a:b?limit=5&offset=")
	if err != nil || !slices.Equal(path, []string{"api", "v2", "a:b"}) || query["limit"] != "5" || query["offset"] != "" || len(query) != 2 {
		t.Errorf("%q %q %v", path, query, err)
	}
}

func TestTheRootIsAPathAndNoParameterIsEmpty(t *testing.T) {
	r, err := compile([]Route{{Name: "root", Method: "GET", Path: "/"}, {Name: "one", Method: "GET", Path: "/{x}"}, {Name: "two", Method: "GET", Path: "/a/{x}"}})
	if err != nil {
		t.Fatal(err)
	}
	for uri, want := range map[string]string{"/": "root", "/a": "one", "/a/": "", "/b/": "", "/a/b": "two"} {
		path, _, err := taken(uri)
		if err != nil || Path(path...) != uri {
			t.Errorf("%s: %q %v", uri, path, err)
		}
		got := ""
		if route, _ := r.find("GET", path); route != nil {
			got = route.Name
		}
		if got != want {
			t.Errorf("%s is %q, want %q", uri, got, want)
		}
	}
}

func TestTheEncodingOfClientsIsTaken(t *testing.T) {
	for uri, want := range map[string]string{"/a%3Ab": "/a:b", "/a:b": "/a:b", "/a%40b%2B": "/a@b+", "/a%3A1%2cb*": "/a:1%2Cb%2A", "/a:1,b%2A": "/a:1%2Cb%2A"} {
		if path, _, err := taken(uri); err != nil || Path(path...) != want {
			t.Errorf("%s: %q %v", uri, path, err)
		}
	}
}

func TestTextsAndListsHoldAnything(t *testing.T) {
	query, lists, err := parameters("list=doc%231&list=%2f%3b+%c3%a4&text=a%20b%3d&x=1", anything)
	if err != nil || query["text"] != "a b=" || !slices.Equal(lists["list"], []string{"doc#1", "/; ä"}) {
		t.Errorf("%q %q %v", query, lists, err)
	}
	if got, want := encode(query, lists), "list=doc%231&list=%2F%3B%20%C3%A4&text=a%20b%3D&x=1"; got != want {
		t.Errorf("sent on as %s, want %s", got, want)
	}
	for _, raw := range []string{"list=%00", "list=%ff", "text=a&text=b", "text=a%0ab", "list=a;b", "other=1", "x=%23"} {
		if query, lists, err := parameters(raw, anything); err == nil {
			t.Errorf("%q is read as %q %q", raw, query, lists)
		}
	}
}

func TestWhatIsWrittenOutGoesBeforeAParameter(t *testing.T) {
	r, err := compile([]Route{{Name: "named", Method: "GET", Path: "/c/{name}/x"}, {Name: "byid", Method: "GET", Path: "/c/by-id/{id}"}, {Name: "both", Method: "GET", Path: "/c/by-id/x"}})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"c/by-id/1": "byid", "c/by-id/x": "both", "c/a/x": "named", "c/a/y": "", "c/a": "", "C/a/x": ""} {
		got := ""
		if route, _ := r.find("GET", strings.Split(path, "/")); route != nil {
			got = route.Name
		}
		if got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	if _, err := compile([]Route{{Name: "a", Method: "GET", Path: "/{x}"}, {Name: "b", Method: "GET", Path: "/{y}"}}); err == nil {
		t.Error("two routes of one shape are taken")
	}
}

func TestEveryRefusalHasAStatusThatDoesNotAskForAnotherTry(t *testing.T) {
	for _, code := range []access.Code{
		access.CodeNoRule, access.CodeDenied, access.CodeHeld, access.CodeNotReleased, access.CodeSeparation, access.CodeTicket, access.CodeScope, access.CodeUnclear,
		access.CodeObligation, access.CodeLimit, access.CodeIdentity, access.CodeExpired, access.CodeUnavailable, access.CodeNotRecorded, access.CodeInternal, access.CodeCanceled, "new",
	} {
		switch status := Status(code); status {
		case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusInternalServerError:
		default:
			t.Errorf("%s: status %d", code, status)
		}
	}
}

// FuzzAddress wants every path that is taken to be the same once it is written again.
func FuzzAddress(f *testing.F) {
	for _, uri := range []string{"/a/b?c=d", "/a%20b", "//", "/..", "/%41", "/a?x=1&y=2", "/:@!$&'()*+,=", "/%3A%40", "/a?text=%23+b&list=1&list=%2F"} {
		f.Add(uri)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		path, raw, err := address(uri)
		if err != nil {
			return
		}
		query, lists, err := parameters(raw, anything)
		if err != nil {
			return
		}
		again := Path(path...)
		if text := encode(query, lists); text != "" {
			again += "?" + text
		}
		path2, raw, err := address(again)
		if err != nil || !slices.Equal(path, path2) {
			t.Fatalf("%q is sent on as %q: %q %v", uri, again, path2, err)
		}
		query2, lists2, err := parameters(raw, anything)
		if err != nil || encode(query, lists) != encode(query2, lists2) {
			t.Fatalf("%q is sent on as %q: %v %v %v", uri, again, query2, lists2, err)
		}
		u, err := url.Parse("http://h" + again)
		if err != nil || u.Path != "/"+strings.Join(path, "/") || u.Query().Get("text") != query["text"] {
			t.Fatalf("%q is read by others as %q, %v", again, u.Path, err)
		}
	})
}

// FuzzCredential wants no header to panic, and never more than one credential to pass.
func FuzzCredential(f *testing.F) {
	f.Add("Bearer a", "b", "")
	f.Add("Basic OmE=", "", "")
	f.Fuzz(func(t *testing.T, authorization, key, chroma string) {
		h := http.Header{}
		for name, v := range map[string]string{"Authorization": authorization, "Api-Key": key, "X-Chroma-Token": chroma} {
			if v != "" {
				h.Set(name, v)
			}
		}
		token, refusal := credential(h)
		if refusal == nil && (token == "" || len(h) != 1) {
			t.Fatalf("%q of %v", token, h)
		}
	})
}
