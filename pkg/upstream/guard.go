package upstream

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// guard watches over one call: it stands between connection and client's sink, times the call out, and promises that the sink
// is not touched after the call has returned.
//
// The clock starts over with each progress notification and stands still while the client is being asked something on behalf
// of the call; the limit holds regardless.
type guard struct {
	up     *Upstream
	call   protocol.Call // the call with the guard as its sink
	sink   protocol.Sink
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	limit  time.Time

	mu     sync.Mutex
	asks   int // pending
	closed bool
	quiet  chan struct{} // made by end when asks are pending, closed by the last of them
}

// guardCall begins to watch over a call; end must be called.
func (u *Upstream) guardCall(ctx context.Context, c *protocol.Call) *guard {
	g := &guard{up: u, call: *c, sink: c.Sink, limit: time.Now().Add(u.opts.CallLimit)}
	g.call.Sink = g
	g.ctx, g.cancel = context.WithCancelCause(ctx)
	g.timer = time.AfterFunc(min(u.requestTimeout, u.opts.CallLimit), g.expire)
	return g
}

func (g *guard) expire() { g.cancel(protocol.ErrTimeout) }

// end stops the clock, ends asks that are still pending and waits for them.
func (g *guard) end() {
	g.timer.Stop()
	g.mu.Lock()
	g.closed = true
	if g.asks > 0 {
		g.quiet = make(chan struct{})
	}
	quiet := g.quiet
	g.mu.Unlock()
	g.cancel(nil)
	if quiet != nil {
		<-quiet
	}
}

// wind sets the clock; d is cut by the limit. The caller holds mu.
func (g *guard) wind(d time.Duration) { g.timer.Reset(min(d, max(0, time.Until(g.limit)))) }

// Notify implements protocol.Peer.
func (g *guard) Notify(msg []byte) {
	m, err := wire.Skim(msg)
	progress := err == nil && m.MethodName() == protocol.Progress
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return
	}
	if progress && g.asks == 0 {
		g.wind(g.up.requestTimeout)
	}
	g.sink.Notify(msg)
}

// Detach implements protocol.Sink.
func (g *guard) Detach(retry time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.sink.Detach(retry)
	}
}

// Ask implements protocol.Peer. A client that cannot answer is not asked.
func (g *guard) Ask(ctx context.Context, req wire.Message) ([]byte, error) {
	if err := answerable(g.call.Client, &req); err != nil {
		return nil, err
	}
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return nil, protocol.ErrRefused
	}
	if g.asks++; g.asks == 1 {
		g.wind(g.up.opts.CallLimit)
	}
	g.mu.Unlock()
	defer g.answered()
	g.up.elicited.asked(&req, g.call.Client)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(g.ctx, func() { cancel(context.Cause(g.ctx)) })
	defer stop()
	return g.sink.Ask(ctx, req)
}

// answered ends an ask.
func (g *guard) answered() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.asks--; g.asks > 0 {
		return
	}
	if g.quiet != nil {
		close(g.quiet)
	} else if !g.closed {
		g.wind(g.up.requestTimeout)
	}
}

// hold keeps the guard for as long as the answer streams: reading counts as progress.
func (g *guard) hold(stream io.ReadCloser) io.ReadCloser { return &heldStream{stream, g} }

type heldStream struct {
	io.ReadCloser
	g *guard
}

func (h *heldStream) Read(p []byte) (int, error) {
	n, err := h.ReadCloser.Read(p)
	if n > 0 {
		h.g.mu.Lock()
		if !h.g.closed && h.g.asks == 0 {
			h.g.wind(h.g.up.requestTimeout)
		}
		h.g.mu.Unlock()
	}
	if err != nil && !errors.Is(err, io.EOF) && h.g.ctx.Err() != nil {
		err = context.Cause(h.g.ctx)
	}
	return n, err
}

func (h *heldStream) Close() error {
	err := h.ReadCloser.Close()
	h.g.end()
	return err
}
