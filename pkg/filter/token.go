package filter

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// SyntaxError says where and why an expression cannot be read. Its text quotes at most a few characters of the input.
type SyntaxError struct {
	// Pos is the byte position in the decoded text, from 0.
	Pos int
	// Expected is what would have been right there.
	Expected string
	// Found is what stands there.
	Found string
	// Hint is a likely cure; may be empty.
	Hint string
}

func (e *SyntaxError) Error() string {
	s := fmt.Sprintf("at byte %d: expected %s, found %s", e.Pos, e.Expected, e.Found)
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

type kind uint8

const (
	tokEnd kind = iota
	tokTag
	tokAnd
	tokOr
	tokNot
	tokOpen
	tokClose
)

type token struct {
	kind kind
	pos  int
	text string // the tag, or the source of an operator
}

func (t token) describe() string {
	if t.kind == tokEnd {
		return "the end"
	}
	return excerpt(t.text)
}

// excerpt quotes the beginning of s for an error text.
func excerpt(s string) string {
	const most = 24
	if utf8.RuneCountInString(s) <= most {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf("%q…", string([]rune(s)[:most]))
}

func keyword(word string) (kind, bool) {
	switch {
	case strings.EqualFold(word, "and"):
		return tokAnd, true
	case strings.EqualFold(word, "or"):
		return tokOr, true
	case strings.EqualFold(word, "not"):
		return tokNot, true
	}
	return tokEnd, false
}

func isTagRune(r rune) bool {
	if r < utf8.RuneSelf {
		return r == '_' || r == '.' || r == '-' ||
			'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	}
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r))
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// lexer cuts an expression into tokens, one at a time.
type lexer struct {
	src string
	pos int
}

func (l *lexer) next() (token, error) {
	for l.pos < len(l.src) && isSpace(l.src[l.pos]) {
		l.pos++
	}
	if l.pos == len(l.src) {
		return token{kind: tokEnd, pos: l.pos}, nil
	}
	switch rest := l.src[l.pos:]; {
	case rest[0] == '(':
		return l.take(tokOpen, 1), nil
	case rest[0] == ')':
		return l.take(tokClose, 1), nil
	case rest[0] == '+':
		return l.take(tokAnd, 1), nil
	case rest[0] == ',':
		return l.take(tokOr, 1), nil
	case rest[0] == '!', rest[0] == '-': // a hyphen inside a tag never gets here: words are read to their end
		return l.take(tokNot, 1), nil
	case strings.HasPrefix(rest, "&&"):
		return l.take(tokAnd, 2), nil
	case strings.HasPrefix(rest, "||"):
		return l.take(tokOr, 2), nil
	case rest[0] == '&', rest[0] == '|':
		return token{}, &SyntaxError{Pos: l.pos, Expected: excerpt(rest[:1] + rest[:1]), Found: excerpt(rest[:1])}
	case rest[0] == '"':
		return l.quoted()
	default:
		return l.word()
	}
}

func (l *lexer) take(k kind, n int) token {
	t := token{kind: k, pos: l.pos, text: l.src[l.pos : l.pos+n]}
	l.pos += n
	return t
}

func (l *lexer) word() (token, error) {
	end := l.pos
	for end < len(l.src) {
		r, size := utf8.DecodeRuneInString(l.src[end:])
		if !isTagRune(r) {
			break
		}
		end += size
	}
	if end == l.pos {
		r, _ := utf8.DecodeRuneInString(l.src[l.pos:])
		return token{}, &SyntaxError{
			Pos: l.pos, Expected: "a tag, an operator or a parenthesis", Found: excerpt(string(r)),
			Hint: `a tag with other characters stands in double quotes`,
		}
	}
	word := l.src[l.pos:end]
	if k, is := keyword(word); is {
		return l.take(k, len(word)), nil
	}
	if err := checkTag(word, l.pos); err != nil {
		return token{}, err
	}
	return l.take(tokTag, len(word)), nil
}

// quoted reads a tag in double quotes, where a backslash takes the next character as it is. 1MCP has no such form; it
// lets every tag that a list or preset may hold be written as an expression.
func (l *lexer) quoted() (token, error) {
	var b strings.Builder
	for i := l.pos + 1; i < len(l.src); i++ {
		switch c := l.src[i]; {
		case c == '"':
			if err := checkTag(b.String(), l.pos); err != nil {
				return token{}, err
			}
			t := token{kind: tokTag, pos: l.pos, text: b.String()}
			l.pos = i + 1
			return t, nil
		case c == '\\' && i+1 < len(l.src):
			i++
			b.WriteByte(l.src[i])
		default:
			b.WriteByte(c)
		}
	}
	return token{}, &SyntaxError{Pos: l.pos, Expected: `a closing "`, Found: "the end"}
}

// checkTag holds a tag to what every way of writing it has in common.
func checkTag(tag string, pos int) error {
	folded := fold(tag)
	switch {
	case folded == "":
		return &SyntaxError{Pos: pos, Expected: "a tag", Found: "an empty one"}
	case utf8.RuneCountInString(folded) > MaxTagLength:
		return &SyntaxError{Pos: pos, Expected: fmt.Sprintf("a tag of at most %d characters", MaxTagLength), Found: excerpt(folded)}
	case !utf8.ValidString(tag):
		return &SyntaxError{Pos: pos, Expected: "a tag in UTF-8", Found: excerpt(tag)}
	case strings.ContainsFunc(folded, unicode.IsControl):
		return &SyntaxError{Pos: pos, Expected: "a tag without control characters", Found: excerpt(folded)}
	}
	return nil
}
