package wire

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// Constants for looking at eight bytes at once in a little-endian word.
const (
	each    = 0x0101010101010101
	high    = 0x80 * each
	quotes  = '"' * each
	slashes = '\\' * each
)

// Reasons of lexical errors.
const (
	reasonUnended   = "the text ends too early"
	reasonControl   = "control character in a string"
	reasonEscape    = "invalid escape in a string"
	reasonUTF8      = "invalid UTF-8"
	reasonNumber    = "invalid number"
	reasonLiteral   = "invalid literal"
	reasonSurrogate = "invalid escape or lone surrogate in a key"
)

// stopBytes marks (with its high bit) each ASCII byte of w that ends a plain run inside a string: a quote, a backslash
// or a control character. Only the lowest mark is exact, because a subtraction borrows from the byte above a hit.
// Exchanging bit 1 puts the quote (0x22) to 0x20, directly above the control characters, so one comparison finds both.
func stopBytes(w uint64) uint64 {
	return (((w ^ 0x02*each) - 0x21*each) | ((w ^ slashes) - each)) &^ w & high
}

// scanString validates a string from i, the byte after its opening quote. It returns the index after the closing quote
// and whether there was an escape; or, with a reason, the offset of the fault.
func scanString(b []byte, i int) (next int, escaped bool, reason string) {
	start, seen := i, uint64(0)
	for {
		i, seen = plainRun(b, i, seen)
		if i >= len(b) {
			return len(b), escaped, reasonUnended
		}
		switch b[i] {
		case '"':
			// seen may also hold bytes after the quote; that costs a check, never correctness.
			if seen&high != 0 && !utf8.Valid(b[start:i]) {
				return firstInvalid(b, start), escaped, reasonUTF8
			}
			return i + 1, escaped, ""
		case '\\':
			n := escapeLen(b[i:])
			if n == 0 {
				return i, true, reasonEscape
			}
			escaped = true
			i += n
		default:
			return i, escaped, reasonControl
		}
	}
}

// plainRun returns the index of the next quote, backslash or control character at or after i, or len(b), and collects
// the bytes it passed in seen, whose high bits tell whether any was not ASCII.
func plainRun(b []byte, i int, seen uint64) (int, uint64) {
	for i+16 <= len(b) {
		w, v := binary.LittleEndian.Uint64(b[i:]), binary.LittleEndian.Uint64(b[i+8:])
		if m := stopBytes(w); m != 0 {
			return i + bits.TrailingZeros64(m)>>3, seen | w
		}
		seen |= w | v
		if m := stopBytes(v); m != 0 {
			return i + 8 + bits.TrailingZeros64(m)>>3, seen
		}
		i += 16
	}
	for ; i < len(b); i++ {
		c := b[i]
		if c < 0x20 || c == '"' || c == '\\' {
			break
		}
		seen |= uint64(c)
	}
	return i, seen
}

// firstInvalid returns the offset of the first byte at or after i that is not UTF-8.
func firstInvalid(b []byte, i int) int {
	for i < len(b) {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n <= 1 {
			return i
		}
		i += n
	}
	return i
}

// escapeLen returns the length of the escape sequence at the start of b, or 0 if it is not one.
func escapeLen(b []byte) int {
	if len(b) < 2 || b[0] != '\\' {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hex4(b[2:]); ok {
			return 6
		}
	}
	return 0
}

// hex4 decodes four hexadecimal digits.
func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// validString reports whether b is one complete, valid JSON string.
func validString(b []byte) bool {
	if len(b) < 2 || b[0] != '"' {
		return false
	}
	next, _, reason := scanString(b, 1)
	return reason == "" && next == len(b)
}

// scanNumber validates a number that starts at i (RFC 8259 §6) and returns the index after it.
func scanNumber(b []byte, i int) (next int, ok bool) {
	if i < len(b) && b[i] == '-' {
		i++
	}
	switch {
	case i >= len(b):
		return i, false
	case b[i] == '0':
		i++
	case '1' <= b[i] && b[i] <= '9':
		i = digits(b, i)
	default:
		return i, false
	}
	if i < len(b) && b[i] == '.' {
		from := i + 1
		if i = digits(b, from); i == from {
			return i, false
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		from := i
		if i = digits(b, from); i == from {
			return i, false
		}
	}
	return i, true
}

func digits(b []byte, i int) int {
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i
}

// scanScalar validates a number, true, false or null at i and returns the index after it, or a reason and its offset.
func scanScalar(b []byte, i int) (next int, reason string) {
	if i >= len(b) {
		return len(b), reasonUnended
	}
	var word string
	switch c := b[i]; c {
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		next, ok := scanNumber(b, i)
		if !ok {
			return next, reasonNumber
		}
		return next, ""
	case 't':
		word = "true"
	case 'f':
		word = "false"
	case 'n':
		word = "null"
	default:
		return i, "expected a value"
	}
	if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
		return i, reasonLiteral
	}
	return i + len(word), ""
}

// skipSpace returns the index of the first byte at or after i that is not JSON white space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}
