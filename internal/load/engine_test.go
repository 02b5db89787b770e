package load

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// raw answers each connection with what a function writes.
func raw(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				_, _ = c.Read(make([]byte, 4096))
				answer(c)
				_ = c.Close()
			})
		}
	})
	return "http://" + l.Addr().String()
}

func TestWhatAHostDoesWrongIsToldInWords(t *testing.T) {
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refuses := "http://" + dead.Addr().String()
	_ = dead.Close()
	tls := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	tls.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	t.Cleanup(tls.Close)
	for _, test := range []struct {
		name, host string
		says       []string // any of these
	}{
		{"refuses", refuses, []string{"connection refused"}},
		{"resets", raw(t, func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }), []string{"connection reset by the server"}},
		{"says nothing", raw(t, func(net.Conn) {}), []string{"the server closed the connection without an answer"}},
		{"cuts the body", raw(t, func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf") }), []string{"the answer was cut short"}},
		{"speaks no HTTP", raw(t, func(c net.Conn) { _, _ = io.WriteString(c, "220 mail.example ESMTP\r\n\r\n") }), []string{"the answer is no HTTP"}},
		{"never answers", raw(t, func(net.Conn) { time.Sleep(600 * time.Millisecond) }), []string{"no answer within 300ms"}},
		{"trickles", raw(t, func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
			for range 10 {
				_, _ = io.WriteString(c, "x")
				time.Sleep(100 * time.Millisecond)
			}
		}), []string{"no answer within 300ms"}},
		{"has a bad certificate", tls.URL, []string{"TLS: "}},
		{"is not there", "http://no.such.host.invalid", []string{"no such host"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			onBothEngines(t, func(t *testing.T, engine Engine) {
				p := quick(test.host, engine, nil)
				p.Timeout = 300 * time.Millisecond
				s := once(t, p, func(u *User) { u.Get("/x") })
				said := only(t, s)
				for _, want := range test.says {
					if strings.Contains(said, want) {
						return
					}
				}
				t.Errorf("said %q, want one of %q", said, test.says)
			})
		})
	}
}

func TestAConnectionThatTheServerClosedWhileItRestedIsNoFailure(t *testing.T) {
	var served atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served.Add(1) }))
	server.Config.IdleTimeout = 100 * time.Millisecond
	server.Start()
	t.Cleanup(server.Close)
	onBothEngines(t, func(t *testing.T, engine Engine) {
		served.Store(0)
		s := once(t, quick(server.URL, engine, nil), func(u *User) {
			u.Get("/x")
			u.Sleep(1100 * time.Millisecond)
			u.Get("/x")
		})
		if s.Total.Requests != 2 || s.Total.Failures != 0 || served.Load() != 2 {
			t.Errorf("%d requests, %d served, %v", s.Total.Requests, served.Load(), s.Failures)
		}
	})
}

func TestRedirectsAreFollowedAndCountedAsOneRequest(t *testing.T) {
	var elsewhere string
	other := serve(t, func(w http.ResponseWriter, r *http.Request) { elsewhere = r.Header.Get("Authorization") + "." })
	host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/circle":
			http.Redirect(w, r, "/circle", http.StatusFound)
		case "/away":
			http.Redirect(w, r, other, http.StatusTemporaryRedirect)
		case "/nowhere":
			w.Header().Set("Location", "mailto:x")
			w.WriteHeader(http.StatusFound)
		case "/posted":
			http.Redirect(w, r, "/end", http.StatusSeeOther)
		case "/end":
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, `{"method":%q,"body":%q,"token":%q}`, r.Method, body, r.Header.Get("Authorization"))
		}
	})
	onBothEngines(t, func(t *testing.T, engine Engine) {
		var end struct{ Method, Body, Token string }
		s := once(t, quick(host, engine, nil), func(u *User) {
			u.SetToken("secret")
			u.Get("/circle")
			u.Get("/away")
			u.Get("/nowhere")
			u.Post("/posted", "x", JSON(&end))
		})
		if s.Total.Requests != 4 || s.Total.Failures != 2 {
			t.Errorf("%d requests, %v", s.Total.Requests, s.Failures)
		}
		if elsewhere != "." {
			t.Errorf("another host got %q", elsewhere)
		}
		if end.Method != http.MethodGet || end.Body != "" || end.Token != "Bearer secret" {
			t.Errorf("after 303: %+v", end)
		}
	})
}

