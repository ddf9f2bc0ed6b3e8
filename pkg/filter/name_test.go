package filter

import (
	"regexp"
	"strings"
	"testing"
)

var legalName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

func TestPublicNames(t *testing.T) {
	long := strings.Repeat("x", 70)
	for _, c := range []struct {
		rule, prefix, sep, name string
		budget                  int
		want                    string
		altered                 bool
	}{
		{rule: "prefix, separator, name", prefix: "github", sep: "__", name: "create_issue", want: "github__create_issue"},
		{rule: "1MCP's separator", prefix: "fs", sep: "_1mcp_", name: "read", want: "fs_1mcp_read"},
		{rule: "an empty prefix leaves the name alone", sep: "__", name: "Read-File", want: "Read-File"},
		{rule: "a name of exactly the budget stays", prefix: "p", sep: "__", name: strings.Repeat("y", 61), want: "p__" + strings.Repeat("y", 61)},
		{rule: "a dot becomes _ and leaves a hash", prefix: "a", sep: "__", name: "files.read", want: "a__files_read_c56gq33o", altered: true},
		{rule: "another character in its place, another hash", prefix: "a", sep: "__", name: "files/read", want: "a__files_read_volgxsvl", altered: true},
		{rule: "a long name is cut at its end", prefix: "srv", sep: "__", name: long, want: "srv__" + strings.Repeat("x", 50) + "_fi6l7rkl", altered: true},
		{rule: "a long prefix leaves room for the name", prefix: long, sep: "__", name: "read_file", want: strings.Repeat("x", 44) + "__read_file_b3g3uaay", altered: true},
		{rule: "two long parts share the room", prefix: long, sep: "__", name: strings.Repeat("n", 70), want: strings.Repeat("x", 25) + "__" + strings.Repeat("n", 28) + "_6iycysly", altered: true},
		{rule: "a smaller budget", prefix: "github", sep: "__", name: "create_pull_request_review", budget: 30, want: "github__create_pull_r_ucd5hklv", altered: true},
		{rule: "an empty name is a name", name: "", want: "_s2rjnure", altered: true},
	} {
		got, altered := PublicName(c.prefix, c.sep, c.name, c.budget)
		if got != c.want || altered != c.altered {
			t.Errorf("%s: %q, %v; want %q, %v", c.rule, got, altered, c.want, c.altered)
		}
		if !legalName.MatchString(got) {
			t.Errorf("%s: %q is not legal", c.rule, got)
		}
	}
}

func TestPublicNameStaysWithinAnyBudget(t *testing.T) {
	for budget := -1; budget < 80; budget++ {
		got, _ := PublicName(strings.Repeat("p", 40), "__", strings.Repeat("ü", 40), budget)
		most := max(budget, minBudget)
		if budget <= 0 || budget > DefaultBudget {
			most = DefaultBudget
		}
		if len(got) > most || !legalName.MatchString(got) {
			t.Errorf("budget %d: %q has %d characters", budget, got, len(got))
		}
	}
}

// TestDifferentNamesStayDifferent holds injectivity on names that only differ in what is cut or replaced.
func TestDifferentNamesStayDifferent(t *testing.T) {
	seen := map[string]string{}
	tail := strings.Repeat("z", 60)
	for _, prefix := range []string{"", "s", "s.1", "s/1", tail} {
		for _, name := range []string{"a.b", "a/b", "a b", "a:b", "aéb", "a日b", "a_b", tail + "1", tail + "2", tail + ".", tail + "/", "a\x00b", ""} {
			got, _ := PublicName(prefix, "__", name, 0)
			if other, taken := seen[got]; taken {
				t.Errorf("%q is the name of %q and of %q", got, other, prefix+"|"+name)
			}
			seen[got] = prefix + "|" + name
		}
	}
}

func FuzzPublicName(f *testing.F) {
	f.Add("srv", "__", "tool", "srv", "tool.x", 64)
	f.Add("", "", "", "ü", strings.Repeat("n", 99), 30)
	f.Fuzz(func(t *testing.T, prefix, sep, name, prefix2, name2 string, budget int) {
		got, altered := PublicName(prefix, sep, name, budget)
		if again, _ := PublicName(prefix, sep, name, budget); again != got {
			t.Fatalf("not stable: %q, %q", got, again)
		}
		if !legalName.MatchString(got) {
			t.Fatalf("%q is not legal", got)
		}
		plain := name
		if prefix != "" {
			plain = prefix + sep + name
		}
		if altered == (got == plain) {
			t.Fatalf("%q became %q, altered %v", plain, got, altered)
		}
		other, altered2 := PublicName(prefix2, sep, name2, budget)
		if got == other && (altered || altered2) && (prefix != prefix2 || name != name2) {
			t.Fatalf("%q is %q,%q and %q,%q", got, prefix, name, prefix2, name2)
		}
	})
}

func BenchmarkPublicName(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		PublicName("github", DefaultSeparator, "create_issue", DefaultBudget)
	}
}
