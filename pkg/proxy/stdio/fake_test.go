package stdio

import (
	"bytes"
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/proxy"
	"github.com/manifold-mcp/manifold/pkg/state"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

// fake is an upstream whose tools are scripts, by their names.
type fake struct {
	tools map[string]script
	inv   protocol.Inventory
}

type script func(ctx context.Context, c *protocol.Call) (*protocol.Answer, error)

func (*fake) Name() string                     { return "web" }
func (f *fake) Inventory() *protocol.Inventory { return &f.inv }
func (*fake) Release(string)                   {}
func (*fake) Settled() <-chan struct{}         { c := make(chan struct{}); close(c); return c }
func (*fake) SetLevel(context.Context, string, string) error {
	return nil
}
func (*fake) Notify(context.Context, *protocol.Client, []byte) error { return nil }
func (f *fake) Subscribe(context.Context, *protocol.Call, string) (*protocol.Answer, error) {
	return text("subscribed"), nil
}
func (f *fake) Unsubscribe(context.Context, *protocol.Call, string) (*protocol.Answer, error) {
	return text("unsubscribed"), nil
}
func (f *fake) Call(ctx context.Context, c *protocol.Call) (*protocol.Answer, error) {
	name, _ := wire.Unquote(c.Message.Name.Of(c.Message.Raw))
	return f.tools[name](ctx, c)
}

// text is a tool's result with one text.
func text(s string) *protocol.Answer {
	return response(`{"content":[{"type":"text","text":` + string(wire.AppendQuote(nil, s)) + `}]}`)
}

func response(result string) *protocol.Answer {
	m, err := wire.Skim([]byte(`{"jsonrpc":"2.0","id":4711,"result":` + result + `}`))
	if err != nil {
		panic(err)
	}
	return &protocol.Answer{Message: m}
}

// sampling is a server's request to its client.
const sampling = `{"jsonrpc":"2.0","id":"up-7","method":"sampling/createMessage","params":{}}`

func mustSkim(raw string) wire.Message {
	m, err := wire.Skim([]byte(raw))
	if err != nil {
		panic(err)
	}
	return m
}

func notification(n string) []byte {
	return []byte(`{"jsonrpc":"2.0","method":"notifications/x","params":` + n + `}`)
}

func newRouter(t *testing.T, tools map[string]script) *proxy.Router {
	t.Helper()
	ring, err := state.NewKeyring(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{tools: tools}
	f.inv.Has = protocol.HasTools | protocol.HasResources | protocol.HasSubscribe
	for name := range tools {
		f.inv.Tools = append(f.inv.Tools, []byte(`{"name":"`+name+`","inputSchema":{"type":"object"}}`))
	}
	r := proxy.NewRouter(proxy.Options{Name: "m", Version: "1", Separator: "__", StartupWait: patience,
		Sessions: proxy.SessionLimits{MaxAge: time.Hour, Idle: time.Hour, Max: 1000}}, ring, zerolog.Nop())
	r.SetServers([]*proxy.Server{{Upstream: f, Tags: []string{"web"}}})
	return r
}

// calls counts what a script saw.
type calls struct {
	started, cancelled atomic.Int64
}

// hang is a script that notifies once and then waits for its end.
func (c *calls) hang(notify bool) script {
	return func(ctx context.Context, call *protocol.Call) (*protocol.Answer, error) {
		c.started.Add(1)
		if notify {
			call.Sink.Notify(notification("1"))
		}
		<-ctx.Done()
		c.cancelled.Add(1)
		return nil, context.Cause(ctx)
	}
}
