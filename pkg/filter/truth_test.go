package filter

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// formula is an expression with an evaluation of its own, against which parsing is checked.
type formula struct {
	write func(*rand.Rand) string
	holds func(has map[string]bool) bool
	level int // 0 or, 1 and, 2 not, 3 tag: what needs parentheses inside what
}

// pick makes a random formula over the tags a to d.
func pick(r *rand.Rand, depth int) formula {
	kind := r.IntN(4)
	if depth == 0 {
		kind = 3
	}
	switch kind {
	case 3:
		tag := string(rune('a' + r.IntN(4)))
		return formula{func(*rand.Rand) string { return tag }, func(has map[string]bool) bool { return has[tag] }, 3}
	case 2:
		in := pick(r, depth-1)
		return formula{func(r *rand.Rand) string {
			return []string{"!", "not ", "NOT\t", "-"}[r.IntN(4)] + in.inside(r, 3)
		}, func(has map[string]bool) bool { return !in.holds(has) }, 2}
	}
	x, y := pick(r, depth-1), pick(r, depth-1)
	words := []string{",", " || ", " or ", " OR "}
	if kind == 1 {
		words = []string{"+", "&&", " and ", " And "}
	}
	return formula{func(r *rand.Rand) string {
		return x.inside(r, kind) + words[r.IntN(4)] + y.inside(r, kind)
	}, func(has map[string]bool) bool {
		if kind == 1 {
			return x.holds(has) && y.holds(has)
		}
		return x.holds(has) || y.holds(has)
	}, kind}
}

// inside writes the formula as an operand, in parentheses where precedence asks for them and sometimes where not.
func (f formula) inside(r *rand.Rand, level int) string {
	s := f.write(r)
	if f.level < level || r.IntN(8) == 0 {
		return "(" + s + ")"
	}
	return s
}

func TestParserAgreesWithBooleanAlgebra(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		f := pick(r, 4)
		src := f.write(r)
		e, err := ParseExpr(src)
		if err != nil {
			t.Fatalf("%q: %v", src, err)
		}
		for set := range 16 {
			has := map[string]bool{}
			var tags []string
			for i, tag := range strings.Split("abcd", "") {
				if has[tag] = set&(1<<i) != 0; has[tag] {
					tags = append(tags, tag)
				}
			}
			if e.Match(tags) != f.holds(has) {
				t.Fatalf("%q (canonical %q) on %v: %v", src, e, tags, e.Match(tags))
			}
		}
	}
}
