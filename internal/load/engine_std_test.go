package load

import (
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// net/http would send a GET again, and such a server would seem to fail seldom.
func TestARequestIsSentOnceWhateverTheServerDoesWithIt(t *testing.T) {
	for name, fails := range map[string]func(net.Conn){
		"closes": func(c net.Conn) { _ = c.Close() },
		"resets": func(c net.Conn) { _ = errors.Join(c.(*net.TCPConn).SetLinger(0), c.Close()) },
		"never answers": func(c net.Conn) {
			_, _ = c.Read(make([]byte, 1)) // until the other side gives up
			_ = c.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			var served atomic.Int64
			host := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if served.Add(1)%3 == 0 {
					if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
						fails(c)
					}
				}
			})
			onBothEngines(t, func(t *testing.T, engine Engine) {
				served.Store(0)
				p := quick(host, engine, nil)
				if name == "never answers" {
					p.Timeout = 300 * time.Millisecond
				}
				s := once(t, p, func(u *User) {
					for range 9 {
						u.Get("/x")
					}
				})
				if s.Total.Requests != 9 || s.Total.Failures != 3 || served.Load() != 9 {
					t.Errorf("%d requests, %d served, %v", s.Total.Requests, served.Load(), s.Failures)
				}
			})
		})
	}
}

func TestConnectionsForOneRequestEachAreNoFailures(t *testing.T) {
	host := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") })
	onBothEngines(t, func(t *testing.T, engine Engine) {
		s := once(t, quick(host, engine, nil), func(u *User) {
			for range 50 {
				u.Get("/x")
			}
		})
		if s.Total.Requests != 50 || s.Total.Failures != 0 {
			t.Errorf("%d requests, %v", s.Total.Requests, s.Failures)
		}
	})
}
