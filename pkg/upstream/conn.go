package upstream

import (
	"context"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// conn is one live, initialised connection to a server. It is made by a dialer, serves many calls at once, and is never
// revived: when it ends, the upstream dials another. All methods are safe for concurrent use.
type conn interface {
	// call sends one request and waits for its answer. It mints the id and the progress token, hands what precedes the
	// answer to c.Sink, and sends notifications/cancelled when ctx ends first. Errors wrap the sentinels of protocol;
	// ErrUnavailable and ErrBusy promise that nothing was sent.
	call(ctx context.Context, c *protocol.Call) (*protocol.Answer, error)
	// notify sends a notification, a whole JSON-RPC message.
	notify(ctx context.Context, msg []byte) error
	// hello is the server's initialize result.
	hello() *hello
	// done is closed when the connection has ended; err then says why.
	done() <-chan struct{}
	err() error
	// close ends the connection in order (stdio: close stdin, TERM the group, KILL the group, reap; HTTP: DELETE the session)
	// and waits for it. Calls in flight fail with protocol.ErrLost.
	close(ctx context.Context)
}

// hello is what a server said of itself in initialize.
type hello struct {
	revision     string
	capabilities []byte
	info         []byte
	instructions string
	has          protocol.ServerCapability
}

// greeting is what the gateway says of itself in initialize: on a shared connection the union of what clients may be able
// to answer, on a client's own connection that client's words.
type greeting struct {
	capabilities []byte // JSON object
	info         []byte // JSON object: name and version
}

// events takes what a connection receives outside of any call. Implementations return quickly and never call back.
type events interface {
	// listChanged: a list_changed notification; kind is the method.
	listChanged(method string)
	// updated: a resource changed (notifications/resources/updated, whole message).
	updated(uri string, msg []byte)
	// stray: a notification that belongs to no call that could be found (log messages, unknown ones).
	stray(method string, msg []byte)
	// ask: a request of the server that cannot be attributed to a call by the connection. inFlight are the sinks of the
	// calls now in flight, oldest first. It returns the client's whole response, or an error with which the server is refused.
	ask(ctx context.Context, a *ask) ([]byte, error)
}

// dialer makes connections to one configured server.
type dialer interface {
	dial(ctx context.Context, g greeting, ev events) (conn, error)
}

// ask is a request of a server (sampling, elicitation, roots, anything unknown) on its way to a client.
type ask struct {
	msg wire.Message
	// inFlight are the calls that could be its cause, oldest first: all calls in flight on a pipe or behind a standing
	// GET stream. A request that came on a call's own stream goes straight to that call's sink and never here.
	inFlight []*flight
}

// flight is one call in flight on a connection.
type flight struct {
	client *protocol.Client
	sink   protocol.Sink
}

// pipe carries whole messages both ways and in order: stdio, or HTTP+SSE. The mux on top of it matches answers to calls.
type pipe interface {
	// send writes one message. It returns protocol.ErrUnavailable when nothing was written, protocol.ErrLost otherwise.
	send(ctx context.Context, msg []byte) error
	// recv blocks for the next message; its bytes are valid until the next recv. One goroutine calls it. It returns an
	// error exactly once, when the pipe has ended.
	recv() ([]byte, error)
	// close ends the pipe in order and waits for it; recv then returns.
	close(ctx context.Context)
}
