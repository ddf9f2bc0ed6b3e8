package upstream

import (
	"context"
	"errors"
	"slices"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// errServerGaveUp ends an ask that the server has cancelled; such an ask is not answered (cancellation, "Behavior Requirements").
var errServerGaveUp = errors.New("the server cancelled its request")

// pendingAsk is a request of the server that has not been answered yet.
type pendingAsk struct{ cancel context.CancelCauseFunc }

// asked answers a request of the server: a ping at once, anything else by asking a client in a goroutine of its own.
func (m *mux) asked(msg *wire.Message) {
	id := slices.Clone(msg.ID.Of(msg.Raw))
	method := msg.MethodName()
	if method == protocol.Ping {
		m.post(appendResult(nil, id, []byte("{}")))
		return
	}
	a := &ask{msg: *msg, inFlight: m.inFlight()}
	a.msg.Raw = slices.Clone(msg.Raw)
	ctx, cancel := context.WithCancelCause(m.life)
	if !m.admit(id, cancel) {
		cancel(nil)
		m.dropped.Add(1)
		return
	}
	ok := m.background(m.asking, func() {
		answer, err := m.ev.ask(ctx, a)
		m.forget(id)
		gaveUp := errors.Is(context.Cause(ctx), errServerGaveUp)
		cancel(nil)
		if gaveUp {
			return
		}
		if err := m.pipe.send(m.life, replyTo(id, method, answer, err)); err != nil {
			m.dropped.Add(1)
		}
	})
	if !ok { // too many at once
		m.forget(id)
		cancel(nil)
		m.post(appendRefusal(nil, id, method))
	}
}

// admit notes an ask so that the server can cancel it; false if an ask with this id is still open.
func (m *mux) admit(id []byte, cancel context.CancelCauseFunc) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, open := m.asks[string(id)]; open {
		return false
	}
	m.asks[string(id)] = &pendingAsk{cancel: cancel}
	return true
}

func (m *mux) forget(id []byte) {
	m.mu.Lock()
	delete(m.asks, string(id))
	m.mu.Unlock()
}

// inFlight lists the clients' calls in flight, oldest first.
func (m *mux) inFlight() []*flight {
	m.mu.Lock()
	defer m.mu.Unlock()
	ids := make([]uint64, 0, len(m.waiting))
	for id, w := range m.waiting {
		if w.client != nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	list := make([]*flight, len(ids))
	for i, id := range ids {
		w := m.waiting[id]
		list[i] = &flight{client: w.client, sink: w.sink}
	}
	return list
}

// replyTo makes the answer to a server's request: the client's response under the server's id, or the refusal that the bridge
// matrix asks for.
func replyTo(id []byte, method string, answer []byte, err error) []byte {
	if err == nil {
		msg, bad := wire.Skim(answer)
		if bad == nil && msg.Kind == wire.Response {
			return wire.AppendSplice(nil, answer, wire.Edit{At: msg.ID, With: id})
		}
	}
	return appendRefusal(nil, id, method)
}

// appendRefusal appends the answer to a server whose request cannot be put to anybody: an elicitation is cancelled, anything
// else is a method that this client does not have.
func appendRefusal(dst, id []byte, method string) []byte {
	if method == protocol.ElicitationCreate {
		return appendResult(dst, id, []byte(`{"action":"cancel"}`))
	}
	return protocol.Errorf(protocol.CodeMethodNotFound, "the client cannot be asked").Append(dst, id)
}

// appendResult appends a response of the gateway's own.
func appendResult(dst, id, result []byte) []byte {
	dst = append(dst, `{"jsonrpc":"2.0","id":`...)
	dst = append(dst, id...)
	dst = append(dst, `,"result":`...)
	return append(append(dst, result...), '}')
}
