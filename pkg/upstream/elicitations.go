package upstream

import (
	"bytes"
	"sync"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// maxElicitations bounds the url elicitations remembered per server; the oldest are forgotten.
const maxElicitations = 1024

// elicitations remembers which client was given which url elicitation, so that its completion reaches that client and nobody
// else (2025-11-25 elicitation, "Completion Notifications for URL Mode Elicitation").
type elicitations struct {
	mu      sync.Mutex
	clients map[string]*protocol.Client
	order   []string // oldest first; may name what has been completed since
}

// asked remembers the elicitation that a request of the server opens, if it has one.
func (e *elicitations) asked(msg *wire.Message, client *protocol.Client) {
	if id, ok := text(msg.Raw, msg.Params, "elicitationId"); ok {
		e.remember(id, client)
	}
}

// refused remembers the elicitations of a URLElicitationRequiredError (-32042): error.data.elicitations[].elicitationId.
func (e *elicitations) refused(msg *wire.Message, client *protocol.Client) {
	code, ok := wire.Lookup(msg.Raw, msg.Error, "code")
	if !ok || !bytes.Equal(code.Of(msg.Raw), []byte("-32042")) {
		return
	}
	data, ok := wire.Lookup(msg.Raw, msg.Error, "data")
	if !ok {
		return
	}
	list, ok := wire.Lookup(msg.Raw, data, "elicitations")
	if !ok {
		return
	}
	for item := range wire.Elements(msg.Raw, list) {
		if id, ok := text(msg.Raw, item, "elicitationId"); ok {
			e.remember(id, client)
		}
	}
}

// completed takes out the client that a notifications/elicitation/complete is for; nil if nobody is known.
func (e *elicitations) completed(msg *wire.Message) *protocol.Client {
	id, ok := text(msg.Raw, msg.Params, "elicitationId")
	if !ok {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	client := e.clients[id]
	delete(e.clients, id)
	return client
}

// release forgets a client.
func (e *elicitations) release(key string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for id, client := range e.clients {
		if client.Key == key {
			delete(e.clients, id)
		}
	}
}

func (e *elicitations) remember(id string, client *protocol.Client) {
	if client == nil || len(id) > 1024 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.clients == nil {
		e.clients = make(map[string]*protocol.Client)
	}
	if _, known := e.clients[id]; !known {
		e.order = append(e.order, id)
	}
	e.clients[id] = client
	for len(e.order) > maxElicitations {
		delete(e.clients, e.order[0])
		e.order = e.order[1:]
	}
}

// text gives a string member of an object.
func text(raw []byte, obj wire.Span, key string) (string, bool) {
	at, ok := wire.Lookup(raw, obj, key)
	if !ok {
		return "", false
	}
	return wire.Unquote(at.Of(raw))
}
