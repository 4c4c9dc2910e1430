package guide

import (
	"context"
	"fmt"
	"time"

	"github.com/chromedp/chromedp"
)

// Click opens an address of the console in a browser, signs in at the trial's provider as somebody, presses the button with a
// text, after writing into the field when there is something to write, and waits until the page says something: one of the
// texts that see has, with | between, none of which it must have said before the button was pressed.
func Click(ctx context.Context, chromium, user, open, press, fill, see string) error {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-quic", true))
	ctx, cancel := chromedp.NewExecAllocator(ctx, options...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err := chromedp.Do(ctx, chromedp.Navigate(open))
	if err == nil { // the console sends people to the provider; a guide may also send them there itself
		err = until(ctx, `(a => (a && (a.click(), false)) || document.querySelector('ul.users'))(document.querySelector('a.big'))`)
	}
	if err == nil {
		err = chromedp.Do(ctx, chromedp.Click(`button[value=`+user+`]`))
	}
	if err == nil {
		err = until(ctx, `!document.querySelector('ul.users') && document.readyState === 'complete'`)
	}
	if err == nil && fill != "" {
		err = chromedp.Do(ctx, chromedp.SendKeys(`textarea`, fill))
	}
	if err == nil && press != "" && see != "" {
		err = until(ctx, "!"+says(see)) // what the page says already would tell nothing
	}
	if err == nil && press != "" {
		err = until(ctx, fmt.Sprintf(`(b => b && (b.click(), true))([...document.querySelectorAll('button')].find(b => b.innerText.trim() === %q))`, press))
	}
	if err == nil && see != "" {
		err = until(ctx, says(see))
	}
	if err != nil {
		look, done := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer done()
		shown, _ := chromedp.Run(look, chromedp.Evaluate[string](`location.href + '\n' + document.body.innerText`)) // for the message only
		return fmt.Errorf("in the browser: %w\nit shows %s", err, shown)
	}
	return nil
}

// says is whether the page says one of some texts, with | between.
func says(texts string) string {
	return fmt.Sprintf(`%q.split('|').some(text => document.body.innerText.includes(text))`, texts)
}

// until waits for a condition in the page; a page that is being replaced cannot answer.
func until(ctx context.Context, condition string) error {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(30 * time.Millisecond) {
		if got, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+condition+")")); err == nil && got {
			return nil
		}
	}
	return fmt.Errorf("%s never came true", condition)
}
