package streamable

import (
	"fmt"
	"net/http"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/proxy"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// post takes one message, or in 2025-03-26 a batch.
func (e *Edge) post(w http.ResponseWriter, r *http.Request) {
	json, sse := accepts(r)
	if !json && !sse {
		fail(http.StatusNotAcceptable, protocol.CodeInvalidRequest, "Accept must name application/json and text/event-stream").write(w)
		return
	}
	s, lost := e.session(r)
	body, f := e.readBody(w, r)
	if f != nil {
		f.write(w)
		return
	}
	x := &exchange{edge: e, w: w, r: r, session: s, lost: lost, body: body, json: json, sse: sse}
	if wire.Batch(body.B) {
		f = x.batchOf(body.B)
	} else {
		f = x.one(body.B)
	}
	if f != nil {
		body.Free()
		f.write(w)
	}
}

// one handles a body that is a single message. It keeps the body unless it returns a failure.
func (x *exchange) one(raw []byte) *failure {
	m, f := parse(raw)
	if f != nil {
		return f
	}
	if m.Kind == wire.Request && m.MethodName() == protocol.Initialize {
		return x.initialize(&m)
	}
	if x.lost != nil {
		return x.lost
	}
	base, f := x.edge.base(x.r, x.session)
	if f != nil {
		return f
	}
	if m.Kind == wire.Request {
		base.Message = m
		x.run(base)
		return nil
	}
	x.take(&base, m)
	x.body.Free()
	x.w.WriteHeader(http.StatusAccepted)
	return nil
}

func parse(raw []byte) (wire.Message, *failure) {
	m, err := wire.Parse(raw)
	if err != nil {
		return m, (&failure{status: http.StatusBadRequest, err: *protocol.ParseError(err)}).about(&m)
	}
	return m, nil
}

// take handles a notification or a response.
func (x *exchange) take(base *proxy.Request, m wire.Message) {
	if m.Kind == wire.Notification {
		req := *base
		req.Message = m
		x.edge.router.Notification(x.r.Context(), &req)
	} else if x.session != nil {
		x.session.Answer(m) // a late answer is nobody's fault
	}
}

// initialize makes the session. Its id goes into the answer's header.
func (x *exchange) initialize(m *wire.Message) *failure {
	client, bad := proxy.ParseInitialize(m)
	if bad != nil {
		return (&failure{status: http.StatusBadRequest, err: *bad}).about(m)
	}
	expr, opts, f := x.edge.selection(x.r)
	if f != nil {
		return f
	}
	client.Principal = x.edge.principal(x.r)
	s := x.edge.router.Sessions().New(client, expr, opts.Pagination)
	s.Stand(conversationOf(s))
	x.w.Header().Set(headerSession, s.ID)
	result := x.edge.router.Welcome(x.r.Context(), client.Revision, expr)
	x.writeBody((&protocol.Answer{Result: result}).Append(nil, m.ID.Of(m.Raw)))
	x.body.Free()
	return nil
}

// batchOf handles a JSON-RPC batch, which only 2025-03-26 knows.
func (x *exchange) batchOf(raw []byte) *failure {
	if x.lost != nil {
		return x.lost
	}
	base, f := x.edge.base(x.r, x.session)
	if f != nil {
		return f
	}
	if base.Client.Revision != protocol.Revision20250326 {
		return fail(http.StatusBadRequest, protocol.CodeInvalidRequest, "batches belong to revision 2025-03-26 only; send one message per request")
	}
	parts, err := wire.SplitBatch(raw, x.edge.opts.MaxBatch)
	if err != nil {
		return x.badBatch(raw, err)
	}
	requests := make([]proxy.Request, 0, len(parts))
	rest := make([]wire.Message, 0, len(parts))
	for _, at := range parts {
		m, f := parse(at.Of(raw))
		if f != nil { // answered alone; the others are served (JSON-RPC 2.0 §6)
			x.answers = append(x.answers, reply{whole: f.err.Append(nil, f.id)})
			continue
		}
		if m.Kind != wire.Request {
			rest = append(rest, m)
			continue
		}
		if m.MethodName() == protocol.Initialize {
			return fail(http.StatusBadRequest, protocol.CodeInvalidRequest, "initialize must not be part of a batch")
		}
		req := base
		req.Message = m
		requests = append(requests, req)
	}
	for _, m := range rest {
		x.take(&base, m)
	}
	x.batch = true
	switch {
	case len(requests) > 0:
		x.run(requests...)
		return nil
	case len(x.answers) > 0:
		x.writeBatch()
	default:
		x.w.WriteHeader(http.StatusAccepted)
	}
	x.body.Free()
	return nil
}

func (x *exchange) badBatch(raw []byte, err error) *failure {
	if _, other := wire.SplitBatch(raw, len(raw)); other == nil { // nothing is wrong but the number
		return fail(http.StatusRequestEntityTooLarge, protocol.CodeInvalidRequest,
			fmt.Sprintf("a batch may hold %d messages (--max-batch)", x.edge.opts.MaxBatch))
	}
	return &failure{status: http.StatusBadRequest, err: *protocol.ParseError(err)}
}
