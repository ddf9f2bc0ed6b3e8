package proxy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/manifold-mcp/manifold/pkg/protocol"
)

func many(name string, n int) *Server {
	inv := protocol.Inventory{}
	for i := range n {
		inv.Tools = append(inv.Tools, []byte(tool(fmt.Sprintf("t%03d", i))))
	}
	s, _ := server(name, inv)
	return s
}

func TestViews(t *testing.T) {
	r := router(t, many("a", 1), many("b", 1), many("c", 1))
	tests := []struct {
		filter string
		want   []string
	}{
		{"", []string{"a__t000", "b__t000", "c__t000"}},
		{"a", []string{"a__t000"}},
		{"a,b", []string{"a__t000", "b__t000"}},
		{"!a", []string{"b__t000", "c__t000"}},
		{"nothing", nil},
	}
	for _, tt := range tests {
		got := names(t, ask(t, r, tt.filter, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`), "tools", "name")
		if !cmp.Equal(got, tt.want) {
			t.Errorf("%q: %s", tt.filter, cmp.Diff(tt.want, got))
		}
	}
	if r.view(expr(t, "!c")) != r.view(expr(t, "a,b")) {
		t.Error("two filters that select the same servers have each a view of its own")
	}
	if r.view(expr(t, "a")) == r.view(expr(t, "b")) {
		t.Error("two filters that select different servers share a view")
	}
}

// A client that sends ever new expressions must not fill the memory.
func TestViewCachesAreBounded(t *testing.T) {
	var servers []*Server
	for i := range 14 {
		servers = append(servers, many(fmt.Sprint("s", i), 1))
	}
	r := router(t, servers...)
	for n := range 10_000 {
		var tags []string
		for i := range 14 {
			if n>>i&1 == 1 {
				tags = append(tags, fmt.Sprint("s", i))
			}
		}
		r.view(expr(t, strings.Join(append(tags, fmt.Sprint("x", n)), ",")))
	}
	c := r.current.Load()
	if texts, sets := len(c.views.byText), len(c.views.bySet); texts > maxViewTexts || sets > maxViewSets || texts == 0 {
		t.Errorf("%d texts and %d sets are kept", texts, sets)
	}
}

func page(t *testing.T, r *Router, filter, cursor string) string {
	t.Helper()
	m := message(t, `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"`+cursor+`"}}`)
	req := &Request{Message: m, Client: &protocol.Client{}, Filter: expr(t, filter), Paged: true}
	return string(r.Serve(t.Context(), req, &box{}).Whole([]byte("1")))
}

func nextCursor(page string) string {
	_, rest, _ := strings.Cut(page, `"nextCursor":"`)
	next, _, _ := strings.Cut(rest, `"`)
	return next
}

func TestPagesWalkAllItemsOnce(t *testing.T) {
	for _, n := range []int{0, 1, pageSize, pageSize + 1, 3 * pageSize, 3*pageSize + 7} {
		r := router(t, many("a", n))
		var got []string
		pages, cursor := 0, ""
		for {
			p := page(t, r, "", cursor)
			got = append(got, names(t, p, "tools", "name")...)
			pages++
			if cursor = nextCursor(p); cursor == "" {
				break
			}
		}
		if len(got) != n || !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != n {
			t.Errorf("%d items: walked %d", n, len(got))
		}
		if want := max(1, (n+pageSize-1)/pageSize); pages != want {
			t.Errorf("%d items: %d pages, want %d", n, pages, want)
		}
		if whole := listed(t, r, "tools/list", "tools", "name"); len(whole) != n {
			t.Errorf("%d items: a client that did not ask for pages got %d", n, len(whole))
		}
	}
}

func TestCursorsThatAreRefused(t *testing.T) {
	a := many("a", 250)
	r := router(t, a, many("b", 250))
	good := nextCursor(page(t, r, "", ""))
	seal := func(c cursor) string { return r.sealCursor(c) }
	v := r.view(expr(t, ""))
	other := NewRouter(r.opts, keyring(t, 2), r.log)
	session, _ := join(r, expr(t, ""), protocol.Client{})
	stale := router(t, a)
	tests := []struct{ rule, filter, cursor, reason string }{
		{"not ours", "", "bm90IG91cnM", "malformed"},
		{"altered", "", good[:len(good)-1] + string(good[len(good)-1]^1), "malformed"},
		{"sealed with another key", "", other.sealCursor(cursor{v.id, v.set(), tools, 100}), "malformed"},
		{"sealed for another purpose", "", session.ID, "malformed"},
		{"of another list", "", seal(cursor{v.id, v.set(), prompts, 100}), "capability_kind_mismatch"},
		{"of another catalogue", "", nextCursor(page(t, stale, "", "")), "stale_generation"},
		{"of another filter", "a", good, "filter_mismatch"},
		{"beyond the end", "", seal(cursor{v.id, v.set(), tools, 500}), "malformed"},
		{"before the start", "", seal(cursor{v.id, v.set(), tools, -1}), "malformed"},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			got := page(t, r, tt.filter, tt.cursor)
			want := `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Invalid capability pagination cursor: list again without a cursor","data":{"reason":"` + tt.reason + `"}}}`
			if got != want {
				t.Error(cmp.Diff(want, got))
			}
		})
	}
	if got := page(t, r, "", good); strings.Contains(got, "error") {
		t.Errorf("the good one was refused: %s", got)
	}
	if got := ask(t, r, "", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":5}}`); !strings.Contains(got, "-32602") {
		t.Errorf("a cursor that is no string: %s", got)
	}
}

