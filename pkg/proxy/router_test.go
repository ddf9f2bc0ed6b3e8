package proxy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manifold-mcp/manifold/pkg/protocol"
)

func TestOnlyNameAndIDChange(t *testing.T) {
	a, f := server("web", protocol.Inventory{Tools: raws(tool(`a"b`), tool("t")), Prompts: raws(`{"name":"p"}`)})
	var got string
	f.script = func(_ context.Context, c *protocol.Call) (*protocol.Answer, error) {
		got = sent(c)
		return result(`{"big":18446744073709551615,"a":1e400,"a ":[ ],"resultType":"task"}`), nil
	}
	r := router(t, a)
	for _, id := range []string{`0`, `-7`, `1.50`, `1e3`, `18446744073709551615`, `""`, `"a\u0041\n"`, `"é"`} {
		raw := ` { "x" : 1,"jsonrpc":"2.0" , "params":{"arguments":{"name":"web__t","n":18446744073709551615},"name":"web__t","_meta":{"progressToken":5}},"id":` + id + `,"method":"tools/call"}`
		want := `{"jsonrpc":"2.0","id":` + id + `,"result":{"big":18446744073709551615,"a":1e400,"a ":[ ],"resultType":"task"}}`
		if answer := ask(t, r, "", raw); answer != want {
			t.Errorf("id %s: %s", id, cmp.Diff(want, answer))
		}
		if want := strings.Replace(raw, `"name":"web__t","_meta"`, `"name":"t","_meta"`, 1); got != want {
			t.Errorf("id %s: %s", id, cmp.Diff(want, got))
		}
	}
	if ask(t, r, "", `{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"web__p"}}`); !strings.Contains(got, `"name":"p"`) {
		t.Errorf("prompt: %s", got)
	}
	name := listed(t, r, "tools/list", "tools", "name")[0]
	if ask(t, r, "", call(name)); !strings.Contains(got, `"name":"a\"b"`) {
		t.Errorf("a name with a quote reached the server as %s", got)
	}
}

func TestErrorsAreMapped(t *testing.T) {
	const secret = "dial tcp 10.0.0.7:22: token=abc"
	tests := []struct {
		err  error
		want string
	}{
		{protocol.ErrUnavailable, `-32603,"message":"the server is not available"`},
		{protocol.ErrLost, `-32603,"message":"the connection to the server was lost; the call may or may not have run"`},
		{protocol.ErrBusy, `-32603,"message":"the server is busy; try again later"`},
		{protocol.ErrTimeout, `-32603,"message":"the server did not answer in time"`},
		{protocol.ErrTooLarge, `-32603,"message":"the server's answer is larger than the gateway's limit"`},
		{protocol.ErrProtocol, `-32603,"message":"the server's answer is not valid"`},
		{ErrClientCancelled, `-32603,"message":"request was cancelled"`},
		{ErrClientGone, `-32603,"message":"client went away"`},
		{ErrSessionEnded, `-32603,"message":"session ended"`},
		{context.Canceled, `-32603,"message":"request was cancelled"`},
		{errors.New("anything else"), `-32603,"message":"internal error"`},
		{&protocol.Error{Code: -32042, Message: "log in", Data: []byte(`{"a":1}`)}, `-32042,"message":"log in","data":{"a":1}`},
	}
	for _, tt := range tests {
		t.Run(tt.err.Error(), func(t *testing.T) {
			a, f := server("web", protocol.Inventory{Tools: raws(tool("t"))})
			f.script = func(context.Context, *protocol.Call) (*protocol.Answer, error) {
				return nil, fmt.Errorf("upstream web: %w: %s", tt.err, secret)
			}
			want := `{"jsonrpc":"2.0","id":1,"error":{"code":` + tt.want + `}}`
			if got := ask(t, router(t, a), "", call("web__t")); got != want {
				t.Error(cmp.Diff(want, got))
			}
		})
	}
}

