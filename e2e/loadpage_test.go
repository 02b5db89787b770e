package e2e

import (
	"encoding/csv"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"upstream/internal/pgtest"
)

var pageAt = regexp.MustCompile(`the page is at (http://[^\s"]+)`)

// loadPage starts the load tester against a server that answers after 20 ms, and fails
// at each tenth request for claims.
func loadPage(t testing.TB, args ...string) (p *process, url string) {
	t.Helper()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(20 * time.Millisecond)
		switch {
		case strings.HasSuffix(r.URL.Path, "/token/"):
			_, _ = io.WriteString(w, `{"access":"token"}`)
		case strings.HasSuffix(r.URL.Path, "/claims/") && asked.Add(1)%10 == 0:
			http.Error(w, "no", http.StatusInternalServerError)
		}
	}))
	t.Cleanup(server.Close)
	p = start(t, "sqlite:unused.db", append([]string{"loadtest", "--host", server.URL, "--web-port", "0", "--no-wait", "--stop-timeout", "1s"}, args...)...)
	url = p.says(p.log, pageAt)[1]
	answer, err := p.client.Get(url + "/assets/load.js")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		pgtest.Missing(t, "the page's bundle (make assets)")
	}
	return p, url
}

// What tests ask of the page.
const (
	state     = `document.querySelector("#now .badge").textContent`
	requests  = `Number(document.querySelector("#statistics-table tfoot td:nth-child(3)").textContent.replaceAll(",", ""))`
	usersNow  = `parseInt(document.querySelector("#now dd").textContent)`
	startForm = `form[data-form="start"]`
	editForm  = `form[data-form="edit"]`
	stopForm  = `form[data-form="stop"]`
)

// field types into a field, in place of what is there.
func (b *browser) field(form, name, value string) {
	b.Helper()
	js[any](b, fmt.Sprintf("document.querySelector('%s [name=%s]').select()", form, name))
	b.keys(value)
}

func (b *browser) click(selector string) {
	b.Helper()
	js[any](b, fmt.Sprintf("document.querySelector('%s').click()", selector))
}

// drawn counts the points of all charts that have lines in them.
const drawn = `[...document.querySelectorAll("[data-chart]")].filter(chart => {
	const canvas = chart.querySelector("canvas");
	if (!canvas || !canvas.width) return false;
	const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
	const colours = new Set();
	for (let i = 0; i < pixels.length; i += 4) if (pixels[i + 3] > 200) colours.add(pixels[i] >> 5 << 16 | pixels[i + 1] >> 5 << 8 | pixels[i + 2] >> 5);
	return colours.size > 3;
}).length`

func TestARunFromTheFormToItsFiles(t *testing.T) {
	b := openBrowser(t)
	_, url := loadPage(t)
	b.open(url)
	if got := js[string](b, state); got != "ready" {
		t.Errorf("state %q", got)
	}
	b.field(startForm, "user_count", "many")
	b.click(startForm + " button")
	b.until(`document.getElementById("wrong").innerText.includes("give a whole number")`)
	b.field(startForm, "user_count", "4")
	b.field(startForm, "spawn_rate", "20")
	b.click(startForm + " button")
	b.until(state + ` === "running" && ` + usersNow + ` === 4`)
	if !js[bool](b, `document.getElementById("wrong").hidden`) {
		t.Error("what was wrong is still there")
	}
	before := js[int](b, requests)
	b.until(fmt.Sprintf("%s > %d + 100", requests, before))
	b.until(`document.querySelector("#failures-table tbody").textContent.includes("status 500")`)

	b.field(editForm, "user_count", "7")
	b.click(editForm + " button")
	b.until(usersNow + ` === 7`)

	b.open(url + "/#charts")
	b.until(drawn + ` === 3`)
	rows := js[int](b, `document.querySelectorAll("#seconds-table tbody tr").length`)
	b.open("about:blank")
	time.Sleep(time.Second)
	b.open(url + "/#charts")
	b.until(drawn + ` === 3`)
	b.until(fmt.Sprintf(`document.querySelectorAll("#seconds-table tbody tr").length > %d`, min(rows, 15)))
	b.open(url + "/#heat")
	b.until(drawn + ` === 1`)

	b.click(stopForm + " button")
	b.until(state + ` === "stopped" && !document.querySelector('` + startForm + `').hidden`)
	total := js[int](b, requests)
	b.quiet()
	if csv := readCSV(t, url+"/stats/requests/csv"); csv[len(csv)-1][2] != fmt.Sprint(total) {
		t.Errorf("the page says %d requests, the file %s", total, csv[len(csv)-1][2])
	}
}

