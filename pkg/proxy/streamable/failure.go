package streamable

import (
	"bytes"
	"net/http"
	"strconv"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// failure is an HTTP answer to a request that never reached the router: a status and a JSON-RPC error.
type failure struct {
	status int
	err    protocol.Error
	id     []byte // of the message, if it could be read
}

func fail(status, code int, text string) *failure {
	return &failure{status: status, err: protocol.Error{Code: code, Message: text}}
}

// about gives the failure the id of the message that it is about.
func (f *failure) about(m *wire.Message) *failure {
	if m.ID.Present() {
		f.id = bytes.Clone(m.ID.Of(m.Raw)) // the body is freed before the failure is written
	}
	return f
}

var jsonType = []string{"application/json"}

func (f *failure) write(w http.ResponseWriter) {
	body := f.err.Append(nil, f.id)
	h := w.Header()
	h["Content-Type"] = jsonType
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if f.status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "5")
	}
	w.WriteHeader(f.status)
	_, _ = w.Write(body) // a client that left is told nothing
}

// unsupportedRevision answers a revision of the stateless era as that era asks, so that a client of both falls back.
func unsupportedRevision(requested string) *failure {
	data := []byte(`{"supported":[`)
	for i, r := range protocol.Legacy {
		if i > 0 {
			data = append(data, ',')
		}
		data = wire.AppendQuote(data, r)
	}
	data = append(data, `],"requested":`...)
	data = append(wire.AppendQuote(data, requested), '}')
	f := fail(http.StatusBadRequest, protocol.CodeUnsupportedRevision, "Unsupported protocol version")
	f.err.Data = data
	return f
}
