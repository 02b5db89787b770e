// Package redistest runs a private Redis for a test, which the test may kill,
// freeze and revive.
package redistest

import (
	"fmt"
	"io"
	"net"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"upstream/internal/pgtest"
)

// Server is a Redis of its own on a free port, without persistence: what it held
// goes with Stop.
type Server struct {
	t       testing.TB
	binary  string
	port    string
	running *exec.Cmd
}

// New starts a server that is stopped with the test. Where Redis isn't installed
// the test is skipped, loudly, or fails in CI.
func New(t testing.TB) *Server {
	t.Helper()
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		pgtest.Missing(t, "redis-server (scripts/install-test-tools.sh installs it)")
	}
	s := &Server{t: t, binary: binary, port: pgtest.FreePort(t)}
	s.Start()
	t.Cleanup(s.Stop)
	return s
}

// URL returns the address of a fresh, empty server that is stopped with the test.
func URL(t testing.TB) string {
	t.Helper()
	return New(t).URL()
}

// URL returns the address, as redis://127.0.0.1:40001, the same after a revival.
func (s *Server) URL() string { return "redis://" + s.address() }

func (s *Server) address() string { return net.JoinHostPort("127.0.0.1", s.port) }

// Start starts the server, empty, and returns when it answers.
func (s *Server) Start() {
	s.t.Helper()
	if s.running != nil {
		return
	}
	cmd := exec.Command(s.binary, "--bind", "127.0.0.1", "--port", s.port, "--dir", s.t.TempDir(), "--save", "", "--appendonly", "no")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // it dies with the test process
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.running = cmd
	var err error
	for range 300 {
		if err = ping(s.address()); err == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.t.Fatalf("redis-server doesn't answer: %v", err)
}

// Stop kills the server, as a crash would.
func (s *Server) Stop() {
	if s.running != nil {
		_ = s.running.Process.Kill()
		_ = s.running.Wait()
		s.running = nil
	}
}

// Freeze makes the server accept connections and answer nothing, as one that is
// overloaded or whose network is gone does.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw ends Freeze.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	if s.running == nil {
		s.t.Fatal("the server is stopped")
	}
	if err := s.running.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

func ping(address string) error {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(c, "PING\r\n"); err != nil {
		return err
	}
	answer := make([]byte, len("+PONG"))
	if _, err := io.ReadFull(c, answer); err != nil {
		return err
	}
	if string(answer) != "+PONG" {
		return fmt.Errorf("it answers %q", answer)
	}
	return nil
}
