package upstream

import (
	"fmt"
	"sync/atomic"

	"github.com/manifold-mcp/manifold/pkg/config"
	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// What the gateway says on a shared connection that its clients can do: everything, so that servers ask. Whether a client can
// is checked when it is to be asked.
const sharedCapabilities = `{"roots":{"listChanged":true},"sampling":{"context":{},"tools":{}},"elicitation":{"form":{},"url":{}}}`

// gatewayInfo is the gateway's clientInfo.
func gatewayInfo(version string) []byte {
	return append(wire.AppendQuote([]byte(`{"name":"manifold","version":`), version), '}')
}

// clientGreeting says on a client's own connection what that client is and can do.
func clientGreeting(c *protocol.Client, version string) greeting {
	g := greeting{capabilities: c.RawCaps, info: c.Info}
	if len(g.capabilities) == 0 {
		g.capabilities = []byte("{}")
	}
	if len(g.info) == 0 {
		g.info = gatewayInfo(version)
	}
	return g
}

// asksFor gives what a client must be able to do to be asked this; zero if nothing needs to be declared for it.
func asksFor(req *wire.Message) protocol.Capability {
	need := protocol.CapabilityFor(req.MethodName())
	if need == protocol.CanElicitForm {
		if mode, ok := text(req.Raw, req.Params, "mode"); ok && mode == "url" {
			return protocol.CanElicitURL
		}
	}
	return need
}

// answerable says why a client cannot be asked this, nil if it can.
func answerable(c *protocol.Client, req *wire.Message) error {
	if c == nil {
		return fmt.Errorf("%w: there is no client behind the call", protocol.ErrRefused)
	}
	if !c.Caps.Has(asksFor(req)) {
		return fmt.Errorf("%w: it does not declare what %s needs", protocol.ErrRefused, clip(req.MethodName(), 60))
	}
	return nil
}

// soleCause gives the oldest call in flight if all of them belong to one client; nil if it is not sure who is meant.
func soleCause(flights []*flight) *flight {
	if len(flights) == 0 {
		return nil
	}
	first := flights[0]
	for _, f := range flights[1:] {
		if first.client.Key == "" || f.client.Key != first.client.Key {
			return nil
		}
	}
	return first
}

// askers remembers what kinds of things a server asks of clients.
type askers struct{ kinds atomic.Uint32 }

// noted adds a kind and tells whether it is new.
func (a *askers) noted(kind protocol.Capability) bool {
	return kind != 0 && protocol.Capability(a.kinds.Or(uint32(kind)))&kind == 0
}

// meant tells whether the server asks for something that these capabilities can answer.
func (a *askers) meant(caps protocol.Capability) bool {
	return protocol.Capability(a.kinds.Load())&caps != 0
}

// alone tells whether calls of this client go over a connection of its own.
func (u *Upstream) alone(c *protocol.Client) bool {
	if c == nil || c.Key == "" {
		return false
	}
	switch u.isolation {
	case config.IsolationSession:
		return true
	case config.IsolationAuto:
		return u.askers.meant(c.Caps)
	}
	return false
}
