package main

import (
	"errors"
	"net"
	"net/http"
	"net/netip"

	"upstream"
)

// doors are where a server listens. They are opened before anything else, so that a
// port that is taken is told at once; nobody is answered before all is ready.
type doors struct {
	public []net.Listener
	admin  net.Listener // nil for none
}

// open listens on the public address and on that of --admin.
func (f *serverFlags) open(listen string) (d doors, err error) {
	if d.public, err = listenOn("--listen", listen); err == nil {
		d.admin, err = listenAdmin(f.Admin)
	}
	if err != nil {
		d.close()
	}
	return d, err
}

// addressOf is where a listener listens, "off" for none.
func addressOf(l net.Listener) string {
	if l == nil {
		return "off"
	}
	return l.Addr().String()
}

// close closes what a server has not closed already.
func (d *doors) close() {
	for _, l := range d.public {
		l.Close()
	}
	if d.admin != nil {
		d.admin.Close()
	}
}

func listenAdmin(address string) (net.Listener, error) {
	if address == "off" {
		return nil, nil
	}
	all, err := listenOn("--admin", address)
	if err != nil {
		return nil, err
	}
	for _, other := range all[1:] {
		other.Close()
	}
	return all[0], nil
}

// listenOn listens on an address. localhost are both of its addresses, on one port:
// a browser may try either, and must not meet another program on the second.
func listenOn(option, address string) ([]net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, upstream.Errorf(upstream.Invalid, "%s must be HOST:PORT, or :PORT for all addresses of this machine", option)
	}
	both := host == "localhost"
	if both {
		host = "127.0.0.1"
	}
	first, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, cannotListen(option, address, err)
	}
	if !both || !hasIPv6Loopback() {
		return []net.Listener{first}, nil
	}
	_, port, _ = net.SplitHostPort(first.Addr().String()) // 0 was any
	second, err := net.Listen("tcp", net.JoinHostPort("::1", port))
	if err != nil {
		first.Close()
		return nil, cannotListen(option, net.JoinHostPort("::1", port), err)
	}
	return []net.Listener{first, second}, nil
}

func hasIPv6Loopback() bool {
	l, err := net.Listen("tcp", "[::1]:0")
	if err == nil {
		l.Close()
	}
	return err == nil
}

func cannotListen(option, address string, err error) error {
	var inner *net.OpError
	if errors.As(err, &inner) {
		err = inner.Err
	}
	return upstream.Errorf(upstream.Unavailable, "can't listen on %s: %w; end the program that does, or choose another %s", address, err, option)
}

// loopback reports whether an address is reached from this machine alone.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// handOut serves on listeners until the server is closed; what ends one of them
// before comes through failed.
func handOut(s *http.Server, listeners []net.Listener, failed chan<- error) {
	for _, l := range listeners {
		go func() {
			if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		}()
	}
}
