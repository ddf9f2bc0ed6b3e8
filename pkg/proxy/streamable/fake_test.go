package streamable

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/proxy"
	"github.com/manifold-mcp/manifold/pkg/proxy/stream"
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

// gateway is an edge behind a real HTTP server.
type gateway struct {
	t      *testing.T
	edge   *Edge
	router *proxy.Router
	url    string
}

func options() Options {
	return Options{MaxBody: 1 << 20, MaxBatch: 5, MaxStreams: 50, Silence: time.Hour, Linger: time.Hour,
		Timing: stream.Timing{KeepAlive: time.Hour, Write: patience}}
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

func start(t *testing.T, opts Options, tools map[string]script) *gateway {
	t.Helper()
	g := &gateway{t: t, router: newRouter(t, tools)}
	g.edge = New(g.router, opts)
	server := httptest.NewServer(g.edge)
	g.url = server.URL
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		http.DefaultClient.CloseIdleConnections()
		until(t, "all streams to end", func() bool { return g.edge.streams.Load() == 0 })
	})
	return g
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for tick := time.NewTicker(time.Millisecond); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

const both = "application/json, text/event-stream"

// do sends a request; header are pairs.
func (g *gateway) do(ctx context.Context, method, body string, header ...string) *http.Response {
	g.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, g.url, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Accept", both)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		if req.Header.Set(header[i], header[i+1]); header[i+1] == "" {
			req.Header.Del(header[i])
		}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

func (g *gateway) post(body string, header ...string) *http.Response {
	g.t.Helper()
	return g.do(g.t.Context(), http.MethodPost, body, header...)
}

// read gives a response's whole body.
func read(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const everything = `{"sampling":{},"elicitation":{},"roots":{}}`

// initialize opens a session.
func (g *gateway) initialize(revision string) (session string) {
	g.t.Helper()
	res := g.post(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"` + revision + `","capabilities":` + everything + `}}`)
	if body := read(g.t, res); res.StatusCode != http.StatusOK || !strings.Contains(body, `"protocolVersion":"`+revision+`"`) {
		g.t.Fatalf("initialize: %s %s", res.Status, body)
	}
	return res.Header.Get(headerSession)
}

func call(id, name string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"method":"tools/call","params":{"name":"` + name + `"}}`
}

// events reads a stream.
type events struct {
	t *testing.T
	r *wire.EventReader
}

func stream_(t *testing.T, res *http.Response) *events {
	t.Helper()
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" || res.Header.Get("X-Accel-Buffering") != "no" {
		b, _ := io.ReadAll(res.Body)
		t.Fatalf("not a stream: %s %v %s", res.Status, res.Header, b)
	}
	return &events{t, wire.NewEventReader(res.Body, 32<<20)}
}

// next gives the next event; its data is a copy.
func (e *events) next() wire.Event {
	e.t.Helper()
	ev, err := e.r.Next()
	if err != nil {
		e.t.Fatalf("stream ended: %v", err)
	}
	ev.Data = bytes.Clone(ev.Data)
	return ev
}

// want checks the data of the next events.
func (e *events) want(data ...string) (last wire.Event) {
	e.t.Helper()
	for _, d := range data {
		if last = e.next(); string(last.Data) != d {
			e.t.Fatalf("got %q, want %q", last.Data, d)
		}
	}
	return last
}

func (e *events) end() {
	e.t.Helper()
	if ev, err := e.r.Next(); err == nil {
		e.t.Fatalf("got %q, want the end", ev.Data)
	}
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
