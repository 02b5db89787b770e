package upstream

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// sealVersion begins what is hashed: another encoding gets another one.
const sealVersion = "upstream audit 1"

// Seal returns the hash that chains an entry to the one before it in its customer,
// whose hash is previous, "" for the first: SHA-256, in hex, over the words
// "upstream audit 1" and then previous, Customer, ID, At, Actor, Action, Target,
// Detail, Claims, Address, Request and Count. A text is its length and its bytes, a
// list its length and its members, and every number, lengths included, eight bytes
// with the highest first; At is in microseconds since 1970. Two different entries
// are therefore never the same bytes.
func (e *AuditEntry) Seal(previous string) string {
	b := make([]byte, 0, 512)
	number := func(v int64) { b = binary.BigEndian.AppendUint64(b, uint64(v)) }
	text := func(s string) {
		number(int64(len(s)))
		b = append(b, s...)
	}
	text(sealVersion)
	text(previous)
	number(e.Customer)
	number(e.ID)
	number(e.At.UnixMicro())
	text(e.Actor)
	text(e.Action)
	text(e.Target)
	text(e.Detail)
	number(int64(len(e.Claims)))
	for _, id := range e.Claims {
		number(id)
	}
	text(e.Address)
	text(e.Request)
	number(e.Count)
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