func TestAPanicIsAnError(t *testing.T) {
	a, f := server("web", protocol.Inventory{Tools: raws(tool("t"))})
	f.script = func(context.Context, *protocol.Call) (*protocol.Answer, error) { panic("odd schema") }
	if got, want := ask(t, router(t, a), "", call("web__t")), `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"internal error"}}`; got != want {
		t.Error(cmp.Diff(want, got))
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	a, _ := server("web", protocol.Inventory{Tools: raws(tool("t")), Prompts: raws(`{"name":"p"}`)})
	b, _ := server("db", protocol.Inventory{})
	r := router(t, a, b)
	tests := []struct{ rule, request, want string }{
		{"no name", `"method":"tools/call"`, `-32602,"message":"params.name must be a string"`},
		{"a name that is no string", `"method":"tools/call","params":{"name":1}`, `-32602,"message":"params.name must be a string"`},
		{"an unknown tool", `"method":"tools/call","params":{"name":"nope"}`, `-32602,"message":"Unknown tool: nope"`},
		{"a tool under its own name", `"method":"tools/call","params":{"name":"t"}`, `-32602,"message":"Unknown tool: t"`},
		{"a prompt as a tool", `"method":"tools/call","params":{"name":"web__p"}`, `-32602,"message":"Unknown tool: web__p"`},
		{"a long name is clipped in between characters", `"method":"tools/call","params":{"name":"a` + strings.Repeat("é", 200) + `"}`, `-32602,"message":"Unknown tool: a` + strings.Repeat("é", 99) + `…"`},
		{"no uri", `"method":"resources/read"`, `-32602,"message":"params.uri must be a string"`},
		{"no ref", `"method":"completion/complete","params":{}`, `-32602,"message":"params.ref is missing"`},
		{"an empty ref", `"method":"completion/complete","params":{"ref":{}}`, `-32602,"message":"params.ref.name must be a string"`},
		{"subscriptions need a session", `"method":"resources/subscribe","params":{"uri":"a:b"}`, `-32600,"message":"resources/subscribe needs a session"`},
		{"an unknown level", `"method":"logging/setLevel","params":{"level":"loud"}`, `-32602,"message":"Unknown log level \"loud\": use debug, info, notice, warning, error, critical, alert or emergency"`},
		{"initialize is the edge's business, once", `"method":"initialize","params":{}`, `-32600,"message":"the session is initialized already"`},
		{"an unknown method and more than one server", `"method":"x/y"`, `-32601,"message":"Method not found: x/y"`},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			got := ask(t, r, "", `{"jsonrpc":"2.0","id":1,`+tt.request+`}`)
			if want := `{"jsonrpc":"2.0","id":1,"error":{"code":` + tt.want + `}}`; got != want {
				t.Error(cmp.Diff(want, got))
			}
		})
	}
	if got := ask(t, r, "", `{"jsonrpc":"2.0","id":"p","method":"ping"}`); got != `{"jsonrpc":"2.0","id":"p","result":{}}` {
		t.Errorf("ping: %s", got)
	}
}

