package config

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestExpand(t *testing.T) {
	vars := map[string]string{"A": "1", "AB": "2", "EMPTY": "", "REF": "${A}", "_x9": "u", "PATHNAME": "key"}
	tests := []struct {
		rule, text, want string
		missed           []string
	}{
		{"text without $ stays", "plain", "plain", nil},
		{"braces", "a${A}b", "a1b", nil},
		{"bare names take all letters", "$AB$A", "21", nil},
		{"a bare name ends where names end", "$A-$A.$A/", "1-1.1/", nil},
		{"underscores and digits belong to names", "$_x9 ${_x9}", "u u", nil},
		{"the env: form", "${env:A}", "1", nil},
		{"the env: form has defaults as well", "${env:NO:-d}", "d", nil},
		{"a default for an unset variable", "${NO:-d}", "d", nil},
		{"a default for an empty variable", "${EMPTY:-d}", "d", nil},
		{"no default for a set one", "${A:-d}", "1", nil},
		{"an empty default", "x${NO:-}y", "xy", nil},
		{"an empty variable is set", "x${EMPTY}y$EMPTY", "xy", nil},
		{"a default may hold references", "${NO:-${ALSO_NO:-$A}}", "1", nil},
		{"a default may hold :-", "${NO:-a:-b}", "a:-b", nil},
		{"a replaced text is not looked at again", "${REF}", "${A}", nil},
		{"a dollar sign", "${$}A ${$}{A}", "$A ${A}", nil},
		{"the content of a file", "${file:key}", "secret", nil},
		{"the path of a file may hold references", "${file:${PATHNAME}}", "secret", nil},
		{"an unset variable stays", "a${NO}b", "a${NO}b", []string{"${NO}"}},
		{"an unset env: form stays", "${env:NO}", "${env:NO}", []string{"${NO}"}},
		{"an unset bare name stays and is not shown", "pa$word", "pa$word", []string{"bare"}},
		{"a file that is not there stays", "${file:no}", "${file:no}", []string{"${file:no} does not exist"}},
		{"an input stays", "${input:x}", "${input:x}", []string{"${input:x} asks for an input, and nobody can be asked"}},
		{"a dollar sign alone stays", "5$ $ $5 $-x $$ $", "5$ $ $5 $-x $$ $", nil},
		{"two dollar signs stay before a reference", "$$A $${A}", "$1 $1", nil},
		{"braces that never close stay", "${A ${", "${A ${", nil},
		{"what is no name stays", "${} ${1} ${A B} ${a.b} ${A:=x} ${A:+x}", "${} ${1} ${A B} ${a.b} ${A:=x} ${A:+x}", nil},
		{"a shell's forms stay", "$(id) `id` ${#A}", "$(id) `id` ${#A}", nil},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			var missed []string
			e := testExpander(vars)
			e.missed = func(m missing) {
				switch {
				case m.bare:
					missed = append(missed, "bare")
				case m.reason != "":
					missed = append(missed, m.ref+" "+m.reason)
				default:
					missed = append(missed, m.ref)
				}
			}
			if got := e.expand(tt.text); got != tt.want {
				t.Errorf("expand(%q) = %q, want %q", tt.text, got, tt.want)
			}
			if diff := cmp.Diff(tt.missed, missed); diff != "" {
				t.Errorf("missed (-want +got):\n%s", diff)
			}
		})
	}
}

func testExpander(vars map[string]string) *expander {
	return &expander{
		lookup: func(name string) (string, bool) { v, ok := vars[name]; return v, ok },
		readFile: func(path string) (string, error) {
			if path == "key" {
				return "secret", nil
			}
			return "", fs.ErrNotExist
		},
		missed: func(missing) {},
	}
}

func TestExpandIsBounded(t *testing.T) {
	e := testExpander(map[string]string{"BIG": strings.Repeat("x", 1<<16)})
	tooLong := 0
	e.missed = func(missing) { tooLong++ }
	if got := e.expand(strings.Repeat("${BIG}", 1000)); got != "" || tooLong == 0 {
		t.Errorf("a text of 64 MiB was made: %d bytes, reported %d times", len(got), tooLong)
	}
	deep := strings.Repeat("${A:-", 100) + "x" + strings.Repeat("}", 100)
	if got := testExpander(nil).expand(deep); !strings.Contains(got, "x") {
		t.Errorf("deep defaults gave %q", got)
	}
	if got := testExpander(map[string]string{"A": "1"}).expand(strings.Repeat("${", 1<<12) + "$A"); !strings.HasSuffix(got, "1") {
		t.Errorf("braces that never close hid the rest: …%q", got[len(got)-4:])
	}
}

func FuzzExpand(f *testing.F) {
	for _, s := range []string{"", "$A", "${A}", "${NO:-$A}", "${file:key}", "${$}", "$$", "${input:x}", "${env:A:-x}", "${${A}}", "\x00${A", "${NO:-}"} {
		f.Add(s, "v")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		missed, used := 0, 0
		e := &expander{
			lookup:   func(name string) (string, bool) { used++; return value, name == "A" },
			readFile: func(string) (string, error) { return "", errors.New("no") },
			missed:   func(missing) { missed++ },
		}
		got := e.expand(text)
		if !strings.Contains(text, "$") && got != text {
			t.Errorf("expand(%q) changed a text without $: %q", text, got)
		}
		if used == 0 && missed == 0 && !strings.Contains(text, "${$}") && got != text {
			t.Errorf("expand(%q) = %q, and nothing was replaced", text, got)
		}
		e.lookup = func(string) (string, bool) { return "", false }
		if !strings.Contains(text, ":-") && !strings.Contains(text, "${$}") && e.expand(text) != text {
			t.Errorf("expand(%q) changed a text whose variables are all unset", text)
		}
	})
}
