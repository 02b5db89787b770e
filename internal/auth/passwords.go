// Package auth makes and checks what people and programs prove themselves with:
// passwords, tokens, API keys and the secrets of cookies. It does no I/O and keeps
// nothing: who is who, and what was revoked, the store knows.
package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"upstream"
)

// The lengths of a password. The least is NIST SP 800-63B-4's for one that another
// factor or a throttle stands beside, with a margin; the most keeps a request from
// having megabytes hashed.
const (
	MinPassword = 12   // characters
	MaxPassword = 1024 // bytes
)

// cost is what one hash takes. argon2id with 19 MiB, two passes and one lane is the
// first choice of OWASP's Password Storage Cheat Sheet.
type cost struct {
	memory, passes uint32 // memory in KiB
	lanes          uint8
}

var current = cost{memory: 19 << 10, passes: 2, lanes: 1}

// The bounds of what a stored hash may ask for: somebody who could write one must
// not make a sign-in take gigabytes or minutes. The sizes are in bytes.
const (
	mostMemory, mostPasses, mostLanes = 64 << 10, 10, 4

	saltSize, leastSalt, mostSalt = 16, 8, 64
	sumSize, leastSum, mostSum    = 32, 16, 64
)

// phc is a hash of a password in the PHC string format, as
// $argon2id$v=19$m=19456,t=2,p=1$salt$sum with unpadded base64.
type phc struct {
	cost
	salt, sum []byte
}

// Hasher hashes passwords, as many at once as there are cores: each takes 19 MiB and
// a core for some 20 ms, and a flood of sign-ins must leave both to other requests.
type Hasher struct {
	slots chan struct{}
	dummy phc
}

// NewHasher makes a Hasher. A process needs one.
func NewHasher() *Hasher {
	return &Hasher{
		slots: make(chan struct{}, runtime.GOMAXPROCS(0)),
		// The sum is that of no password: it is random too.
		dummy: phc{cost: current, salt: random(saltSize), sum: random(sumSize)},
	}
}

// Hash hashes a password with a salt of its own. It doesn't judge it: CheckPassword
// does.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	if len(password) > MaxPassword {
		return "", tooLong()
	}
	p := phc{cost: current, salt: random(saltSize), sum: make([]byte, sumSize)}
	sum, err := h.derive(ctx, password, p)
	if err != nil {
		return "", err
	}
	p.sum = sum
	return p.String(), nil
}

// Verify tells whether a password is the one of a stored hash, and whether the hash
// was made with other parameters than today's, so that the caller may replace it.
// With an empty hash, as that of a user nobody knows, it does the same work and says
// no: the time tells nobody which usernames exist.
func (h *Hasher) Verify(ctx context.Context, password, encoded string) (ok, outdated bool, err error) {
	if len(password) > MaxPassword {
		return false, false, nil
	}
	p, known := h.dummy, encoded != ""
	if known {
		if p, err = parsePHC(encoded); err != nil {
			return false, false, err
		}
	}
	sum, err := h.derive(ctx, password, p)
	if err != nil {
		return false, false, err
	}
	ok = subtle.ConstantTimeCompare(sum, p.sum) == 1 && known
	return ok, ok && (p.cost != current || len(p.salt) != saltSize || len(p.sum) != sumSize), nil
}

// derive waits for a slot and hashes.
func (h *Hasher) derive(ctx context.Context, password string, p phc) ([]byte, error) {
	err := ctx.Err() // with a free slot, select would take either
	if err == nil {
		select {
		case h.slots <- struct{}{}:
			defer func() { <-h.slots }()
			return argon2.IDKey([]byte(password), p.salt, p.passes, p.memory, p.lanes, uint32(len(p.sum))), nil
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	return nil, upstream.Errorf(upstream.Unavailable, "too many sign in at once: try again in a moment: %w", err)
}

func (p phc) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		p.memory, p.passes, p.lanes, b64.EncodeToString(p.salt), b64.EncodeToString(p.sum))
}