func TestUnknownMethodsAreRouted(t *testing.T) {
	a, _ := server("web", protocol.Inventory{Tools: raws(tool("t")), Resources: raws(`{"uri":"a:1","name":"r"}`)})
	b, _ := server("db", protocol.Inventory{Resources: raws(`{"uri":"b:1","name":"r"}`)})
	r := router(t, a, b)
	tests := []struct{ rule, filter, request, want string }{
		{"to the owner of the name", "", `"method":"tools/x","params":{"name":"web__t"}`, `"server":"web","got":{"jsonrpc":"2.0","id":1,"method":"tools/x","params":{"name":"t"}}`},
		{"to the owner of the uri", "", `"method":"x","params":{"uri":"b:1"}`, `"server":"db"`},
		{"to the only server that the client sees", "db", `"method":"x"`, `"server":"db"`},
		{"to nobody if nothing tells", "", `"method":"x","params":{"uri":"c:1"}`, `-32601`},
		{"the stateless era is not a server's to begin", "db", `"method":"server/discover"`, `-32601`},
		{"nor its subscriptions", "db", `"method":"subscriptions/listen"`, `-32601`},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			if got := ask(t, r, tt.filter, `{"jsonrpc":"2.0","id":1,`+tt.request+`}`); !strings.Contains(got, tt.want) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestCompletionFollowsItsRef(t *testing.T) {
	a, _ := server("web", protocol.Inventory{Prompts: raws(`{"name":"p"}`), Templates: raws(`{"uriTemplate":"a:{x}","name":"t"}`)})
	b, _ := server("db", protocol.Inventory{Templates: raws(`{"uriTemplate":"a:{x}","name":"t"}`)})
	r := router(t, a, b)
	tests := []struct{ rule, ref, want string }{
		{"a prompt", `{"type":"ref/prompt","name":"web__p"}`, `"server":"web","got":{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"p"}}}`},
		{"a template", `{"type":"ref/resource","uri":"a:{x}"}`, `"server":"web"`},
		{"a wrapped template", `{"type":"ref/resource","uri":"manifold://db/a:{x}"}`, `"server":"db","got":{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/resource","uri":"a:{x}"}}}`},
		{"a uri that a template makes", `{"type":"ref/resource","uri":"a:1"}`, `"server":"web"`},
		{"the type decides, so that a name cannot pass unread", `{"type":"ref/prompt","name":"p","uri":"a:1"}`, `Unknown prompt: p`},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			got := ask(t, r, "", `{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":`+tt.ref+`}}`)
			if !strings.Contains(got, tt.want) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestSubscriptions(t *testing.T) {
	a, f := server("web", protocol.Inventory{Resources: raws(`{"uri":"a:1","name":"r"}`)})
	b, g := server("db", protocol.Inventory{Resources: raws(`{"uri":"a:1","name":"r"}`)})
	mute, _ := server("mute", protocol.Inventory{Has: protocol.HasResources, Resources: raws(`{"uri":"m:1","name":"r"}`)})
	r := router(t, a, b, mute)
	s, _ := join(r, expr(t, ""), protocol.Client{})
	sub := func(method, uri string) string {
		return askIn(t, r, s, `{"jsonrpc":"2.0","id":1,"method":"`+method+`","params":{"uri":"`+uri+`"}}`)
	}
	if got := sub("resources/subscribe", "manifold://db/a:1") + sub("resources/unsubscribe", "manifold://db/a:1"); strings.Contains(got, "error") {
		t.Error(got)
	}
	if got, want := g.noted(), `subscribe a:1 as {"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"a:1"}}; unsubscribe a:1`; got != want {
		t.Error(cmp.Diff(want, got))
	}
	if f.noted() != "" {
		t.Errorf("the other server heard %s", f.noted())
	}
	if got := sub("resources/subscribe", "m:1"); !strings.Contains(got, "-32601") {
		t.Errorf("a server without subscriptions: %s", got)
	}
}

func TestSetLevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, f := server("web", protocol.Inventory{})
		b, g := server("db", protocol.Inventory{})
		hidden, h := server("hidden", protocol.Inventory{})
		f.level = func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() } // hangs
		r := router(t, a, b, hidden)
		s, _ := join(r, expr(t, "web,db"), protocol.Client{})
		start := time.Now()
		got := askIn(t, r, s, `{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"error"}}`)
		if got != `{"jsonrpc":"2.0","id":1,"result":{}}` {
			t.Error(got)
		}
		if took := time.Since(start); took > levelPatience {
			t.Errorf("a server that hangs held the answer back for %v", took)
		}
		if f.noted() != "level error" || g.noted() != "level error" || h.noted() != "" {
			t.Errorf("servers heard %q, %q, hidden %q", f.noted(), g.noted(), h.noted())
		}
	})
}

