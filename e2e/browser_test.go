package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"upstream/internal/pgtest"
)

// browser is a tab of a real Chromium.
type browser struct {
	testing.TB
	ctx context.Context

	mu     sync.Mutex
	errors []string // of its console: what a policy forbade, too
}

// openBrowser starts Chromium. It ends with the test.
func openBrowser(t testing.TB) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		pgtest.Missing(t, "Chromium (scripts/install-test-tools.sh installs it)")
	}
	ctx, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
	)...)
	t.Cleanup(stop)
	return newTab(t, ctx)
}

// another opens a tab that shares nothing with this one, as another person's browser.
func (b *browser) another() *browser { return newTab(b.TB, b.ctx, chromedp.WithNewBrowserContext()) }

func newTab(t testing.TB, within context.Context, options ...chromedp.ContextOption) *browser {
	t.Helper()
	ctx, stop := context.WithTimeout(within, 3*time.Minute)
	t.Cleanup(stop)
	ctx, _ = chromedp.NewContext(ctx, options...)
	b := &browser{TB: t, ctx: ctx}
	b.do(chromedp.Navigate("about:blank"))
	t.Cleanup(func() { _ = chromedp.Cancel(ctx) }) // before the directory goes
	messages := chromedp.Console(ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			if text := fmt.Sprint(m); strings.Contains(strings.ToLower(text), "error") {
				b.mu.Lock()
				b.errors = append(b.errors, text)
				b.mu.Unlock()
			}
		}
	}()
	return b
}

// quiet fails where the console has an error.
func (b *browser) quiet() {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.errors) > 0 {
		b.Errorf("the browser complains: %q", b.errors)
	}
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.Fatal(err)
	}
}

// open loads an address anew, whatever was there before.
func (b *browser) open(url string) {
	b.Helper()
	b.do(chromedp.Navigate("about:blank"), chromedp.Navigate(url))
}

// js evaluates an expression, or waits for a promise.
func js[T any](b *browser, expression string) T {
	b.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.Fatalf("%s: %v", expression, err)
	}
	return value
}

// until waits for an expression to become true.
func (b *browser) until(expression string) {
	b.Helper()
	for deadline := time.Now().Add(patience); !js[bool](b, "!!("+expression+")"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("waited in vain for %s; the page says\n%s", expression, js[string](b, "document.body.innerText"))
		}
	}
}

// keys presses keys where the focus is.
func (b *browser) keys(keys string) {
	b.Helper()
	b.do(chromedp.KeyEvent(keys))
}

// tabTo presses the tab key until something is focused.
func (b *browser) tabTo(selector string) {
	b.Helper()
	for range 60 {
		b.keys(kb.Tab)
		if js[bool](b, "document.activeElement.matches(`"+selector+"`)") {
			if !js[bool](b, "getComputedStyle(document.activeElement).outlineStyle !== 'none'") {
				b.Errorf("%s does not show that it has the focus", selector)
			}
			return
		}
	}
	b.Fatalf("no key leads to %s", selector)
}

// look has pages shown in a theme and a width.
func (b *browser) look(theme string, width int64) {
	b.Helper()
	features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features}); err != nil {
		b.Fatal(err)
	}
	b.do(chromedp.EmulateViewport(width, 800))
}

// withScript lets pages run script, or not.
func (b *browser) withScript(on bool) {
	b.Helper()
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on}); err != nil {
		b.Fatal(err)
	}
}

// axe is the accessibility checker that `make assets` brings.
func axe(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "frontend", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		pgtest.Missing(t, "axe-core (make assets)")
	}
	return string(b)
}

// accessible holds what is shown against the rules of axe, and to its width.
func (b *browser) accessible(axe, what string) {
	b.Helper()
	if beyond := js[int](b, "document.documentElement.scrollWidth - innerWidth"); beyond > 0 {
		b.Errorf("%s: %d px wider than the window", what, beyond)
	}
	found := js[[]string](b, axe+`;axe.run(document, {resultTypes: ["violations"]}).then(r =>
		r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + v.help + ": " + n.html.slice(0, 200) + " " + n.failureSummary)))`)
	for _, f := range found {
		b.Errorf("%s: %s", what, f)
	}
}