// parsePHC reads a stored hash, in the one spelling that String writes.
func parsePHC(s string) (phc, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return phc{}, corrupt("isn't one of argon2id")
	}
	costs := strings.Split(parts[3], ",")
	if len(costs) != 3 {
		return phc{}, corrupt("lacks a parameter")
	}
	memory, memoryOK := parameter(costs[0], "m=", mostMemory)
	passes, passesOK := parameter(costs[1], "t=", mostPasses)
	lanes, lanesOK := parameter(costs[2], "p=", mostLanes)
	if !memoryOK || !passesOK || !lanesOK || memory < 8*lanes { // RFC 9106, section 3.1
		return phc{}, corrupt("has a parameter out of bounds")
	}
	salt, saltOK := decode(parts[4], leastSalt, mostSalt)
	sum, sumOK := decode(parts[5], leastSum, mostSum)
	if !saltOK || !sumOK {
		return phc{}, corrupt("has a damaged salt or sum")
	}
	return phc{cost: cost{memory: memory, passes: passes, lanes: uint8(lanes)}, salt: salt, sum: sum}, nil
}

// parameter reads "m=19456" as 19456: 1 to most, without leading zeros or a sign.
func parameter(s, name string, most uint32) (uint32, bool) {
	digits, named := strings.CutPrefix(s, name)
	n, err := strconv.ParseUint(digits, 10, 32)
	ok := named && err == nil && n >= 1 && n <= uint64(most) && digits == strconv.FormatUint(n, 10)
	return uint32(min(n, math.MaxUint32)), ok
}

func decode(s string, least, most int) ([]byte, bool) {
	if len(s) > base64.RawStdEncoding.EncodedLen(most) || strings.ContainsAny(s, "\r\n") { // Go's base64 skips line ends
		return nil, false
	}
	b, err := base64.RawStdEncoding.Strict().DecodeString(s)
	return b, err == nil && len(b) >= least
}

func corrupt(how string) error {
	return upstream.Errorf(upstream.Corrupt, "the stored hash of a password %s: set the password again", how)
}

func tooLong() error {
	return upstream.Errorf(upstream.Invalid, "a password has at most %d bytes: choose a shorter one", MaxPassword)
}

// commonest are the passwords of at least twelve characters that leaked lists hold
// most often, and the ones a user of this program would think of first.
var commonest = []string{
	"000000000000", "111111111111", "121212121212", "123123123123", "123412341234", "123456123456",
	"123456789012", "1234567890123", "12345678901234", "123456789101112", "1234567890qwerty", "123456789abc",
	"1q2w3e4r5t6y", "1qaz2wsx3edc", "1qaz2wsx3edc4rfv", "987654321987", "aaaaaaaaaaaa", "abcd12345678",
	"abcdefghijkl", "administrator", "administrator1", "adminadminadmin", "asdfghjkl123", "changeme1234",
	"changemeplease", "correcthorsebatterystaple", "iloveyou1234", "letmein12345", "letmeinplease",
	"password1234", "password12345", "password123456", "password123!", "passwordpassword", "p@ssw0rd1234",
	"q1w2e3r4t5y6", "qazwsxedcrfv", "qwerty123456", "qwertyqwerty", "qwertyuiop12", "qwertyuiop123",
	"qwertyuiopasdf", "upstream1234", "upstreamupstream", "welcome12345", "welcome123456", "zxcvbnm12345",
}

// CheckPassword tells whether a password may be chosen. By NIST SP 800-63B-4,
// section 3.1.1.2, length and a list of the commonest count, and no rule asks for
// digits or signs.
func CheckPassword(username, password string) error {
	switch {
	case len(password) > MaxPassword:
		return tooLong()
	case utf8.RuneCountInString(password) < MinPassword:
		return upstream.Errorf(upstream.Invalid, "a password has at least %d characters: choose a longer one, as some words in a row", MinPassword)
	case strings.EqualFold(password, username):
		return upstream.Errorf(upstream.Invalid, "the password is the username: choose another")
	case slices.ContainsFunc(commonest, func(c string) bool { return strings.EqualFold(c, password) }):
		return upstream.Errorf(upstream.Invalid, "this password is among the first that are tried: choose another, as some words in a row")
	}
	return nil
}

// random returns n secret bytes.
func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: the program ends instead
	return b
}
