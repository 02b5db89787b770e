package load

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// dealer is a connection of a ZeroMQ DEALER to a ROUTER: ZMTP 3.1 without security, RFC
// 23 and 37 of rfc.zeromq.org. Messages have one frame, as Locust's do. One goroutine
// may receive while another sends.
type dealer struct {
	conn    net.Conn
	in      *bufio.Reader
	sending sync.Mutex // pongs are sent by who receives
}

// Flags of a frame.
const (
	frameMore    = 1 << iota // of the same message
	frameLong                // the size has eight bytes, not one
	frameCommand             // for the connection, not for who uses it
)

const (
	greetingSize = 64
	// maxFrame is far above what a master sends: a spawn message holds its options.
	maxFrame = 16 << 20
	// wireTimeout is how long a peer may take for a handshake, or to take in a frame.
	wireTimeout = 10 * time.Second
	// lingerTimeout is how long the last messages may take to arrive.
	lingerTimeout = time.Second
)

// newDealer shakes hands on a fresh connection, under an identity of 1 to 255 bytes.
func newDealer(conn net.Conn, identity string) (*dealer, error) {
	d := &dealer{conn: conn, in: bufio.NewReader(conn)}
	if err := conn.SetDeadline(time.Now().Add(wireTimeout)); err != nil {
		return nil, err
	}
	if err := d.greet(); err != nil {
		return nil, err
	}
	if err := d.ready(identity); err != nil {
		return nil, err
	}
	return d, conn.SetDeadline(time.Time{})
}

func (d *dealer) greet() error {
	ours := [greetingSize]byte{0: 0xff, 9: 0x7f, 10: 3, 11: 1}
	copy(ours[12:], "NULL")
	if _, err := d.conn.Write(ours[:]); err != nil {
		return err
	}
	var theirs [greetingSize]byte
	if _, err := io.ReadFull(d.in, theirs[:1]); err != nil {
		return err
	}
	// Told apart by the first byte: others may never send as many as a greeting has.
	if theirs[0] != 0xff {
		return errors.New("what answers there does not speak ZeroMQ")
	}
	switch _, err := io.ReadFull(d.in, theirs[1:]); {
	case err != nil:
		return err
	case theirs[9]&1 == 0 || theirs[10] < 3:
		return errors.New("what answers there speaks no ZeroMQ of version 4 or newer")
	case string(theirs[12:17]) != "NULL\x00":
		return errors.New("the peer asks for security that Locust's masters don't have")
	}
	return nil
}

// ready tells who we are, and that the peer is a ROUTER.
func (d *dealer) ready(identity string) error {
	body := append([]byte{5}, "READY"...)
	for _, p := range [][2]string{{"Socket-Type", "DEALER"}, {"Identity", identity}} {
		body = append(append(body, byte(len(p[0]))), p[0]...)
		body = append(binary.BigEndian.AppendUint32(body, uint32(len(p[1]))), p[1]...)
	}
	if err := d.write(frameCommand, body); err != nil {
		return err
	}
	flags, theirs, err := readFrame(d.in)
	if err != nil {
		return err
	}
	name, rest, ok := cutString(theirs)
	if !ok || flags&frameCommand == 0 || string(name) != "READY" {
		return fmt.Errorf("the peer refuses the connection: %q", theirs)
	}
	if kind := property(rest, "Socket-Type"); kind != "ROUTER" {
		return fmt.Errorf("what answers there is no master: its socket is a %q", kind)
	}
	return nil
}

// property reads a value out of the metadata of a READY; "" without one.
func property(metadata []byte, want string) string {
	for len(metadata) > 0 {
		name, rest, ok := cutString(metadata)
		if !ok || len(rest) < 4 {
			return ""
		}
		size := binary.BigEndian.Uint32(rest)
		if rest = rest[4:]; uint64(size) > uint64(len(rest)) {
			return ""
		}
		if string(name) == want {
			return string(rest[:size])
		}
		metadata = rest[size:]
	}
	return ""
}

// cutString cuts a string off that has its length in the first byte.
func cutString(b []byte) (s, rest []byte, ok bool) {
	if len(b) == 0 || int(b[0]) > len(b)-1 {
		return nil, nil, false
	}
	return b[1 : 1+b[0]], b[1+b[0]:], true
}

// send hands a message to the operating system, whole or not at all: of a part of it a
// peer learns nothing. After an error the connection is of no use.
func (d *dealer) send(message []byte) error { return d.write(0, message) }

func (d *dealer) write(flags byte, body []byte) error {
	d.sending.Lock()
	defer d.sending.Unlock()
	b := make([]byte, 0, len(body)+9)
	if len(body) > 255 {
		b = binary.BigEndian.AppendUint64(append(b, flags|frameLong), uint64(len(body)))
	} else {
		b = append(b, flags, byte(len(body)))
	}
	if err := d.conn.SetWriteDeadline(time.Now().Add(wireTimeout)); err != nil {
		return err
	}
	_, err := d.conn.Write(append(b, body...))
	return err
}

// receive waits for a message. It answers pings.
func (d *dealer) receive() ([]byte, error) {
	for {
		flags, body, err := readFrame(d.in)
		switch {
		case err != nil:
			return nil, err
		case flags&frameMore != 0:
			return nil, errors.New("a message has several frames; Locust's have one")
		case flags&frameCommand == 0:
			return body, nil
		}
		name, rest, ok := cutString(body)
		switch {
		case !ok:
			return nil, fmt.Errorf("a command without a name: %q", body)
		case string(name) == "ERROR":
			return nil, fmt.Errorf("the peer ends the connection: %q", rest)
		case string(name) == "PING" && len(rest) >= 2: // two bytes tell how long it waits for others
			if err := d.write(frameCommand, append([]byte("\x04PONG"), rest[2:]...)); err != nil {
				return nil, err
			}
		}
	}
}

func readFrame(r *bufio.Reader) (flags byte, body []byte, err error) {
	if flags, err = r.ReadByte(); err != nil {
		return 0, nil, err
	}
	if flags&^(frameMore|frameLong|frameCommand) != 0 || flags&frameCommand != 0 && flags&frameMore != 0 {
		return 0, nil, fmt.Errorf("a frame of unknown kind %#x", flags)
	}
	var size [8]byte
	part := size[7:]
	if flags&frameLong != 0 {
		part = size[:]
	}
	if _, err = io.ReadFull(r, part); err != nil {
		return 0, nil, cut(err)
	}
	n := binary.BigEndian.Uint64(size[:])
	if n > maxFrame {
		return 0, nil, fmt.Errorf("a frame of %d bytes; masters send none above %d", n, maxFrame)
	}
	// Not all at once: what a peer says of the size costs it nothing.
	body, err = io.ReadAll(io.LimitReader(r, int64(n)))
	if err == nil && uint64(len(body)) < n {
		err = io.ErrUnexpectedEOF
	}
	return flags, body, err
}

// cut tells an end within a frame from one between frames.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// finish ends the sending side, so that what was sent arrives although answers to it
// may still come: closing at once would have the peer's machine drop it. Who receives
// gets an error soon.
func (d *dealer) finish() {
	if c, ok := d.conn.(*net.TCPConn); ok && c.CloseWrite() == nil && c.SetReadDeadline(time.Now().Add(lingerTimeout)) == nil {
		return
	}
	d.conn.Close()
}
