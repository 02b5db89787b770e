package upstream_test

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"pgregory.net/rapid"
	"upstream"
)

// The encoding is what chains that exist were made with: it can't change.
func TestTheSealOfAnEntryIsAsDocumented(t *testing.T) {
	e := upstream.AuditEntry{
		Customer: 1, ID: 2, At: time.UnixMicro(3), Actor: "a", Action: "bc", Target: "", Detail: "d", Claims: []int64{5}, Address: "e", Request: "f", Count: 6,
		Hash: "not part of it",
	}
	bytes := "\x00\x00\x00\x00\x00\x00\x00\x10upstream audit 1" +
		"\x00\x00\x00\x00\x00\x00\x00\x01p" +
		"\x00\x00\x00\x00\x00\x00\x00\x01" + "\x00\x00\x00\x00\x00\x00\x00\x02" + "\x00\x00\x00\x00\x00\x00\x00\x03" +
		"\x00\x00\x00\x00\x00\x00\x00\x01a" + "\x00\x00\x00\x00\x00\x00\x00\x02bc" + "\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x01d" +
		"\x00\x00\x00\x00\x00\x00\x00\x01" + "\x00\x00\x00\x00\x00\x00\x00\x05" +
		"\x00\x00\x00\x00\x00\x00\x00\x01e" + "\x00\x00\x00\x00\x00\x00\x00\x01f" + "\x00\x00\x00\x00\x00\x00\x00\x06"
	sum := sha256.Sum256([]byte(bytes))
	if got, want := e.Seal("p"), hex.EncodeToString(sum[:]); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestNoTwoEntriesHaveOneSeal(t *testing.T) {
	texts := rapid.SampledFrom([]string{"", "a", "aa", "ab", "b", "\x00"})
	numbers := rapid.Int64Range(0, 2)
	gen := rapid.Custom(func(t *rapid.T) upstream.AuditEntry {
		return upstream.AuditEntry{
			Customer: numbers.Draw(t, "customer"), ID: numbers.Draw(t, "id"), At: time.UnixMicro(numbers.Draw(t, "at")).UTC(),
			Actor: texts.Draw(t, "actor"), Action: texts.Draw(t, "action"), Target: texts.Draw(t, "target"), Detail: texts.Draw(t, "detail"),
			Claims: rapid.SliceOfN(numbers, 0, 2).Draw(t, "claims"), Address: texts.Draw(t, "address"), Request: texts.Draw(t, "request"), Count: numbers.Draw(t, "count"),
		}
	})
	type key struct {
		customer, id, at, count                                 int64
		actor, action, target, detail, address, request, claims string
	}
	keyOf := func(e upstream.AuditEntry) key {
		claims := ""
		for _, c := range e.Claims {
			claims += string(rune('0' + c))
		}
		return key{e.Customer, e.ID, e.At.UnixMicro(), e.Count, e.Actor, e.Action, e.Target, e.Detail, e.Address, e.Request, claims}
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := gen.Draw(t, "a"), gen.Draw(t, "b")
		p, q := texts.Draw(t, "p"), texts.Draw(t, "q")
		same := keyOf(a) == keyOf(b) && p == q
		if (a.Seal(p) == b.Seal(q)) != same {
			t.Fatalf("%+v after %q and %+v after %q", a, p, b, q)
		}
	})
}
