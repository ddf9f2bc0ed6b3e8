package streamable

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/proxy"
	"github.com/manifold-mcp/manifold/pkg/proxy/stream"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// exchange is one POST with one request, or several in a batch, and their answers. The first call runs in the handler's
// goroutine; when the answer becomes a stream, a second goroutine (pump) owns w until it is done, and the handler does not
// return before. So w has one writer at any time, and an answer that nothing precedes costs no goroutine.
type exchange struct {
	edge      *Edge
	w         http.ResponseWriter
	r         *http.Request
	session   *proxy.Session // nil without one
	lost      *failure       // why the session that the client named cannot be had; initialize does not mind
	body      *wire.Buffer   // freed when the last call has returned
	json, sse bool           // what the client accepts
	batch     bool

	cancel context.CancelCauseFunc
	pumped chan struct{} // closed when pump is done with w; made by upgrade

	mu      sync.Mutex
	log     *stream.Log // nil unless the answer is a stream
	entry   *resumable  // nil if the client cannot come back
	gone    bool        // the client left before anything was written: nobody will
	answers []reply
	want    int
}

// reply is an answer that waits to be written: whole in a batch, as it came from the router otherwise.
type reply struct {
	id     []byte
	answer *protocol.Answer
	whole  []byte
}

// run answers requests: as JSON if nothing precedes the answers, else as a stream.
func (x *exchange) run(requests ...proxy.Request) {
	ctx, cancel := callContext(x.r)
	defer cancel(nil)
	x.cancel = cancel
	x.want = len(requests)
	silence := time.AfterFunc(x.edge.opts.Silence, func() { x.upgrade(-1) })
	defer silence.Stop()
	defer context.AfterFunc(x.r.Context(), x.abandon)()
	if !x.json {
		x.upgrade(-1)
	}
	var others sync.WaitGroup
	for i := range requests {
		requests[i].Cancel = x.cancel
		if x.batch {
			requests[i].Cancel = nil // each has its own
		}
		x.edge.router.Begin(ctx, &requests[i])
		if i > 0 {
			others.Go(func() { x.call(ctx, &requests[i]) })
		}
	}
	x.call(ctx, &requests[0])
	others.Wait()
	x.body.Free()
	x.conclude()
}

// conclude writes the answers, or waits for the stream that has them.
func (x *exchange) conclude() {
	x.mu.Lock()
	log, gone := x.log, x.gone
	x.mu.Unlock()
	switch {
	case log != nil:
		log.Close()
		<-x.pumped
	case gone:
		for _, r := range x.answers {
			r.close()
		}
	case x.batch:
		x.writeBatch()
	default:
		x.writeOne(x.answers[0].id, x.answers[0].answer)
	}
}

// abandon gives up what nobody can receive any more: the client left. A stream outlives its reader, who sees for itself.
func (x *exchange) abandon() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.log == nil && x.want > 0 {
		x.gone = true
		x.cancel(proxy.ErrClientGone)
	}
}

func (r *reply) close() {
	if r.answer != nil {
		r.answer.Close()
	}
}

// call runs one request and takes its answer: into the stream if there is one, else to be written when all are there.
func (x *exchange) call(ctx context.Context, req *proxy.Request) {
	id := append([]byte(nil), req.Message.ID.Of(req.Message.Raw)...)
	var sink protocol.Sink = nobody{}
	if x.session != nil {
		sink = x.session.Sink(x)
	} else if x.sse {
		sink = listener{x}
	}
	r := reply{id: id, answer: x.edge.router.Serve(ctx, req, sink)}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.batch || x.log != nil {
		x.mu.Unlock() // reading a large answer to its end may take long, and what feeds it may be waiting to send
		r.whole = r.answer.Whole(r.id)
		x.mu.Lock()
	}
	x.want--
	if x.log != nil {
		x.log.Answer(r.whole)
	} else {
		x.answers = append(x.answers, r)
	}
}

// Send implements proxy.Outlet: whatever precedes an answer makes it a stream.
func (x *exchange) Send(msg []byte) bool {
	log := x.upgrade(-1)
	return log != nil && log.Send(msg)
}

// Detach lets the client come back for the rest after retry, if it can (2025-11-25, SSE polling).
func (x *exchange) Detach(retry time.Duration) {
	if x.session == nil || x.session.Client().Revision < protocol.Revision20251125 {
		return
	}
	x.mu.Lock()
	fresh := x.log == nil
	x.mu.Unlock()
	log := x.upgrade(retry)
	if log == nil || x.entry == nil {
		return
	}
	if !fresh {
		log.Prime(retry)
	}
	log.HangUp()
}

// upgrade makes the answer a stream, if the client takes one and there is room. It returns the log, or nil.
func (x *exchange) upgrade(retry time.Duration) *stream.Log {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.log != nil || !x.sse || x.want == 0 || x.gone || !x.edge.admit() {
		return x.log
	}
	if x.session != nil {
		x.entry = conversationOf(x.session).open(x.cancel)
	}
	if x.entry == nil {
		x.log = stream.New("")
	} else if x.log = x.entry.log; x.session.Client().Revision >= protocol.Revision20251125 {
		x.log.Prime(retry) // 2025-11-25 transports, "Sending Messages" 6: an id to come back with, before anything else
	}
	for _, r := range x.answers {
		x.log.Answer(r.whole)
	}
	x.answers = nil
	x.pumped = make(chan struct{})
	go x.pump()
	return x.log
}