// What somebody reads does not change under their eyes: paused, marked or zoomed into.
func TestFiguresStandStillWhereTheyAreAskedTo(t *testing.T) {
	b := openBrowser(t)
	_, url := loadPage(t, "--autostart", "--users", "2", "--spawn-rate", "20")
	b.open(url)
	moves := func() {
		t.Helper()
		before := js[int](b, requests)
		b.until(fmt.Sprintf("%s > %d", requests, before))
	}
	rows := `Number(document.querySelector('[data-chart="rps"]').dataset.rows)`
	stands := func(what string, meanwhile func()) {
		t.Helper()
		before := js[int](b, requests)
		meanwhile()
		if now := js[int](b, requests); now != before {
			t.Errorf("%s: %d requests become %d", what, before, now)
		}
	}
	// That the charts go on shows that events come.
	charted := func() { b.until(fmt.Sprintf("%s > %d", rows, js[int](b, rows)+1)) }
	moves()
	b.click("#pause")
	stands("paused", func() { time.Sleep(2500 * time.Millisecond) })
	b.click("#pause")
	moves()
	js[any](b, `getSelection().selectAllChildren(document.querySelector("#statistics-table"))`)
	stands("marked", charted)
	js[any](b, `getSelection().removeAllRanges()`)
	moves()

	b.click(`[href="#charts"]`)
	b.until(rows + ` > 5 && document.querySelector('[data-chart="rps"] .u-over')`)
	mouse := `{
		const over = document.querySelector('[data-chart="rps"] .u-over'), at = over.getBoundingClientRect();
		var mouse = (name, part, where) => where.dispatchEvent(new MouseEvent(name, {clientX: at.left + at.width * part, clientY: at.top + 50, bubbles: true, movementX: 1}));
		var timeAt = part => { mouse("mousemove", part, over); return document.querySelector('[data-chart="rps"] .u-value').textContent; };
	}`
	js[any](b, mouse+`; over = document.querySelector('[data-chart="rps"] .u-over'); mouse("mousemove", .4, over); mouse("mousedown", .4, over); mouse("mousemove", .7, over); mouse("mouseup", .7, document)`)
	time.Sleep(200 * time.Millisecond)
	edges := `[timeAt(.01), timeAt(.99)].join()`
	before := js[string](b, edges)
	charted()
	if now := js[string](b, edges); now != before {
		t.Errorf("a chart that is zoomed into moves from %s to %s", before, now)
	}
	b.quiet()
}

func readCSV(t *testing.T, url string) [][]string {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	rows, err := csv.NewReader(answer.Body).ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatalf("%s: %d rows, %v", url, len(rows), err)
	}
	return rows
}

func TestTwoBrowsersSeeAndSteerTheSameRun(t *testing.T) {
	a := openBrowser(t)
	_, url := loadPage(t)
	b := a.another()
	a.open(url)
	b.open(url)
	a.field(startForm, "user_count", "3")
	a.field(startForm, "spawn_rate", "20")
	a.click(startForm + " button")
	b.until(usersNow + ` === 3`)
	b.until(`document.querySelector('` + startForm + `').hidden`)
	b.field(editForm, "user_count", "5")
	b.click(editForm + " button")
	a.until(usersNow + ` === 5 && document.querySelector('` + editForm + ` [name=user_count]').value === "5"`)
	b.click(stopForm + " button")
	a.until(state + ` === "stopped"`)
	if x, y := js[int](a, requests), js[int](b, requests); x != y || x == 0 {
		t.Errorf("one sees %d requests, the other %d", x, y)
	}
	a.quiet()
	b.quiet()
}

