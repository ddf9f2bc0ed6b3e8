package upstream

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/manifold-mcp/manifold/pkg/wire"
)

// sdkServer is a real server with one tool for each thing that a server can do during a call.
func sdkServer() *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "sdk", Version: "1"}, nil)
	tool := func(name string, f func(ctx context.Context, r *mcp.CallToolRequest) (string, error)) {
		s.AddTool(&mcp.Tool{Name: name, InputSchema: map[string]any{"type": "object"}},
			func(ctx context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				text, err := f(ctx, r)
				if err != nil {
					return nil, err
				}
				return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil
			})
	}
	tool("echo", func(_ context.Context, r *mcp.CallToolRequest) (string, error) {
		return string(r.Params.Arguments), nil
	})
	tool("large", func(context.Context, *mcp.CallToolRequest) (string, error) { return strings.Repeat("x", 300_000), nil })
	tool("progress", func(ctx context.Context, r *mcp.CallToolRequest) (string, error) {
		err := r.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: r.Params.GetProgressToken(), Progress: 0.5})
		return "done", err
	})
	tool("elicit", func(ctx context.Context, r *mcp.CallToolRequest) (string, error) {
		res, err := r.Session.Elicit(ctx, &mcp.ElicitParams{Message: "your name?", RequestedSchema: map[string]any{"type": "object"}})
		if err != nil {
			return "", err
		}
		return fmt.Sprint(res.Action, " ", res.Content["name"]), nil
	})
	return s
}

// sdkModes are the ways in which the Go SDK serves the HTTP transports.
func sdkModes(s *mcp.Server) map[string]http.Handler {
	get := func(*http.Request) *mcp.Server { return s }
	return map[string]http.Handler{
		"streamable, event streams": mcp.NewStreamableHTTPHandler(get, nil),
		"streamable, JSON answers":  mcp.NewStreamableHTTPHandler(get, &mcp.StreamableHTTPOptions{JSONResponse: true}),
		"streamable, resumable":     mcp.NewStreamableHTTPHandler(get, &mcp.StreamableHTTPOptions{EventStore: mcp.NewMemoryEventStore(nil)}),
		"HTTP+SSE":                  mcp.NewSSEHandler(get, nil),
	}
}

func TestGoSDKServer(t *testing.T) {
	for name, handler := range sdkModes(sdkServer()) {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			srv := httptest.NewServer(handler)
			t.Cleanup(srv.Close)
			ev := newWebEvents()
			ev.reply = func(context.Context, *ask) ([]byte, error) { return []byte(webAccept), nil }
			c := dialWeb(t, httpOptions{URL: srv.URL}, ev)
			if h := c.hello(); h.revision == "" || !strings.Contains(string(h.info), `"sdk"`) {
				t.Fatalf("hello %+v", h)
			}
			sdkCalls(t, c, !strings.Contains(name, "JSON"))
		})
	}
}

const webAccept = `{"jsonrpc":"2.0","id":77,"result":{"action":"accept","content":{"name":"Ada"}}}`

func sdkCalls(t *testing.T, c conn, ordered bool) {
	t.Helper()
	sink := &webSink{reply: func(_ context.Context, req wire.Message) ([]byte, error) { return []byte(webAccept), nil }}
	do := func(raw string) string {
		a, err := c.call(t.Context(), webCall(t, raw, sink))
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		return answerText(t, a)
	}
	if got := do(webEcho); !strings.Contains(got, `{\"text\":\"hi\"}`) || !strings.Contains(got, `"id":"x"`) {
		t.Errorf("echo: %s", got)
	}
	if got := do(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"large"}}`); len(got) < 300_000 {
		t.Errorf("large: %d bytes", len(got))
	}
	if got := do(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"elicit"}}`); !strings.Contains(got, "accept Ada") {
		t.Errorf("elicit: %s", got)
	}
	if got := do(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"nobody"}}`); !strings.Contains(got, `"error"`) {
		t.Errorf("unknown tool: %s", got)
	}
	for _, token := range []string{`"tok"`, `7`} {
		do(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{"progressToken":` + token + `},"name":"progress"}}`)
		// A server that answers in JSON sends progress on another stream, where it may come after the answer.
		if got := sink.got(); ordered && (len(got) == 0 || !strings.Contains(got[len(got)-1], `"progressToken":`+token)) {
			t.Errorf("progress for token %s: %q", token, got)
		}
	}
}

// A server that was restarted refuses the old session; the call can be sent again on a new connection.
func TestSessionGoneAfterRestart(t *testing.T) {
	noLeaks(t)
	handler, old := &swapHandler{}, sdkServer()
	handler.set(sdkModes(old)["streamable, JSON answers"])
	t.Cleanup(func() { // the replaced server would keep its session
		for session := range old.Sessions() {
			_ = session.Close()
		}
	})
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	c := dialWeb(t, httpOptions{URL: srv.URL}, newWebEvents())
	handler.set(sdkModes(sdkServer())["streamable, JSON answers"])
	_, err := c.call(t.Context(), webCall(t, webEcho, nil))
	if !reopens(err) {
		t.Fatalf("call: %v, want one that may be sent again", err)
	}
	<-c.done()
	if !reopens(c.err()) {
		t.Errorf("connection ended with %v", c.err())
	}
	if _, err := c.call(t.Context(), webCall(t, webEcho, nil)); !reopens(err) {
		t.Errorf("call on the ended connection: %v", err)
	}
}
