package testkit

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Conn is a client's connection to the gateway or straight to a server, whatever the transport.
type Conn interface {
	// Do sends one request and waits for its response, the one that carries the very same bytes as id.
	Do(ctx context.Context, raw []byte) (Message, error)
	// Send sends a notification or a response.
	Send(ctx context.Context, raw []byte) error
	// Close ends the connection without a word.
	Close()
}

// Handler takes what a server sends of itself. For a request it returns the whole response, or nil to leave it
// unanswered; for a notification it returns nil. Notifications come one after the other in the order of their stream;
// every request comes in a goroutine of its own.
type Handler func(m Message) []byte

// Greeting is what a client says in initialize.
type Greeting struct {
	Version string
	// Capabilities is a JSON object; none when empty.
	Capabilities string
	Name         string
}

func (g Greeting) params() string {
	if g.Capabilities == "" {
		g.Capabilities = "{}"
	}
	if g.Name == "" {
		g.Name = "testkit"
	}
	return fmt.Sprintf(`{"protocolVersion":%s,"capabilities":%s,"clientInfo":{"name":%s,"version":"1"}}`,
		Quote(g.Version), g.Capabilities, Quote(g.Name))
}

// Shake runs the initialize handshake on c and gives the server's answer.
func Shake(ctx context.Context, c Conn, g Greeting) (Message, error) {
	m, err := c.Do(ctx, Request(`"init"`, "initialize", g.params()))
	if err != nil {
		return m, fmt.Errorf("initialize: %w", err)
	}
	if m.Result == nil {
		return m, fmt.Errorf("initialize was refused: %s", m.Raw)
	}
	return m, c.Send(ctx, Notification("notifications/initialized", ""))
}

// errClosed ends the waits of a connection that was closed.
var errClosed = errors.New("connection closed")

// mux matches responses to requests on a connection that carries everything in both directions: stdio and HTTP+SSE.
type mux struct {
	send   func(ctx context.Context, raw []byte) error
	handle Handler

	mu      sync.Mutex
	waiting map[string]chan Message
	ended   chan struct{}
	err     error
	asked   sync.WaitGroup
}

func newMux(handle Handler, send func(context.Context, []byte) error) *mux {
	return &mux{send: send, handle: handle, waiting: map[string]chan Message{}, ended: make(chan struct{})}
}

func (x *mux) do(ctx context.Context, raw []byte) (Message, error) {
	req, err := Parse(raw)
	if err != nil {
		return req, err
	}
	answer := make(chan Message, 1)
	x.mu.Lock()
	if _, twice := x.waiting[string(req.ID)]; twice {
		x.mu.Unlock()
		return req, fmt.Errorf("id %s is in use", req.ID)
	}
	x.waiting[string(req.ID)] = answer
	x.mu.Unlock()
	defer func() {
		x.mu.Lock()
		delete(x.waiting, string(req.ID))
		x.mu.Unlock()
	}()
	if err := x.send(ctx, raw); err != nil {
		return Message{}, err
	}
	select {
	case m := <-answer:
		return m, nil
	case <-ctx.Done():
		return Message{}, fmt.Errorf("no answer to %.200s: %w", raw, ctx.Err())
	case <-x.ended:
		return Message{}, x.err
	}
}

// take takes one message from the reader of the connection.
func (x *mux) take(raw []byte) {
	m, err := Parse(raw)
	if err != nil {
		x.end(err)
		return
	}
	if m.IsResponse() {
		x.mu.Lock()
		answer := x.waiting[string(m.ID)]
		delete(x.waiting, string(m.ID))
		x.mu.Unlock()
		if answer == nil {
			x.end(fmt.Errorf("a response that nobody waits for: %.200s", raw))
			return
		}
		answer <- m
		return
	}
	serve(&x.asked, x.handle, m, x.send)
}

// serve hands m to the handler and sends what it replies.
func serve(wg *sync.WaitGroup, handle Handler, m Message, send func(context.Context, []byte) error) {
	if handle == nil {
		return
	}
	if !m.IsRequest() {
		handle(m)
		return
	}
	wg.Go(func() {
		if reply := handle(m); reply != nil {
			_ = send(context.Background(), reply)
		}
	})
}

func (x *mux) end(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err == nil {
		x.err = err
		close(x.ended)
	}
}
