package login_test

import (
	"context"
	"fmt"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/vecgate/vecgate/internal/identity/login"
)

// browser starts a headless Chromium and fails the test when a page logs an error or asks for anything off this machine.
func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is needed: apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-quic", true))
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, time.Minute)
	t.Cleanup(cancel)
	var mu sync.Mutex
	var faults []string
	fault := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		faults = append(faults, fmt.Sprintf(format, args...))
	}
	err = chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *log.EventEntryAdded:
			fault("log: %s %s", e.Entry.Text, e.Entry.URL)
		case *runtime.EventConsoleAPICalled:
			fault("console: %s", e.Type)
		case *runtime.EventExceptionThrown:
			fault("exception: %s", e.ExceptionDetails.Text)
		case *network.EventRequestWillBeSent:
			u, err := url.Parse(e.Request.URL)
			if err != nil || u.Scheme != "data" && u.Hostname() != "127.0.0.1" {
				fault("request to %s", e.Request.URL)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		for _, f := range faults {
			t.Errorf("the browser reported: %s", f)
		}
	})
	return ctx
}

// text is an action that keeps what an element shows.
func text(selector string, into *string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (void chromedp.Void, err error) {
		*into, err = chromedp.Text(selector)(ctx, t)
		return void, err
	}
}

func TestPersonSignsInWithARealBrowserByKeyboard(t *testing.T) {
	for name, scripts := range map[string]bool{"with scripts": true, "without scripts": false} {
		t.Run(name, func(t *testing.T) {
			g, c := world(t)
			page := browser(t)
			if _, err := chromedp.Call(page, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !scripts}); err != nil {
				t.Fatal(err)
			}
			var choice, done string
			shown := make(chan error, 1)
			tokens, err := c.Browser(page, func(address string) {
				go func() {
					shown <- chromedp.Do(page,
						chromedp.Navigate(address),
						chromedp.WaitVisible(`ul.users`),
						text(`body`, &choice),
						// The first user has the focus; one Tab further is the second.
						chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter),
						chromedp.WaitVisible(`[role=status]`),
						text(`body`, &done),
					)
				}()
			})
			if err != nil {
				t.Fatal(err)
			}
			// The loopback server has answered by now and is closed; the page stays.
			if err := <-shown; err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"Development only.", "vecgate-cli", "Alice Ang", "bob@example.com", "Vector-Approve"} {
				if !strings.Contains(choice, want) {
					t.Errorf("the sign-in page does not show %q:\n%s", want, choice)
				}
			}
			if !strings.Contains(done, "You can close this page") {
				t.Errorf("the last page shows %q", done)
			}
			if who, err := g.Whoami(context.Background(), tokens.ID); err != nil || who.ID != "corp:bob" {
				t.Errorf("whoami: %+v, %v", who, err)
			}
		})
	}
}

func TestPersonConnectsADeviceWithARealBrowser(t *testing.T) {
	_, c := world(t)
	page := browser(t)
	var wrong, done string
	tokens, err := c.Device(page, func(p login.Prompt) {
		err := chromedp.Do(page,
			chromedp.Navigate(p.URL),
			chromedp.SendKeys(`#user_code`, "WRNG-CODE"+kb.Enter),
			chromedp.WaitVisible(`[role=alert]`),
			text(`[role=alert]`, &wrong),
			chromedp.SendKeys(`#user_code`, strings.ToLower(p.Code)+kb.Enter),
			chromedp.WaitVisible(`ul.users`),
			chromedp.KeyEvent(kb.Enter),
			chromedp.WaitVisible(`[role=status]`),
			text(`[role=status]`, &done),
		)
		if err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if tokens.ID == "" || !strings.Contains(wrong, "No device waits with that code") || !strings.Contains(done, "signed in as Alice Ang") {
		t.Errorf("wrong code: %q, done: %q", wrong, done)
	}
}
