package upstream

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/rs/zerolog"

	"github.com/manifold-mcp/manifold/pkg/config"
	"github.com/manifold-mcp/manifold/pkg/protocol"
)

// restartable is an SDK server that can forget all its sessions, as a restart makes it do.
type restartable struct{ swapHandler }

func (r *restartable) restart() {
	server := mcp.NewServer(&mcp.Implementation{Name: "r", Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "t"}, toolT)
	r.set(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &mcp.StreamableHTTPOptions{JSONResponse: true}))
}

// TestLostSessionIsNotNoticed: the server forgets its sessions; calls on the shared connection and on a client's own one
// are sent again on a new connection, each once.
func TestLostSessionIsNotNoticed(t *testing.T) {
	for _, isolation := range []config.Isolation{config.IsolationShared, config.IsolationSession} {
		t.Run(string(isolation), func(t *testing.T) {
			counted.reset()
			r := &restartable{}
			r.restart()
			srv := httptest.NewServer(r)
			t.Cleanup(srv.Close) // after the upstream, which holds a stream open
			s := config.Server{Name: "r", Transport: config.TransportHTTP, URL: config.Secret(srv.URL), Isolation: isolation}
			u, _ := startUpstream(t, s, Options{}, newStreamableDialer(s, Options{}.withDefaults(), zerolog.Nop()))
			<-u.Settled()
			client := &protocol.Client{Key: "k"}
			const request = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{}}}`
			if _, err := callUpstream(t, u, request, client, nobody{}); err != nil {
				t.Fatal(err)
			}
			r.restart()
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					if _, err := callUpstream(t, u, request, client, nobody{}); err != nil {
						t.Errorf("a call after the restart: %v", err)
					}
				})
			}
			wg.Wait()
			if n := counted.get(); n != 21 {
				t.Errorf("the tool ran %d times, want 21", n)
			}
		})
	}
}

type counter struct {
	mu sync.Mutex
	n  int
}

func (c *counter) reset() { c.mu.Lock(); c.n = 0; c.mu.Unlock() }
func (c *counter) get() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

var counted counter

func toolT(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
	counted.mu.Lock()
	counted.n++
	counted.mu.Unlock()
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "ok"}}}, nil, nil
}
