package sse

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/manifold-mcp/manifold/pkg/filter"
	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/proxy"
	"github.com/manifold-mcp/manifold/pkg/proxy/stream"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// gateway is an edge behind a real HTTP server.
type gateway struct {
	t      *testing.T
	edge   *Edge
	router *proxy.Router
	url    string
}

func start(t *testing.T, tools map[string]script) *gateway {
	t.Helper()
	g := &gateway{t: t, router: newRouter(t, tools)}
	g.edge = New(g.router, Options{MaxBody: 1 << 20, MaxStreams: 3, MaxCalls: 2, Messages: "/messages",
		Timing:    stream.Timing{KeepAlive: time.Hour, Write: patience},
		Principal: func(r *http.Request) string { return r.Header.Get("X-User") },
		Preset:    func(string) (filter.Expr, bool) { return filter.Expr{}, false }})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sse", g.edge.Stream)
	mux.HandleFunc("POST /messages", g.edge.Message)
	server := httptest.NewServer(mux)
	g.url = server.URL
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		http.DefaultClient.CloseIdleConnections()
		until(t, "all streams to end", func() bool { return g.edge.streams.Load() == 0 })
		if n := g.router.Sessions().Count(); n != 0 {
			t.Errorf("%d sessions outlived their streams", n)
		}
	})
	return g
}

func (g *gateway) do(ctx context.Context, method, path, body string) *http.Response {
	g.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, g.url+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// client is one that has opened its stream.
type client struct {
	*gateway
	endpoint string
	events   *wire.EventReader
	leave    func()
}

func (g *gateway) open(query string) *client {
	g.t.Helper()
	ctx, leave := context.WithCancel(g.t.Context())
	res := g.do(ctx, http.MethodGet, "/sse"+query, "")
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		g.t.Fatalf("not a stream: %s", res.Status)
	}
	c := &client{gateway: g, events: wire.NewEventReader(res.Body, 1<<20), leave: leave}
	ev, err := c.events.Next()
	if err != nil || ev.Name != "endpoint" || !strings.HasPrefix(string(ev.Data), "/messages?sessionId=") || ev.HasID {
		g.t.Fatalf("first event: %+v, %v", ev, err)
	}
	c.endpoint = string(ev.Data)
	return c
}

func (c *client) post(body string) *http.Response {
	c.t.Helper()
	return c.do(c.t.Context(), http.MethodPost, c.endpoint, body)
}

// send posts a message that must be accepted.
func (c *client) send(body string) {
	c.t.Helper()
	if res := c.post(body); res.StatusCode != http.StatusAccepted {
		b, _ := io.ReadAll(res.Body)
		c.t.Fatalf("%s: %s %s", body, res.Status, b)
	}
}

func (c *client) next() string {
	c.t.Helper()
	ev, err := c.events.Next()
	if err != nil || ev.Name != "" {
		c.t.Fatalf("got %+v, %v", ev, err)
	}
	return string(bytes.Clone(ev.Data))
}

const initialize = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{"sampling":{}}}}`

func call(id, name string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"method":"tools/call","params":{"name":"` + name + `"}}`
}

func TestRoundTrip(t *testing.T) {
	g := start(t, map[string]script{"asks": func(ctx context.Context, c *protocol.Call) (*protocol.Answer, error) {
		c.Sink.Notify([]byte(`{"jsonrpc":"2.0","method":"notifications/x"}`))
		raw, err := c.Sink.Ask(ctx, mustSkim(sampling))
		return text(string(raw)), err
	}})
	c := g.open("")
	live := func() (s *proxy.Session) {
		g.router.Sessions().Each(func(x *proxy.Session) bool { s = x; return false })
		return s
	}()
	live.Notify([]byte(`{"jsonrpc":"2.0","method":"notifications/early"}`)) // a client expects nothing before initialize
	c.send(initialize)
	if got := c.next(); !strings.Contains(got, `"id":0,"result":{"protocolVersion":"2024-11-05"`) {
		t.Fatalf("initialize: %s", got)
	}
	c.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	c.send(initialize)
	if got := c.next(); !strings.Contains(got, "initialized already") {
		t.Errorf("a second initialize: %s", got)
	}
	c.send(call(`"a"`, "asks"))
	if got := c.next(); !strings.Contains(got, "notifications/x") {
		t.Errorf("got %s", got)
	}
	q, _ := wire.Skim([]byte(c.next()))
	c.send(`{"jsonrpc":"2.0","id":` + string(q.ID.Of(q.Raw)) + `,"result":{"role":"assistant"}}`)
	if got := c.next(); !strings.Contains(got, `"id":"a","result"`) || !strings.Contains(got, "assistant") {
		t.Errorf("got %s", got)
	}
	live.Notify([]byte(`{"jsonrpc":"2.0","method":"notifications/late"}`))
	if got := c.next(); !strings.Contains(got, "notifications/late") {
		t.Errorf("got %s", got)
	}
}

