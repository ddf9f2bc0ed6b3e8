package redact

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// TestKnownSecretsGoInEveryForm uses a secret that no rule would find: ordinary words.
func TestKnownSecretsGoInEveryForm(t *testing.T) {
	const secret = `blue "whale" & sons`
	quoted, err := json.Marshal(secret)
	if err != nil {
		t.Fatal(err)
	}
	pair := base64.StdEncoding.EncodeToString([]byte("x:" + secret + "y"))
	r := NewRedactor(secret, "other-words")
	for form, text := range map[string]string{
		"raw":                   secret,
		"query escaped":         url.QueryEscape(secret),
		"path escaped":          url.PathEscape(secret),
		"escaped in small hex":  strings.ToLower(url.QueryEscape(secret)),
		"JSON":                  string(quoted),
		"JSON, & as it is":      `blue \"whale\" & sons`,
		"base64":                base64.StdEncoding.EncodeToString([]byte(secret)),
		"base64 without end":    base64.RawURLEncoding.EncodeToString([]byte(secret)),
		"base64 of more":        pair,
		"hexadecimal":           hex.EncodeToString([]byte(secret)),
		"with colours inside":   "blue \x1b[1m" + `"whale" & sons`,
		"with zero width space": "blue \u200b" + `"whale" & sons`,
	} {
		got := r.Text("cannot find " + text + " in the sea")
		if strings.Contains(got, "whale") || !strings.HasPrefix(got, "cannot find ") || !strings.HasSuffix(got, " in the sea") || leaked(got, text) != "" {
			t.Errorf("%s: %q", form, got)
		}
	}
	if got := Text(secret); got != secret {
		t.Fatalf("the rules find it, so this test shows nothing: %q", got)
	}
}

func TestLongestOfTwoKnownSecretsWins(t *testing.T) {
	if got := NewRedactor("seaside", "seaside-hotel").Text("at seaside-hotel now"); got != "at [redacted] now" {
		t.Errorf("%q", got)
	}
}

func TestLinesOfAKnownSecretGoToo(t *testing.T) {
	if got := NewRedactor("first line of it\nsecond line of it\n").Text("see second line of it here"); got != "see [redacted] here" {
		t.Errorf("%q", got)
	}
}

func TestValuesThatAreNoSecrets(t *testing.T) {
	r := NewRedactor("", "abc", "true", "production", "8080", " info ")
	const text = "true info: abc runs in production on port 8080"
	if got := r.Text(text); got != text {
		t.Errorf("%q", got)
	}
}

func TestRedactorOfErrors(t *testing.T) {
	var none *Redactor
	if got := none.Error(errors.New("dial 10.0.0.3 failed")); got != "dial [address] failed" {
		t.Errorf("%q", got)
	}
	if got := none.Error(nil); got != "" {
		t.Errorf("%q", got)
	}
}

func TestRedactorIsSafeForConcurrentUse(t *testing.T) {
	g := gen{rand.New(rand.NewPCG(1, 1))}
	r := NewRedactor(g.pass(), "blue whale")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				if got := r.Text("a blue whale at 10.0.0.3"); got != "a [redacted] at [address]" {
					t.Errorf("%q", got)
				}
			}
		})
	}
	wg.Wait()
}
