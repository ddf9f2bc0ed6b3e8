package filter

import (
	"errors"
	"strings"
	"testing"
)

// tagsOf splits a test's server tags.
func tagsOf(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

func TestExpressionSelects(t *testing.T) {
	for _, c := range []struct {
		rule, expr, yes, no string
	}{
		{"a tag", "web", "web", "db"},
		{"tags compare without case", "WeB", "wEb", "db"},
		{"a server's tag may have space around it", "web", " web ", "we b"},
		{"and as +", "web+db", "web,db", "web"},
		{"and as &&", "web&&db", "web,db", "db"},
		{"and as a word, in any case", "web AnD db", "web,db", "web"},
		{"or as a comma", "web,db", "db", "x"},
		{"or as ||", "web || db", "db", "x"},
		{"or as a word", "web OR db", "web", "x"},
		{"not as !", "!web", "db", "web"},
		{"not as a word", "not web", "", "web"},
		{"not as a hyphen at the start", "-web", "db", "web"},
		{"not as a hyphen after an operator", "web+-db", "web", "web,db"},
		{"not as a hyphen after a parenthesis", "web+(-db)", "web", "web,db"},
		{"a hyphen inside a tag belongs to the tag", "web-test", "web-test", "web"},
		{"and binds closer than or", "a,b+c", "a", "b"},
		{"and binds closer than or on the left", "a+b,c", "c", "a"},
		{"not binds closer than and", "!a+b", "b", "a,b"},
		{"not binds closer than or", "!a,b", "a,b", "a"},
		{"parentheses come first", "(a,b)+c", "b,c", "b"},
		{"a word that begins like an operator is a tag", "android,notes,order", "notes", "and"},
		{"not may touch a parenthesis", "not(a,b)", "c", "b"},
		{"a negated group may hold a negation", "!(!a)", "a", "b"},
		{"dots and underscores are tag characters", "v1.2_x", "v1.2_x", "v1"},
		{"letters of every language are tag characters", "größe+日本", "GRÖSSE,größe,日本", "日本"},
		{"a quoted tag may hold anything", `"a b\"c\\"+x`, `a b"c\,x`, "x"},
		{"a quoted operator is a tag", `"and"`, "and", "or"},
	} {
		e, err := ParseExpr(c.expr)
		if err != nil {
			t.Errorf("%s: ParseExpr(%q): %v", c.rule, c.expr, err)
			continue
		}
		if !e.Match(tagsOf(c.yes)) {
			t.Errorf("%s: %q does not match %q", c.rule, c.expr, c.yes)
		}
		if e.Match(tagsOf(c.no)) {
			t.Errorf("%s: %q matches %q", c.rule, c.expr, c.no)
		}
	}
}

func TestExpressionErrorsSayWhere(t *testing.T) {
	for _, c := range []struct {
		rule, expr, want string
	}{
		{"empty", "", `at byte 0: expected a tag, found the end`},
		{"only an operator", "+", `at byte 0: expected a tag, found "+"`},
		{"operand missing at the end", "web AND", `at byte 7: expected a tag, found the end`},
		{"operand missing in the middle", "a,,b", `at byte 2: expected a tag, found ","`},
		{"operator missing, as when + was not encoded", "web db", `at byte 4: expected an operator or the end, found "db" (in a URL, write + as %2B)`},
		{"parenthesis not closed", "(a,b", `at byte 4: expected an operator or ), found the end`},
		{"parenthesis not opened", "a)", `at byte 1: expected an operator or the end, found ")"`},
		{"empty parentheses", "()", `at byte 1: expected a tag, found ")"`},
		{"double negation", "!!a", `at byte 1: expected a tag or a parenthesis, found "!" (a negation cannot be negated)`},
		{"double negation in two spellings", "not -a", `at byte 4: expected a tag or a parenthesis, found "-" (a negation cannot be negated)`},
		{"half an operator", "a&b", `at byte 1: expected "&&", found "&"`},
		{"other half", "a|b", `at byte 1: expected "||", found "|"`},
		{"foreign character", "a+b/c", `at byte 3: expected a tag, an operator or a parenthesis, found "/" (a tag with other characters stands in double quotes)`},
		{"quote not closed", `a,"b`, `at byte 2: expected a closing ", found the end`},
		{"empty quotes", `""`, `at byte 0: expected a tag, found an empty one`},
		{"line break inside quotes", "\"a\nb\"", `at byte 0: expected a tag without control characters, found "a\nb"`},
		{"long tag", "x+" + strings.Repeat("y", 101), `at byte 2: expected a tag of at most 100 characters, found "yyyyyyyyyyyyyyyyyyyyyyyy"…`},
		{"deep nesting", strings.Repeat("(", 51) + "a" + strings.Repeat(")", 51), `at byte 50: expected at most 50 nested parentheses, found "("`},
		{"long text", strings.Repeat("a,", 5000), `at byte 8192: expected at most 8192 bytes, found 10000`},
	} {
		_, err := ParseExpr(c.expr)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: error %v, want %s", c.rule, err, c.want)
		}
		var syntax *SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%s: error is %T", c.rule, err)
		}
	}
	if _, err := ParseExpr(strings.Repeat("(", 50) + "a" + strings.Repeat(")", 50)); err != nil {
		t.Errorf("50 levels: %v", err)
	}
	if _, err := ParseExpr(strings.Repeat("(a),", 200) + "a"); err != nil {
		t.Errorf("depth counts nesting, not parentheses: %v", err)
	}
}

