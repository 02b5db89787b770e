package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"upstream"
)

var (
	start   = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	oldKey  = Key{ID: "2026-01", Secret: []byte(strings.Repeat("o", 32)), CreatedAt: start.AddDate(0, -10, 0)}
	newKey  = Key{ID: "2026-11", Secret: []byte(strings.Repeat("n", 32)), CreatedAt: start}
	access  = Token{Use: Access, User: 7, Session: 8, Generation: 3, Issued: start, Expires: start.Add(AccessLife)}
	refresh = Token{Use: Refresh, User: 7, Session: 8, Generation: 4, Issued: start, Expires: start.Add(RefreshLife)}
)

func signer(t testing.TB, keys ...Key) *Signer {
	t.Helper()
	s, err := NewSigner(keys)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sign(t testing.TB, s *Signer, token Token) string {
	t.Helper()
	raw, err := s.Sign(token)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// reporter is a test of testing or of rapid.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
}

// refused checks that a token is refused as every other is.
func refused(t reporter, s *Signer, what, raw string, use Use, now time.Time) {
	t.Helper()
	token, err := s.Verify(raw, use, now)
	if diff := cmp.Diff(notOurs().Error(), errorText(err)); diff != "" || upstream.ErrorCode(err) != upstream.SignedOut || token != (Token{}) {
		t.Errorf("%s: %+v, %v", what, token, err)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// forge writes a token of any header and payload, with the signature of a secret.
func forge(t testing.TB, header, payload any, secret []byte) string {
	t.Helper()
	text := segment(t, header) + "." + segment(t, payload)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func segment(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func goodHeader() map[string]any {
	return map[string]any{"alg": "HS256", "typ": "JWT", "kid": newKey.ID}
}

func goodPayload() map[string]any {
	return map[string]any{
		"iss": "upstream", "aud": []string{"upstream-api"}, "sub": "7", "jti": "x", "use": "access", "sid": 8, "gen": 3,
		"iat": start.Unix(), "nbf": start.Unix(), "exp": start.Add(AccessLife).Unix(),
	}
}

// with returns a copy with a member set, or left out when the value is nil.
func with(m map[string]any, name string, value any) map[string]any {
	m = maps.Clone(m)
	if m[name] = value; value == nil {
		delete(m, name)
	}
	return m
}

func TestATokenSaysWhatWasSigned(t *testing.T) {
	s := signer(t, oldKey, newKey)
	for _, token := range []Token{access, refresh} {
		raw := sign(t, s, token)
		got, err := s.Verify(raw, token.Use, start)
		if diff := cmp.Diff(token, got); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
		if len(raw) > 512 {
			t.Errorf("%d bytes", len(raw))
		}
	}
	if first, second := sign(t, s, access), sign(t, s, access); first == second {
		t.Error("two tokens are the same: the jti isn't random")
	}
	if _, err := s.Verify(forge(t, goodHeader(), goodPayload(), newKey.Secret), Access, start); err != nil {
		t.Errorf("what the forgeries of these tests are made from is refused: %v", err)
	}
}

func TestTheNewestKeySignsAndAllVerify(t *testing.T) {
	both := signer(t, newKey, oldKey)
	for name, s := range map[string]*Signer{"old": signer(t, oldKey), "new": signer(t, newKey), "both": both} {
		if _, err := both.Verify(sign(t, s, access), Access, start); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	raw := sign(t, both, access)
	if _, err := signer(t, newKey).Verify(raw, Access, start); err != nil {
		t.Errorf("not signed with the newest: %v", err)
	}
	refused(t, signer(t, oldKey), "a key that was removed", raw, Access, start)
}

func TestTheRingIsCopied(t *testing.T) {
	secret := []byte(strings.Repeat("n", 32))
	s := signer(t, Key{ID: "a", Secret: secret})
	raw := sign(t, s, access)
	clear(secret)
	if _, err := s.Verify(raw, Access, start); err != nil {
		t.Error(err)
	}
}

func TestWhichRingsAreRefused(t *testing.T) {
	secret := []byte(strings.Repeat("s", 32))
	for name, keys := range map[string][]Key{
		"none":      nil,
		"no id":     {{Secret: secret}},
		"short":     {{ID: "a", Secret: secret[1:]}},
		"the same":  {{ID: "a", Secret: secret}, {ID: "a", Secret: secret}},
		"no secret": {newKey, {ID: "a"}},
	} {
		if _, err := NewSigner(keys); upstream.ErrorCode(err) != upstream.Invalid || strings.Contains(err.Error(), "sss") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatLacksAFieldIsNotSigned(t *testing.T) {
	s := signer(t, newKey)
	for name, change := range map[string]func(*Token){
		"use": func(t *Token) { t.Use = "" }, "another use": func(t *Token) { t.Use = "reset" },
		"user": func(t *Token) { t.User = 0 }, "session": func(t *Token) { t.Session = 0 },
		"generation": func(t *Token) { t.Generation = -1 }, "life": func(t *Token) { t.Expires = t.Issued },
	} {
		token := access
		change(&token)
		if raw, err := s.Sign(token); raw != "" || upstream.ErrorCode(err) != upstream.Internal {
			t.Errorf("%s: %q, %v", name, raw, err)
		}
	}
}

func TestOneUseIsNotTakenForTheOther(t *testing.T) {
	s := signer(t, newKey)
	refused(t, s, "refresh as access", sign(t, s, refresh), Access, start)
	refused(t, s, "access as refresh", sign(t, s, access), Refresh, start)
	refused(t, s, "access as nothing", sign(t, s, access), "", start)
	refused(t, s, "an expired refresh as access", sign(t, s, refresh), Access, start.AddDate(1, 0, 0))
}

func TestTimesOfATokenAreKept(t *testing.T) {
	s := signer(t, newKey)
	raw := sign(t, s, access)
	for _, at := range []time.Duration{-leeway, 0, AccessLife - 1} {
		if _, err := s.Verify(raw, Access, start.Add(at)); err != nil {
			t.Errorf("after %s: %v", at, err)
		}
	}
	refused(t, s, "not yet valid", raw, Access, start.Add(-leeway-time.Second))
	for _, name := range []string{"nbf", "iat"} {
		late := forge(t, goodHeader(), with(goodPayload(), name, start.Add(leeway+time.Second).Unix()), newKey.Secret)
		refused(t, s, name+" in the future", late, Access, start)
	}
	for _, at := range []time.Duration{AccessLife, AccessLife + time.Second, 365 * 24 * time.Hour} {
		_, err := s.Verify(raw, Access, start.Add(at))
		if upstream.ErrorCode(err) != upstream.SignedOut || !strings.Contains(err.Error(), "expired") {
			t.Errorf("after %s: %v, want expired", at, err)
		}
	}
	refused(t, s, "expired, of another key", sign(t, signer(t, oldKey), access), Access, start.Add(AccessLife))
}

func TestOtherAlgorithmsAreRefused(t *testing.T) {
	s := signer(t, newKey)
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []struct {
		method jwt.SigningMethod
		key    any
	}{
		{jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType},
		{jwt.SigningMethodHS384, newKey.Secret},
		{jwt.SigningMethodHS512, newKey.Secret},
		{jwt.SigningMethodRS256, private},
	} {
		token := jwt.NewWithClaims(other.method, jwt.MapClaims(goodPayload()))
		token.Header["kid"] = newKey.ID
		raw, err := token.SignedString(other.key)
		if err != nil {
			t.Fatal(err)
		}
		refused(t, s, other.method.Alg(), raw, Access, start)
	}
	for _, alg := range []any{nil, "", "none", "None", "hs256", "HS512", 256} {
		refused(t, s, "alg of the header alone", forge(t, with(goodHeader(), "alg", alg), goodPayload(), newKey.Secret), Access, start)
	}
	unsigned := segment(t, with(goodHeader(), "alg", "none")) + "." + segment(t, goodPayload()) + "."
	refused(t, s, "unsigned", unsigned, Access, start)
}

func TestTheKeyMustBeTheOneTheTokenNames(t *testing.T) {
	s := signer(t, newKey, oldKey)
	refused(t, s, "another secret", forge(t, goodHeader(), goodPayload(), []byte(strings.Repeat("x", 32))), Access, start)
	refused(t, s, "an empty secret", forge(t, goodHeader(), goodPayload(), nil), Access, start)
	for _, kid := range []any{nil, "", "2025-01", 7, []string{newKey.ID}, oldKey.ID} {
		refused(t, s, "kid", forge(t, with(goodHeader(), "kid", kid), goodPayload(), newKey.Secret), Access, start)
		refused(t, s, "kid, no secret", forge(t, with(goodHeader(), "kid", kid), goodPayload(), nil), Access, start)
	}
}

func TestEveryClaimIsRequiredAndRight(t *testing.T) {
	s := signer(t, newKey)
	for name := range goodPayload() {
		refused(t, s, "without "+name, forge(t, goodHeader(), with(goodPayload(), name, nil), newKey.Secret), Access, start)
		refused(t, s, name+" of another type", forge(t, goodHeader(), with(goodPayload(), name, map[string]int{"a": 1}), newKey.Secret), Access, start)
	}
	for _, wrong := range []struct {
		name  string
		value any
	}{
		{"iss", "downstream"},
		{"aud", "other-api"},
		{"aud", []string{}},
		{"aud", []string{"upstream-api", "other-api"}},
		{"sub", "0"},
		{"sub", "-7"},
		{"sub", "ann"},
		{"sub", "99999999999999999999"},
		{"sid", 0},
		{"sid", 1.5},
		{"gen", -1},
		{"jti", ""},
		{"use", "reset"},
	} {
		refused(t, s, wrong.name, forge(t, goodHeader(), with(goodPayload(), wrong.name, wrong.value), newKey.Secret), Access, start)
	}
}

func TestDamagedTokensAreRefused(t *testing.T) {
	s := signer(t, newKey)
	raw := sign(t, s, access)
	for n := range len(raw) {
		refused(t, s, "truncated", raw[:n], Access, start)
	}
	for _, damaged := range []string{
		raw + ".", raw + "=", raw + "\n", " " + raw, "." + raw, strings.Replace(raw, ".", "\n.", 1), raw + "." + raw, "..",
		raw[:10] + "\r\n" + raw[10:], raw[:len(raw)-3] + "\n" + raw[len(raw)-3:],
	} {
		refused(t, s, "damaged", damaged, Access, start)
	}
}

func TestAnyChangedByteMakesATokenWorthless(t *testing.T) {
	s := signer(t, newKey)
	raw := sign(t, s, access)
	rapid.Check(t, func(t *rapid.T) {
		changed := []byte(raw)
		at := rapid.IntRange(0, len(raw)-1).Draw(t, "at")
		changed[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "by"))
		refused(t, s, "changed", string(changed), Access, start)
	})
	for at := range raw { // each single bit
		for bit := range 8 {
			changed := []byte(raw)
			changed[at] ^= 1 << bit
			refused(t, s, "flipped", string(changed), Access, start)
		}
	}
}

func TestHugeTokensAreRefusedUnparsed(t *testing.T) {
	s := signer(t, newKey)
	padded := forge(t, goodHeader(), with(goodPayload(), "pad", strings.Repeat("x", maxToken)), newKey.Secret)
	refused(t, s, "a good one of 5 KB", padded, Access, start)
	if n := testing.AllocsPerRun(10, func() { _, _ = s.Verify(padded, Access, start) }); n > 10 {
		t.Errorf("%v allocations: it was parsed", n)
	}
}

func FuzzVerify(f *testing.F) {
	s := signer(f, newKey, oldKey)
	good := forge(f, goodHeader(), goodPayload(), newKey.Secret) // the same in every process
	f.Add(good)
	f.Add(sign(f, s, refresh))
	f.Add(good[:len(good)/2])
	f.Add(segment(f, with(goodHeader(), "alg", "none")) + "." + segment(f, goodPayload()) + ".")
	f.Add(forge(f, goodHeader(), goodPayload(), nil))
	f.Add("..")
	f.Fuzz(func(t *testing.T, raw string) {
		if raw == good {
			return
		}
		if token, err := s.Verify(raw, Access, start); upstream.ErrorCode(err) != upstream.SignedOut || token != (Token{}) {
			t.Errorf("%q: %+v, %v", raw, token, err)
		}
		// The same bytes well signed, by us: the parts behind the signature are parsed.
		header, payload, _ := strings.Cut(raw, ".")
		text := header + "." + payload
		mac := hmac.New(sha256.New, newKey.Secret)
		mac.Write([]byte(text))
		token, err := s.Verify(text+"."+base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), Access, start)
		if err != nil && upstream.ErrorCode(err) != upstream.SignedOut || err == nil && (token.Use != Access || token.User <= 0 || token.Session <= 0 || !token.Expires.After(start)) {
			t.Errorf("%q signed: %+v, %v", raw, token, err)
		}
	})
}

func BenchmarkSign(b *testing.B) {
	s := signer(b, newKey)
	for b.Loop() {
		if _, err := s.Sign(access); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyToken(b *testing.B) {
	s := signer(b, newKey)
	raw := sign(b, s, access)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Verify(raw, Access, start); err != nil {
			b.Fatal(err)
		}
	}
}
