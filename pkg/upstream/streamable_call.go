package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// call implements conn.
func (s *streamable) call(ctx context.Context, c *protocol.Call) (*protocol.Answer, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	f, err := s.begin(ctx, c)
	if err != nil {
		return nil, err
	}
	answer, err := s.exchange(f, c)
	if late := s.leave(f); late != nil {
		if answer != nil {
			answer.Close()
		}
		answer, err = late, nil
		f.free()
	}
	if err == nil {
		return answer, nil // what still reads from the network frees the flight itself
	}
	if ctx.Err() != nil {
		s.abandon(f, context.Cause(ctx))
		err = context.Cause(ctx)
	}
	f.free()
	return nil, err
}

// free ends everything that hangs on the flight's context.
func (f *httpFlight) free() {
	f.detach()
	f.cancel(nil)
}

// begin gives the call its id.
func (s *streamable) begin(ctx context.Context, c *protocol.Call) (*httpFlight, error) {
	f := &httpFlight{flight: flight{client: c.Client, sink: c.Sink}, method: c.Method}
	if c.Message.ProgressToken.Present() {
		f.token = c.Message.ProgressToken.Of(c.Message.Raw)
	}
	f.ctx, f.cancel = context.WithCancelCause(context.Background())
	f.detach = context.AfterFunc(ctx, func() { f.cancel(context.Cause(ctx)) })
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		f.free()
		return nil, fmt.Errorf("%w: %w", protocol.ErrUnavailable, s.cause)
	}
	s.lastID++
	f.id = s.lastID
	s.flights[f.id] = f
	return f, nil
}

// leave takes a call out of flight; from then on nobody touches its sink. It gives the answer that came on another stream.
func (s *streamable) leave(f *httpFlight) *protocol.Answer {
	s.mu.Lock()
	delete(s.flights, f.id)
	late, ended := f.late, s.ended
	s.mu.Unlock()
	if ended {
		s.left.turn()
	}
	f.using.Lock()
	f.over = true
	f.using.Unlock()
	for _, cancel := range f.asks {
		cancel(errAnswered)
	}
	return late
}

// errAnswered ends what a server asks on behalf of a call that it has answered already.
var errAnswered = errors.New("the call has been answered")

// notify hands a message to the call's sink unless the call has returned.
func (f *httpFlight) notify(msg []byte) {
	f.using.Lock()
	defer f.using.Unlock()
	if !f.over {
		f.sink.Notify(msg)
	}
}

// abandon tells the server to give up a call. Ending the POST alone does not: a broken connection is no cancellation
// (2025-03-26 transports, "Sending Messages to the Server"). initialize MUST NOT be cancelled.
func (s *streamable) abandon(f *httpFlight, cause error) {
	if !f.sent || f.method == protocol.Initialize {
		return
	}
	s.tell(appendCancelled(nil, f.id, cause))
}

// exchange sends the call and reads to its answer.
func (s *streamable) exchange(f *httpFlight, c *protocol.Call) (*protocol.Answer, error) {
	buf := wire.GetBuffer()
	buf.B = appendCall(buf.B[:0], c, f.id, &f.digits)
	p := newBody(buf)
	resp, err := s.http.send(f.ctx, s.requests.Load().post, p)
	if err != nil {
		f.sent = p.abort()
		return nil, transportError(err, f.sent)
	}
	p.release()
	f.sent = true
	if resp.StatusCode/100 != 2 {
		defer f.free()
		return s.refusal(resp)
	}
	if f.method == protocol.Initialize {
		if err := s.adopt(resp); err != nil {
			_ = resp.Body.Close()
			return nil, err
		}
	}
	switch {
	case resp.StatusCode == http.StatusAccepted, resp.StatusCode == http.StatusNoContent:
		discard(resp)
		return nil, s.awaitElsewhere(f)
	case packed(resp.Header):
		err = fmt.Errorf("%w: answer is packed (Content-Encoding), which nobody asked for", protocol.ErrProtocol)
	case isEventStream(resp.Header):
		return s.follow(f, resp)
	case isJSON(resp.Header):
		return s.readJSON(f, resp)
	default:
		err = fmt.Errorf("%w: answer is neither JSON nor an event stream but %q", protocol.ErrProtocol, clip(mediaType(resp.Header), 80))
	}
	_ = resp.Body.Close()
	return nil, err
}