func TestCanonicalForm(t *testing.T) {
	for _, c := range []struct {
		rule, expr, want string
	}{
		{"order does not matter", "b,a", "a,b"},
		{"spelling does not matter", "B OR (A and not C)", "!c+a,b"},
		{"repetition does not matter", "a,A,(a)", "a"},
		{"groups of the same kind merge", "a,(b,(c,d))", "a,b,c,d"},
		{"parentheses stay where they mean something", "(a,b)+c", "(a,b)+c"},
		{"a negated group keeps its parentheses", "not (b and a)", "!(a+b)"},
		{"a group that shrinks to one operand merges with its parent", "(a+b,b+a)+c", "a+b+c"},
		{"tags that look like operators are quoted", `"not","-x","a b"`, `"-x","a b","not"`},
	} {
		e, err := ParseExpr(c.expr)
		if err != nil || e.String() != c.want {
			t.Errorf("%s: %q gives %q, %v, want %q", c.rule, c.expr, e, err, c.want)
		}
	}
}

func TestZeroExpressionSelectsEverything(t *testing.T) {
	var e Expr
	if !e.Match(nil) || !e.Match([]string{"x"}) || e.String() != "" || !e.IsZero() {
		t.Errorf("zero Expr: matches nil %v, text %q", e.Match(nil), e)
	}
}

func TestTagLists(t *testing.T) {
	many := strings.TrimSuffix(strings.Repeat("a,", 51), ",")
	for _, c := range []struct {
		rule, list, want, err string
	}{
		{"or of all, trimmed, folded", " Web , db ", "db,web", ""},
		{"duplicates count once", "a,A,a", "a", ""},
		{"empty entries are skipped", "a,,b,", "a,b", ""},
		{"operators are characters", "a+b,not", `"a+b","not"`, ""},
		{"nothing but commas", " , ", "", "at byte 0: expected a tag, found none"},
		{"over 50 tags", many, "", "at byte 100: expected at most 50 tags, found more"},
		{"over 100 characters", "a," + strings.Repeat("é", 101), "", "at byte 2: expected a tag of at most 100 characters, found \"" + strings.Repeat("é", 24) + "\"…"},
		{"control characters", "a,b\x00", "", `at byte 2: expected a tag without control characters, found "b\x00"`},
		{"broken UTF-8", "a\xff", "", `at byte 0: expected a tag in UTF-8, found "a\xff"`},
	} {
		e, err := ParseTags(c.list)
		if text(err) != c.err || e.String() != c.want {
			t.Errorf("%s: %q, %v; want %q, %s", c.rule, e, err, c.want, c.err)
		}
	}
	if _, err := ParseTags(strings.TrimSuffix(many, ",a") + "," + strings.Repeat("é", 100)); err == nil {
		t.Error("50 tags and one more: no error")
	}
	if _, err := ParseTags(strings.Repeat("é", 100)); err != nil {
		t.Errorf("100 characters of two bytes: %v", err)
	}
}

