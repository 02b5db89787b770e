package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// The form of an API key: "ups_", 8 characters that may be shown, "_", and 43
// secret ones. The mark lets scanners find keys that were committed by mistake.
const (
	KeyMark    = "ups_"
	shownSize  = len(KeyMark) + 8
	secretSize = 43 // 62^43 > 2^256
	keySize    = shownSize + 1 + secretSize
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// NewAPIKey makes an API key. The key is for its owner and nowhere else, the prefix
// ("ups_ab12cd34") names it in lists and in the audit, the hash is what is stored.
func NewAPIKey() (key, prefix, hash string) {
	prefix = KeyMark + randomText(shownSize-len(KeyMark))
	key = prefix + "_" + randomText(secretSize)
	return key, prefix, sum(key)
}

// APIKeyHash returns the hash that a key is found by, SHA-256 in hex: with 256
// random bits there is nothing to guess that a slow hash would protect. Not ok is
// what doesn't have the form of a key, so that it needs no query.
func APIKeyHash(key string) (hash string, ok bool) {
	if len(key) != keySize || !strings.HasPrefix(key, KeyMark) || key[shownSize] != '_' ||
		!isBase62(key[len(KeyMark):shownSize]) || !isBase62(key[shownSize+1:]) {
		return "", false
	}
	return sum(key), true
}

// NewSecret makes the value of a session cookie, 43 characters of 256 random bits,
// and the hash that is stored.
func NewSecret() (secret, hash string) {
	secret = randomText(secretSize)
	return secret, sum(secret)
}

// SecretHash returns the hash that the session of a cookie is found by, in hex. Not
// ok is what NewSecret never makes.
func SecretHash(secret string) (hash string, ok bool) {
	if len(secret) != secretSize || !isBase62(secret) {
		return "", false
	}
	return sum(secret), true
}

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

func isBase62(s string) bool {
	for i := range len(s) {
		if !alphanumeric(s[i]) {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

// randomText returns n characters, each of the 62 as likely as any other: bytes
// beyond the last multiple of 62 are thrown away.
func randomText(n int) string {
	text := make([]byte, 0, n)
	for b := []byte{0}; len(text) < n; {
		_, _ = rand.Read(b)
		if b[0] < 248 {
			text = append(text, base62[b[0]%62])
		}
	}
	return string(text)
}
