package wire

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// Unquote decodes a complete JSON string including its quotes. It reports false if raw is anything else, or if it holds
// a lone surrogate, which has no UTF-8 form and so no spelling that two readers would compare alike.
func Unquote(raw []byte) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	next, escaped, reason := scanString(raw, 1)
	if reason != "" || next != len(raw) {
		return "", false
	}
	text := raw[1 : len(raw)-1]
	if !escaped {
		return string(text), true
	}
	plain, ok := appendUnescaped(make([]byte, 0, len(text)), text)
	if !ok {
		return "", false
	}
	return string(plain), true
}

// appendUnescaped decodes the inside of a JSON string. It reports false for a bad escape or a lone surrogate.
func appendUnescaped(dst, text []byte) ([]byte, bool) {
	for {
		n := bytes.IndexByte(text, '\\')
		if n < 0 {
			return append(dst, text...), true
		}
		dst = append(dst, text[:n]...)
		text = text[n:]
		if n = escapeLen(text); n == 0 {
			return dst, false
		}
		if n == 2 {
			dst = append(dst, plainEscapes[text[1]])
			text = text[2:]
			continue
		}
		r, _ := hex4(text[2:])
		text = text[6:]
		if utf16.IsSurrogate(r) {
			if escapeLen(text) != 6 {
				return dst, false
			}
			low, _ := hex4(text[2:])
			if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
				return dst, false
			}
			text = text[6:]
		}
		dst = utf8.AppendRune(dst, r)
	}
}

var plainEscapes = [256]byte{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// AppendQuote appends s as a JSON string. Invalid UTF-8 becomes U+FFFD; nothing is escaped that need not be.
func AppendQuote(dst []byte, s string) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(dst, s[from:i]...)
				dst = append(dst, "\ufffd"...)
				from = i + 1
			}
			i += n
			continue
		}
		if c >= 0x20 && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[from:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		}
		i++
		from = i
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}

// equalString reports whether raw is a JSON string that decodes to s.
func equalString(raw []byte, s string) bool {
	if len(raw) < 2 || raw[0] != '"' {
		return false
	}
	return equalKey(raw[1:len(raw)-1], s)
}

// equalKey reports whether text, the inside of a JSON string, decodes to s.
func equalKey(text []byte, s string) bool {
	if bytes.IndexByte(text, '\\') < 0 {
		return string(text) == s
	}
	if len(text) > 6*len(s) { // no escape is longer than six bytes for one
		return false
	}
	var scratch [64]byte
	plain, ok := appendUnescaped(scratch[:0], text)
	return ok && string(plain) == s
}
