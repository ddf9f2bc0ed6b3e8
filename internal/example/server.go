package example

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Name is what the server calls itself in initialize and server/discover.
const Name = "manifold-example"

// DefaultInterval is how often the counter resource changes when nobody says otherwise.
const DefaultInterval = 5 * time.Second

const instructions = `A small server to try a client or a gateway with.
Start with the tool "echo". "slow" reports progress and can be cancelled, "ask" asks you to fill in a form,
"summarise" borrows your model, "whereami" lists your roots. Subscribe to example://counter to see it change.`

// Server is the example server; its zero value is not usable, see [New].
type Server struct {
	mcp     *mcp.Server
	counter atomic.Int64
}

// New builds a server that reports the given version. It starts nothing.
func New(version string) *Server {
	s := &Server{}
	s.mcp = mcp.NewServer(
		&mcp.Implementation{Name: Name, Title: "Manifold example server", Version: version},
		&mcp.ServerOptions{
			Instructions:      instructions,
			CompletionHandler: complete,
			// The SDK keeps the list of subscribers itself; without these two it would refuse to.
			SubscribeHandler:   func(context.Context, *mcp.SubscribeRequest) error { return nil },
			UnsubscribeHandler: func(context.Context, *mcp.UnsubscribeRequest) error { return nil },
		})
	s.addTools()
	s.addAskingTools()
	s.addResources()
	s.addPrompts()
	return s
}

// Run changes the counter resource once per interval and tells its subscribers, until ctx ends.
// Without it the server works and the counter stands still.
func (s *Server) Run(ctx context.Context, interval time.Duration) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
			s.counter.Add(1)
			// The error is that of one session that went away meanwhile; the others were told.
			_ = s.mcp.ResourceUpdated(ctx, &mcp.ResourceUpdatedNotificationParams{URI: CounterURI})
		}
	}
}

// RunStdio serves one session, one JSON-RPC message per line, until in ends or ctx does.
// Nothing but protocol messages is written to out.
func (s *Server) RunStdio(ctx context.Context, in io.Reader, out io.Writer) error {
	return s.Connect(ctx, &mcp.IOTransport{Reader: readCloser(in), Writer: nopWriteCloser{out}})
}

// Connect serves one session over the transport until its peer leaves or ctx ends.
func (s *Server) Connect(ctx context.Context, transport mcp.Transport) error {
	return s.mcp.Run(ctx, transport)
}

// StreamableHandler serves streamable HTTP with sessions (2025-03-26 to 2025-11-25).
// sessionTimeout closes a session without requests; it must be positive.
func (s *Server) StreamableHandler(sessionTimeout time.Duration) http.Handler {
	return mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s.mcp },
		&mcp.StreamableHTTPOptions{SessionTimeout: sessionTimeout})
}

// SSEHandler serves HTTP+SSE as the revision 2024-11-05 has it; GET opens a stream, whose first event names the
// URL to POST to.
func (s *Server) SSEHandler() http.Handler {
	return mcp.NewSSEHandler(func(*http.Request) *mcp.Server { return s.mcp }, nil)
}

// readCloser lets the SDK end a blocked read when the stream can be closed, as os.Stdin can.
func readCloser(r io.Reader) io.ReadCloser {
	if rc, ok := r.(io.ReadCloser); ok {
		return rc
	}
	return io.NopCloser(r)
}

type nopWriteCloser struct{ io.Writer }

func (nopWriteCloser) Close() error { return nil }
