package filter

import (
	"slices"
	"strings"
)

// Expr is a condition on the tags of a server. It is immutable. The zero Expr is no condition: it matches everything.
type Expr struct {
	root *node
	text string
}

type op uint8

const (
	opTag op = iota
	opNot
	opAnd
	opOr
)

// node is one operation. Its text is canonical: tags folded, operands of "and" and "or" flattened, sorted and unique.
type node struct {
	op   op
	tag  string
	kids []*node
	text string
}

// Match tells whether a server with these tags is selected. Tags compare without regard to case and surrounding space.
func (e Expr) Match(tags []string) bool {
	return e.root == nil || e.root.match(tags)
}

// String gives the canonical form in the grammar of [ParseExpr]; empty for the zero Expr. Expressions that differ only in
// spelling, order or repetition have the same text. [ParseExpr] reads it back as an equal Expr.
func (e Expr) String() string { return e.text }

// IsZero tells whether the expression is no condition at all.
func (e Expr) IsZero() bool { return e.root == nil }

// newExpr keeps the promise that a canonical text can be read back: folding and quoting may have made it longer.
func newExpr(n *node) (Expr, error) {
	if err := checkLength(n.text); err != nil {
		return Expr{}, err
	}
	return Expr{root: n, text: n.text}, nil
}

func (n *node) match(tags []string) bool {
	switch n.op {
	case opTag:
		return slices.ContainsFunc(tags, func(t string) bool { return fold(t) == n.tag })
	case opNot:
		return !n.kids[0].match(tags)
	case opAnd:
		for _, k := range n.kids {
			if !k.match(tags) {
				return false
			}
		}
		return true
	default:
		return slices.ContainsFunc(n.kids, func(k *node) bool { return k.match(tags) })
	}
}

// fold is the form in which tags are compared.
func fold(tag string) string { return strings.ToLower(strings.TrimSpace(tag)) }

func newTag(tag string) *node {
	tag = fold(tag)
	return &node{op: opTag, tag: tag, text: quote(tag)}
}

func newNot(k *node) *node {
	switch k.op {
	case opNot:
		return k.kids[0]
	case opTag:
		return &node{op: opNot, kids: []*node{k}, text: "!" + k.text}
	default:
		return &node{op: opNot, kids: []*node{k}, text: "!(" + k.text + ")"}
	}
}

// combine joins operands under "and" or "or". Operands of the same kind are merged into it.
func combine(o op, kids []*node) *node {
	flat := make([]*node, 0, len(kids))
	for _, k := range kids {
		if k.op == o {
			flat = append(flat, k.kids...)
		} else {
			flat = append(flat, k)
		}
	}
	slices.SortFunc(flat, func(a, b *node) int { return strings.Compare(a.text, b.text) })
	flat = slices.CompactFunc(flat, func(a, b *node) bool { return a.text == b.text })
	if len(flat) == 1 {
		return flat[0]
	}
	sep := byte('+')
	if o == opOr {
		sep = ','
	}
	var b strings.Builder
	for i, k := range flat {
		if i > 0 {
			b.WriteByte(sep)
		}
		if o == opAnd && k.op == opOr {
			b.WriteString("(" + k.text + ")")
		} else {
			b.WriteString(k.text)
		}
	}
	return &node{op: o, kids: flat, text: b.String()}
}

// quote writes a folded tag so that the grammar reads it as that tag.
func quote(tag string) string {
	if isPlain(tag) {
		return tag
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(tag); i++ {
		if tag[i] == '"' || tag[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(tag[i])
	}
	b.WriteByte('"')
	return b.String()
}

func isPlain(tag string) bool {
	if tag == "" || tag[0] == '-' {
		return false
	}
	if _, is := keyword(tag); is {
		return false
	}
	return !strings.ContainsFunc(tag, func(r rune) bool { return !isTagRune(r) })
}
