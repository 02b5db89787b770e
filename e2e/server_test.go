package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"upstream/internal/pgtest"
)

// process is a running server or worker.
type process struct {
	testing.TB
	cmd        *exec.Cmd
	url, admin string
	out, log   *pgtest.Output
	ended      chan error
	client     *http.Client
	access     string // what get and post sign in with
}

// start starts the binary and leaves it running, until the test has ended at the
// latest.
func start(t testing.TB, database string, args ...string) *process {
	t.Helper()
	p := &process{TB: t, out: &pgtest.Output{}, log: &pgtest.Output{}, ended: make(chan error, 1), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}, Timeout: time.Minute}}
	p.cmd = exec.Command(binary, args...)
	p.cmd.Env = []string{"UPSTREAM_DATABASE=" + database, "HOME=/nonexistent"}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.cmd.Wait() }()
	t.Cleanup(func() {
		p.client.CloseIdleConnections()
		p.kill()
		if t.Failed() {
			t.Logf("%v said\n%s%s", args, p.out, p.log)
		}
	})
	return p
}

var (
	serving = regexp.MustCompile(`"msg":"serving","url":"(http://[^"]+)/api/v1/","admin":"([^"]+)"`)
	working = regexp.MustCompile(`"msg":"working","admin":"([^"]+)"`)
)

// serve starts a server and returns when it serves.
func serve(t testing.TB, database string, args ...string) *process {
	t.Helper()
	p := start(t, database, append([]string{"serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--rate-limit", "off", "--drain", "0s"}, args...)...)
	found := p.says(p.log, serving)
	p.url, p.admin = found[1], "http://"+found[2]
	return p
}

// says waits until a process has written something.
func (p *process) says(where *pgtest.Output, what *regexp.Regexp) (found []string) {
	p.Helper()
	p.until(what.String(), func() bool {
		found = what.FindStringSubmatch(where.String())
		return found != nil || p.returned()
	})
	if found == nil {
		p.Fatalf("it has ended without %s:\n%s%s", what, p.out, p.log)
	}
	return found
}

// patience is how long tests wait for what takes a moment.
const patience = time.Minute

func (p *process) until(what string, f func() bool) {
	p.Helper()
	for deadline := time.Now().Add(patience); !f(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.Fatalf("waited in vain: %s", what)
		}
	}
}

func (p *process) returned() bool {
	select {
	case err := <-p.ended:
		p.ended <- err
		return true
	default:
		return false
	}
}

func (p *process) signal(s os.Signal) { _ = p.cmd.Process.Signal(s) } // it may have ended

// kill ends the process without a warning.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	p.ended <- <-p.ended
}

// exit waits for the end and returns the exit code, -1 after a signal.
func (p *process) exit() int {
	p.Helper()
	p.until("its end", p.returned)
	return p.cmd.ProcessState.ExitCode()
}

// stop ends the process as an operator does.
func (p *process) stop() {
	p.Helper()
	p.signal(syscall.SIGTERM)
	if code := p.exit(); code != 0 {
		p.Errorf("exit code %d after SIGTERM", code)
	}
}

// ann makes a customer and its owner, and returns the password.
func ann(t testing.TB, database string) (password string) {
	t.Helper()
	must(t, database, "customer", "create", "North")
	out := must(t, database, "user", "create", "ann", "--customer", "1", "--role", "owner", "--generate")
	found := regexp.MustCompile(`password: (\S+)`).FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("user create says %q", out)
	}
	return found[1]
}

