package auth

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestAKeyIsFoundByItsHashAndNamedByItsPrefix(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		key, prefix, hash := NewAPIKey()
		if len(key) != 56 || !strings.HasPrefix(key, "ups_") || len(prefix) != 12 || !strings.HasPrefix(key, prefix+"_") {
			t.Fatalf("the key %q has the prefix %q", key, prefix)
		}
		if got, ok := APIKeyHash(key); !ok || got != hash || len(hash) != 64 {
			t.Fatalf("%s is stored as %q and found as %q, %t", key, hash, got, ok)
		}
		if strings.Contains(key, hash) || seen[key] || seen[prefix] || seen[hash] {
			t.Fatalf("%s came before", key)
		}
		seen[key], seen[prefix], seen[hash] = true, true, true
	}
}

// The hash of a key is stored: a change of its making would lock out every key.
func TestHashesStayAsTheyAre(t *testing.T) {
	key := "ups_ab12cd34_" + strings.Repeat("0", 43)
	if hash, ok := APIKeyHash(key); !ok || hash != "e7161839737ec197e020f867bf645072b54f6e70896787746ce859f878b9bcc9" {
		t.Errorf("%s, %t", hash, ok)
	}
	if hash, ok := SecretHash(strings.Repeat("0", 43)); !ok || hash != "b918b22a1581fedd39058065f00e6aad35bd561f20257151131a1ddcd21803de" {
		t.Errorf("%s, %t", hash, ok)
	}
}

func TestWhatHasNotTheFormOfAKeyIsNone(t *testing.T) {
	key, _, _ := NewAPIKey()
	for _, other := range []string{
		"", "ups_", key[1:], key + "0", key[:55], "UPS_" + key[4:], key[:12] + "-" + key[13:], key[:4] + "_" + key[5:],
		key[:20] + "_" + key[21:], key[:55] + "\n", key[:55] + "é", " " + key[:55], strings.Repeat("a", 56), strings.Repeat("a", 1<<20),
	} {
		if hash, ok := APIKeyHash(other); ok || hash != "" {
			t.Errorf("%.60q is taken for a key", other)
		}
	}
}

func TestAnyChangedCharacterIsAnotherKey(t *testing.T) {
	key, _, hash := NewAPIKey()
	rapid.Check(t, func(t *rapid.T) {
		changed := []byte(key)
		at := rapid.IntRange(0, len(key)-1).Draw(t, "at")
		changed[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "by"))
		if got, ok := APIKeyHash(string(changed)); got == hash || ok == (got == "") {
			t.Errorf("%q: %q, %t", changed, got, ok)
		}
	})
}

func TestSecretsOfCookies(t *testing.T) {
	secret, hash := NewSecret()
	other, _ := NewSecret()
	if len(secret) != 43 || secret == other {
		t.Errorf("%q, %q", secret, other)
	}
	if got, ok := SecretHash(secret); !ok || got != hash {
		t.Errorf("%q is stored as %q and found as %q, %t", secret, hash, got, ok)
	}
	for _, wrong := range []string{"", secret[1:], secret + "0", secret[:42] + ";", secret[:42] + "\n"} {
		if got, ok := SecretHash(wrong); ok || got != "" {
			t.Errorf("%q is taken for a secret", wrong)
		}
	}
}

// Each character must be as likely as any other, or 43 of them hold less than 256
// bits. With 62,000 draws a count is 1000 ± 31; 6 of that fail once in 10 million.
func TestRandomTextIsUniform(t *testing.T) {
	counts := map[rune]int{}
	for _, c := range randomText(62_000) {
		counts[c]++
	}
	for _, c := range base62 {
		if n := counts[c]; n < 1000-6*32 || n > 1000+6*32 {
			t.Errorf("%q came %d times", c, n)
		}
	}
	if len(counts) != 62 {
		t.Errorf("%d characters", len(counts))
	}
}
