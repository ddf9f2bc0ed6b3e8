package proxy

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/manifold-mcp/manifold/pkg/protocol"
)

func listed(t *testing.T, r *Router, method, list, key string) []string {
	t.Helper()
	return names(t, ask(t, r, "", `{"jsonrpc":"2.0","id":1,"method":"`+method+`"}`), list, key)
}

func reasons(r *Router) (out []string) {
	for _, p := range r.Problems() {
		out = append(out, p.String())
	}
	return out
}

func TestPublicNames(t *testing.T) {
	long := strings.Repeat("n", 70)
	tests := []struct {
		rule    string
		servers func() []*Server
		want    []string
		problem string // part of the one report; empty: none
	}{
		{"prefix, separator, name; sorted", func() []*Server {
			a, _ := server("web", protocol.Inventory{Tools: raws(tool("z"), tool("a"))})
			b, _ := server("db", protocol.Inventory{Tools: raws(tool("q"))})
			return []*Server{a, b}
		}, []string{"db__q", "web__a", "web__z"}, ""},
		{"an empty prefix passes names unchanged", func() []*Server {
			a, _ := server("web", protocol.Inventory{Tools: raws(tool("a"))})
			a.Prefix = ""
			return []*Server{a}
		}, []string{"a"}, ""},
		{"of a collision the first in the configuration keeps the name; the second gets its server's name", func() []*Server {
			a, _ := server("one", protocol.Inventory{Tools: raws(tool("a"))})
			b, _ := server("two", protocol.Inventory{Tools: raws(tool("a"))})
			a.Prefix, b.Prefix = "", ""
			return []*Server{a, b}
		}, []string{"a", "two__a"}, `tool "a" collides with one of server "one" and is served as "two__a"`},
		{"what collides under its server's name as well is left out", func() []*Server {
			a, _ := server("one", protocol.Inventory{Tools: raws(tool("two__a"))})
			b, _ := server("two", protocol.Inventory{Tools: raws(tool("a"))})
			a.Prefix = ""
			return []*Server{a, b}
		}, []string{"two__a"}, `server "two": tool "a" collides with one of server "one"; left out`},
		{"disabled by its own name or by the public one", func() []*Server {
			a, _ := server("web", protocol.Inventory{Tools: raws(tool("a"), tool("b"), tool("c"))})
			a.DisabledTools = []string{"a", "web__b"}
			return []*Server{a}
		}, []string{"web__c"}, ""},
		{"an item listed twice counts once", func() []*Server {
			a, _ := server("web", protocol.Inventory{Tools: raws(tool("a"), tool("a"))})
			return []*Server{a}
		}, []string{"web__a"}, `listed twice`},
		{"a bad item is left out, the others stay", func() []*Server {
			a, _ := server("web", protocol.Inventory{Tools: raws(`{"name":"bad"}`, tool("a"))})
			return []*Server{a}
		}, []string{"web__a"}, `tool "bad" has no inputSchema; left out`},
		{"a name over the budget is shortened with a hash and reported", func() []*Server {
			a, _ := server("web", protocol.Inventory{Tools: raws(tool(long))})
			return []*Server{a}
		}, nil, "does not fit a public name"},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			r := router(t, tt.servers()...)
			got := listed(t, r, "tools/list", "tools", "name")
			if tt.want != nil && !cmp.Equal(got, tt.want) {
				t.Error(cmp.Diff(tt.want, got))
			}
			for _, n := range got {
				if !regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`).MatchString(n) {
					t.Errorf("%q does not fit every client", n)
				}
				if !strings.Contains(ask(t, r, "", call(n)), `"result"`) {
					t.Errorf("%q is listed and cannot be called", n)
				}
			}
			switch p := reasons(r); {
			case tt.problem == "" && len(p) > 0, tt.problem != "" && len(p) != 1, tt.problem != "" && !strings.Contains(p[0], tt.problem):
				t.Errorf("reported %q, want %q", p, tt.problem)
			}
		})
	}
}

func TestDescriptionsAreReplaced(t *testing.T) {
	a, _ := server("web", protocol.Inventory{
		Tools:   raws(`{"name":"a","description":"old","inputSchema":{"type":"object"}}`, tool("b")),
		Prompts: raws(`{"name":"a","description":"old"}`)})
	a.Descriptions = map[string]string{"a": `new "text"`}
	r := router(t, a)
	got := ask(t, r, "", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
	want := `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"web__a","description":"new \"text\"","inputSchema":{"type":"object"}},{"name":"web__b","inputSchema":{"type":"object"}}]}}`
	if got != want {
		t.Error(cmp.Diff(want, got))
	}
	if got := ask(t, r, "", `{"jsonrpc":"2.0","id":1,"method":"prompts/list"}`); !strings.Contains(got, "old") {
		t.Errorf("a tool's description replaced a prompt's: %s", got)
	}
}

func TestResourcesKeepTheirURIs(t *testing.T) {
	a, _ := server("one", protocol.Inventory{Resources: raws(`{"uri":"file:///x","name":"x"}`, `{"uri":"ui://w/app","name":"u"}`),
		Templates: raws(`{"uriTemplate":"file:///{path}","name":"t"}`)})
	b, _ := server("two", protocol.Inventory{Resources: raws(`{"uri":"file:///x","name":"x"}`, `{"uri":"ui://w/app","name":"u"}`, `{"uri":"file:///y","name":"y"}`),
		Templates: raws(`{"uriTemplate":"file:///{path}","name":"t"}`)})
	r := router(t, a, b)
	want := []string{"file:///x", "file:///y", "manifold://two/file:///x", "ui://manifold/two/w/app", "ui://w/app"}
	if got := listed(t, r, "resources/list", "resources", "uri"); !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
	want = []string{"file:///{path}", "manifold://two/file:///{path}"}
	if got := listed(t, r, "resources/templates/list", "resourceTemplates", "uriTemplate"); !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
	if got := len(reasons(r)); got != 3 {
		t.Errorf("%d reports, want one per collision: %q", got, reasons(r))
	}
}

// The order of maps and of lists from servers must not show.
func TestListsAreStable(t *testing.T) {
	inv := protocol.Inventory{}
	for i := range 200 {
		inv.Tools = append(inv.Tools, []byte(tool(fmt.Sprint("t", i))))
		inv.Resources = append(inv.Resources, fmt.Appendf(nil, `{"uri":"a:%d","name":"r"}`, i))
	}
	turned := inv
	turned.Tools = append(append([][]byte{}, inv.Tools[50:]...), inv.Tools[:50]...)
	a, _ := server("s", inv)
	b, _ := server("s", turned)
	one, two := build([]*Server{a}, "__"), build([]*Server{b}, "__")
	if one.id != two.id || one.entries[0].digest != two.entries[0].digest {
		t.Error("the same items in another order make another digest")
	}
	first := ask(t, router(t, a), "", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
	if second := ask(t, router(t, b), "", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`); first != second {
		t.Error("the same items in another order make another list")
	}
	turned.Tools = turned.Tools[1:]
	c, _ := server("s", turned)
	three := build([]*Server{c}, "__")
	if three.id == one.id || three.entries[0].digest[tools] == one.entries[0].digest[tools] {
		t.Error("a tool less makes the same digest")
	}
	if three.entries[0].digest[resources] != one.entries[0].digest[resources] {
		t.Error("a tool less changes the digest of the resources")
	}
}