// pump serves the stream until its last answer, until it is hung up, or until the client goes away.
func (x *exchange) pump() {
	defer close(x.pumped)
	defer x.edge.leave()
	stream.SetHeaders(x.w.Header())
	x.w.WriteHeader(http.StatusOK)
	err := x.log.Serve(x.r.Context(), x.w, x.edge.opts.Timing, 0)
	if err == nil && !x.log.Closed() { // hung up or taken over, while the handler still waits for the call
		hangUp(x.w)
	}
	switch {
	case x.entry != nil:
		conversationOf(x.session).linger(x.entry, x.edge.opts.Linger)
	case err != nil:
		x.cancel(proxy.ErrClientGone)
	}
}

// hangUp ends a chunked response in order before its handler has returned, which net/http itself cannot. The connection ends
// with it. On HTTP/2, which has no such connection, the stream stays open instead: nothing is lost by that.
func hangUp(w http.ResponseWriter) {
	conn, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = buf.WriteString("0\r\n\r\n") // RFC 9112 §7.1: the last chunk; a client that left misses nothing
	_ = buf.Flush()
	_ = conn.Close()
}

func (x *exchange) writeBatch() {
	body := []byte{'['}
	for i, r := range x.answers {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, r.whole...)
	}
	x.writeBody(append(body, ']'))
}

// writeOne writes one answer as JSON; a large one is copied through.
func (x *exchange) writeOne(id []byte, a *protocol.Answer) {
	defer a.Close()
	switch {
	case a.Stream == nil:
	case x.json:
		x.relay(id, a)
		return
	default:
		x.writeBody(a.Whole(id))
		return
	}
	if parts, ok := a.Large(id); ok && x.json {
		x.writeBody(parts[:]...)
		return
	}
	buf := wire.GetBuffer()
	defer buf.Free()
	buf.B = a.Append(buf.B, id)
	x.writeBody(buf.B)
}

// writeBody writes what is there whole: as JSON, or as a stream of one event for a client that takes nothing else.
func (x *exchange) writeBody(parts ...[]byte) {
	h := x.w.Header()
	if !x.json {
		log := stream.New("")
		log.Finish(slices.Concat(parts...))
		stream.SetHeaders(h)
		_ = log.Serve(x.r.Context(), x.w, x.edge.opts.Timing, 0) // a client that left is told nothing
		return
	}
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	h["Content-Type"] = jsonType
	h["Content-Length"] = []string{strconv.Itoa(size)}
	out := http.NewResponseController(x.w)
	_ = out.SetWriteDeadline(time.Now().Add(x.edge.opts.Timing.Write)) // not every writer has deadlines
	for _, p := range parts {
		if _, err := x.w.Write(p); err != nil {
			return // a client that left is told nothing
		}
	}
}

// relayBuffer is what copying a large answer takes (bytes), whatever its size.
const relayBuffer = 128 << 10

// relay copies a large answer through. When it breaks in the middle the connection is cut, because the client must not
// take the part for the whole.
func (x *exchange) relay(id []byte, a *protocol.Answer) {
	h := x.w.Header()
	h["Content-Type"] = jsonType
	if a.Rest > 0 {
		h["Content-Length"] = []string{strconv.FormatInt(a.Rest+int64(len(id)), 10)}
	}
	buf := wire.GetBuffer()
	defer buf.Free()
	if cap(buf.B) < relayBuffer {
		buf.B = make([]byte, 0, relayBuffer)
	}
	d := &deadlineWriter{w: x.w, out: http.NewResponseController(x.w), limit: x.edge.opts.Timing.Write}
	if n, err := wire.RelayResponse(d, a.Stream, id, buf.B[:cap(buf.B)]); err != nil {
		if n == 0 {
			h.Del("Content-Length")
			e := protocol.Error{Code: protocol.CodeInternal, Message: "the server's answer could not be read"}
			x.writeBody(e.Append(nil, id))
			return
		}
		panic(http.ErrAbortHandler)
	}
}

// deadlineWriter gives each write its own deadline, so that a slow client may take long but not stand still.
type deadlineWriter struct {
	w     http.ResponseWriter
	out   *http.ResponseController
	limit time.Duration
}

func (d *deadlineWriter) Write(p []byte) (int, error) {
	_ = d.out.SetWriteDeadline(time.Now().Add(d.limit))
	return d.w.Write(p)
}

// nobody is the sink of a request whose client takes nothing but the answer.
type nobody struct{}

func (nobody) Notify([]byte)        {}
func (nobody) Detach(time.Duration) {}
func (nobody) Ask(context.Context, wire.Message) ([]byte, error) {
	return nil, protocol.ErrRefused
}

// listener is the sink of a request without a session: its stream carries notifications, but it cannot be asked.
type listener struct{ x *exchange }

func (l listener) Notify(msg []byte)  { l.x.Send(msg) }
func (listener) Detach(time.Duration) {}
func (listener) Ask(context.Context, wire.Message) ([]byte, error) {
	return nil, protocol.ErrRefused
}
