package redact

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	escapedRune = regexp.MustCompile(`\\u00[0-7][0-9a-fA-F]|\\x[0-7][0-9a-fA-F]|\\(?:033|e)\[|\\["/]`)
	// terminal are the control sequences of ECMA-48: CSI, OSC and the two-byte ones.
	terminal = regexp.MustCompile("\x1b\\[[0-?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|\x1b[@-_]?")
)

// strip takes one layer of JSON quoting off, and what a reader does not see: terminal sequences, control and format
// characters. Any of them could stand inside a secret and hide it from the rules.
func strip(s string) string {
	if strings.IndexByte(s, '\\') >= 0 {
		s = escapedRune.ReplaceAllStringFunc(s, unescape)
	}
	if strings.IndexByte(s, 0x1b) >= 0 {
		s = terminal.ReplaceAllString(s, "")
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "�")
	}
	if strings.IndexFunc(s, invisible) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if invisible(r) {
			return -1
		}
		return r
	}, s)
}

func unescape(e string) string {
	switch {
	case e[1] == 'u' || e[1] == 'x':
		n, _ := strconv.ParseUint(e[2:], 16, 8)
		if n == '\\' {
			return e
		}
		return string(rune(n))
	case e[len(e)-1] == '[':
		return "\x1b["
	default:
		return e[1:]
	}
}

func invisible(r rune) bool {
	if r < utf8.RuneSelf {
		return r < ' ' && r != '\n' && r != '\t' && r != '\r' || r == 0x7f
	}
	return unicode.Is(unicode.Cf, r) || unicode.IsControl(r) || unicode.Is(unicode.Variation_Selector, r)
}