func TestMessagesThatAreRefused(t *testing.T) {
	g := start(t, nil)
	c := g.open("")
	other := g.router.Sessions().New(protocol.Client{}, filter.Expr{}, false)
	foreign := g.router.Sessions().New(protocol.Client{Principal: "ann"}, filter.Expr{}, false)
	tests := []struct {
		rule, path, body string
		status           int
	}{
		{"no session", "/messages", "{}", 404},
		{"a session that is not ours", "/messages?sessionId=nope", "{}", 404},
		{"a session of another edge", "/messages?sessionId=" + other.ID, "{}", 404},
		{"a session of another principal", "/messages?sessionId=" + foreign.ID, "{}", 404},
		{"not JSON", c.endpoint, "{", 400},
		{"not a message", c.endpoint, "{}", 400},
		{"too large", c.endpoint, strings.Repeat(" ", 1<<20+1), 413},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			res := g.do(t.Context(), http.MethodPost, tt.path, tt.body)
			if b, _ := io.ReadAll(res.Body); res.StatusCode != tt.status || !strings.Contains(string(b), `"error"`) {
				t.Errorf("%s %s", res.Status, b)
			}
		})
	}
	g.router.Sessions().End(other)
	g.router.Sessions().End(foreign)
	c.leave()
	until(t, "the stream's end", func() bool { return g.edge.streams.Load() == 0 })
	if res := c.post(initialize); res.StatusCode != http.StatusNotFound {
		t.Errorf("after the stream's end: %s", res.Status)
	}
	if res := g.do(t.Context(), http.MethodGet, "/sse?filter=((", ""); res.StatusCode != http.StatusBadRequest {
		t.Errorf("a bad filter: %s", res.Status)
	}
}

func TestTheStreamsEndCancelsItsCalls(t *testing.T) {
	var n calls
	g := start(t, map[string]script{"hang": n.hang(false)})
	c := g.open("")
	c.send(call("1", "hang"))
	c.send(call("2", "hang"))
	res := c.post(call("3", "hang"))
	if b, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusTooManyRequests || !strings.Contains(string(b), "more than 2 requests") {
		t.Errorf("one call too many: %s %s", res.Status, b)
	}
	c.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
	until(t, "the cancellation", func() bool { return n.cancelled.Load() == 1 })
	until(t, "the slot", func() bool { return c.post(call("4", "hang")).StatusCode == http.StatusAccepted })
	c.send(`{"jsonrpc":"2.0","method":"notifications/x"}`)
	c.leave()
	until(t, "the calls' end", func() bool { return n.cancelled.Load() == 3 })
}

func TestACancelledRequestIsNotAnswered(t *testing.T) {
	var n calls
	g := start(t, map[string]script{"hang": n.hang(false)})
	c := g.open("")
	c.send(call("1", "hang"))
	c.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
	until(t, "the cancellation", func() bool { return n.cancelled.Load() == 1 })
	c.send(`{"jsonrpc":"2.0","id":2,"method":"ping"}`)
	if got := c.next(); !strings.Contains(got, `"id":2`) {
		t.Errorf("got %s", got)
	}
}

// All answers arrive, also when together they are larger than what a stream holds.
func TestNoAnswerIsLost(t *testing.T) {
	large := strings.Repeat("x", 900<<10)
	g := start(t, map[string]script{"large": func(context.Context, *protocol.Call) (*protocol.Answer, error) { return text(large), nil }})
	g.edge.opts.MaxCalls = 40
	c := g.open("")
	for i := range 40 {
		c.send(call(fmt.Sprint(i), "large"))
	}
	seen := map[string]bool{}
	for range 40 {
		m, err := wire.Skim([]byte(c.next()))
		if err != nil {
			t.Fatal(err)
		}
		seen[string(m.ID.Of(m.Raw))] = true
	}
	if len(seen) != 40 {
		t.Errorf("%d of 40 answers", len(seen))
	}
}

func TestStreamsAreBounded(t *testing.T) {
	g := start(t, nil)
	for _, query := range []string{"", "?tags=web", ""} {
		g.open(query)
	}
	res := g.do(t.Context(), http.MethodGet, "/sse", "")
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Errorf("one stream too many: %s", res.Status)
	}
}

// A session that ends for whatever reason ends its stream, so that its client opens another.
func TestTheSessionsEndEndsTheStream(t *testing.T) {
	g := start(t, nil)
	c := g.open("")
	g.router.Sessions().Each(func(s *proxy.Session) bool { g.router.Sessions().End(s); return true })
	if ev, err := c.events.Next(); err == nil {
		t.Errorf("got %+v", ev)
	}
}

func TestOfficialClient(t *testing.T) {
	g := start(t, map[string]script{"asks": func(ctx context.Context, c *protocol.Call) (*protocol.Answer, error) {
		if _, err := c.Sink.Ask(ctx, mustSkim(`{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"messages":[],"maxTokens":5}}`)); err != nil {
			return nil, err
		}
		return text("done"), nil
	}})
	asked := 0
	client := mcp.NewClient(&mcp.Implementation{Name: "c", Version: "1"}, &mcp.ClientOptions{
		CreateMessageHandler: func(context.Context, *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
			asked++
			return &mcp.CreateMessageResult{Role: "assistant", Model: "m", Content: &mcp.TextContent{Text: "42"}}, nil
		},
	})
	session, err := client.Connect(t.Context(), &mcp.SSEClientTransport{Endpoint: g.url + "/sse"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if list, err := session.ListTools(t.Context(), nil); err != nil || len(list.Tools) != 1 {
		t.Errorf("list: %v, %v", list, err)
	}
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "asks"})
	if err != nil || result.Content[0].(*mcp.TextContent).Text != "done" || asked != 1 {
		t.Errorf("call: %v, %v", result, err)
	}
	if err := session.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}
