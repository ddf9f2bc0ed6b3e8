package upstream

import (
	"context"
	"fmt"
	"time"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// ownCall makes a call of the gateway itself (no client, nothing to notify) out of a request that the gateway wrote.
func ownCall(raw []byte) *protocol.Call {
	m, err := wire.Skim(raw)
	if err != nil || m.Kind != wire.Request {
		panic(fmt.Sprintf("upstream: own request is malformed: %v", err)) // a bug of ours: no input reaches this
	}
	return &protocol.Call{Message: m, Method: m.MethodName(), Sink: nobody{}}
}

// newRequest makes a call of the gateway itself; params is a JSON object.
func newRequest(method string, params []byte) *protocol.Call {
	raw := append([]byte(`{"jsonrpc":"2.0","id":0,"method":`), wire.AppendQuote(nil, method)...)
	raw = append(append(append(raw, `,"params":`...), params...), '}')
	return ownCall(raw)
}

// nobody is the sink of the gateway's own calls.
type nobody struct{}

func (nobody) Notify([]byte)        {}
func (nobody) Detach(time.Duration) {}
func (nobody) Ask(context.Context, wire.Message) ([]byte, error) {
	return nil, protocol.ErrRefused
}
