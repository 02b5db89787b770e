package api

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"upstream"
	"upstream/internal/pgtest"
)

// front is a server in front of a world, with the limits that upstream serve sets,
// in less time.
type front struct {
	address string
	closed  chan struct{} // one for each connection that ended
}

func (w *world) front(header, write time.Duration) *front {
	w.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.Fatal(err)
	}
	f := &front{l.Addr().String(), make(chan struct{}, 100_000)}
	s := &http.Server{Handler: w.server, ReadHeaderTimeout: header, WriteTimeout: write, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10, ConnState: func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			f.closed <- struct{}{}
		}
	}}
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(l) })
	w.Cleanup(func() {
		if err := s.Close(); err != nil {
			w.Error(err)
		}
		serving.Wait()
	})
	return f
}

func (f *front) dial(t *testing.T) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", f.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

// answers fails unless the server answers somebody else now.
func (f *front) answers(t *testing.T, token string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://"+f.address+Prefix+"claims/?page_size=5", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	got, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	if _, err := io.ReadAll(got.Body); err != nil || got.StatusCode != http.StatusOK {
		t.Errorf("meanwhile somebody else gets %d (%v)", got.StatusCode, err)
	}
}

// Who sends a header, or a body, and never ends is let go, and holds up nobody.
func TestASlowClientIsLetGo(t *testing.T) {
	w := newWorld(t, worldOptions{})
	token := w.a.tokens[upstream.Analyst]
	f := w.front(300*time.Millisecond, time.Minute)
	before := bodyTimeout
	bodyTimeout = 300 * time.Millisecond
	defer func() { bodyTimeout = before }()

	header := f.dial(t)
	_, _ = io.WriteString(header, "GET "+Prefix+"claims/ HTTP/1.1\r\nHost: x\r\nX-Slow: ")
	f.answers(t, token)
	if rest, err := io.ReadAll(header); err != nil || len(rest) > 0 && !strings.HasPrefix(string(rest), "HTTP/1.1 4") {
		t.Errorf("a slow header: %v %s", err, rest)
	}

	for _, begun := range []string{"", `{"raw_name":`} {
		body := f.dial(t)
		_, _ = io.WriteString(body, "POST "+Prefix+"payer-mappings/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+token+"\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"+begun)
		f.answers(t, token)
		got, err := http.ReadResponse(bufio.NewReader(body), nil)
		if err != nil {
			t.Fatal(err)
		}
		if text, _ := io.ReadAll(got.Body); got.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(text), `"timeout"`) {
			t.Errorf("a slow body: %d %s", got.StatusCode, text)
		}
		_ = got.Body.Close()
	}
}

// Who asks much and reads nothing is let go when the time to write is over.
func TestASlowReaderIsLetGo(t *testing.T) {
	w := newWorld(t, worldOptions{claims: 600})
	token := w.a.tokens[upstream.Analyst]
	f := w.front(time.Minute, 500*time.Millisecond)
	reader := f.dial(t)
	if err := reader.SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	request := "GET " + Prefix + "claims/?page_size=500 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\n\r\n"
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for range 1000 { // 150 kB each: far more than lies between the two
			if _, err := io.WriteString(reader, request); err != nil {
				return
			}
		}
	}()
	f.answers(t, token)
	for range 2 { // the other one's connection, and this one
		select {
		case <-f.closed:
		case <-time.After(time.Minute):
			t.Fatal("the connection is still there")
		}
	}
	_ = reader.Close()
	<-sent
	f.answers(t, token)
}

