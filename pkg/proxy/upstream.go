package proxy

import (
	"context"

	"github.com/manifold-mcp/manifold/pkg/protocol"
)

// Upstream is one MCP server, as the router needs it. Implementations are safe for concurrent use.
type Upstream interface {
	// Name is the server's name in the configuration.
	Name() string
	// Call sends a request to the server and waits for the answer; errors wrap the sentinels of package protocol.
	Call(ctx context.Context, c *protocol.Call) (*protocol.Answer, error)
	// Notify passes a client's notification to the connection that this client has of its own; without one it does nothing.
	Notify(ctx context.Context, client *protocol.Client, msg []byte) error
	// Subscribe and Unsubscribe count subscriptions of one of the server's own URIs per client; c is the request itself.
	Subscribe(ctx context.Context, c *protocol.Call, uri string) (*protocol.Answer, error)
	Unsubscribe(ctx context.Context, c *protocol.Call, uri string) (*protocol.Answer, error)
	// SetLevel records the log level that a client wants of this server.
	SetLevel(ctx context.Context, clientKey, level string) error
	// Release forgets a client: its subscriptions, its level, its own connection.
	Release(clientKey string)
	// Inventory is what the server offers now, or offered last; never nil.
	Inventory() *protocol.Inventory
	// Settled is closed once the first attempt to connect has ended, whichever way.
	Settled() <-chan struct{}
}

// Server is a configured server: the upstream and how clients see it.
type Server struct {
	Upstream
	// Prefix goes before its names; empty passes them unchanged.
	Prefix string
	// Tags are what filters select by.
	Tags []string
	// DisabledTools are tools that nobody sees, by their own name or their public one.
	DisabledTools []string
	// Descriptions replaces the description of tools, by their own name.
	Descriptions map[string]string
	// Instructions replaces the server's instructions; nil keeps them, empty drops them.
	Instructions *string
}
