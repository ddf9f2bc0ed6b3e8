package upstream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/rs/zerolog"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// mux makes a connection out of a pipe: it gives every call an id (and a progress token) of its own, matches answers in
// whatever order they come, and sorts what the server sends besides. One goroutine reads; it never waits for a client.
type mux struct {
	pipe pipe
	ev   events
	log  zerolog.Logger

	waiters sync.Pool // of this connection alone, so that tests in a bubble of time can have theirs

	greeted atomic.Pointer[hello]
	dropped atomic.Uint64 // messages that belonged to nobody

	mu      sync.Mutex
	waiting map[uint64]*waiter
	lastID  uint64
	asks    map[string]*pendingAsk // by the server's raw id
	ended   bool

	finished chan struct{} // closed when the connection has ended; cause is set before
	cause    error
	// life ends with the connection; background sends and asks hang on it.
	life    context.Context
	endLife context.CancelCauseFunc
	work    sync.WaitGroup // background sends and asks
	asking  chan struct{}  // a slot for each request of the server that is being put to a client
	sending chan struct{}  // a slot for each message of the connection's own that is being sent
}

// What one connection does at most at the same time besides its calls.
const (
	maxAsks  = 64
	maxSends = 64
)

// newMux makes a mux over a pipe; run must be started before anything is called. See dialMux.
func newMux(p pipe, ev events, log zerolog.Logger) *mux {
	m := &mux{
		pipe: p, ev: ev, log: log,
		waiting:  make(map[uint64]*waiter),
		asks:     make(map[string]*pendingAsk),
		finished: make(chan struct{}),
		asking:   make(chan struct{}, maxAsks),
		sending:  make(chan struct{}, maxSends),
	}
	m.life, m.endLife = context.WithCancelCause(context.Background())
	return m
}

// dialMux opens a connection over a fresh pipe, which it owns from now on: it starts reading and performs the handshake. When
// that fails or ctx ends, the pipe is closed.
func dialMux(ctx context.Context, p pipe, g greeting, ev events, log zerolog.Logger) (*mux, error) {
	m := newMux(p, ev, log)
	go m.run()
	if err := m.handshake(ctx, g); err != nil {
		m.close(context.WithoutCancel(ctx))
		if cause := m.err(); cause != nil && errors.Is(err, protocol.ErrLost) {
			err = fmt.Errorf("initialize: %w", cause)
		}
		return nil, err
	}
	return m, nil
}

func (m *mux) hello() *hello         { return m.greeted.Load() }
func (m *mux) done() <-chan struct{} { return m.finished }

func (m *mux) err() error {
	select {
	case <-m.finished:
		return m.cause
	default:
		return nil
	}
}

// waiter is one request in flight.
type waiter struct {
	id     uint64
	client *protocol.Client // nil for the gateway's own requests
	sink   protocol.Sink
	token  []byte // the client's progress token, raw; nil if it sent none
	// result takes exactly one value unless the caller has taken the waiter out of the map itself.
	result chan outcome
	// using is held by the reader while it works with sink and token, and by the caller on its way out, so that neither is
	// touched after the call has returned.
	using sync.Mutex
	// digits is room for the id in its raw forms, for the caller alone.
	digits [24]byte
}

type outcome struct {
	answer *protocol.Answer
	err    error
}

// waiter gives a waiter for a call; free takes it back.
func (m *mux) waiter(c *protocol.Call) *waiter {
	w, ok := m.waiters.Get().(*waiter)
	if !ok {
		w = &waiter{result: make(chan outcome, 1)}
	}
	w.client, w.sink = c.Client, c.Sink
	if c.Message.ProgressToken.Present() {
		w.token = c.Message.ProgressToken.Of(c.Message.Raw)
	}
	return w
}

func (m *mux) free(w *waiter) {
	w.client, w.sink, w.token = nil, nil, nil
	m.waiters.Put(w)
}

// call implements conn.
func (m *mux) call(ctx context.Context, c *protocol.Call) (*protocol.Answer, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	w := m.waiter(c)
	if !m.register(w) {
		m.free(w)
		return nil, fmt.Errorf("%w: %w", protocol.ErrUnavailable, m.cause)
	}
	buf := wire.GetBuffer()
	buf.B = appendCall(buf.B[:0], c, w.id, &w.digits)
	err := m.pipe.send(ctx, buf.B)
	buf.Free()
	if err != nil {
		if late, ok := m.withdraw(w); ok {
			late.discard()
		}
		m.free(w)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, err
	}
	select {
	case out := <-w.result:
		m.free(w)
		return out.answer, out.err
	case <-ctx.Done():
		return m.abandon(ctx, w, c.Method)
	}
}