// answer is what came back, read whole.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends a request; an error is that of the connection.
func (p *process) ask(method, path, kind string, body io.Reader) (answer, error) {
	r, err := http.NewRequest(method, path, body)
	if err != nil {
		return answer{}, err
	}
	if p.access != "" {
		r.Header.Set("Authorization", "Bearer "+p.access)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	got, err := p.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer got.Body.Close()
	b, err := io.ReadAll(got.Body)
	return answer{got.StatusCode, got.Header, string(b)}, err
}

// get asks the API, or for a path with a slash at its beginning anything else.
func (p *process) get(path string) answer {
	p.Helper()
	a, err := p.ask(http.MethodGet, p.address(path), "", nil)
	if err != nil {
		p.Fatal(err)
	}
	return a
}

func (p *process) address(path string) string {
	switch {
	case strings.HasPrefix(path, "http"):
		return path
	case strings.HasPrefix(path, "/"):
		return p.url + path
	}
	return p.url + "/api/v1/" + path
}

func (p *process) post(path, kind, body string) answer {
	p.Helper()
	a, err := p.ask(http.MethodPost, p.address(path), kind, strings.NewReader(body))
	if err != nil {
		p.Fatal(err)
	}
	return a
}

// want fails the test unless an answer has a status.
func (p *process) want(status int, a answer) answer {
	p.Helper()
	if a.status != status {
		p.Fatalf("%d, want %d: %s", a.status, status, a.body)
	}
	return a
}

func (p *process) signIn(name, password string) {
	p.Helper()
	body := fmt.Sprintf(`{"username":%q,"password":%q}`, name, password)
	p.access = field[string](p, p.want(http.StatusOK, p.post("auth/token/", "application/json", body)).body, "access")
}

// field reads one field of a JSON object.
func field[T any](t testing.TB, object, name string) (v T) {
	t.Helper()
	var all map[string]json.RawMessage
	err := json.Unmarshal([]byte(object), &all)
	if err == nil {
		err = json.Unmarshal(all[name], &v)
	}
	if err != nil {
		t.Fatalf("%s of %s: %v", name, object, err)
	}
	return v
}

// metrics are the samples of a scrape by their text before the value.
func (p *process) metrics() map[string]float64 {
	p.Helper()
	text := p.want(http.StatusOK, p.get(p.admin+"/metrics")).body
	out := map[string]float64{}
	for line := range strings.Lines(text) {
		if i := strings.LastIndexByte(line, ' '); i > 0 && line[0] != '#' {
			v, err := strconv.ParseFloat(strings.TrimSpace(line[i:]), 64)
			if err != nil {
				p.Fatalf("%q: %v", line, err)
			}
			out[line[:i]] = v
		}
	}
	return out
}

// upload sends a file, which is acknowledged, and returns its number.
func (p *process) upload(csv string) int64 {
	p.Helper()
	return field[int64](p, p.want(http.StatusAccepted, p.post("uploads/", "text/csv", csv)).body, "id")
}

// loaded waits until an upload is a success.
func (p *process) loaded(id int64) {
	p.Helper()
	p.until("the upload is loaded", func() bool {
		a := p.want(http.StatusOK, p.get(fmt.Sprintf("uploads/%d/", id)))
		status := field[string](p, a.body, "status")
		if status == "failed" {
			p.Fatal(a.body)
		}
		return status == "success"
	})
}

// cookie signs a browser in and returns its session, for withCookie.
func (p *process) cookie(name, password string) *http.Cookie {
	p.Helper()
	a := p.want(http.StatusOK, p.post("auth/login/", "application/json", fmt.Sprintf(`{"username":%q,"password":%q}`, name, password)))
	set, err := http.ParseSetCookie(a.header.Get("Set-Cookie"))
	if err != nil {
		p.Fatal(err)
	}
	return set
}

// withCookie asks who is signed in by a cookie alone, or ends its session.
func (p *process) withCookie(method, path string, k *http.Cookie) int {
	p.Helper()
	r, err := http.NewRequest(method, p.address(path), nil)
	if err != nil {
		p.Fatal(err)
	}
	r.AddCookie(k)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	got, err := p.client.Do(r)
	if err != nil {
		p.Fatal(err)
	}
	got.Body.Close()
	return got.StatusCode
}

// portOf is the port of a URL.
func portOf(t testing.TB, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}
