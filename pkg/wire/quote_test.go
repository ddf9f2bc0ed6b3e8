package wire

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestUnquote(t *testing.T) {
	for _, test := range []struct {
		rule, raw, want string
		ok              bool
	}{
		{"plain", `"abc"`, "abc", true},
		{"empty", `""`, "", true},
		{"all short escapes", `"\"\\\/\b\f\n\r\t"`, "\"\\/\b\f\n\r\t", true},
		{"a pair of surrogates is one rune", `"\ud83d\uDE00"`, "😀", true},
		{"NUL", `"\u0000"`, "\x00", true},
		{"a lone surrogate is no text", `"a\ud800"`, "", false},
		{"halves in the wrong order", `"\ude00\ud83d"`, "", false},
		{"a high half before something else", `"\ud83dxxxxxx"`, "", false},
		{"a low half without its backslash (found by fuzzing)", `"\ud83dLude00"`, "", false},
		{"quotes are needed", `abc`, "", false},
		{"both of them", `"abc`, "", false},
		{"nothing behind them", `"abc"x`, "", false},
		{"an escaped quote does not end it", `"abc\"`, "", false},
		{"invalid UTF-8", "\"\xff\"", "", false},
		{"control character", "\"\n\"", "", false},
		{"number", `1`, "", false},
		{"nothing", ``, "", false},
	} {
		t.Run(test.rule, func(t *testing.T) {
			got, ok := Unquote([]byte(test.raw))
			if got != test.want || ok != test.ok {
				t.Errorf("got %q, %v, want %q, %v", got, ok, test.want, test.ok)
			}
		})
	}
}

func TestAppendQuoteEscapesOnlyWhatItMust(t *testing.T) {
	got := string(AppendQuote([]byte("x="), "a\"b\\c/d<&>é\u2028\n\r\t\x00\x1f\x7f\xff"))
	want := `x="a\"b\\c/d<&>é` + "\u2028" + `\n\r\t\u0000\u001f` + "\x7f\ufffd" + `"`
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzQuote(f *testing.F) {
	f.Add("plain")
	f.Add("\"\\\n\x00\xff\u2028😀")
	f.Add(`\ud83d\ude00\u00e9`)
	f.Add(`\ud83dLude00`)
	f.Fuzz(func(t *testing.T, s string) {
		quoted := AppendQuote(nil, s)
		var decoded string
		if err := json.Unmarshal(quoted, &decoded); err != nil {
			t.Fatalf("AppendQuote made %s: %v", quoted, err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); utf8.ValidString(s) && decoded != want {
			t.Errorf("%s decodes to %q, want %q", quoted, decoded, want)
		}
		if back, ok := Unquote(quoted); !ok || back != decoded {
			t.Errorf("Unquote(%s) is %q, %v", quoted, back, ok)
		}
		// s as the inside of a string: Unquote and encoding/json must agree on what it is.
		raw := []byte(`"` + s + `"`)
		got, ok := Unquote(raw)
		valid := json.Valid(raw) && utf8.Valid(raw) && !refLoneSurrogate(raw)
		if ok != valid {
			t.Fatalf("Unquote(%s) accepts: %v, want %v", raw, ok, valid)
		}
		if ok {
			if err := json.Unmarshal(raw, &decoded); err != nil || got != decoded {
				t.Errorf("Unquote(%s) is %q, want %q", raw, got, decoded)
			}
			if !equalString(raw, decoded) || equalString(raw, decoded+"x") {
				t.Errorf("equalString is wrong about %s", raw)
			}
		}
	})
}