// Clients that go away at any time leave the server as it was.
func TestClientsThatGoAwayAreNotMissed(t *testing.T) {
	w := newWorld(t, worldOptions{})
	token := w.a.tokens[upstream.Analyst]
	f := w.front(time.Minute, time.Minute)
	requests := []string{
		"GET " + Prefix + "claims/?page_size=500 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\n\r\n",
		"POST " + Prefix + "uploads/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\nContent-Type: text/csv\r\nContent-Length: 1000000\r\n\r\n" + goodCSV(1),
		"POST " + Prefix + "reports/trigger/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\nContent-Length: 100\r\n\r\n{",
	}
	const each = 40
	for i := range each {
		for _, request := range requests {
			c := f.dial(t)
			_, _ = io.WriteString(c, request[:len(request)*(i+1)/each])
			if i%2 == 0 {
				_ = c.SetLinger(0) // with a reset
			}
			_ = c.Close()
		}
	}
	for range each * len(requests) {
		select {
		case <-f.closed:
		case <-time.After(time.Minute):
			t.Fatal("a connection is still there")
		}
	}
	f.answers(t, token)
	if n := w.uploads(); n != 1 {
		t.Errorf("%d uploads, 1 was there", n)
	}
	if log := w.log.String(); strings.Contains(log, `"fault"`) || strings.Contains(log, "panic") {
		t.Errorf("%s", log)
	}
}

// idle is how many connections are held open; a process needs a few more files.
const idle, filesNeeded = 10_000, 12_000

// Ten thousand connections that ask nothing cost some memory and no answer.
func TestTenThousandIdleConnections(t *testing.T) {
	if address := os.Getenv("UPSTREAM_TEST_HOLD"); address != "" {
		holdConnections(t, address)
		return
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	if files.Max < filesNeeded {
		pgtest.Missing(t, fmt.Sprintf("the right to open %d files (a process may open %d)", filesNeeded, files.Max))
	}
	raised := syscall.Rlimit{Cur: max(files.Cur, filesNeeded), Max: files.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &files) }()
	w := newWorld(t, worldOptions{})
	f := w.front(time.Minute, time.Minute)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	// The other ends are in another process: each has so many files.
	holder := exec.Command(os.Args[0], "-test.run=^TestTenThousandIdleConnections$")
	holder.Env = append(os.Environ(), "UPSTREAM_TEST_HOLD="+f.address)
	release, err := holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	told, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	held, err := bufio.NewReader(told).ReadString('\n')
	if err != nil || strings.TrimSpace(held) != strconv.Itoa(idle) {
		t.Errorf("%q are held (%v)", held, err)
	}
	for range 50 {
		f.answers(t, w.a.tokens[upstream.Viewer])
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	grown := int64(after.HeapInuse+after.StackInuse) - int64(before.HeapInuse+before.StackInuse)
	t.Logf("%d idle connections take %d MB, %d kB each", idle, grown>>20, grown/idle>>10)
	if grown > idle*64<<10 {
		t.Errorf("the server grew by %d MB", grown>>20)
	}
	_ = release.Close()
	_, _ = io.Copy(io.Discard, told)
	if err := holder.Wait(); err != nil {
		t.Error(err)
	}
}

// holdConnections is the other process: it opens the connections, asks once over
// each, says how many there are, and holds them until its input ends.
func holdConnections(t *testing.T, address string) {
	files := syscall.Rlimit{Cur: filesNeeded, Max: filesNeeded}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	for range idle {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
		_, _ = io.WriteString(c, "GET "+Prefix+"health/ HTTP/1.1\r\nHost: x\r\n\r\n")
		got, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || got.StatusCode != http.StatusOK {
			t.Fatal(got, err)
		}
		_, _ = io.Copy(io.Discard, got.Body)
		_ = got.Body.Close()
	}
	fmt.Println(len(conns))
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// A body that nobody wants, and that never comes, holds no connection.
func TestABodyThatNobodyWantsIsNotWaitedFor(t *testing.T) {
	defer func(d time.Duration) { bodyTimeout = d }(bodyTimeout)
	bodyTimeout = 100 * time.Millisecond
	w := newWorld(t, worldOptions{})
	for _, request := range []string{"GET " + Prefix + "health/", "DELETE " + Prefix + "users/1/"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n", request)
		if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 ") {
			t.Errorf("%s: %q, %v", request, line, err)
		}
	}
}