// awaitElsewhere waits for the answer to a request that the server has merely accepted: some then answer on the standing
// stream. It always ends in an error; the answer is found in the flight.
func (s *streamable) awaitElsewhere(f *httpFlight) error {
	if !s.listening.Load() {
		return fmt.Errorf("%w: request was accepted but not answered", protocol.ErrProtocol)
	}
	select {
	case <-f.ctx.Done():
		return fmt.Errorf("%w: %w", protocol.ErrLost, context.Cause(f.ctx))
	case <-s.finished:
		return fmt.Errorf("%w: %w", protocol.ErrLost, s.cause)
	}
}

// readJSON reads a JSON answer: a small one whole, of a large one the beginning.
func (s *streamable) readJSON(f *httpFlight, resp *http.Response) (*protocol.Answer, error) {
	buf := wire.GetBuffer()
	whole, err := readHeld(buf, resp.Body, resp.ContentLength)
	switch {
	case err != nil:
		err = fmt.Errorf("%w: in the middle of its answer: %w", protocol.ErrLost, err)
	case resp.ContentLength > s.maxAnswer:
		err = fmt.Errorf("%w: %d bytes, limit %d", protocol.ErrTooLarge, resp.ContentLength, s.maxAnswer)
	case !whole:
		a := &protocol.Answer{Stream: &answerStream{
			head: buf, body: resp.Body, left: s.maxAnswer - int64(len(buf.B)), flight: f,
		}}
		if resp.ContentLength > 0 {
			var space [20]byte
			a.Rest = resp.ContentLength - int64(len(strconv.AppendUint(space[:0], f.id, 10)))
		}
		return a, nil
	}
	_ = resp.Body.Close()
	if err != nil {
		buf.Free()
		return nil, err
	}
	answer, err := s.wholeJSON(f, buf.B)
	f.free()
	if err != nil {
		buf.Free()
		return nil, err
	}
	answer.Free = buf.Free
	return answer, nil
}

// wholeJSON finds the answer in a whole body: one response, or in revision 2025-03-26 a batch with it.
func (s *streamable) wholeJSON(f *httpFlight, raw []byte) (*protocol.Answer, error) {
	if wire.Batch(raw) {
		answer, err := s.batch(f, raw)
		if answer == nil && err == nil {
			err = fmt.Errorf("%w: batch without the answer", protocol.ErrProtocol)
		}
		return answer, err
	}
	m, err := wire.Skim(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", protocol.ErrProtocol, err)
	}
	if m.Kind != wire.Response {
		return nil, fmt.Errorf("%w: answer is a %s", protocol.ErrProtocol, m.Kind)
	}
	if !f.answeredBy(&m) {
		return nil, errForeignID
	}
	return &protocol.Answer{Message: addressable(m)}, nil
}

var errForeignID = fmt.Errorf("%w: answer has another id than the request", protocol.ErrProtocol)

// answeredBy tells whether a response on the call's own stream is its answer: it has its id, or it is an error whose
// sender could not read the id (JSON-RPC 2.0 §5).
func (f *httpFlight) answeredBy(m *wire.Message) bool {
	id := m.ID.Of(m.Raw)
	var space [20]byte
	if bytes.Equal(id, strconv.AppendUint(space[:0], f.id, 10)) {
		return true
	}
	return m.Error.Present() && (len(id) == 0 || string(id) == "null")
}

