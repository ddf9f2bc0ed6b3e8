package testkit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
)

// Server is an MCP server of raw messages: what Serve writes is what goes out. One Server is served over any number of
// connections by [Server.Streamable], [Server.SSE] and [Server.Stdio].
type Server struct {
	// Serve answers one request, initialize included. It runs in a goroutine of its own; a call that was cancelled may
	// return without an answer.
	Serve func(c *Call)
	// Heard takes every notification of the client; may be nil.
	Heard func(p *Peer, m Message)
	// AlwaysStream makes streamable HTTP answer by a stream even when nothing precedes the answer.
	AlwaysStream bool
}

// Peer is one client of a Server: a session, a stream, or a pipe.
type Peer struct {
	server *Server
	// loose sends what belongs to no call.
	loose func(raw []byte) error

	mu      sync.Mutex
	asks    map[string]chan Message
	calls   map[string]context.CancelCauseFunc
	minted  int
	ended   context.Context
	end     context.CancelFunc
	running sync.WaitGroup
}

func (s *Server) newPeer(loose func(raw []byte) error) *Peer {
	p := &Peer{server: s, loose: loose, asks: map[string]chan Message{}, calls: map[string]context.CancelCauseFunc{}}
	p.ended, p.end = context.WithCancel(context.Background())
	return p
}

// Call is one request in the hands of a Server.
type Call struct {
	Message
	Peer *Peer

	ctx     context.Context
	respond func(raw []byte) error
	related func(raw []byte) error
}

// errCancelled is why a call's context ended when the client took the request back.
var errCancelled = errors.New("cancelled by the client")

// Context ends when the client cancels the request or its connection ends.
func (c *Call) Context() context.Context { return c.ctx }

// Cancelled tells whether the client took the request back.
func (c *Call) Cancelled() bool { return errors.Is(context.Cause(c.ctx), errCancelled) }

// Result answers with a result, a JSON value.
func (c *Call) Result(value string) { c.Respond(c.Reply(value)) }

// Respond answers with a whole response. What cannot be delivered is lost, as in life.
func (c *Call) Respond(raw []byte) { _ = c.respond(raw) }

// Notify sends a notification that belongs to this call.
func (c *Call) Notify(raw []byte) { _ = c.related(raw) }

// Ask asks the client something on behalf of this call and waits for its response.
func (c *Call) Ask(method, params string) (Message, error) {
	p := c.Peer
	answer := make(chan Message, 1)
	p.mu.Lock()
	p.minted++
	id := fmt.Sprintf("%d", p.minted) // small numbers, so that they collide with those of everybody else
	p.asks[id] = answer
	p.mu.Unlock()
	if err := c.related(Request(id, method, params)); err != nil {
		return Message{}, err
	}
	select {
	case m := <-answer:
		return m, nil
	case <-c.ctx.Done():
		return Message{}, context.Cause(c.ctx)
	}
}

// Notify sends a notification that belongs to no call: on the standing stream or the pipe.
func (p *Peer) Notify(raw []byte) { _ = p.loose(raw) }

// take takes one message of the client. For a request, respond and related say where its answer goes and what precedes
// it; the returned channel is closed when the request was served.
func (p *Peer) take(m Message, respond, related func([]byte) error) <-chan struct{} {
	switch {
	case m.IsRequest():
		return p.serve(m, respond, related)
	case m.IsNotification():
		if m.Method == "notifications/cancelled" {
			p.cancel(Get(m.Params, "requestId"))
		}
		if p.server.Heard != nil {
			p.server.Heard(p, m)
		}
	default:
		p.mu.Lock()
		answer := p.asks[string(m.ID)]
		delete(p.asks, string(m.ID))
		p.mu.Unlock()
		if answer != nil {
			answer <- m
		}
	}
	return nil
}

func (p *Peer) serve(m Message, respond, related func([]byte) error) <-chan struct{} {
	ctx, cancel := context.WithCancelCause(p.ended)
	p.mu.Lock()
	p.calls[string(m.ID)] = cancel
	p.mu.Unlock()
	done := make(chan struct{})
	p.running.Go(func() {
		defer close(done)
		defer func() {
			p.mu.Lock()
			delete(p.calls, string(m.ID))
			p.mu.Unlock()
			cancel(nil)
		}()
		p.server.Serve(&Call{Message: m, Peer: p, ctx: ctx, respond: respond, related: related})
	})
	return done
}

func (p *Peer) cancel(id json.RawMessage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if cancel := p.calls[string(id)]; cancel != nil {
		cancel(errCancelled)
	}
}

// close ends the peer's calls and waits for them.
func (p *Peer) close() {
	p.end()
	p.running.Wait()
}