// What a filter hides reads as if it did not exist: the same bytes as from a gateway that has no such server.
func TestHiddenIsUnknown(t *testing.T) {
	make_ := func(withSecret bool) *Router {
		open, _ := server("open", protocol.Inventory{Tools: raws(tool("t")), Prompts: raws(`{"name":"p"}`), Resources: raws(`{"uri":"o:1","name":"r"}`)})
		second, _ := server("open2", protocol.Inventory{Has: protocol.HasTools, Tools: raws(tool("t"))})
		open.Tags, second.Tags = []string{"open"}, []string{"open"}
		secret, _ := server("secret", protocol.Inventory{Tools: raws(tool("t")), Prompts: raws(`{"name":"p"}`),
			Resources: raws(`{"uri":"s:1","name":"r"}`), Templates: raws(`{"uriTemplate":"s:{id}","name":"t"}`)})
		if !withSecret {
			return router(t, open, second)
		}
		return router(t, open, secret, second)
	}
	with, without := make_(true), make_(false)
	for rule, raw := range map[string]string{
		"call":                     call("secret__t"),
		"get":                      `{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"secret__p"}}`,
		"read":                     readOf("s:1"),
		"read by template":         readOf("s:2"),
		"read by wrapping":         readOf("manifold://secret/s:1"),
		"complete a prompt":        `{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"secret__p"}}}`,
		"complete a template":      `{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/resource","uri":"s:{id}"}}}`,
		"subscribe":                `{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"s:1"}}`,
		"unsubscribe":              `{"jsonrpc":"2.0","id":1,"method":"resources/unsubscribe","params":{"uri":"s:1"}}`,
		"an unknown method, name":  `{"jsonrpc":"2.0","id":1,"method":"tools/explain","params":{"name":"secret__t"}}`,
		"an unknown method, uri":   `{"jsonrpc":"2.0","id":1,"method":"resources/explain","params":{"uri":"s:1"}}`,
		"an unknown method, plain": `{"jsonrpc":"2.0","id":1,"method":"explain"}`,
		"list":                     `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`,
	} {
		t.Run(rule, func(t *testing.T) {
			var got [2]string
			for i, r := range []*Router{with, without} {
				s, _ := join(r, expr(t, "open"), protocol.Client{})
				got[i] = askIn(t, r, s, raw)
			}
			if got[0] != got[1] {
				t.Error(cmp.Diff(got[1], got[0]))
			}
			if strings.Contains(got[0], `"server":"secret"`) {
				t.Errorf("the hidden server answered: %s", got[0])
			}
			if all := ask(t, with, "", raw); rule != "list" && all == got[0] && !strings.Contains(raw, "explain\"}") && !strings.Contains(raw, "subscribe") {
				t.Errorf("who sees the server gets the same: %s", all)
			}
		})
	}
}
