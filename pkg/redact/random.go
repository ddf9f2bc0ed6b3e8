package redact

import "strings"

var (
	uuid   = re(`(?i)\b(?:[a-z]+[-_])?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`)
	run    = re(`[A-Za-z0-9_+/=~.$!#*^-]{10,}`)
	octets = re(`\b(?:[0-9a-fA-F]{2}[: ]){7,}[0-9a-fA-F]{2}\b`)
)

// randomRuns takes what no rule knows but what looks drawn and not written: the last net for secrets without a name.
func randomRuns(s string) string {
	s = uuid.ReplaceAllString(s, secretMark)
	s = octets.ReplaceAllString(s, secretMark)
	return run.ReplaceAllStringFunc(s, func(m string) string {
		core := strings.TrimRight(strings.TrimLeft(m, "./=-_*#!"), ".!/-*#")
		if !randomRun(core) {
			return m
		}
		i := strings.Index(m, core)
		return m[:i] + secretMark + m[i+len(core):]
	})
}

func randomRun(s string) bool {
	h := shapeOf(s)
	bare := s[max(strings.IndexByte(s, '='), 0):]
	switch {
	case h.digit == 0 && h.upper == 0 && h.symbol == 0:
		return len(s) >= 16 && randomLooking(s)
	case strings.HasPrefix(s, "0x") && len(s) <= 18:
		return false
	case hexRun(s), printableBase64(s), printableBase64(strings.TrimLeft(bare, "=")):
		return true
	case codeFile.MatchString(strings.ToLower(s)) && len(s) < 40:
		return false
	case len(s) >= 16 && h.digit > 0 && h.upper > 0 && h.lower > 0 && h.groups >= 2 && h.symbol <= 1 && randomLooking(s):
		return true
	}
	// Judge the parts, since names are put together of words, and their sum.
	parts := strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune("_./=-+~$!#*^", r) })
	letters := strings.Join(parts, "")
	if len(letters) >= 20 && h.digit > 1 && h.groups >= 3 {
		if share, pairs := familiar(letters); pairs >= 4 && share < 0.6 {
			return true
		}
	}
	for _, p := range parts {
		ph := shapeOf(p)
		if len(p) >= 10 && !versionLike(p) && randomLooking(p) && (ph.digit > 0 || len(p) >= 16) {
			return true
		}
	}
	return false
}

// hexRun tells whether s is 16 or more hexadecimal digits, some of them letters and some not.
func hexRun(s string) bool {
	h := shapeOf(s)
	return len(s) >= 16 && h.symbol == 0 && h.digit > 0 && h.lower+h.upper > 0 && plainHex(s)
}