// register gives the waiter its id; false when the connection has ended.
func (m *mux) register(w *waiter) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended {
		return false
	}
	m.lastID++
	w.id = m.lastID
	m.waiting[w.id] = w
	return true
}

// withdraw takes a waiter out; if its outcome was already on the way, it is returned. Afterwards nobody else holds the waiter.
func (m *mux) withdraw(w *waiter) (outcome, bool) {
	m.mu.Lock()
	_, mine := m.waiting[w.id]
	delete(m.waiting, w.id)
	m.mu.Unlock()
	if !mine {
		return <-w.result, true
	}
	w.using.Lock()
	w.using.Unlock() //nolint:staticcheck // waits for the reader to let go
	return outcome{}, false
}

// abandon ends a call whose context has ended: the server is told to give up and its late answer will be dropped.
func (m *mux) abandon(ctx context.Context, w *waiter, method string) (*protocol.Answer, error) {
	id := w.id
	late, answered := m.withdraw(w)
	m.free(w)
	if answered {
		late.discard()
		return nil, context.Cause(ctx)
	}
	if method != protocol.Initialize { // MUST NOT be cancelled (lifecycle and cancellation, "Behavior Requirements")
		m.post(appendCancelled(nil, id, context.Cause(ctx)))
	}
	return nil, context.Cause(ctx)
}

func (o outcome) discard() {
	if o.answer != nil {
		o.answer.Close()
	}
}

// post sends a message of the connection's own without making the caller wait. When too many wait already it is dropped: the
// server has stopped taking messages.
func (m *mux) post(msg []byte) {
	ok := m.background(m.sending, func() {
		if err := m.pipe.send(m.life, msg); err != nil {
			m.dropped.Add(1)
		}
	})
	if !ok {
		m.dropped.Add(1)
	}
}

// background runs f in a goroutine of the connection; false when all slots are taken or the connection has ended.
func (m *mux) background(slots chan struct{}, f func()) bool {
	select {
	case slots <- struct{}{}:
	default:
		return false
	}
	m.mu.Lock()
	ended := m.ended
	if !ended {
		m.work.Add(1)
	}
	m.mu.Unlock()
	if ended {
		<-slots
		return false
	}
	go func() {
		defer func() { <-slots; m.work.Done() }()
		f()
	}()
	return true
}

// notify implements conn.
func (m *mux) notify(ctx context.Context, msg []byte) error { return m.pipe.send(ctx, msg) }

// close implements conn.
func (m *mux) close(ctx context.Context) {
	m.pipe.close(ctx)
	<-m.finished
	m.work.Wait()
}

// end fails whatever is in flight. Only run calls it, once.
func (m *mux) end(cause error) {
	m.mu.Lock()
	m.ended = true
	m.cause = cause
	lost := m.waiting
	m.waiting = nil
	m.mu.Unlock()
	m.endLife(protocol.ErrLost)
	for _, w := range lost {
		w.result <- outcome{err: fmt.Errorf("%w: %w", protocol.ErrLost, cause)}
	}
	close(m.finished)
}

// appendCall appends the client's request with the connection's own id and progress token and the router's edits. room is
// for the id's digits.
func appendCall(dst []byte, c *protocol.Call, id uint64, room *[24]byte) []byte {
	quoted := append(room[:0], '"')
	quoted = strconv.AppendUint(quoted, id, 10)
	quoted = append(quoted, '"')
	digits := quoted[1 : len(quoted)-1]

	var few [8]wire.Edit
	edits := append(append(few[:0], c.Edits...), wire.Edit{At: c.Message.ID, With: digits})
	if at := c.Message.ProgressToken; at.Present() {
		with := digits
		if c.Message.Raw[at.Start] == '"' {
			with = quoted
		}
		edits = append(edits, wire.Edit{At: at, With: with})
	}
	return wire.AppendSplice(dst, c.Message.Raw, edits...)
}

func appendCancelled(dst []byte, id uint64, cause error) []byte {
	reason := "the client gave up"
	if errors.Is(cause, protocol.ErrTimeout) {
		reason = "no answer in time"
	}
	dst = append(dst, `{"jsonrpc":"2.0","method":"`+protocol.Cancelled+`","params":{"requestId":`...)
	dst = strconv.AppendUint(dst, id, 10)
	dst = append(dst, `,"reason":`...)
	dst = wire.AppendQuote(dst, reason)
	return append(dst, "}}"...)
}
