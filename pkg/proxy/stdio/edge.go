package stdio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/manifold-mcp/manifold/pkg/filter"
	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/proxy"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// Options are the edge's part of the configuration.
type Options struct {
	// MaxMessage bounds a line (bytes).
	MaxMessage int
	// MaxCalls bounds the requests in flight; further ones are refused.
	MaxCalls int
	// Filter and Paged are what the client sees.
	Filter filter.Expr
	Paged  bool
}

// Serve serves one client until in ends, out fails, or ctx ends. Calls in flight when in ends may finish; otherwise they are
// cancelled and waited for.
func Serve(ctx context.Context, router *proxy.Router, in io.Reader, out io.Writer, opts Options) error {
	session := router.Sessions().New(protocol.Client{Revision: protocol.NewestLegacy}, opts.Filter, opts.Paged)
	defer router.Sessions().End(session)
	ctx, cancel := context.WithCancelCause(ctx)
	e := &edge{router: router, session: session, out: newLines(), slots: make(chan struct{}, opts.MaxCalls)}
	go e.out.run(out)
	defer e.flush()
	defer e.calls.Wait()
	defer cancel(proxy.ErrClientGone)

	input := make(chan []byte)
	read := make(chan error, 1)
	go func() { read <- readLines(ctx, in, opts.MaxMessage, input) }() // ends with ctx at the next line: a blocked read cannot be interrupted
	for {
		select {
		case line := <-input:
			e.receive(ctx, line)
		case err := <-read:
			if err != nil {
				return err
			}
			e.session.Mute()
			return e.finish(ctx)
		case <-e.out.done:
			return e.out.err()
		case <-ctx.Done():
			return nil
		}
	}
}

// readLines hands over the lines of in, until it ends (nil) or fails, or ctx ends.
func readLines(ctx context.Context, in io.Reader, limit int, to chan<- []byte) error {
	r := wire.NewLineReader(in, limit)
	for {
		line, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read standard input: %w", err)
		}
		select {
		case to <- bytes.Clone(line):
		case <-ctx.Done():
			return nil
		}
	}
}

type edge struct {
	router  *proxy.Router
	session *proxy.Session
	out     *lines
	slots   chan struct{}
	calls   sync.WaitGroup
}

// maxBatch bounds the messages of one batch.
const maxBatch = 100

// finish lets the calls in flight answer: a client may write its requests and close, as a shell does.
func (e *edge) finish(ctx context.Context) error {
	go func() {
		e.calls.Wait()
		e.out.close()
	}()
	select {
	case <-e.out.done:
		return e.out.err()
	case <-ctx.Done():
		return nil
	}
}

// flushTime is how long a client that reads may take for the last answers when it is not waited for any more.
const flushTime = time.Second

// flush writes what is left.
func (e *edge) flush() {
	e.out.close()
	timer := time.NewTimer(flushTime)
	defer timer.Stop()
	select {
	case <-e.out.done:
	case <-timer.C: // the writer ends with the process: a blocked write cannot be interrupted
	}
}

// receive takes a line: a message, or in 2025-03-26 a batch, whose messages are answered one by one.
func (e *edge) receive(ctx context.Context, line []byte) {
	if !wire.Batch(line) || e.session.Client().Revision != protocol.Revision20250326 {
		e.take(ctx, line)
		return
	}
	parts, err := wire.SplitBatch(line, maxBatch)
	if err != nil {
		e.out.answer(ctx, protocol.ParseError(err).Append(nil, nil))
	}
	for _, at := range parts {
		e.take(ctx, at.Of(line))
	}
}

func (e *edge) take(ctx context.Context, raw []byte) {
	m, err := wire.Parse(raw)
	if err != nil {
		var id []byte
		if m.ID.Present() {
			id = m.ID.Of(raw)
		}
		e.out.answer(ctx, protocol.ParseError(err).Append(nil, id))
		return
	}
	req := proxy.Request{Message: m, Client: e.session.Client(), Session: e.session, Filter: e.session.Filter, Paged: e.session.Paged}
	switch m.Kind {
	case wire.Notification:
		e.router.Notification(ctx, &req)
	case wire.Response:
		e.session.Answer(m)
	default:
		e.request(ctx, &req)
	}
}

// request serves a request beside the others. One too many is refused and not made to wait, for behind it may come the
// answer to a question on which the others wait.
func (e *edge) request(ctx context.Context, req *proxy.Request) {
	id := req.Message.ID.Of(req.Message.Raw)
	if req.Message.MethodName() == protocol.Initialize && !e.session.Stands() {
		answer := e.initialize(ctx, &req.Message)
		e.out.answer(ctx, answer.Append(nil, id))
		if !answer.Failed() {
			e.session.Stand(e.out) // a client expects nothing before
		}
		return
	}
	select {
	case e.slots <- struct{}{}:
	default:
		e.out.answer(ctx, protocol.Errorf(protocol.CodeInternal, "more than %d requests in flight", cap(e.slots)).Append(nil, id))
		return
	}
	e.router.Begin(ctx, req)
	e.calls.Go(func() {
		defer func() { <-e.slots }()
		answer := e.router.Serve(ctx, req, e.session.Sink(e.out))
		if proxy.Unwanted(answer) {
			answer.Close()
			return
		}
		e.out.answer(ctx, answer.Whole(id))
	})
}

func (e *edge) initialize(ctx context.Context, m *wire.Message) *protocol.Answer {
	client, bad := proxy.ParseInitialize(m)
	if bad != nil {
		return &protocol.Answer{Err: bad}
	}
	e.session.Introduce(client)
	return &protocol.Answer{Result: e.router.Welcome(ctx, client.Revision, e.session.Filter)}
}