// addressable gives a response without an id member one, so that whoever writes it can replace it.
func addressable(m wire.Message) wire.Message {
	if m.ID.Present() {
		return m
	}
	object := wire.Span{Start: bytes.IndexByte(m.Raw, '{'), End: len(m.Raw)}
	raw := wire.AppendSplice(nil, m.Raw, wire.Edit{
		At:   wire.Span{Start: object.Start + 1, End: object.Start + 1},
		With: []byte(`"id":null,`),
	})
	n, err := wire.Skim(raw)
	if err != nil {
		return m // cannot be: a response has other members, so the comma is right
	}
	return n
}

// maxRefusal bounds what is read of the body of a refused message.
const maxRefusal = 64 << 10

// refusal makes sense of a status other than 2xx, and closes the response. A JSON-RPC error in the body is the answer to the
// message, whatever its id: servers that refuse before they have read the message write null or make one up. Statuses
// that concern the connection as a whole are errors; a lost session ends the connection.
func (s *streamable) refusal(resp *http.Response) (*protocol.Answer, error) {
	defer func() { _ = resp.Body.Close() }()
	status := newStatusError(resp)
	var m wire.Message
	var body []byte
	if !packed(resp.Header) && !isEventStream(resp.Header) {
		body, _ = io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
		if got, err := wire.Skim(body); err == nil && got.Error.Present() {
			m = got
		}
	}
	if s.sessionGone(resp.StatusCode, body, &m) {
		err := fmt.Errorf("%w (HTTP %d)", errSessionGone, resp.StatusCode)
		s.end(err)
		return nil, err
	}
	if m.Raw == nil || status.outranks(&m) {
		return nil, status
	}
	return &protocol.Answer{Message: addressable(m)}, nil
}

// outranks tells whether the status says more than the error in the body: that somebody must log in, or that the server
// wants to be left alone for a while. An error under the request's own id comes from behind all that.
func (e *statusError) outranks(m *wire.Message) bool {
	switch e.status {
	case http.StatusUnauthorized:
		return true
	case http.StatusForbidden:
		return len(e.challenges) > 0 || !ownID(m)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return !ownID(m)
	}
	return false
}

// ownID tells whether an error carries an id that only the request can have given it: all of ours are numbers.
func ownID(m *wire.Message) bool {
	id := m.ID.Of(m.Raw)
	return len(id) > 0 && id[0] >= '0' && id[0] <= '9'
}

// sessionGone tells whether a refusal means that the session is lost: 404 for a message of a session (2025-11-25 transports,
// "Session Management" 3), unless the body says that something else was not found; 400 only if it speaks of the session,
// as servers do that were restarted or expect an initialize.
func (s *streamable) sessionGone(status int, body []byte, m *wire.Message) bool {
	if s.requests.Load().session == "" {
		return false
	}
	transport := true // the error comes from the transport and not from a method
	if m.Raw != nil && ownID(m) {
		code, _ := wire.Lookup(m.Raw, m.Error, "code")
		switch string(code.Of(m.Raw)) {
		case "-32000", "-32001", "-32600":
		default:
			transport = false
		}
	}
	switch status {
	case http.StatusNotFound:
		return transport
	case http.StatusBadRequest:
		text := bytes.ToLower(body)
		return transport && (bytes.Contains(text, []byte("session")) || bytes.Contains(text, []byte("not initialized")))
	}
	return false
}

// late hands an answer that came on another stream to its call; false if it belongs to no call.
func (s *streamable) late(m *wire.Message) bool {
	f := s.flightOf(m.ID.Of(m.Raw))
	if f == nil {
		return false
	}
	answer := &protocol.Answer{Message: *m}
	answer.Message.Raw = bytes.Clone(m.Raw)
	s.mu.Lock()
	waiting := s.flights[f.id] == f && f.late == nil
	if waiting {
		f.late = answer
	}
	s.mu.Unlock()
	if waiting {
		f.cancel(errElsewhere)
	}
	return waiting
}

// lostBy maps the end of a call's stream.
func lostBy(err error) error {
	if errors.Is(err, wire.ErrTooLarge) {
		return fmt.Errorf("%w: %w", protocol.ErrTooLarge, err)
	}
	return fmt.Errorf("%w: stream ended before the answer: %w", protocol.ErrLost, err)
}
