package filter

import (
	"fmt"
	"strings"
)

// Limits of what a client may send.
const (
	MaxLength    = 8 << 10 // bytes of one expression, list or preset query
	MaxTags      = 50      // tags of one list
	MaxTagLength = 100     // characters of one tag
	MaxDepth     = 50      // nested parentheses, or nested nodes of a preset
)

// ParseTags reads a comma-separated list; a server is selected if it has one of the tags.
func ParseTags(s string) (Expr, error) {
	if err := checkLength(s); err != nil {
		return Expr{}, err
	}
	var kids []*node
	pos := 0
	for tag := range strings.SplitSeq(s, ",") {
		if strings.TrimSpace(tag) != "" {
			if err := checkTag(tag, pos); err != nil {
				return Expr{}, err
			}
			kids = append(kids, newTag(tag))
		}
		if len(kids) > MaxTags {
			return Expr{}, &SyntaxError{Pos: pos, Expected: fmt.Sprintf("at most %d tags", MaxTags), Found: "more"}
		}
		pos += len(tag) + 1
	}
	if len(kids) == 0 {
		return Expr{}, &SyntaxError{Expected: "a tag", Found: "none"}
	}
	return newExpr(combine(opOr, kids))
}

// ParseExpr reads a boolean expression: and (+ && and), or (, || or), not (! - not), parentheses; "not" binds closest, then
// "and", then "or". Words are read without regard to case; "-" negates only where a tag may begin; a negation of a
// negation is refused. Errors are [*SyntaxError].
func ParseExpr(s string) (Expr, error) {
	if err := checkLength(s); err != nil {
		return Expr{}, err
	}
	n, err := parse(s)
	if err != nil {
		return Expr{}, err
	}
	return newExpr(n)
}

// ParseFilter reads an expression, or else a list of tags as [ParseTags] does. Text in which anything but commas looks like
// an operator is not taken for a list: its error is that of the expression.
func ParseFilter(s string) (Expr, error) {
	e, err := ParseExpr(s)
	if err == nil || looksLikeExpr(s) {
		return e, err
	}
	return ParseTags(s)
}

func looksLikeExpr(s string) bool {
	if len(s) > MaxLength || strings.ContainsAny(s, `()!+&|"`) {
		return true
	}
	for word := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ',' || r < 0x80 && isSpace(byte(r)) }) {
		if _, is := keyword(word); is || word[0] == '-' {
			return true
		}
	}
	return false
}

func checkLength(s string) error {
	if len(s) > MaxLength {
		return &SyntaxError{Pos: MaxLength, Expected: fmt.Sprintf("at most %d bytes", MaxLength), Found: fmt.Sprintf("%d", len(s))}
	}
	return nil
}

// parser is a recursive descent over one token of look-ahead.
type parser struct {
	lex   lexer
	tok   token
	depth int
}

func parse(s string) (*node, error) {
	p := &parser{lex: lexer{src: s}}
	if err := p.advance(); err != nil {
		return nil, err
	}
	n, err := p.list(opOr)
	if err != nil {
		return nil, err
	}
	switch p.tok.kind {
	case tokEnd:
		return n, nil
	case tokTag, tokNot, tokOpen:
		return nil, p.fail("an operator or the end", "in a URL, write + as %2B")
	default:
		return nil, p.fail("an operator or the end", "")
	}
}

func (p *parser) advance() (err error) {
	p.tok, err = p.lex.next()
	return err
}

func (p *parser) fail(expected, hint string) error {
	return &SyntaxError{Pos: p.tok.pos, Expected: expected, Found: p.tok.describe(), Hint: hint}
}

// list reads operands joined by "or", each of them operands joined by "and".
func (p *parser) list(o op) (*node, error) {
	operand, joint := p.unary, tokAnd
	if o == opOr {
		operand, joint = func() (*node, error) { return p.list(opAnd) }, tokOr
	}
	first, err := operand()
	if err != nil || p.tok.kind != joint {
		return first, err
	}
	kids := []*node{first}
	for p.tok.kind == joint {
		if err := p.advance(); err != nil {
			return nil, err
		}
		next, err := operand()
		if err != nil {
			return nil, err
		}
		kids = append(kids, next)
	}
	return combine(o, kids), nil
}

func (p *parser) unary() (*node, error) {
	if p.tok.kind != tokNot {
		return p.primary()
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.kind == tokNot {
		return nil, p.fail("a tag or a parenthesis", "a negation cannot be negated")
	}
	n, err := p.primary()
	if err != nil {
		return nil, err
	}
	return newNot(n), nil
}

func (p *parser) primary() (*node, error) {
	switch p.tok.kind {
	case tokTag:
		n := newTag(p.tok.text)
		return n, p.advance()
	case tokOpen:
		return p.group()
	default:
		return nil, p.fail("a tag", "")
	}
}

func (p *parser) group() (*node, error) {
	if p.depth++; p.depth > MaxDepth {
		return nil, p.fail(fmt.Sprintf("at most %d nested parentheses", MaxDepth), "")
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	n, err := p.list(opOr)
	if err != nil {
		return nil, err
	}
	if p.tok.kind != tokClose {
		return nil, p.fail("an operator or )", "")
	}
	p.depth--
	return n, p.advance()
}
