package redact

import (
	"regexp"
	"strings"
)

// What stands for what was taken out.
const (
	secretMark  = "[redacted]"
	urlMark     = "[url]"
	pathMark    = "[path]"
	addressMark = "[address]"
	hostMark    = "[host]"
	mailMark    = "[mail]"
	numberMark  = "[number]"
)

// rule replaces what re matches. One of the texts in need must occur, if there are any: they save running re.
type rule struct {
	need []string
	re   *regexp.Regexp
	repl string                                   // in the syntax of regexp.Expand
	fn   func(s string, loc []int) (string, bool) // instead of repl: false keeps the match
}

func (r *rule) apply(s string) string {
	if !r.needed(s) {
		return s
	}
	if r.fn == nil {
		return r.re.ReplaceAllString(s, r.repl)
	}
	var b strings.Builder
	last := 0
	for _, loc := range r.re.FindAllStringSubmatchIndex(s, -1) {
		with, is := r.fn(s, loc)
		if !is {
			continue
		}
		b.WriteString(s[last:loc[0]])
		b.WriteString(with)
		last = loc[1]
	}
	if last == 0 {
		return s
	}
	b.WriteString(s[last:])
	return b.String()
}

func (r *rule) needed(s string) bool {
	if r.need == nil {
		return true
	}
	for _, n := range r.need {
		if strings.Contains(s, n) {
			return true
		}
	}
	return false
}

func re(s string) *regexp.Regexp { return regexp.MustCompile(s) }

var glued = re(`\[(redacted|url|path|address|host|mail|number)\](?:[A-Za-z0-9_+/=~%@$-]|[.:][A-Za-z_+/=~%@$-])[A-Za-z0-9_+/=~%@.:$-]*`)

// glue takes with a placeholder what hangs on it without a gap: the rest of something that a rule did not take whole.
// Line numbers and ports may hang on.
func glue(s string) string {
	if strings.IndexByte(s, ']') < 0 {
		return s
	}
	return glued.ReplaceAllStringFunc(s, func(m string) string {
		end := strings.IndexByte(m, ']') + 1
		rest := m[end:]
		trail := strings.TrimRight(rest, ".:-=")
		return m[:end] + rest[len(trail):]
	})
}
