package pgtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a PostgreSQL of one test alone, which may die and come back.
type Server struct {
	URL        string // of its database postgres
	dir        string
	args       []string
	attributes *syscall.SysProcAttr
	cmd        *exec.Cmd // nil when it is stopped
}

// Private starts a server that is removed with the test.
func Private(t testing.TB) *Server {
	t.Helper()
	s, err := launch()
	if s != nil {
		t.Cleanup(s.remove)
	}
	if err != nil {
		missing(t, err.Error())
	}
	return s
}

// Kill ends the server as a crash does: clients lose their connections without a
// word, and what had been committed is recovered by the next Start.
func (s *Server) Kill() { s.stop(syscall.SIGQUIT) }

// Start starts a server that was killed, on the port it had.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
}

// launch makes a server and starts it. It returns what is to be removed beside
// an error, if anything.
func launch() (*Server, error) {
	initdb, postgres := binary("initdb"), binary("postgres")
	if initdb == "" || postgres == "" {
		return nil, errors.New("not installed")
	}
	dir, err := os.MkdirTemp("", "upstream-postgres-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir}
	if s.attributes, err = unprivileged(dir); err != nil {
		return s, err
	}
	data := filepath.Join(dir, "data")
	cmd := exec.Command(initdb, "-D", data, "-A", "trust", "-U", "upstream", "-E", "UTF8", "--no-locale", "--no-sync")
	cmd.SysProcAttr, cmd.Dir = s.attributes, dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return s, fmt.Errorf("initdb: %w: %s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return s, err
	}
	// A crash of the machine may lose a test's data; a crash of a client never does.
	fsync := cmp.Or(os.Getenv(fsyncVariable), "off")
	s.args = []string{postgres, "-D", data, "-p", strconv.Itoa(port), "-k", dir, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=" + fsync, "-c", "max_connections=200"}
	s.URL = fmt.Sprintf("postgres://upstream@127.0.0.1:%d/postgres", port)
	return s, s.start()
}

func (s *Server) start() error {
	cmd := exec.Command(s.args[0], s.args[1:]...)
	cmd.SysProcAttr, cmd.Dir = s.attributes, s.dir
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd = cmd
	return s.ready()
}

func (s *Server) stop(how syscall.Signal) {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(how)
	_ = s.cmd.Wait()
	s.cmd = nil
}

func (s *Server) remove() {
	s.stop(syscall.SIGINT) // fast shutdown
	_ = os.RemoveAll(s.dir)
}

func (s *Server) ready() error {
	var err error
	for range 300 {
		var c *pgx.Conn
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		if c, err = pgx.Connect(ctx, s.URL); err == nil {
			err = c.Close(ctx)
			cancel()
			return err
		}
		cancel()
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

// unprivileged gives the directory to the user postgres when we are root, as
// PostgreSQL refuses to run as root. The server dies with the test process.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	attributes := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		return attributes, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	attributes.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attributes, os.Chown(dir, uid, gid)
}
