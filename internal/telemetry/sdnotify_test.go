package telemetry

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// listen is systemd's end of the socket.
func listen(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func heard(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

// variables are an environment.
func variables(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func TestSystemdIsToldOnAnyKindOfSocket(t *testing.T) {
	for _, name := range []string{filepath.Join(t.TempDir(), "notify"), fmt.Sprintf("@upstream-test-%d", os.Getpid())} {
		c := listen(t, name)
		s := Systemd(variables(map[string]string{"NOTIFY_SOCKET": name}))
		if err := s.Ready(); err != nil {
			t.Fatal(err)
		}
		if got := heard(t, c); got != "READY=1" {
			t.Errorf("%s: %q", name, got)
		}
		if err := s.Stopping(); err != nil {
			t.Fatal(err)
		}
		if got := heard(t, c); got != "STOPPING=1" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestTheWatchdogIsToldWhileTheServerLives(t *testing.T) {
	name := filepath.Join(t.TempDir(), "notify")
	c := listen(t, name)
	s := Systemd(variables(map[string]string{"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "2000"}))
	if s.every != time.Millisecond {
		t.Errorf("told every %s of 2 ms", s.every)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	asked, dead := 0, make(chan struct{})
	go func() {
		defer close(ended)
		s.Watch(ctx, func() bool {
			if asked++; asked == 10 {
				close(dead)
			}
			return asked <= 3 // then it hangs
		})
	}()
	for range 3 {
		if got := heard(t, c); got != "WATCHDOG=1" {
			t.Errorf("%q", got)
		}
	}
	<-dead
	cancel()
	<-ended
	if err := c.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 10)); err == nil {
		t.Errorf("told of a dead server, %d bytes", n)
	}
}

func TestWithoutSystemdNothingIsTold(t *testing.T) {
	for _, vars := range []map[string]string{
		nil,
		{"WATCHDOG_USEC": "2000"},
		{"NOTIFY_SOCKET": "", "WATCHDOG_USEC": "no"},
	} {
		s := Systemd(variables(vars))
		if err := s.Ready(); err != nil {
			t.Error(err)
		}
		s.Watch(context.Background(), func() bool { return true }) // returns at once
	}
	for _, usec := range []string{"", "0", "-5", "soon"} {
		s := Systemd(variables(map[string]string{"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": usec}))
		s.Watch(context.Background(), func() bool { return true })
	}
	if err := Systemd(variables(map[string]string{"NOTIFY_SOCKET": filepath.Join(t.TempDir(), "none")})).Ready(); err == nil {
		t.Error("a socket that is not there has heard it")
	}
}
