package upstream

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// maxBatch bounds the messages of one batch (2025-03-26 servers may send them).
const maxBatch = 1000

// run reads until the pipe ends. It is the mux's one reader.
func (m *mux) run() {
	for {
		raw, err := m.pipe.recv()
		if err != nil {
			m.end(err)
			return
		}
		if !wire.Batch(raw) {
			m.receive(raw)
			continue
		}
		parts, err := wire.SplitBatch(raw, maxBatch)
		if err != nil {
			m.unusable(err)
			continue
		}
		for _, part := range parts {
			m.receive(part.Of(raw))
		}
	}
}

// receive sorts one message. raw is only valid during the call.
func (m *mux) receive(raw []byte) {
	msg, err := wire.Skim(raw)
	if err != nil {
		m.unusable(err)
		return
	}
	switch msg.Kind {
	case wire.Response:
		m.answered(&msg)
	case wire.Request:
		m.asked(&msg)
	case wire.Notification:
		m.notified(&msg)
	default:
		m.unusable(fmt.Errorf("neither request nor response nor notification"))
	}
}

// unusable notes a message that is no JSON-RPC, such as a log line in JSON on stdout. The connection goes on.
func (m *mux) unusable(err error) {
	if n := m.dropped.Add(1); n&(n-1) == 0 { // 1st, 2nd, 4th, 8th …: a flood stays readable
		m.log.Debug().Err(err).Uint64("dropped", n).Msg("server sent something that is not JSON-RPC")
	}
}

// answered hands a response to its call. Unknown and doubled ids are dropped.
func (m *mux) answered(msg *wire.Message) {
	id, err := strconv.ParseUint(string(msg.ID.Of(msg.Raw)), 10, 64)
	if err != nil {
		m.dropped.Add(1)
		return
	}
	m.mu.Lock()
	w, ok := m.waiting[id]
	delete(m.waiting, id)
	m.mu.Unlock()
	if !ok {
		m.dropped.Add(1)
		return
	}
	buf := wire.GetBuffer()
	buf.B = append(buf.B[:0], msg.Raw...)
	a := &protocol.Answer{Message: *msg, Free: buf.Free}
	a.Message.Raw = buf.B
	w.result <- outcome{answer: a}
}

// notified sorts a notification. It runs on the reader and calls nothing that blocks.
func (m *mux) notified(msg *wire.Message) {
	switch method := msg.MethodName(); method {
	case protocol.Progress:
		m.progressed(msg)
	case protocol.Cancelled:
		m.cancelAsk(msg.RequestID.Of(msg.Raw))
	case protocol.ToolsListChanged, protocol.PromptsListChanged, protocol.ResourcesListChanged:
		m.ev.listChanged(method)
	case protocol.ResourcesUpdated:
		if uri, ok := wire.Unquote(msg.URI.Of(msg.Raw)); ok {
			m.ev.updated(uri, msg.Raw)
		}
	case protocol.ElicitationComplete: // names its elicitation; whoever gave that out knows the client
		m.ev.stray(method, msg.Raw)
	default:
		if w := m.onlyCause(); w != nil {
			w.sink.Notify(msg.Raw)
			w.using.Unlock()
			return
		}
		m.ev.stray(method, msg.Raw)
	}
}

// progressed hands progress to the call that it names, under the client's own token.
func (m *mux) progressed(msg *wire.Message) {
	token := bytes.Trim(msg.ProgressToken.Of(msg.Raw), `"`)
	id, err := strconv.ParseUint(string(token), 10, 64)
	if err != nil {
		m.dropped.Add(1)
		return
	}
	m.mu.Lock()
	w, ok := m.waiting[id]
	if ok {
		w.using.Lock()
	}
	m.mu.Unlock()
	if !ok {
		m.dropped.Add(1)
		return
	}
	defer w.using.Unlock()
	if w.token == nil {
		m.dropped.Add(1)
		return
	}
	buf := wire.GetBuffer()
	buf.B = wire.AppendSplice(buf.B[:0], msg.Raw, wire.Edit{At: msg.ProgressToken, With: w.token})
	w.sink.Notify(buf.B)
	buf.Free()
}

// onlyCause gives the oldest call in flight if all calls in flight belong to one client, locked for use; otherwise nil.
func (m *mux) onlyCause() *waiter {
	m.mu.Lock()
	defer m.mu.Unlock()
	var first *waiter
	n := 0
	for _, w := range m.waiting {
		if w.client == nil {
			continue // the gateway's own request: nothing that a client would care for
		}
		if n++; n > 1 && (w.client.Key == "" || w.client.Key != first.client.Key) {
			return nil
		}
		if first == nil || w.id < first.id {
			first = w
		}
	}
	if first != nil {
		first.using.Lock()
	}
	return first
}

// cancelAsk ends an ask that the server no longer wants answered.
func (m *mux) cancelAsk(rawID []byte) {
	m.mu.Lock()
	p := m.asks[string(rawID)]
	m.mu.Unlock()
	if p != nil {
		p.cancel(errServerGaveUp)
	}
}

var _ conn = (*mux)(nil)
