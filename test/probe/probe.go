// Package probe waits for the processes that the conformance and interop tests start: for a listener, and for an MCP
// server or gateway to offer its tools.
package probe

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/manifold-mcp/manifold/internal/testkit"
)

// startTimeout bounds the time from the start of a process to its first useful answer.
const startTimeout = 20 * time.Second

// Listening waits until something accepts connections on a TCP address.
func Listening(tb testing.TB, addr string) {
	tb.Helper()
	var dialer net.Dialer
	testkit.Until(tb, startTimeout, "something listens on "+addr, func() bool {
		conn, err := dialer.DialContext(tb.Context(), "tcp", addr)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
}

// OffersTools waits until tools/list at a streamable HTTP endpoint gives a tool: the gateway listens before its
// servers are connected.
func OffersTools(tb testing.TB, url string) {
	tb.Helper()
	testkit.Until(tb, startTimeout, "tools are offered at "+url, func() bool {
		tools, err := Tools(tb.Context(), url)
		return err == nil && len(tools) > 0
	})
}

// Tools asks once for the first page of tools, in a session of its own.
func Tools(ctx context.Context, url string) ([]*mcp.Tool, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout/2)
	defer cancel()
	client := mcp.NewClient(&mcp.Implementation{Name: "probe", Version: "1"},
		&mcp.ClientOptions{Capabilities: &mcp.ClientCapabilities{}})
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: url, DisableStandaloneSSE: true},
		&mcp.ClientSessionOptions{ProtocolVersion: "2025-11-25"})
	if err != nil {
		return nil, err
	}
	defer func() { _ = session.Close() }()
	tools, err := session.ListTools(ctx, nil)
	if err != nil {
		return nil, err
	}
	return tools.Tools, nil
}
