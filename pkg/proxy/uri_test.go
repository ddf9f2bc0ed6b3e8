package proxy

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

func FuzzWrapURI(f *testing.F) {
	f.Add("two", "file:///x")
	f.Add("a/b", "ui://w/app")
	f.Add("ü %", "manifold://a/b")
	f.Add("", "ui://manifold/x/y")
	f.Fuzz(func(t *testing.T, name, uri string) {
		s, _ := server(name, protocol.Inventory{})
		e := &entry{Server: s}
		public := wrapURI(name, uri)
		if got := e.unwrapURI(public); got != uri {
			t.Errorf("%q of %q became %q and then %q", uri, name, public, got)
		}
		if strings.HasPrefix(uri, uiScheme) != strings.HasPrefix(public, uiScheme) {
			t.Errorf("%q became %q: ui:// must keep its scheme", uri, public)
		}
	})
}

func readOf(uri string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"` + uri + `"}}`
}

// who answers, and with which URI it was asked.
func asked(t *testing.T, r *Router, filter, uri string) string {
	t.Helper()
	got := ask(t, r, filter, readOf(uri))
	raw := []byte(got)
	m, err := wire.Skim(raw)
	if err != nil {
		t.Fatal(err)
	}
	at, ok := wire.Lookup(raw, m.Result, "server")
	if !ok {
		return "nobody"
	}
	inner, _ := wire.Lookup(raw, m.Result, "got")
	params, _ := wire.Lookup(raw, inner, "params")
	own, _ := wire.Lookup(raw, params, "uri")
	return string(at.Of(raw)) + " " + string(own.Of(raw))
}

func TestOwnersOfURIs(t *testing.T) {
	one, _ := server("one", protocol.Inventory{Resources: raws(`{"uri":"file:///x","name":"x"}`),
		Templates: raws(`{"uriTemplate":"db://{table}/{id}","name":"t"}`)})
	two, _ := server("two", protocol.Inventory{Resources: raws(`{"uri":"file:///x","name":"x"}`, `{"uri":"http://h:1/a","name":"a"}`),
		Templates: raws(`{"uriTemplate":"db://{table}/{id}","name":"t"}`)})
	none, _ := server("none", protocol.Inventory{Has: protocol.HasTools})
	r := router(t, none, one, two)
	tests := []struct{ rule, filter, uri, want string }{
		{"who lists it", "", "file:///x", `"one" "file:///x"`},
		{"a wrapped one goes to its server under its own name", "", "manifold://two/file:///x", `"two" "file:///x"`},
		{"so does one that was made from a wrapped template", "", "manifold://two/db://users/7", `"two" "db://users/7"`},
		{"who has a template for it", "", "db://users/7", `"one" "db://users/7"`},
		{"who lists others of the same origin", "", "http://h:1/b", `"two" "http://h:1/b"`},
		{"else the first that has resources", "", "other:thing", `"one" "other:thing"`},
		{"of a hidden server nothing is known: the others are asked", "one", "http://h:1/a", `"one" "http://h:1/a"`},
		{"nor is its wrapping", "one", "manifold://two/file:///x", `"one" "manifold://two/file:///x"`},
		{"who sees no server with resources gets no answer", "none", "file:///x", "nobody"},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			if got := asked(t, r, tt.filter, tt.uri); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestReadFallsThrough(t *testing.T) {
	missing := answer(`"error":{"code":-32002,"message":"no"}`).Message.Raw
	tests := []struct {
		rule  string
		first func() (*protocol.Answer, error)
		want  string // part of the answer
		asked int    // how many servers
	}{
		{"an answer ends the search", func() (*protocol.Answer, error) { return result(`{"contents":[]}`), nil }, `"contents":[]`, 1},
		{"an error lets the next one try", func() (*protocol.Answer, error) { return answer(`"error":{"code":-32002,"message":"no"}`), nil }, `"server":"two"`, 2},
		{"so does a server that is down", func() (*protocol.Answer, error) { return nil, protocol.ErrUnavailable }, `"server":"two"`, 2},
		{"a server that asks for a login first is the right one", func() (*protocol.Answer, error) { return answer(`"error":{"code":-32042,"message":"log in"}`), nil }, `-32042`, 1},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			calls, freed := 0, 0
			one, f := server("one", protocol.Inventory{})
			f.script = func(context.Context, *protocol.Call) (*protocol.Answer, error) {
				calls++
				a, err := tt.first()
				if a != nil {
					a.Free = func() { freed++ }
				}
				return a, err
			}
			two, g := server("two", protocol.Inventory{})
			g.script = func(_ context.Context, c *protocol.Call) (*protocol.Answer, error) {
				calls++
				return result(`{"server":"two"}`), nil
			}
			got := ask(t, router(t, one, two), "", readOf("a:b"))
			if !strings.Contains(got, tt.want) || calls != tt.asked {
				t.Errorf("%d servers were asked, %s; want %d, %s", calls, got, tt.asked, tt.want)
			}
			if a, _ := tt.first(); a != nil && freed != 1 {
				t.Errorf("the first answer was freed %d times", freed)
			}
		})
	}
	one, f := server("one", protocol.Inventory{})
	f.script = func(context.Context, *protocol.Call) (*protocol.Answer, error) {
		m, _ := wire.Skim(missing)
		return &protocol.Answer{Message: m}, nil
	}
	if got, want := ask(t, router(t, one), "", readOf("a:b")), `{"jsonrpc":"2.0","id":1,"error":{"code":-32002,"message":"no"}}`; got != want {
		t.Errorf("the last one's error is the answer: got %s, want %s", got, want)
	}
}

func TestPublicURIsInResults(t *testing.T) {
	const res = `{"uri":"file:///x","name":"x"}`
	const tmpl = `{"uriTemplate":"db://{id}","name":"t"}`
	body := `{"x":{"uri":"file:///x"},"content":[{"type":"resource_link","uri":"file:///x"},{"type":"resource","resource":{"uri":"db://7","text":"file:///x"}},5,{"uri":9}],` +
		`"contents":[{"uri":"file:///x"},{"uri":"file:///own"}],"messages":[{"content":{"type":"resource","resource":{"uri":"file:///x"}}}]}`
	wrapped := `{"x":{"uri":"file:///x"},"content":[{"type":"resource_link","uri":"manifold://two/file:///x"},{"type":"resource","resource":{"uri":"manifold://two/db://7","text":"file:///x"}},5,{"uri":9}],` +
		`"contents":[{"uri":"manifold://two/file:///x"},{"uri":"file:///own"}],"messages":[{"content":{"type":"resource","resource":{"uri":"manifold://two/file:///x"}}}]}`
	same := func(context.Context, *protocol.Call) (*protocol.Answer, error) { return result(body), nil }
	one, f := server("one", protocol.Inventory{Tools: raws(tool("t")), Resources: raws(res), Templates: raws(tmpl)})
	two, g := server("two", protocol.Inventory{Tools: raws(tool("t")), Resources: raws(res), Templates: raws(tmpl)})
	f.script, g.script = same, same
	r := router(t, one, two)
	for name, want := range map[string]string{"one__t": body, "two__t": wrapped} {
		want = `{"jsonrpc":"2.0","id":1,"result":` + want + `}`
		if got := ask(t, r, "", call(name)); got != want {
			t.Errorf("%s: %s", name, cmp.Diff(want, got))
		}
	}
}

func TestURIsLeadBack(t *testing.T) {
	const res = `{"uri":"file:///x","name":"x"}`
	one, _ := server("one", protocol.Inventory{Resources: raws(res), Templates: raws(`{"uriTemplate":"a://{id}","name":"t"}`)})
	two, _ := server("two", protocol.Inventory{Resources: raws(res, `{"uri":"b:mine","name":"m"}`), Templates: raws(`{"uriTemplate":"c://{id}","name":"t"}`)})
	r := router(t, one, two)
	v := r.view(expr(t, ""))
	for _, own := range []string{"file:///x", "b:mine", "a://1", "c://1"} {
		public := v.entries[1].publicURI(own)
		if o := v.owners(public); len(o) != 1 || o[0].entry.Name() != "two" || o[0].own != own {
			t.Errorf("%s of server two is served as %s, which does not lead back", own, public)
		}
	}
}
