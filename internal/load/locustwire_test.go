package load

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// routerGreeting is that of libzmq 4.3.
func routerGreeting() []byte {
	g := make([]byte, greetingSize)
	g[0], g[9], g[10], g[11] = 0xff, 0x7f, 3, 1
	copy(g[12:], "NULL")
	return g
}

// readyCommand is a READY of a socket of some kind.
func readyCommand(kind string) []byte {
	body := "\x05READY\x0bSocket-Type" + string(binary.BigEndian.AppendUint32(nil, uint32(len(kind)))) + kind + "\x08Identity\x00\x00\x00\x00"
	return append([]byte{frameCommand, byte(len(body))}, body...)
}

// answering makes a connection whose other end sends some bytes and takes all in,
// which it passes on at the end.
func answering(t *testing.T, b []byte) (net.Conn, <-chan []byte) {
	t.Helper()
	ours, theirs := net.Pipe()
	got := make(chan []byte, 1)
	go func() {
		all, _ := io.ReadAll(theirs)
		got <- all
	}()
	go func() { _, _ = theirs.Write(b) }()
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	return ours, got
}

func TestAHandshakeTellsWhoWeAre(t *testing.T) {
	conn, got := answering(t, append(routerGreeting(), readyCommand("ROUTER")...))
	d, err := newDealer(conn, "worker_1")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.send([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	d.finish()
	want := "\xff\x00\x00\x00\x00\x00\x00\x00\x00\x7f\x03\x01NULL" + strings.Repeat("\x00", 48) +
		"\x04\x31\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity\x00\x00\x00\x08worker_1" +
		"\x00\x05hello"
	if all := string(<-got); all != want {
		t.Errorf("sent\n%q, want\n%q", all, want)
	}
}

func TestWhoIsNoMasterIsRefused(t *testing.T) {
	old, plain := routerGreeting(), routerGreeting()
	old[10] = 1
	copy(plain[12:], "PLAIN")
	for name, c := range map[string]struct{ sends, says string }{
		"a web server":     {"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\r\n400 Bad Request and more of it", "does not speak ZeroMQ"},
		"a short answer":   {"SSH", "does not speak ZeroMQ"},
		"an old ZeroMQ":    {string(old), "version 4"},
		"one with secrets": {string(plain), "security"},
		"a publisher":      {string(routerGreeting()) + string(readyCommand("PUB")), `no master: its socket is a "PUB"`},
		"an error":         {string(routerGreeting()) + "\x04\x0a\x05ERROR\x03bad", `refuses the connection: "\x05ERROR\x03bad"`},
		"a message":        {string(routerGreeting()) + "\x00\x06\x05READY", "refuses the connection"},
		"no socket type":   {string(routerGreeting()) + "\x04\x06\x05READY", `its socket is a ""`},
		"a broken READY":   {string(routerGreeting()) + "\x04\x16\x05READY\x0bSocket-Type\x00\x00\x00\xff", `its socket is a ""`},
	} {
		t.Run(name, func(t *testing.T) {
			conn, _ := answering(t, []byte(c.sends))
			if _, err := newDealer(conn, "w"); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}

func TestAMasterThatHangsUpIsAnError(t *testing.T) {
	whole := append(routerGreeting(), readyCommand("ROUTER")...)
	for n := range len(whole) {
		ours, theirs := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
		go func() {
			_, _ = theirs.Write(whole[:n])
			theirs.Close()
		}()
		if _, err := newDealer(ours, "w"); err == nil {
			t.Errorf("after %d bytes: no error", n)
		}
		ours.Close()
	}
}

// connected has a dealer read bytes that a router sends after the handshake.
func connected(t *testing.T, b []byte) (*dealer, <-chan []byte) {
	t.Helper()
	conn, got := answering(t, append(append(routerGreeting(), readyCommand("ROUTER")...), b...))
	d, err := newDealer(conn, "w")
	if err != nil {
		t.Fatal(err)
	}
	return d, got
}

func TestPingsAreAnsweredAndOtherCommandsAreNot(t *testing.T) {
	d, got := connected(t, []byte("\x04\x0a\x04PING\x00\x0aabc"+"\x04\x05\x04PONG"+"\x04\x05\x04NEWS"+"\x00\x02hi"+"\x04\x07\x04PING\x00\x00"+"\x00\x00"))
	for _, want := range []string{"hi", ""} {
		if b, err := d.receive(); err != nil || string(b) != want {
			t.Errorf("%q %v, want %q", b, err, want)
		}
	}
	d.finish()
	if all := string(<-got); !strings.HasSuffix(all, "\x04\x08\x04PONGabc\x04\x05\x04PONG") {
		t.Errorf("sent %q", all)
	}
}

func TestBrokenFramesEndAConnection(t *testing.T) {
	for name, c := range map[string]struct{ sends, says string }{
		"several frames":    {"\x01\x01a\x00\x01b", "several frames"},
		"unknown flags":     {"\x08\x00", "unknown kind 0x8"},
		"a command in two":  {"\x05\x00", "unknown kind 0x5"},
		"no command's name": {"\x04\x00", "a command without a name"},
		"a name too long":   {"\x04\x03\x09ab", "a command without a name"},
		"the peer's error":  {"\x04\x0a\x05ERROR\x03bad", "the peer ends the connection"},
		"too long":          {"\x02\x00\x00\x00\x00\x01\x00\x00\x01", "a frame of 16777217 bytes"},
		"longer than int":   {"\x02\xff\xff\xff\xff\xff\xff\xff\xff", "a frame of 18446744073709551615 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := connected(t, []byte(c.sends))
			if b, err := d.receive(); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%q %v, want %q", b, err, c.says)
			}
		})
	}
	for _, part := range []string{"\x00", "\x02\x00\x00", "\x00\x05ab"} {
		if _, _, err := readFrame(bufio.NewReader(strings.NewReader(part))); err != io.ErrUnexpectedEOF {
			t.Errorf("%q: %v", part, err)
		}
	}
	if _, _, err := readFrame(bufio.NewReader(strings.NewReader(""))); err != io.EOF {
		t.Errorf("nothing: %v", err)
	}
}

// written is what a dealer writes for a message.
func written(t interface{ Fatal(...any) }, flags byte, body []byte) []byte {
	ours, theirs := net.Pipe()
	d := &dealer{conn: ours}
	go func() {
		if err := d.write(flags, body); err != nil {
			t.Fatal(err)
		}
		ours.Close()
	}()
	b, err := io.ReadAll(theirs)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFramesOfAnySizeComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := bytes.Repeat([]byte{rapid.Byte().Draw(t, "fill")}, rapid.OneOf(rapid.IntRange(0, 4), rapid.IntRange(250, 260), rapid.IntRange(65_530, 65_540)).Draw(t, "size"))
		flags := rapid.SampledFrom([]byte{0, frameCommand}).Draw(t, "flags")
		b := written(t, flags, body)
		r := bufio.NewReader(bytes.NewReader(b))
		kind, back, err := readFrame(r)
		if err != nil || kind&^frameLong != flags || !bytes.Equal(back, body) || r.Buffered() > 0 {
			t.Fatalf("%d bytes: %#x, %d bytes, %v", len(body), kind, len(back), err)
		}
		if long := len(body) > 255; (kind&frameLong != 0) != long { // ZMTP wants the short form where it does
			t.Fatalf("%d bytes: kind %#x", len(body), kind)
		}
	})
}

// A message that is sent last arrives, also where the peer has sent what we never
// read: a plain close would cut it off.
func TestTheLastMessageArrives(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	last := bytes.Repeat([]byte("x"), 1<<20)
	ended := make(chan error, 1)
	go func() {
		ended <- func() error {
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				return err
			}
			defer conn.Close()
			d, err := newDealer(conn, "w")
			if err != nil {
				return err
			}
			if err := d.send(last); err != nil {
				return err
			}
			d.finish()
			for err == nil { // as who receives does
				_, err = d.receive()
			}
			return nil
		}()
	}()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(append(append(routerGreeting(), readyCommand("ROUTER")...), "\x00\x04more"...)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond) // read late, so that the message waits in the buffers of both sides
	all, err := io.ReadAll(conn)
	if err != nil || !bytes.HasSuffix(all, last) {
		t.Errorf("%d bytes came, %v", len(all), err)
	}
	conn.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Whatever a peer sends is a message or an error, and what is read as a message was one.
func FuzzDealerReceives(f *testing.F) {
	for _, s := range []string{
		"\x00\x02hi", "\x02\x00\x00\x00\x00\x00\x00\x00\x02hi", "\x04\x0a\x04PING\x00\x0aabc\x00\x01x", "\x01\x01a\x00\x01b",
		"\x04\x0a\x05ERROR\x03bad", "\x02\xff\xff\xff\xff\xff\xff\xff\xff", "\x04\x00", "",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		ours, theirs := net.Pipe()
		defer ours.Close()
		defer theirs.Close()
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
		r := bytes.NewReader(b)
		d := &dealer{conn: ours, in: bufio.NewReaderSize(r, 16)}
		for {
			message, err := d.receive()
			if err != nil {
				return
			}
			if !bytes.Contains(b, message) {
				t.Fatalf("%q is not in %q", message, b)
			}
		}
	})
}

// Whatever a peer sends for a handshake, there is an end to it.
func FuzzHandshake(f *testing.F) {
	f.Add(append(routerGreeting(), readyCommand("ROUTER")...))
	f.Add(append(routerGreeting(), readyCommand("PUB")...))
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	f.Add(append(routerGreeting(), "\x04\x16\x05READY\x0bSocket-Type\x00\x00\x00\xff"...))
	f.Fuzz(func(t *testing.T, b []byte) {
		ours, theirs := net.Pipe()
		defer ours.Close()
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
		go func() {
			_, _ = theirs.Write(b)
			theirs.Close()
		}()
		_, err := newDealer(ours, "w")
		if err == nil && !bytes.Contains(b, []byte("ROUTER")) {
			t.Fatalf("%q passes for a master", b)
		}
	})
}