func TestFilterIsExpressionOrList(t *testing.T) {
	for _, c := range []struct {
		rule, filter, want, err string
	}{
		{"expression", "a and not b", "!b+a", ""},
		{"list", "a,b", "a,b", ""},
		{"list with characters that expressions do not have", "a:x,b c", `"a:x","b c"`, ""},
		{"a broken expression is not taken for a list", "a AND (b", "", "at byte 8: expected an operator or ), found the end"},
		{"a word that is an operator makes it an expression", "a b or", "", `at byte 2: expected an operator or the end, found "b" (in a URL, write + as %2B)`},
		{"a negation makes it an expression", "a -b", "", `at byte 2: expected an operator or the end, found "-" (in a URL, write + as %2B)`},
	} {
		e, err := ParseFilter(c.filter)
		if text(err) != c.err || e.String() != c.want {
			t.Errorf("%s: %q, %v; want %q, %s", c.rule, e, err, c.want, c.err)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// FuzzExpr holds that no text makes the parser panic, and that the canonical form is a fixed point with the same truth table.
func FuzzExpr(f *testing.F) {
	for _, s := range []string{"a", "a+b,!c", "not (a or b) && -c", `"x y"+(z,-"and")`, "((a))", "a--b,+", "İ,ſ,ẞ", "-a-,(b)-c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if _, err := ParseFilter(s); err != nil {
			_ = err.Error()
		}
		e, err := ParseExpr(s)
		if err != nil {
			return
		}
		again, err := ParseExpr(e.String())
		if err != nil {
			t.Fatalf("canonical form %q of %q: %v", e, s, err)
		}
		if again.String() != e.String() {
			t.Fatalf("canonical form of %q moves: %q, then %q", s, e, again)
		}
		literal, err := parse(s)
		if err != nil {
			t.Fatal(err)
		}
		leaves := tagsIn(literal, map[string]bool{})
		for set := range 1 << min(len(leaves), 6) {
			var tags []string
			for i, tag := range leaves {
				if i < 6 && set&(1<<i) != 0 {
					tags = append(tags, tag)
				}
			}
			if e.Match(tags) != again.Match(tags) {
				t.Fatalf("%q and %q differ on %q", s, again, tags)
			}
		}
	})
}

func tagsIn(n *node, seen map[string]bool) (tags []string) {
	if n.op == opTag && !seen[n.tag] {
		seen[n.tag] = true
		tags = append(tags, n.tag)
	}
	for _, k := range n.kids {
		tags = append(tags, tagsIn(k, seen)...)
	}
	return tags
}

// FuzzTags holds that every list that is accepted can be written as an expression.
func FuzzTags(f *testing.F) {
	for _, s := range []string{"a,b", "not,and", "-x, y z ,\"q\\", "c++"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := ParseTags(s)
		if err != nil {
			return
		}
		again, err := ParseExpr(e.String())
		if err != nil || again.String() != e.String() {
			t.Fatalf("list %q is %q, which reads as %q, %v", s, e, again, err)
		}
		for tag := range strings.SplitSeq(s, ",") {
			if fold(tag) != "" && !e.Match([]string{tag}) {
				t.Fatalf("list %q does not select %q", s, tag)
			}
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	e, err := ParseExpr("(web,api)+!internal,db")
	if err != nil {
		b.Fatal(err)
	}
	tags := []string{"net", "web", "eu"}
	b.ReportAllocs()
	for b.Loop() {
		e.Match(tags)
	}
}