func TestAnswersAreJudgedByTheirTask(t *testing.T) {
	host := serve(t, func(w http.ResponseWriter, r *http.Request) {
		status := 200
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &status)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"a":1}`)
	})
	type body struct{ A int }
	for _, test := range []struct {
		name, path string
		options    []Option
		want       string
	}{
		{"success", "/200", nil, ""},
		{"any below 400", "/204", nil, ""},
		{"a fault of the server", "/500", nil, "status 500"},
		{"not found", "/404", nil, "status 404"},
		{"throttled", "/429", nil, "status 429: the server throttles"},
		{"a refusal that is expected", "/401", []Option{Expect(401, 403)}, ""},
		{"a success that is not", "/200", []Option{Expect(401, 403)}, "status 200, not 401 or 403"},
		{"a throttle that is expected", "/429", []Option{Expect(429)}, ""},
		{"JSON", "/200", []Option{JSON(new(body))}, ""},
		{"other JSON", "/200", []Option{JSON(new([]int))}, "the body is not the JSON that was expected"},
		{"checked", "/200", []Option{Checked(func(c Check) error {
			if string(c.Body) != `{"a":1}` || c.Status != 200 {
				return fmt.Errorf("another body")
			}
			return nil
		})}, ""},
		{"checked and wrong", "/200", []Option{Checked(func(Check) error { return fmt.Errorf("too few") })}, "too few"},
	} {
		t.Run(test.name, func(t *testing.T) {
			onBothEngines(t, func(t *testing.T, engine Engine) {
				var r Response
				s := once(t, quick(host, engine, nil), func(u *User) { r = u.Get(test.path, append(test.options, Name("x"))...) })
				got := ""
				if r.Err != nil {
					got = r.Err.Error()
				}
				if got != test.want || (s.Total.Failures > 0) != (test.want != "") || s.Endpoints[0].Name != "x" {
					t.Errorf("%q, %d failures, named %q", got, s.Total.Failures, s.Endpoints[0].Name)
				}
				if throttled := strings.Contains(test.want, "429"); (s.Total.Throttled == 1) != (test.path == "/429") && throttled {
					t.Errorf("%d throttled", s.Total.Throttled)
				}
			})
		})
	}
}

func TestEachUserHasCookiesAndAConnectionOfItsOwn(t *testing.T) {
	var connections atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie("who"); err == nil {
			w.Header().Set("Was", c.Value)
			fmt.Fprintf(w, "%q", c.Value)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "who", Value: r.URL.Query().Get("i"), HttpOnly: true, Path: "/"})
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	onBothEngines(t, func(t *testing.T, engine Engine) {
		connections.Store(0)
		var wrong, done atomic.Int64
		all := make(chan struct{})
		p := quick(server.URL, engine, doing(func(u *User) {
			was := ""
			u.Get(fmt.Sprint("/?i=", u.Number))
			if u.Get("/", JSON(&was)); was != fmt.Sprint(u.Number) {
				wrong.Add(1)
			}
			if done.Add(1) == 20 {
				close(all)
			}
			<-u.stop
		}))
		p.Users = 20
		r := begin(t, p)
		<-all
		r.Stop()
		if s := r.Snapshot(); wrong.Load() != 0 || connections.Load() != 20 || s.Total.Requests != 40 || s.Total.Failures != 0 {
			t.Errorf("%d users had another's cookie; %d connections for 20 users, %d requests, %v", wrong.Load(), connections.Load(), s.Total.Requests, s.Failures)
		}
	})
}
