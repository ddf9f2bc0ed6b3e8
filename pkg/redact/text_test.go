package redact

import (
	"flag"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

// leaked gives a part of secret that is in text: the whole, or a run of max(5, min(8, half)) characters.
func leaked(text, secret string) string {
	n := max(5, min(8, len(secret)/2))
	for i := 0; i+n <= len(secret); i++ {
		if strings.Contains(text, secret[i:i+n]) {
			return secret[i : i+n]
		}
	}
	if secret != "" && strings.Contains(text, secret) {
		return secret
	}
	return ""
}

// leaksOf puts the lines of one seed through Text.
func leaksOf(t *testing.T, seed uint64) {
	t.Helper()
	bad := map[string]bool{}
	for _, l := range (gen{rand.New(rand.NewPCG(seed, 1))}).leaks() {
		got := Text(l.line)
		for _, s := range l.secrets {
			part := leaked(got, s)
			if part == "" || strings.Contains(strings.ReplaceAll(l.line, s, ""), part) || bad[l.kind] {
				continue // not there, or also an innocent part of the line
			}
			bad[l.kind] = true
			t.Errorf("seed %d, %s: %q of %q\n  in   %q\n  gives %q", seed, l.kind, part, s, l.line, got)
		}
		if again := Text(got); again != got && !bad[l.kind] {
			bad[l.kind] = true
			t.Errorf("seed %d, %s: a second pass changes\n  %q to\n  %q", seed, l.kind, got, again)
		}
	}
}

var seeds = flag.Uint64("seeds", 8, "how many corpora TestNothingLeaks makes")

// TestNothingLeaks runs fixed corpora, so that it fails for what was changed and not by chance. To look for more of what
// slips through: go test ./pkg/redact -run NothingLeaks -seeds 2000.
func TestNothingLeaks(t *testing.T) {
	for seed := range *seeds {
		leaksOf(t, seed)
	}
	leaksOf(t, 73)  // random letters that end like a word in -ing
	leaksOf(t, 276) // capitals in no order before a number, which were taken for a version
}

func TestBenignLinesStay(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(benign), "\n")
	changed, words, kept := 0, 0, 0
	for _, line := range lines {
		got := Text(line)
		if got != line {
			changed++
			t.Logf("%q became %q", line, got)
		}
		for w := range strings.FieldsSeq(line) {
			words++
			if strings.Contains(got, w) {
				kept++
			}
		}
	}
	if changed*20 > len(lines) {
		t.Errorf("%d of %d lines changed, over 5 %%", changed, len(lines))
	}
	if kept*100 < words*98 {
		t.Errorf("%d of %d words kept, under 98 %%", kept, words)
	}
}

func TestCutAtTheEnd(t *testing.T) {
	for _, c := range []struct{ rule, in string }{
		{"words", strings.Repeat("word ", 1000)},
		{"one endless word", strings.Repeat("é", 3000)},
		{"placeholders longer than what they replace", strings.Repeat("1.2.3.4 ", 256)},
		{"control characters", strings.Repeat("a\x00\x1b[1mb", 500)},
	} {
		got := Text(c.in)
		if len(got) > MaxText || !utf8.ValidString(got) {
			t.Errorf("%s: %d bytes, valid %v", c.rule, len(got), utf8.ValidString(got))
		}
		if again := Text(got); again != got {
			t.Errorf("%s: a second pass changes %q", c.rule, got[max(0, len(got)-40):])
		}
	}
	if got := Text("short"); got != "short" {
		t.Errorf("short text is %q", got)
	}
}

func FuzzText(f *testing.F) {
	for i, l := range (gen{rand.New(rand.NewPCG(1, 2))}).leaks() {
		if i%10 == 0 && len(l.line) < 200 {
			f.Add(l.line)
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Text(s)
		if len(got) > MaxText {
			t.Fatalf("%d bytes", len(got))
		}
	})
}

// hostile are 2 KiB that make rules work hard.
func hostile() map[string]string {
	m := map[string]string{}
	for name, unit := range map[string]string{
		"colons": ":", "a:": "a:", "at": "a@", "slashes": "/a", "backslashes": `\\a`, "percent": "%41", "dots": "a.", "digits": "1 ", "dashes": "1-",
		"hex": "ab:", "equals": "a=", "password=": "password=", "quotes": `"a`, "authorization": "authorization:", "drive": `C:\a b`, "begin": "-----BEGIN ",
		"base64": "aGVsbG8gd29ybGQ", "spaces": " ", "hosts": "db-prod-", "bearer": "bearer a ", "brackets": "[", "userinfo": "a:b", "mixed": `"token": 'x=`,
		"http": "http:", "urls": "h://", "upper": "A_B=", "ipv6": "::1 ", "escapes": `\u001b[`,
	} {
		m[name] = strings.Repeat(unit, MaxText/len(unit))
	}
	return m
}

func BenchmarkText(b *testing.B) {
	inputs := hostile()
	inputs["short"] = "connect ECONNREFUSED 10.0.0.3:5432"
	inputs["clean"] = "tool not found: the server does not offer it"
	for name, in := range inputs {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Text(in)
			}
		})
	}
}
