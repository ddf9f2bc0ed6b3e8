package streamable

import (
	"context"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/proxy"
)

// TestOfficialClient has the official client list, call, answer a question in a call, hear progress and the standing stream,
// and leave. It also probes for the stateless era first and has to fall back.
func TestOfficialClient(t *testing.T) {
	g := start(t, options(), map[string]script{
		"asks": func(ctx context.Context, c *protocol.Call) (*protocol.Answer, error) {
			token := c.Message.ProgressToken.Of(c.Message.Raw)
			c.Sink.Notify([]byte(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":0.5,"progressToken":` + string(token) + `}}`))
			if _, err := c.Sink.Ask(ctx, mustSkim(`{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"messages":[],"maxTokens":5}}`)); err != nil {
				return nil, err
			}
			return text("done"), nil
		},
	})
	progress := make(chan float64, 1)
	changed := make(chan string, 1)
	client := mcp.NewClient(&mcp.Implementation{Name: "c", Version: "1"}, &mcp.ClientOptions{
		CreateMessageHandler: func(context.Context, *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
			return &mcp.CreateMessageResult{Role: "assistant", Model: "m", Content: &mcp.TextContent{Text: "42"}}, nil
		},
		ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) { progress <- r.Params.Progress },
		ResourceUpdatedHandler:      func(_ context.Context, r *mcp.ResourceUpdatedNotificationRequest) { changed <- r.Params.URI },
	})
	session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: g.url}, nil)
	if err != nil {
		t.Fatal(err)
	}
	list, err := session.ListTools(t.Context(), nil)
	if err != nil || len(list.Tools) != 1 || list.Tools[0].Name != "asks" {
		t.Fatalf("list: %v, %v", list, err)
	}
	params := &mcp.CallToolParams{Name: "asks", Meta: mcp.Meta{"progressToken": "p1"}}
	result, err := session.CallTool(t.Context(), params)
	if err != nil || len(result.Content) != 1 || result.Content[0].(*mcp.TextContent).Text != "done" {
		t.Fatalf("call: %v, %v", result, err)
	}
	if p := <-progress; p != 0.5 {
		t.Errorf("progress %v", p)
	}
	until(t, "the standing stream", func() bool { return g.edge.streams.Load() == 1 })
	var key string
	g.router.Sessions().Each(func(s *proxy.Session) bool { key = s.Client().Key; return true })
	g.router.Updated("web", []string{key}, []byte(`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a:1"}}`))
	if uri := <-changed; uri != "a:1" {
		t.Errorf("updated %s", uri)
	}
	if err := session.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	until(t, "the session's end", func() bool { return g.router.Sessions().Count() == 0 })
}
