package load

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/vmihailenco/msgpack/v5"
)

// statsData is what a stats message holds.
type statsData struct {
	Stats            []*DeltaEntry          `msgpack:"stats"`
	StatsTotal       *DeltaEntry            `msgpack:"stats_total"`
	Errors           map[string]*DeltaError `msgpack:"errors"`
	UserClassesCount map[string]int         `msgpack:"user_classes_count"`
	UserCount        int                    `msgpack:"user_count"`
}

func (d *Delta) stats(users map[string]int) *statsData {
	s := &statsData{Stats: []*DeltaEntry{}, StatsTotal: d.Total, Errors: map[string]*DeltaError{}, UserClassesCount: users, UserCount: sum(users)}
	for _, e := range d.entries {
		s.Stats = append(s.Stats, e)
	}
	for k, e := range d.errors {
		// Workers must agree on the key, and it must tell errors apart; Locust has a
		// hash too.
		h := sha256.Sum256([]byte(k.method + "." + k.name + "." + k.reason))
		s.Errors[hex.EncodeToString(h[:])] = e
	}
	return s
}

func sum(users map[string]int) (n int) {
	for _, c := range users {
		n += c
	}
	return n
}

type heartbeatData struct {
	State  string  `msgpack:"state"`
	CPU    float64 `msgpack:"current_cpu_usage"`
	Memory int64   `msgpack:"current_memory_usage"`
}

type spawnedData struct {
	UserClassesCount map[string]int `msgpack:"user_classes_count"`
	UserCount        int            `msgpack:"user_count"`
}

// encodeMessage puts a message into the form of Locust's protocol.py.
func encodeMessage(kind string, data any, node string) []byte {
	var b bytes.Buffer
	e := msgpack.NewEncoder(&b)
	e.UseCompactInts(true)
	if err := e.EncodeMulti(messageHead(3), kind, data, node); err != nil {
		panic(err) // data is of our own making
	}
	return b.Bytes()
}

// messageHead begins an array.
type messageHead int

// EncodeMsgpack writes how long the array is.
func (n messageHead) EncodeMsgpack(e *msgpack.Encoder) error { return e.EncodeArrayLen(int(n)) }

// masterMessage is a message of a master.
type masterMessage struct {
	kind  string
	index int // of ack: which of its workers the master takes us for; -1 when it does not say
	spawn spawnData
}

type spawnData struct {
	Timestamp        float64        `msgpack:"timestamp"`
	UserClassesCount map[string]int `msgpack:"user_classes_count"`
	Host             *string        `msgpack:"host"`
	StopTimeout      *float64       `msgpack:"stop_timeout"` // seconds
	ParsedOptions    struct {
		Tags        []string `msgpack:"tags"`
		ExcludeTags []string `msgpack:"exclude_tags"`
	} `msgpack:"parsed_options"`
}

// maxDecoded bounds what is decoded: a list in a list takes a byte of it, and hundreds
// of the stack, which must not overflow.
const maxDecoded = 1 << 20

// decodeMessage reads a message of a master. Of kinds that we don't know the data is
// not looked at: programs that use Locust send their own.
func decodeMessage(b []byte) (m masterMessage, err error) {
	d := msgpack.NewDecoder(bytes.NewReader(b))
	n, err := d.DecodeArrayLen()
	if err != nil {
		return m, fmt.Errorf("what the master sent is no message of Locust's: %w", err)
	}
	if n != 3 {
		return m, fmt.Errorf("what the master sent has %d parts; messages of Locust's have 3", n)
	}
	if m.kind, err = d.DecodeString(); err != nil {
		return m, fmt.Errorf("what the master sent has no kind: %w", err)
	}
	m.index = -1
	if kinds := []string{"ack", "spawn"}; len(b) > maxDecoded && slices.Contains(kinds, m.kind) {
		return m, fmt.Errorf("the master's message %q has %d bytes; Locust's are far below %d", m.kind, len(b), maxDecoded)
	}
	switch m.kind {
	case "ack":
		var data *struct {
			Index *int `msgpack:"index"`
		}
		if err = d.Decode(&data); err == nil && data != nil && data.Index != nil {
			m.index = *data.Index
		}
	case "spawn":
		err = d.Decode(&m.spawn)
	}
	if err != nil {
		return m, fmt.Errorf("the master's message %q is not as Locust's: %w", m.kind, err)
	}
	return m, nil
}
