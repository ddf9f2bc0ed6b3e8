package redact

import (
	"strings"
	"unicode/utf8"
)

// MaxText is the most that Text looks at and gives back, in bytes. What is longer is cut at the end of a word before
// anything else, so that no half of a secret is left at the edge and hostile text costs little.
const MaxText = 2 << 10

const ellipsis = "…"

// Text cleans a text of everything that has no place on a public page: credentials and tokens in all the forms they come in,
// URLs, paths, addresses, host names, mail addresses, phone and card numbers. It leaves placeholders in brackets, and
// text that is already clean as it is. It knows no particular secret; see [Redactor] for that.
func Text(s string) string { return clean(s, nil) }

// clean runs all layers; known may be nil.
func clean(s string, known *strings.Replacer) string {
	s = limit(s, MaxText)
	s = strip(s)
	if known != nil {
		s = known.Replace(s)
	}
	s = encoded(s)
	for _, r := range forms {
		s = r.apply(s)
	}
	s = namedValues(s)
	for _, r := range places {
		s = r.apply(s)
	}
	s = randomRuns(s)
	for _, r := range hosts {
		s = r.apply(s)
	}
	return limit(glue(s), MaxText)
}

// limit cuts s to at most n bytes at the end of a word, or of a character if the word is endless.
func limit(s string, n int) string {
	if len(s) <= n {
		return s
	}
	cut := n - len(ellipsis)
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	if space := strings.LastIndexAny(s[:cut], " \t\r\n"); space > cut-n/4 {
		cut = space
	}
	return strings.TrimRight(s[:cut], " \t\r\n") + ellipsis
}
