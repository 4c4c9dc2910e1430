package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vecgate/vecgate/internal/audit/archive"
	"github.com/vecgate/vecgate/internal/audit/archive/s3"
)

const secret = "a-secret-that-nobody-may-see"

// before is a store before a stand-in for an S3 server that means harm.
func before(t *testing.T, address string, patience time.Duration) *s3.Store {
	t.Helper()
	store, err := s3.Open(s3.Options{
		Endpoint: address, Bucket: "audit", Prefix: "vecgate/test", Region: "eu-test-1", PathStyle: true, Patience: patience,
		Credential: func() (string, string, error) { return "vecgate", secret, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// everything tries all that a store does.
func everything(t *testing.T, store *s3.Store, check func(what string, err error)) {
	t.Helper()
	ctx := t.Context()
	check("Create", store.Create(ctx, "checkpoints/1", []byte("x"), false))
	_, err := store.Read(ctx, "checkpoints/1", 10)
	check("Read", err)
	_, err = store.Size(ctx, "checkpoints/1")
	check("Size", err)
	check("List", store.List(ctx, "checkpoints/", "", func(archive.Object) bool { return true }))
	check("Erase", store.Erase(ctx, "keys/1"))
	check("Versions", store.Versions(ctx, func(archive.Version) error { return nil }))
	_, _, err = store.Locked(ctx, archive.Version{Object: archive.Object{Name: "checkpoints/1"}, ID: "1"})
	check("Locked", err)
}

func TestAStandInThatSendsElsewhereIsNotFollowed(t *testing.T) {
	var visited atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visited.Add(1) }))
	defer other.Close()
	for _, code := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", other.URL+r.URL.Path)
			w.Header().Set("X-Amz-Bucket-Region", "other-region")
			w.WriteHeader(code)
		}))
		everything(t, before(t, server.URL, 0), func(what string, err error) {
			if err == nil {
				t.Errorf("%s followed %d", what, code)
			}
		})
		server.Close()
	}
	if n := visited.Load(); n > 0 {
		t.Errorf("another host was sent %d requests", n)
	}
}

func TestAStandInThatNeverEndsItsAnswersIsLeft(t *testing.T) {
	stop := make(chan struct{})
	drip := func(w http.ResponseWriter, first string) {
		_, _ = io.WriteString(w, first)
		for {
			w.(http.Flusher).Flush()
			select {
			case <-time.After(5 * time.Millisecond):
			case <-stop:
				return
			}
			if _, err := io.WriteString(w, " "); err != nil {
				return
			}
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch {
		case r.Method == http.MethodGet && (r.URL.Query().Has("list-type") || r.URL.Query().Has("versions")):
			drip(w, "<?xml version=\"1.0\"?><ListBucketResult>")
		case r.Method == http.MethodGet:
			w.Header().Set("Content-Length", "1000000")
			w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
			drip(w, "")
		default:
			<-stop // says nothing
		}
	}))
	defer server.Close()
	defer close(stop)
	done := make(chan struct{})
	go func() {
		defer close(done)
		everything(t, before(t, server.URL, 100*time.Millisecond), func(what string, err error) {
			if err == nil {
				t.Errorf("%s ended well", what)
			}
		})
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("a request is still waiting after a minute")
	}
}

func TestAStandInThatAnswersWithoutEndFillsNoMemory(t *testing.T) {
	var sent atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		if r.Method == http.MethodHead {
			return // its body is never sent
		}
		_, _ = io.WriteString(w, "<?xml version=\"1.0\"?><ListBucketResult><Name>")
		chunk := bytes.Repeat([]byte("x"), 1<<20)
		for {
			n, err := w.Write(chunk)
			sent.Add(int64(n))
			if err != nil || r.Context().Err() != nil {
				return
			}
		}
	}))
	defer server.Close()
	everything(t, before(t, server.URL, 0), func(what string, err error) {
		if err == nil && what != "Size" && what != "Create" && what != "Locked" { // which read no body
			t.Errorf("%s ended well", what)
		}
	})
	if n := sent.Load(); n > 1<<30 {
		t.Errorf("%d bytes were taken", n)
	}
}

func TestNoAnswerOfAStandInBringsOutTheCredential(t *testing.T) {
	var heard strings.Builder
	for _, code := range []int{400, 403, 404, 409, 412, 500, 503} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintln(&heard, r.Method, r.URL, r.Header)
			w.WriteHeader(code)
			// Everything that was heard, said again.
			fmt.Fprintf(w, "<Error><Code>Odd</Code><Message>%s %s</Message></Error>", r.Header.Get("Authorization"), r.URL)
		}))
		everything(t, before(t, server.URL, 0), func(what string, err error) {
			if err == nil {
				if code != 404 {
					t.Errorf("%s ended well with %d", what, code)
				}
				return
			}
			if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, secret) {
				t.Errorf("%s shows the credential: %s", what, text)
			}
			if code == 412 && what == "Create" && !errors.Is(err, archive.ErrExists) {
				t.Errorf("Create = %v, want %v", err, archive.ErrExists)
			}
		})
		server.Close()
	}
	if strings.Contains(heard.String(), secret) {
		t.Error("the secret itself was sent")
	}
}

func TestACredentialThatCannotBeFetchedSendsNothing(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer server.Close()
	store, err := s3.Open(s3.Options{
		Endpoint: server.URL, Bucket: "audit", Region: "r", PathStyle: true,
		Credential: func() (string, string, error) { return "", "", errors.New("the file is gone") },
	})
	if err != nil {
		t.Fatal(err)
	}
	everything(t, store, func(what string, err error) {
		if err == nil || !strings.Contains(err.Error(), "the file is gone") {
			t.Errorf("%s = %v, want why", what, err)
		}
	})
	if n := asked.Load(); n > 0 {
		t.Errorf("%d requests were sent without a credential", n)
	}
}

func TestAServerWithACertificateThatNobodyVouchesForIsRefused(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = nil
	defer server.Close()
	if err := before(t, server.URL, 0).Create(t.Context(), "x", nil, false); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("Create = %v, want a word about the certificate", err)
	}
}

func TestAServerThatIsNotThereIsNotWaitedForLong(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := before(t, "http://"+l.Addr().String(), 50*time.Millisecond).Create(ctx, "x", nil, false); err == nil || ctx.Err() != nil {
		t.Errorf("Create = %v, context %v", err, ctx.Err())
	}
}
