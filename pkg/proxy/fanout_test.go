package proxy

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manifold-mcp/manifold/pkg/protocol"
)

// run runs the router inside a synctest bubble until the test's end.
func run(t *testing.T, r *Router) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = r.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

// after lets the time pass that the router needs to tell everybody.
func after(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // the time of a synctest bubble
	synctest.Wait()
}

func methodsOf(b *box) (out []string) {
	for _, msg := range b.take() {
		_, rest, _ := strings.Cut(msg, `"method":"notifications/`)
		method, _, _ := strings.Cut(rest, `"`)
		out = append(out, method)
	}
	slices.Sort(out)
	return out
}

func TestListChangedGoesToThoseWhoSee(t *testing.T) {
	base := protocol.Inventory{Tools: raws(tool("t")), Resources: raws(`{"uri":"a:1","name":"r"}`)}
	tests := []struct {
		rule     string
		change   func(r *Router, web, db *Server, f *fake)
		web, all []string // what sessions hear that see web, or everything; nobody who sees only db hears of web
		db       []string
	}{
		{"nothing when nothing changed", func(r *Router, _, _ *Server, f *fake) {
			inv := base
			f.inv.Store(&inv)
			r.Changed("web")
		}, nil, nil, nil},
		{"one list", func(r *Router, _, _ *Server, f *fake) {
			f.inv.Store(&protocol.Inventory{Tools: raws(tool("t2")), Resources: base.Resources})
			r.Changed("web")
		}, []string{"tools/list_changed"}, []string{"tools/list_changed"}, nil},
		{"resources and templates are one", func(r *Router, _, _ *Server, f *fake) {
			f.inv.Store(&protocol.Inventory{Tools: base.Tools, Templates: raws(`{"uriTemplate":"a:{b}","name":"t"}`)})
			r.Changed("web")
		}, []string{"resources/list_changed"}, []string{"resources/list_changed"}, nil},
		{"a storm is one", func(r *Router, _, _ *Server, f *fake) {
			for i := range 50 {
				f.inv.Store(&protocol.Inventory{Tools: raws(tool(fmt.Sprint("t", i))), Resources: base.Resources})
				r.Changed("web")
			}
		}, []string{"tools/list_changed"}, []string{"tools/list_changed"}, nil},
		{"a server that left", func(r *Router, _, db *Server, _ *fake) { r.SetServers([]*Server{db}) },
			[]string{"resources/list_changed", "tools/list_changed"}, []string{"resources/list_changed", "tools/list_changed"}, nil},
		{"a server that came", func(r *Router, web, db *Server, _ *fake) {
			more, _ := server("more", protocol.Inventory{Prompts: raws(`{"name":"p"}`)})
			more.Tags = []string{"db"}
			r.SetServers([]*Server{web, db, more})
		}, nil, []string{"prompts/list_changed"}, []string{"prompts/list_changed"}},
		{"a server that changed its tags concerns who saw it and who sees it now", func(r *Router, web, db *Server, _ *fake) {
			moved := *web
			moved.Tags = []string{"db"}
			r.SetServers([]*Server{&moved, db})
		}, []string{"resources/list_changed", "tools/list_changed"}, []string{"resources/list_changed", "tools/list_changed"}, []string{"resources/list_changed", "tools/list_changed"}},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inv := base
				web, f := server("web", inv)
				db, _ := server("db", protocol.Inventory{Tools: raws(tool("q"))})
				r := router(t, web, db)
				run(t, r)
				after(2 * quiet)
				_, all := join(r, expr(t, ""), protocol.Client{})
				_, onWeb := join(r, expr(t, "web"), protocol.Client{})
				_, onDB := join(r, expr(t, "db"), protocol.Client{})
				tt.change(r, web, db, f)
				after(2 * quiet)
				for name, c := range map[string]struct {
					b    *box
					want []string
				}{"all": {all, tt.all}, "web": {onWeb, tt.web}, "db": {onDB, tt.db}} {
					if got := methodsOf(c.b); !cmp.Equal(got, c.want) {
						t.Errorf("who sees %s heard %q, want %q", name, got, c.want)
					}
				}
			})
		})
	}
}

func TestListChangedIsMerged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		web, f := server("web", protocol.Inventory{Tools: raws(tool("t"))})
		r := router(t, web)
		run(t, r)
		after(2 * quiet)
		_, b := join(r, expr(t, ""), protocol.Client{})
		for i := range 100 { // ten seconds of flapping
			f.inv.Store(&protocol.Inventory{Tools: raws(tool(fmt.Sprint("t", i)))})
			r.Changed("web")
			after(100 * time.Millisecond)
		}
		after(2 * quiet)
		if n := len(b.take()); n < 5 || n > 12 {
			t.Errorf("%d list_changed in ten seconds, want about one per second", n)
		}
		if got := listed(t, r, "tools/list", "tools", "name"); !cmp.Equal(got, []string{"web__t99"}) {
			t.Errorf("the last state is not served: %q", got)
		}
	})
}

func TestUpdatedGoesToSubscribers(t *testing.T) {
	one, _ := server("one", protocol.Inventory{Resources: raws(`{"uri":"a:1","name":"r"}`)})
	two, _ := server("two", protocol.Inventory{Resources: raws(`{"uri":"a:1","name":"r"}`)})
	r := router(t, one, two)
	sub, got := join(r, expr(t, ""), protocol.Client{})
	_, other := join(r, expr(t, ""), protocol.Client{})
	blind, unseen := join(r, expr(t, "one"), protocol.Client{})
	msg := `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"x":[1],"uri":"a:1"}}`
	clients := []string{sub.Client().Key, blind.Client().Key, "gone"}
	r.Updated("two", clients, []byte(msg))
	r.Updated("one", []string{sub.Client().Key}, []byte(msg))
	want := strings.Replace(msg, `"a:1"`, `"manifold://two/a:1"`, 1) + "\n" + msg
	if g := got.all(); g != want {
		t.Error(cmp.Diff(want, g))
	}
	if g := other.all() + unseen.all(); g != "" {
		t.Errorf("who did not subscribe, or sees the server no more, heard %s", g)
	}
}

func TestStrayMessages(t *testing.T) {
	web, _ := server("web", protocol.Inventory{})
	r := router(t, web)
	loud, all := join(r, expr(t, ""), protocol.Client{})
	quietly, few := join(r, expr(t, ""), protocol.Client{})
	_, none := join(r, expr(t, "db"), protocol.Client{})
	_ = loud
	askIn(t, r, quietly, `{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"warning"}}`)
	for _, level := range levels {
		r.Stray("web", protocol.LogMessage, []byte(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"`+level+`","data":1}}`))
	}
	r.Stray("web", protocol.LogMessage, []byte(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"odd"}}`))
	r.Stray("web", "notifications/x", []byte(`{"jsonrpc":"2.0","method":"notifications/x"}`))
	if n := len(all.take()); n != len(levels)+2 {
		t.Errorf("before setLevel %d messages came, want all", n)
	}
	got := few.all()
	for i, level := range levels {
		if has := strings.Contains(got, `"`+level+`"`); has != (i >= slices.Index(levels, "warning")) {
			t.Errorf("at level warning, %s came: %v", level, has)
		}
	}
	if !strings.Contains(got, "odd") || !strings.Contains(got, "notifications/x") {
		t.Errorf("what is not known to be less severe must pass: %s", got)
	}
	if g := none.all(); g != "" {
		t.Errorf("who does not see the server heard %s", g)
	}
}
