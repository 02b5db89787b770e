package telemetry

import (
	"context"
	"net"
	"strconv"
	"time"
)

// Supervisor is systemd, as far as it wants to be told; the zero Supervisor is
// told nothing. See sd_notify(3).
type Supervisor struct {
	socket string
	every  time.Duration // of the watchdog; 0 when it is off
}

// Systemd finds the supervisor in the variables that systemd sets for a service of
// Type=notify. A watchdog is told at half the interval it waits.
func Systemd(getenv func(string) string) Supervisor {
	s := Supervisor{socket: getenv("NOTIFY_SOCKET")}
	if usec, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64); err == nil && usec > 0 {
		s.every = time.Duration(usec) * time.Microsecond / 2
	}
	return s
}

// Ready tells that the server serves.
func (s Supervisor) Ready() error { return s.notify("READY=1") }

// Stopping tells that the server has begun to stop.
func (s Supervisor) Stopping() error { return s.notify("STOPPING=1") }

// Watch tells the watchdog that the server is alive, until the context ends.
// When alive says no, systemd is left to restart it.
func (s Supervisor) Watch(ctx context.Context, alive func() bool) {
	if s.socket == "" || s.every <= 0 {
		return
	}
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for {
		if alive() {
			_ = s.notify("WATCHDOG=1") // the next one may come through
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// notify sends one datagram. A name that begins with @ is an abstract socket, for
// systemd as for package net.
func (s Supervisor) notify(state string) error {
	if s.socket == "" {
		return nil
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Write([]byte(state))
	return err
}
