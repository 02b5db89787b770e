package redistest

import (
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"upstream/internal/pgtest"
)

// send asks the server something and returns the first bytes of its answer.
func send(t *testing.T, s *Server, command string) string {
	t.Helper()
	c, err := net.Dial("tcp", s.address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, command+"\r\n"); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1000)
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestEveryServerIsItsOwnAndEmpty(t *testing.T) {
	a, b := New(t), New(t)
	send(t, a, "SET mine 1")
	if got := send(t, a, "DBSIZE"); got != ":1\r\n" {
		t.Errorf("the first holds %q", got)
	}
	if got := send(t, b, "DBSIZE"); got != ":0\r\n" {
		t.Errorf("the second holds %q", got)
	}
	if url := URL(t); !strings.HasPrefix(url, "redis://127.0.0.1:") || url == a.URL() {
		t.Errorf("%s and %s", url, a.URL())
	}
	if got := send(t, a, "CONFIG GET bind"); !strings.Contains(got, "127.0.0.1") {
		t.Errorf("listens at %q", got)
	}
}

func TestAServerIsKilledAndRevivedAtTheSameAddress(t *testing.T) {
	s := New(t)
	url := s.URL()
	send(t, s, "SET mine 1")
	s.Stop()
	s.Stop() // is stopped
	if err := ping(s.address()); err == nil {
		t.Error("a stopped server answers")
	}
	s.Start()
	s.Start() // is started
	if got := send(t, s, "DBSIZE"); got != ":0\r\n" || s.URL() != url {
		t.Errorf("at %s the server holds %q", s.URL(), got)
	}
}

func TestAFrozenServerAnswersWhenItThaws(t *testing.T) {
	s := New(t)
	s.Freeze()
	c, err := net.Dial("tcp", s.address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "PING\r\n"); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := c.Read(make([]byte, 10)); !os.IsTimeout(err) {
		t.Errorf("frozen, it sends %d bytes, %v", n, err)
	}
	s.Thaw()
	_ = c.SetReadDeadline(time.Time{})
	if n, err := c.Read(make([]byte, 10)); n == 0 || err != nil {
		t.Errorf("thawed, it sends %d bytes, %v", n, err)
	}
}

func TestNothingIsLeftOfAServer(t *testing.T) {
	var pid int
	t.Run("a test", func(t *testing.T) { pid = New(t).running.Process.Pid })
	if pid == 0 {
		pgtest.Missing(t, "redis-server")
	}
	if err := syscall.Kill(pid, 0); err == nil {
		t.Errorf("process %d is still there", pid)
	}
}