// A template must not be able to end the process, nor to fill it: package regexp panics at more than 1000 repetitions.
func TestTemplatesThatCannotBeMatched(t *testing.T) {
	tests := []struct{ rule, template, reason string }{
		{"too many variables in one expression", "x:{" + strings.Repeat("a,", 1010) + "b}", "more than 64 variables"},
		{"too many expressions", "x:" + strings.Repeat("{a*}", 65), "more than 64 variables"},
		{"too long", "x:" + strings.Repeat("é", 2000) + "{a}", "longer than 2048 bytes"},
		{"not a template", "x:{a", "not a URI template"},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			a, _ := server("s", protocol.Inventory{Templates: raws(`{"uriTemplate":"` + tt.template + `","name":"t"}`)})
			r := router(t, a)
			if got := listed(t, r, "resources/templates/list", "resourceTemplates", "uriTemplate"); len(got) != 1 {
				t.Errorf("listed %q, want it to be listed all the same", got)
			}
			if p := reasons(r); len(p) != 1 || !strings.Contains(p[0], tt.reason) || len(p[0]) > 400 {
				t.Errorf("reported %q, want %q", p, tt.reason)
			}
		})
	}
}

func TestReportsAreBounded(t *testing.T) {
	inv := protocol.Inventory{}
	for range 10 * maxProblems {
		inv.Tools = append(inv.Tools, []byte(`{}`))
	}
	a, _ := server("s", inv)
	if got := len(reasons(router(t, a))); got != maxProblems {
		t.Errorf("%d reports, want %d", got, maxProblems)
	}
}
