package protocol

import (
	"context"
	"time"

	"github.com/manifold-mcp/manifold/pkg/wire"
)

// Capability is a set of things that a client can do for a server.
type Capability uint32

// What a client can declare (2025-11-25 schema, ClientCapabilities).
const (
	CanSample        Capability = 1 << iota // sampling
	CanSampleTools                          // sampling.tools
	CanSampleContext                        // sampling.context
	CanElicitForm                           // elicitation, or elicitation.form
	CanElicitURL                            // elicitation.url
	CanRoots                                // roots
	CanRootsChanged                         // roots.listChanged
)

// Has tells whether c includes all of want.
func (c Capability) Has(want Capability) bool { return c&want == want }

// CapabilityFor gives what a client must declare to be asked method; zero for methods that need nothing known.
func CapabilityFor(method string) Capability {
	switch method {
	case SamplingCreateMessage:
		return CanSample
	case ElicitationCreate:
		return CanElicitForm // url mode is checked by whoever reads params.mode
	case RootsList:
		return CanRoots
	}
	return 0
}

// Client is the asker of a call, whole: nothing about it is kept elsewhere. It is immutable once a call carries it.
type Client struct {
	// Key binds an upstream connection to one client under isolation: session. It is the gateway's own name of the
	// client's session, never shown to anybody; empty for a client that has none.
	Key string
	// Principal is who was authenticated; empty without authentication.
	Principal string
	// Revision is the protocol revision of the request.
	Revision string
	// Caps is what the client can be asked.
	Caps Capability
	// RawCaps is the capabilities object as the client wrote it, for upstream connections of its own; may be nil.
	RawCaps []byte
	// Info is the client's clientInfo object as it wrote it; may be nil.
	Info []byte
	// Peer takes what belongs to this client but to none of its calls; nil if there is no way to reach it.
	Peer Peer
}

// Peer is a way to reach a client.
type Peer interface {
	// Notify delivers a notification, a whole JSON-RPC message. The bytes belong to the caller again when Notify returns.
	// It never blocks for long and never fails: what cannot be delivered is dropped and counted.
	Notify(msg []byte)
	// Ask puts a server's request to the client and waits for its answer, a whole JSON-RPC response whose id is the
	// caller's to replace. The client is told to give up when ctx ends first. An error means that nobody was or could be asked.
	Ask(ctx context.Context, req wire.Message) ([]byte, error)
}

// Sink takes what a server sends on behalf of one call before it answers it.
type Sink interface {
	Peer
	// Detach says that the server closed its stream for now and lets the client come back for the rest after retry
	// (2025-11-25 transports, "Sending Messages to the Server" 6). Edges without streams ignore it.
	Detach(retry time.Duration)
}

type progressKey struct{}

// WithProgress lets the context of an Ask carry where the client's progress on that ask goes: whole
// notifications/progress messages with the server's own token.
func WithProgress(ctx context.Context, notify func(msg []byte)) context.Context {
	return context.WithValue(ctx, progressKey{}, notify)
}

// ProgressOf gives what WithProgress set, or nil.
func ProgressOf(ctx context.Context) func(msg []byte) {
	notify, _ := ctx.Value(progressKey{}).(func(msg []byte))
	return notify
}