func TestThePageWorksByKeyboardAlone(t *testing.T) {
	b := openBrowser(t)
	_, url := loadPage(t)
	b.open(url)
	b.tabTo(startForm + ` [name="user_count"]`)
	b.keys("2") // what is there is selected
	b.tabTo(startForm + ` [name="spawn_rate"]`)
	b.keys("10")
	b.tabTo(`[type="checkbox"][value="AdminUser"]`)
	b.keys(" ")
	b.tabTo(startForm + " button")
	b.keys(kb.Enter)
	b.until(state + ` === "running"`)
	b.until(`document.activeElement.matches('` + stopForm + ` button')`) // the form that had the focus has gone
	b.tabTo(editForm + ` [name="user_count"]`)
	b.keys("3" + kb.Enter)
	b.until(usersNow + ` === 3`)
	b.tabTo(`[role="tab"]`)
	for _, step := range []struct{ key, tab string }{
		{kb.ArrowRight, "charts"}, {kb.End, "download"}, {kb.ArrowRight, "statistics"}, {kb.ArrowLeft, "download"}, {kb.Home, "statistics"},
	} {
		b.keys(step.key)
		if got := js[string](b, `document.activeElement.hash + [...document.querySelectorAll('[role="tabpanel"]')].filter(p => !p.hidden).map(p => p.id)`); got != "#"+step.tab+step.tab {
			t.Errorf("%q shows %s", step.key, got)
		}
	}
	b.tabTo("#statistics-table")
	b.open(url)
	b.tabTo(stopForm + " button")
	b.keys(" ")
	b.until(state + ` === "stopped"`)
	b.until(`document.activeElement.matches('` + startForm + ` input')`)
	if said := js[string](b, `document.getElementById("announce").textContent`); said != "The run is over; its figures stay." {
		t.Errorf("a screen reader hears %q", said)
	}
	b.quiet()
}

func TestThePageIsAccessibleAtAnyWidthInBothThemes(t *testing.T) {
	axe, b := axe(t), openBrowser(t)
	_, url := loadPage(t)
	everywhere := func(when string, tabs ...string) {
		for _, theme := range []string{"light", "dark"} {
			for _, width := range []int64{320, 1280} {
				b.look(theme, width)
				for _, tab := range tabs {
					b.open(url + tab)
					b.until(`!location.pathname.endsWith("/") || document.querySelector("[role=tab]")`)
					b.accessible(axe, fmt.Sprint(when, " ", tab, " ", theme, " ", width))
				}
			}
		}
	}
	everywhere("before a run", "/")
	b.open(url)
	b.field(startForm, "user_count", "3")
	b.field(startForm, "spawn_rate", "20")
	b.click(startForm + " button")
	b.until(`document.querySelector("#failures-table tbody").textContent.includes("status 500")`)
	everywhere("in a run", "/#statistics", "/#charts", "/#heat", "/#failures", "/#exceptions", "/#ratio", "/#targets", "/#download")
	b.open(url)
	b.click(stopForm + " button")
	b.until(state + ` === "stopped"`)
	everywhere("after a run", "/#charts", "/stats/report")
	b.quiet()
}

