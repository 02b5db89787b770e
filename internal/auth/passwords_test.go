package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/argon2"

	"upstream"
)

const password = "some words in a row"

func hash(t testing.TB, h *Hasher, password string) string {
	t.Helper()
	encoded, err := h.Hash(context.Background(), password)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func TestAPasswordOpensOnlyItsOwnHash(t *testing.T) {
	h := NewHasher()
	encoded := hash(t, h, password)
	if !strings.HasPrefix(encoded, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("the hash is %s", encoded)
	}
	if again := hash(t, h, password); again == encoded {
		t.Error("two hashes of one password are the same: the salt isn't random")
	}
	for given, want := range map[string]bool{password: true, password + " ": false, "": false, strings.ToUpper(password): false, strings.Repeat("x", MaxPassword+1): false} {
		ok, outdated, err := h.Verify(context.Background(), given, encoded)
		if ok != want || outdated || err != nil {
			t.Errorf("%.20q: %t, outdated %t, %v; want %t", given, ok, outdated, err, want)
		}
	}
}

// The vector is that of the reference implementation, phc-winner-argon2's test.c.
func TestAHashOfTheReferenceImplementationIsOpenedAndOutdated(t *testing.T) {
	const reference = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	ok, outdated, err := NewHasher().Verify(context.Background(), "password", reference)
	if !ok || !outdated || err != nil {
		t.Errorf("%t, outdated %t, %v", ok, outdated, err)
	}
	if ok, outdated, err = NewHasher().Verify(context.Background(), "other", reference); ok || outdated || err != nil {
		t.Errorf("another password: %t, outdated %t, %v", ok, outdated, err)
	}
}

// hashed is how many bytes f allocates: argon2 takes its memory from the heap.
func hashed(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestAnUnknownUserCostsAsMuchAsAKnownOne(t *testing.T) {
	h := NewHasher()
	encoded := hash(t, h, password)
	verify := func(encoded string) uint64 {
		return hashed(func() {
			if ok, _, err := h.Verify(context.Background(), "a wrong password", encoded); ok || err != nil {
				t.Errorf("%t, %v", ok, err)
			}
		})
	}
	known, unknown := verify(encoded), verify("")
	if work := uint64(current.memory) << 10; known < work || unknown < work {
		t.Errorf("%d bytes of work for a known user, %d for an unknown one, want %d for both", known, unknown, work)
	}
	if h.dummy.cost != current || len(h.dummy.salt) != saltSize || len(h.dummy.sum) != sumSize {
		t.Errorf("the dummy differs from a hash: %+v", h.dummy)
	}
}

func TestNobodyIsTheUnknownUser(t *testing.T) {
	h := NewHasher()
	h.dummy.sum = argon2.IDKey([]byte(password), h.dummy.salt, current.passes, current.memory, current.lanes, sumSize)
	if ok, _, err := h.Verify(context.Background(), password, ""); ok || err != nil {
		t.Errorf("the password of the dummy: %t, %v", ok, err)
	}
}

func TestHugePasswordsAreRefusedBeforeTheyAreHashed(t *testing.T) {
	h, huge := NewHasher(), strings.Repeat("x", MaxPassword+1)
	encoded := hash(t, h, strings.Repeat("x", MaxPassword))
	work := hashed(func() {
		if _, err := h.Hash(context.Background(), huge); upstream.ErrorCode(err) != upstream.Invalid {
			t.Errorf("hashed: %v", err)
		}
		for _, stored := range []string{encoded, ""} {
			if ok, _, err := h.Verify(context.Background(), huge, stored); ok || err != nil {
				t.Errorf("%t, %v", ok, err)
			}
		}
	})
	if work >= uint64(current.memory)<<10 {
		t.Errorf("%d bytes of work", work)
	}
}

func TestWhoWaitsForASlotLeavesWithTheContext(t *testing.T) {
	h := NewHasher()
	for range cap(h.slots) {
		h.slots <- struct{}{}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if _, err := h.Hash(ctx, password); upstream.ErrorCode(err) != upstream.Unavailable || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Hash: %v", err)
	}
	if ok, _, err := h.Verify(ctx, password, ""); ok || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Verify: %t, %v", ok, err)
	}
	<-h.slots
	for range 20 { // select takes either of two that are ready
		if _, err := h.Hash(ctx, password); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("with a free slot an ended context gives %v", err)
		}
	}
	if len(h.slots) != cap(h.slots)-1 {
		t.Errorf("%d slots taken", len(h.slots))
	}
	hash(t, h, password)
	if len(h.slots) != cap(h.slots)-1 {
		t.Error("a hash kept its slot")
	}
}