func TestCancellation(t *testing.T) {
	for _, id := range []string{`7`, `"seven"`, `7.0`} {
		t.Run(id, func(t *testing.T) {
			a, f := server("web", protocol.Inventory{Tools: raws(tool("t"))})
			var cause atomic.Value
			f.script = func(ctx context.Context, _ *protocol.Call) (*protocol.Answer, error) {
				<-ctx.Done()
				cause.Store(context.Cause(ctx))
				return nil, context.Cause(ctx)
			}
			r := router(t, a)
			s, _ := join(r, expr(t, ""), protocol.Client{})
			other, _ := join(r, expr(t, ""), protocol.Client{})
			m := message(t, `{"jsonrpc":"2.0","id":`+id+`,"method":"tools/call","params":{"name":"web__t"}}`)
			req := &Request{Message: m, Client: s.Client(), Session: s}
			r.Begin(t.Context(), req)
			done := make(chan *protocol.Answer)
			go func() { done <- r.Serve(t.Context(), req, &box{}) }()
			cancel := func(s *Session, id string) {
				n := message(t, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":`+id+`}}`)
				r.Notification(t.Context(), &Request{Message: n, Client: s.Client(), Session: s})
			}
			cancel(other, id)
			cancel(s, `"another"`)
			select {
			case <-done:
				t.Fatal("ended by a cancellation of another request")
			default:
			}
			cancel(s, id)
			if answer := <-done; !Unwanted(answer) || !errors.Is(cause.Load().(error), ErrClientCancelled) {
				t.Errorf("got %s, cause %v", answer.Whole([]byte(id)), cause.Load())
			}
			if len(s.calls) != 0 {
				t.Error("the request is still registered")
			}
		})
	}
}

// A cancellation directly behind its request finds it although nobody serves it yet.
func TestBeginComesBeforeServe(t *testing.T) {
	a, f := server("web", protocol.Inventory{Tools: raws(tool("t"))})
	f.script = func(ctx context.Context, _ *protocol.Call) (*protocol.Answer, error) { return nil, context.Cause(ctx) }
	r := router(t, a)
	s, _ := join(r, expr(t, ""), protocol.Client{})
	req := &Request{Message: message(t, call("web__t")), Client: s.Client(), Session: s}
	r.Begin(t.Context(), req)
	s.cancel([]byte("1"))
	if a := r.Serve(t.Context(), req, &box{}); !Unwanted(a) {
		t.Errorf("got %s", a.Whole([]byte("1")))
	}
}

func TestStartupWait(t *testing.T) {
	const list = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	synctest.Test(t, func(t *testing.T) {
		quick, f := server("quick", protocol.Inventory{})
		hung, h := server("hung", protocol.Inventory{})
		f.settled, h.settled = make(chan struct{}), make(chan struct{})
		r := router(t, hung, quick)
		start := time.Now()
		time.AfterFunc(time.Second, func() {
			f.inv.Store(&protocol.Inventory{Tools: raws(tool("t"))})
			r.Changed("quick")
			close(f.settled)
		})
		if got := names(t, ask(t, r, "", list), "tools", "name"); !cmp.Equal(got, []string{"quick__t"}) {
			t.Errorf("listed %q", got)
		}
		if took := time.Since(start); took != time.Minute {
			t.Errorf("a server that hangs delayed the first list by %v, want StartupWait", took)
		}
		ask(t, r, "", list)
		if took := time.Since(start); took != time.Minute {
			t.Errorf("it delayed the second list, too")
		}
	})
	synctest.Test(t, func(t *testing.T) {
		slow, f := server("slow", protocol.Inventory{})
		f.settled = make(chan struct{})
		r := router(t, slow)
		start := time.Now()
		time.AfterFunc(3*time.Second, func() {
			f.inv.Store(&protocol.Inventory{Tools: raws(tool("t")), Instructions: "Hello."})
			r.Changed("slow")
			close(f.settled)
		})
		if got := string(r.Welcome(t.Context(), "2025-11-25", expr(t, ""))); !strings.Contains(got, "Hello.") {
			t.Errorf("initialize was answered before the server had started: %s", got)
		}
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("took %v, want as long as the server", took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r.settled.Store(false)
		f.settled = make(chan struct{})
		r.awaitStart(ctx) // who leaves is not held
	})
}

func TestNotificationsGoToVisibleServers(t *testing.T) {
	a, f := server("web", protocol.Inventory{})
	b, g := server("db", protocol.Inventory{})
	r := router(t, a, b)
	s, _ := join(r, expr(t, "web"), protocol.Client{})
	for _, method := range []string{"notifications/roots/list_changed", "notifications/initialized", "notifications/x"} {
		m := message(t, `{"jsonrpc":"2.0","method":"`+method+`"}`)
		r.Notification(t.Context(), &Request{Message: m, Client: s.Client(), Session: s, Filter: s.Filter})
	}
	key := s.Client().Key
	want := `notify ` + key + ` {"jsonrpc":"2.0","method":"notifications/roots/list_changed"}; notify ` + key + ` {"jsonrpc":"2.0","method":"notifications/x"}`
	if f.noted() != want || g.noted() != "" {
		t.Errorf("visible heard %s, hidden heard %s", f.noted(), g.noted())
	}
}
