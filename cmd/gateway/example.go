package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/manifold-mcp/manifold/internal/example"
)

// exampleOptions says how the example server is reached. With both addresses empty it speaks stdio.
type exampleOptions struct {
	HTTP     string        // address for streamable HTTP at /mcp, such as 127.0.0.1:3051; port 0 takes a free one
	SSE      string        // address for HTTP+SSE at /sse
	Interval time.Duration // how often the counter changes; zero means example.DefaultInterval
	Version  string
}

// exampleSessionTimeout ends an HTTP session that nobody uses; a demonstration needs no more.
const exampleSessionTimeout = 30 * time.Minute

// runExampleServer implements `agent example-server`: a small MCP server over stdio, or over HTTP on the given
// addresses. It returns when the peer closes in, when ctx ends, or when an address cannot be listened on. Over
// stdio nothing but protocol messages is written to out; the addresses are told on notes, one line each.
func runExampleServer(ctx context.Context, in io.Reader, out, notes io.Writer, opts exampleOptions) error {
	if opts.Interval <= 0 {
		opts.Interval = example.DefaultInterval
	}
	server := example.New(opts.Version)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return server.Run(ctx, opts.Interval) })
	if opts.HTTP == "" && opts.SSE == "" {
		group.Go(func() error {
			if err := server.RunStdio(ctx, in, out); err != nil && ctx.Err() == nil {
				return fmt.Errorf("serve stdio: %w", err)
			}
			return errExampleDone
		})
	}
	if opts.HTTP != "" {
		group.Go(func() error {
			return serveExample(ctx, opts.HTTP, "/mcp", server.StreamableHandler(exampleSessionTimeout), notes)
		})
	}
	if opts.SSE != "" {
		group.Go(func() error { return serveExample(ctx, opts.SSE, "/sse", server.SSEHandler(), notes) })
	}
	if err := group.Wait(); !errors.Is(err, errExampleDone) && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// errExampleDone ends the group when the one stdio session is over, which is not a failure.
var errExampleDone = errors.New("session over")

// serveExample serves handler at path until ctx ends. Open event streams end with it.
func serveExample(ctx context.Context, addr, path string, handler http.Handler, notes io.Writer) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("example server: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle(path, handler)
	host := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() { _ = host.Close() })
	defer stop()
	fmt.Fprintf(notes, "example server listening on http://%s%s\n", listener.Addr(), path)
	if err := host.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("example server: %w", err)
	}
	return context.Cause(ctx)
}
