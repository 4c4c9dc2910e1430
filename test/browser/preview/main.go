// Command preview serves the console from fixtures, for working on its looks, or takes pictures of every page.
//
//	go run ./test/browser/preview                   serve until interrupted
//	go run ./test/browser/preview -shots DIR        pictures: light and dark, wide and narrow
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/vecgate/vecgate/test/browser/stage"
)

func main() {
	address := flag.String("address", "127.0.0.1:8444", "where to serve")
	shots := flag.String("shots", "", "directory for pictures")
	only := flag.String("only", "", "take pictures of pages whose name contains this")
	looks := flag.String("looks", "light-wide,dark-wide,light-narrow,dark-narrow", "which pictures")
	who := flag.String("as", "ben", "who looks: ana, ben, cho or dov")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *address, *shots, *only, *looks, *who); err != nil {
		fmt.Fprintln(os.Stderr, "preview:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, address, shots, only, looks, who string) error {
	s, err := stage.Start(address, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	defer s.Close()
	if shots == "" {
		fmt.Println("the console is at", s.URL)
		<-ctx.Done()
		return nil
	}
	return pictures(ctx, s, shots, only, looks, who)
}

const session = "0n3zk8v1t5bq2mxy4c"

var pages = []struct{ name, path string }{
	{"overview", "/"},
	{"requests", "/requests"},
	{"requests-all", "/requests?view=all"},
	{"request", "/requests/7F3K-92QX"},
	{"request-two", "/requests/M4TD-08ZR"},
	{"request-attack", "/requests/XSS0-0001"},
	{"request-over", "/requests/D2PA-66KM"},
	{"sessions", "/sessions"},
	{"session", "/sessions/" + session},
	{"replay", "/sessions/" + session + "/replay"},
	{"log", "/log"},
	{"record", "/log/4"},
	{"identities", "/identities"},
	{"policy", "/policy?subject=corp:ana&groups=Vector-Read&action=upsert&on=products/public/items"},
	{"targets", "/targets"},
	{"fault", "/nowhere"},
}

func pictures(ctx context.Context, s *stage.Stage, dir, only, looks, who string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("hide-scrollbars", true))
	ctx, cancel := chromedp.NewExecAllocator(ctx, options...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	snap := func(name string) error {
		picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644)
	}
	for i, look := range strings.Split(looks, ",") {
		scheme, width, _ := strings.Cut(look, "-")
		w := int64(1280)
		if width == "narrow" {
			w = 390
		}
		media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}}
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(w, 820)); err != nil {
			return err
		}
		if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, media); err != nil {
			return err
		}
		if i == 0 {
			if err := chromedp.Do(ctx, chromedp.Navigate(s.URL+"/"), chromedp.WaitVisible(`a.big`)); err != nil {
				return err
			}
			if err := snap("signin-" + look); err != nil {
				return err
			}
			if err := chromedp.Do(ctx, chromedp.Click(`a.big`), chromedp.WaitVisible(`ul.users`), chromedp.Click(`button[value=`+who+`]`), chromedp.WaitVisible(`.me`)); err != nil {
				return fmt.Errorf("sign in: %w", err)
			}
		}
		for _, p := range pages {
			if !strings.Contains(p.name, only) {
				continue
			}
			if err := chromedp.Do(ctx, chromedp.Navigate(s.URL+p.path), chromedp.WaitVisible(`main`)); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			if err := snap(p.name + "-" + look); err != nil {
				return err
			}
		}
	}
	return nil
}