func TestDamagedHashesAreCorruptAndCostNothing(t *testing.T) {
	b64 := base64.RawStdEncoding.EncodeToString
	salt, sum := "$"+b64(make([]byte, 16)), "$"+b64(make([]byte, 32))
	good := "$argon2id$v=19$m=19456,t=2,p=1" + salt + sum
	if _, err := parsePHC(good); err != nil {
		t.Fatal(err)
	}
	h := NewHasher()
	for _, damaged := range []string{
		"x", "$", "$$$$$", good[1:], good + "$", good + "=", good[:len(good)-2], "plain:" + password,
		strings.Replace(good, "argon2id", "argon2i", 1),
		strings.Replace(good, "v=19", "v=16", 1),
		strings.Replace(good, "v=19$", "", 1),
		strings.Replace(good, "m=19456", "m=4294967295", 1),
		strings.Replace(good, "m=19456", "m=65537", 1),
		strings.Replace(good, "m=19456", "m=99999999999999999999", 1),
		strings.Replace(good, "m=19456", "m=7", 1),
		strings.Replace(good, "m=19456", "m=-1", 1),
		strings.Replace(good, "m=19456", "m=+19456", 1),
		strings.Replace(good, "m=19456", "m=019456", 1),
		strings.Replace(good, "m=19456", "m=", 1),
		strings.Replace(good, "m=19456,", "", 1),
		strings.Replace(good, "m=19456,t=2", "t=2,m=19456", 1),
		strings.Replace(good, "t=2", "t=11", 1),
		strings.Replace(good, "t=2", "t=0", 1),
		strings.Replace(good, "p=1", "p=5", 1),
		strings.Replace(good, "p=1", "p=257", 1), // 1 as a byte
		strings.Replace(good, "p=1", "p=1,x=1", 1),
		strings.Replace(good, salt, "$", 1),
		strings.Replace(good, salt, "$"+b64(make([]byte, 7)), 1),
		strings.Replace(good, salt, "$"+b64(make([]byte, 65)), 1),
		strings.Replace(good, salt, salt+"\n", 1),
		strings.Replace(good, sum, "$"+b64(make([]byte, 15)), 1),
		strings.Replace(good, sum, "$"+b64(make([]byte, 65)), 1),
		strings.TrimSuffix(good, "A") + "B", // bits that no byte holds
		good + strings.Repeat("A", 1<<20),
	} {
		if ok, _, err := h.Verify(context.Background(), password, damaged); ok || upstream.ErrorCode(err) != upstream.Corrupt {
			t.Errorf("%.90s: %t, %v", damaged, ok, err)
		} else if strings.Contains(err.Error(), "AAAA") {
			t.Errorf("the error shows the hash: %v", err)
		}
	}
}

func FuzzParsePHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")
	f.Add("$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePHC(s)
		if err != nil {
			if diff := cmp.Diff(upstream.Corrupt, upstream.ErrorCode(err)); diff != "" {
				t.Error(diff)
			}
			return
		}
		if p.String() != s {
			t.Errorf("%q is read as %q", s, p)
		}
		if p.memory > mostMemory || p.passes < 1 || p.passes > mostPasses || p.lanes < 1 || p.lanes > mostLanes || p.memory < 8*uint32(p.lanes) ||
			len(p.salt) < leastSalt || len(p.salt) > mostSalt || len(p.sum) < leastSum || len(p.sum) > mostSum {
			t.Errorf("%q is out of bounds", s)
		}
	})
}

func TestWhichPasswordsMayBeChosen(t *testing.T) {
	for _, test := range []struct {
		username, password string
		want               string // part of the error; "" for none
	}{
		{"ann", password, ""},
		{"ann", "aaaabbbbcccc", ""}, // no rule of composition
		{"ann", "пароль из слов", ""},
		{"ann", "ann and 9 others", ""},
		{"ann", strings.Repeat("x", MaxPassword), ""},
		{"ann", "", "at least 12"},
		{"ann", "elevenchars", "at least 12"},
		{"ann", strings.Repeat("é", 11), "at least 12"}, // characters, not bytes
		{"ann", strings.Repeat("é", 12), ""},
		{"ann", strings.Repeat("x", MaxPassword+1), "at most 1024"},
		{"ann@example.com", "Ann@Example.com", "the username"},
		{"ann", "password1234", "among the first"},
		{"ann", "PassWord1234", "among the first"},
	} {
		err := CheckPassword(test.username, test.password)
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%.20q is refused: %v", test.password, err)
		case test.want != "" && (upstream.ErrorCode(err) != upstream.Invalid || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "choose")):
			t.Errorf("%.20q: %v, want %q and what to do", test.password, err, test.want)
		}
	}
}

func TestTheCommonestPasswordsAreOnesTheLengthAllows(t *testing.T) {
	for _, c := range commonest {
		if len(c) < MinPassword || strings.ToLower(c) != c {
			t.Errorf("%q is refused anyway, or not in lower case", c)
		}
	}
}

func BenchmarkVerifyPassword(b *testing.B) {
	h := NewHasher()
	encoded := hash(b, h, password)
	for b.Loop() {
		if ok, _, err := h.Verify(context.Background(), password, encoded); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
