package filter

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

const (
	// DefaultSeparator stands between a server's prefix and a name.
	DefaultSeparator = "__"
	// DefaultBudget is the length of a public name that every client accepts (^[a-zA-Z0-9_-]{1,64}$).
	DefaultBudget = 64

	minBudget  = 24
	hashLength = 8 // base32 characters, 40 bits
)

var hashText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// PublicName gives the name under which clients see name of a server with this prefix: prefix, separator and name, as
// characters of ^[a-zA-Z0-9_-]{1,64}$ and at most budget of them. An empty prefix leaves the separator out.
//
// A name that has to be altered, because it is too long or has other characters, ends in "_" and a hash of its three parts,
// so that two different names do not become one silently, and gets the same text on every start; altered is then true.
// What is cut is cut from both parts, so that a long prefix does not swallow the name. A budget of 0 or over 64 means 64;
// below 24 it is 24.
func PublicName(prefix, sep, name string, budget int) (public string, altered bool) {
	if budget <= 0 || budget > DefaultBudget {
		budget = DefaultBudget
	}
	budget = max(budget, minBudget)
	if prefix == "" {
		sep = ""
	}
	if full := prefix + sep + name; len(full) <= budget && isLegal(full) {
		return full, false
	}
	sum := sha256.Sum256([]byte(prefix + "\x00" + sep + "\x00" + name))
	hash := hashText.EncodeToString(sum[:5])[:hashLength]

	p, s, n := legalise(prefix), legalise(sep), legalise(name)
	room := budget - hashLength - 1
	head := max(room/2, room-len(n))
	s = s[:min(len(s), head)]
	p = p[:min(len(p), head-len(s))]
	n = n[:min(len(n), room-len(p)-len(s))]
	return p + s + n + "_" + hash, true
}

func isLegal(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isLegalByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func isLegalByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}

// legalise puts one "_" for each character that is not allowed.
func legalise(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 && isLegalByte(byte(r)) {
			return r
		}
		return '_'
	}, s)
}