func TestThePageWorksWhereScriptIsOff(t *testing.T) {
	b := openBrowser(t)
	_, url := loadPage(t)
	b.withScript(false)
	b.open(url)
	b.field(startForm, "user_count", "2")
	b.field(startForm, "spawn_rate", "20")
	b.keys(kb.Enter)
	for deadline := time.Now().Add(patience); ; b.open(url) {
		if js[bool](b, `document.querySelector("#now .badge")?.textContent === "running" && document.querySelectorAll("#seconds-table tbody th").length > 1`) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no run")
		}
	}
	if hidden := js[int](b, `document.querySelectorAll("main > section[hidden]").length`); hidden != 0 {
		t.Errorf("%d sections are hidden", hidden)
	}
	b.click(stopForm + " button")
	b.until(`document.querySelector("#now .badge")?.textContent === "stopped"`)
	b.quiet()
}

func TestAReportIsOpenedFromItsFile(t *testing.T) {
	b := openBrowser(t)
	path := filepath.Join(t.TempDir(), "report.html")
	p, url := loadPage(t, "--autostart", "--users", "2", "--spawn-rate", "20", "--run-time", "4s", "--autoquit", "0", "--html", path)
	p.until("the end of the run", p.returned)
	text, err := os.ReadFile(path)
	if err != nil || len(text) > 200_000 || strings.Contains(string(text), url) {
		t.Fatalf("%d bytes, %v", len(text), err)
	}
	b.open("file://" + path)
	b.until(drawn + ` === 4`)
	b.look("dark", 320)
	b.until(drawn + ` === 4`)
	b.withScript(false)
	b.open("file://" + path)
	b.click("summary")
	if rows := js[int](b, `[...document.querySelectorAll("#seconds-table tbody tr")].filter(r => r.checkVisibility()).length`); rows < 3 {
		t.Errorf("%d rows without script", rows)
	}
	b.quiet()
}

// A connection that is lost loses no row of the charts.
func TestChartsAreWholeAfterALostConnection(t *testing.T) {
	b := openBrowser(t)
	_, url := loadPage(t, "--autostart", "--users", "2", "--spawn-rate", "20")
	between := newRelay(t, strings.TrimPrefix(url, "http://"))
	b.open("http://" + between.address + "/#charts")
	b.until(`document.querySelectorAll("#seconds-table tbody th").length > 2`)
	between.cut()
	b.until(`document.body.classList.contains("lost")`)
	if said := js[string](b, `document.getElementById("announce").textContent`); !strings.Contains(said, "does not answer") {
		t.Errorf("a screen reader hears %q", said)
	}
	time.Sleep(2 * time.Second) // rows that are missed
	between.mend()
	b.until(`!document.body.classList.contains("lost")`)
	shown := js[[]int](b, `fetch("/stats/requests_full_history/csv").then(r => r.text()).then(text => [Number(document.querySelector('[data-chart="rps"]').dataset.rows), text.trim().split("\n").length - 2])`)
	if shown[0] < shown[1]-2 || shown[0] > shown[1] {
		t.Errorf("%d rows are drawn of %d", shown[0], shown[1])
	}
}

// relay is what a browser's connections go through.
type relay struct {
	testing.TB
	address, to string
	listener    net.Listener
	broken      atomic.Pointer[chan struct{}]
}

func newRelay(t testing.TB, to string) *relay {
	r := &relay{TB: t, address: "127.0.0.1:0", to: to}
	r.mend()
	r.address = r.listener.Addr().String()
	t.Cleanup(r.cut)
	return r
}

func (r *relay) cut() {
	_ = r.listener.Close()
	if broken := r.broken.Swap(nil); broken != nil {
		close(*broken)
	}
}

func (r *relay) mend() {
	l, err := net.Listen("tcp", r.address)
	if err != nil {
		r.Fatal(err)
	}
	broken := make(chan struct{})
	r.listener = l
	r.broken.Store(&broken)
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", r.to)
			if err != nil {
				_ = from.Close()
				continue
			}
			go func() { _, _ = io.Copy(to, from); _ = to.Close() }()
			go func() { _, _ = io.Copy(from, to); _ = from.Close() }()
			go func() {
				<-broken
				_, _ = from.Close(), to.Close()
			}()
		}
	}()
}
