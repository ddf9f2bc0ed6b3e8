package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

const (
	// defaultRetry is how long to wait before a stream is taken up again if the server does not say.
	defaultRetry = time.Second
	// minRetry keeps a server that says retry: 0 and closes every stream from being called in a circle.
	minRetry = 50 * time.Millisecond
	// maxBackoff bounds the wait after failures.
	maxBackoff = time.Minute
	// maxResumes bounds the attempts to take up a call's stream again without one new event.
	maxResumes = 5
	// maxEventID bounds an event id that goes back in a header.
	maxEventID = 8 << 10
	// drainTime is how long a stream may take to end after its answer, so that its socket can serve again.
	drainTime = 250 * time.Millisecond
)

// cursor is the place where a stream can be taken up again. It is made by newCursor.
type cursor struct {
	id    string
	retry time.Duration // negative: the server has not said
	hold  time.Duration // Retry-After of the last refusal
}

func newCursor() cursor { return cursor{retry: -1} }

// note keeps what an event says of resumption; it tells whether the place has moved.
func (c *cursor) note(e *wire.Event) bool {
	if e.Retry >= 0 {
		c.retry = e.Retry
	}
	if !e.HasID || len(e.ID) > maxEventID || !httpguts.ValidHeaderFieldValue(e.ID) {
		return false
	}
	moved := e.ID != c.id
	c.id = e.ID
	return moved
}

// wait is the time before the next attempt: the server's own after a stream that ended in order, longer with jitter after
// failures in a row.
func (c *cursor) wait(failures int) time.Duration {
	d := c.retry
	if d < 0 {
		d = defaultRetry
	}
	d = max(d, minRetry, c.hold)
	c.hold = 0
	if failures == 0 {
		return d
	}
	more := min(max(d, defaultRetry)<<min(failures, 10), max(maxBackoff, d))
	return d + rand.N(more-d+1) //nolint:gosec // jitter, not a secret
}

// resume makes the request that takes a stream up again.
func (c *cursor) resume(listen *http.Request) *http.Request {
	if c.id == "" {
		return listen
	}
	return with(listen, "Last-Event-ID", c.id)
}

// follow reads the stream of a call to its answer. The server may close the stream before that and let itself be asked again
// (2025-11-25 transports, "Sending Messages to the Server" 6); a broken stream is taken up in the same way. Without an event
// id there is nothing to take up.
func (s *streamable) follow(f *httpFlight, resp *http.Response) (*protocol.Answer, error) {
	place := newCursor()
	detached := false
	for failures := 0; ; {
		answer, moved, cut, err := s.readStream(f, resp, &place)
		if cut == nil {
			return answer, err
		}
		if place.id == "" || f.ctx.Err() != nil {
			return nil, lostBy(cut)
		}
		if moved {
			failures = 0
		} else if failures++; failures > maxResumes {
			return nil, lostBy(cut)
		}
		if !detached && errors.Is(cut, io.EOF) {
			detached = true
			f.sink.Detach(place.wait(0))
		}
		f.resumed = true
		if resp, err = s.takeUp(f, &place, &failures); err != nil {
			return nil, err
		}
	}
}

// takeUp waits as the server wants it and opens the rest of a call's stream.
func (s *streamable) takeUp(f *httpFlight, place *cursor, failures *int) (*http.Response, error) {
	for {
		if err := pause(f.ctx, place.wait(*failures)); err != nil {
			return nil, lostBy(err)
		}
		resp, err := s.http.send(f.ctx, place.resume(s.requests.Load().listen), nil)
		if err == nil && resp.StatusCode == http.StatusOK && isEventStream(resp.Header) && !packed(resp.Header) {
			return resp, nil
		}
		if err == nil {
			status := newStatusError(resp)
			if _, _ = s.refusal(resp); !passing(status.status) {
				return nil, fmt.Errorf("%w: stream cannot be taken up again: %w", protocol.ErrLost, status)
			}
			err, place.hold = status, status.retryAfter
		}
		if *failures++; *failures > maxResumes {
			return nil, fmt.Errorf("%w: stream cannot be taken up again: %w", protocol.ErrLost, err)
		}
	}
}

// passing tells whether a status may be another one a moment later.
func passing(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return status >= 500
}

// readStream reads one stream of a call. cut says how it ended when it ended before the answer and could be taken up again;
// moved tells whether it brought a new event id.
func (s *streamable) readStream(f *httpFlight, resp *http.Response, place *cursor) (answer *protocol.Answer, moved bool, cut, err error) {
	r := wire.NewEventReader(resp.Body, s.maxMessage)
	for {
		e, err := r.Next()
		if err != nil {
			_ = resp.Body.Close()
			if errors.Is(err, wire.ErrTooLarge) {
				return nil, moved, nil, lostBy(err)
			}
			return nil, moved, err, nil
		}
		moved = place.note(&e) || moved
		if len(e.Data) == 0 || e.Name != "" && e.Name != "message" {
			continue
		}
		answer, err := s.message(f, e.Data)
		if err != nil {
			_ = resp.Body.Close()
			return nil, moved, nil, err
		}
		if answer != nil {
			// The event's bytes stay valid as long as the reader is not asked for another one.
			s.drain(f, resp.Body)
			return answer, moved, nil, nil
		}
	}
}

// drain ends a stream after its answer. Most servers end it at once; reading that end lets the socket serve again.
func (s *streamable) drain(f *httpFlight, body io.ReadCloser) {
	f.detach()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		_ = body.Close()
		f.cancel(nil)
		return
	}
	s.work.Go(func() {
		stop := time.AfterFunc(drainTime, func() { f.cancel(nil) })
		_, _ = io.CopyN(io.Discard, body, 4<<10)
		stop.Stop()
		_ = body.Close()
		f.cancel(nil)
	})
}

// message sorts one message of a stream; f is nil on the standing stream. raw is only valid during the call, unless it is
// returned as the answer. Errors end the call's stream.
func (s *streamable) message(f *httpFlight, raw []byte) (*protocol.Answer, error) {
	if wire.Batch(raw) {
		return s.batch(f, raw)
	}
	m, err := wire.Skim(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", protocol.ErrProtocol, err)
	}
	switch m.Kind {
	case wire.Request:
		s.asked(f, &m)
	case wire.Notification:
		s.notified(f, &m)
	case wire.Response:
		if f != nil && f.answeredBy(&m) {
			return &protocol.Answer{Message: addressable(m)}, nil
		}
		if !s.late(&m) {
			s.dropped.Add(1)
			if f != nil && !f.resumed { // a stream that was taken up may repeat answers of before
				return nil, errForeignID
			}
		}
	}
	return nil, nil
}

// batch sorts the messages of a batch (2025-03-26 only).
func (s *streamable) batch(f *httpFlight, raw []byte) (*protocol.Answer, error) {
	parts, err := wire.SplitBatch(raw, maxBatch)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", protocol.ErrProtocol, err)
	}
	var answer *protocol.Answer
	for _, part := range parts {
		one := part.Of(raw)
		if wire.Batch(one) {
			return nil, fmt.Errorf("%w: batch in a batch", protocol.ErrProtocol)
		}
		a, err := s.message(f, one)
		if err != nil {
			return nil, err
		}
		if a != nil {
			answer = a
		}
	}
	return answer, nil
}

// notified sorts a notification. What comes on a client's call's own stream belongs to that call, except what the gateway
// answers for as a whole: its lists and its subscriptions.
func (s *streamable) notified(f *httpFlight, m *wire.Message) {
	switch method := m.MethodName(); method {
	case protocol.Progress:
		s.progressed(m)
	case protocol.Cancelled:
		s.cancelAsk(m.RequestID.Of(m.Raw))
	case protocol.ToolsListChanged, protocol.PromptsListChanged, protocol.ResourcesListChanged:
		s.ev.listChanged(method)
	case protocol.ResourcesUpdated:
		if uri, ok := wire.Unquote(m.URI.Of(m.Raw)); ok {
			s.ev.updated(uri, m.Raw)
		}
	case protocol.ElicitationComplete: // names its elicitation; whoever gave that out knows the client
		s.ev.stray(method, m.Raw)
	default:
		if f != nil && f.client != nil {
			f.notify(m.Raw)
			return
		}
		s.ev.stray(method, m.Raw)
	}
}

// progressed hands progress to the call that it names, on whatever stream it came, under the client's own token.
func (s *streamable) progressed(m *wire.Message) {
	f := s.flightOf(m.ProgressToken.Of(m.Raw))
	if f == nil || f.token == nil {
		s.dropped.Add(1)
		return
	}
	buf := wire.GetBuffer()
	buf.B = wire.AppendSplice(buf.B, m.Raw, wire.Edit{At: m.ProgressToken, With: f.token})
	f.notify(buf.B)
	buf.Free()
}

// asked answers a request of the server: a ping at once, anything else by asking a client in a goroutine of its own. On a
// client's call's own stream that is the call's client; else the upstream decides.
func (s *streamable) asked(f *httpFlight, m *wire.Message) {
	id := bytes.Clone(m.ID.Of(m.Raw))
	method := m.MethodName()
	if method == protocol.Ping {
		s.tell(appendResult(nil, id, []byte("{}")))
		return
	}
	a := &ask{msg: *m}
	a.msg.Raw = bytes.Clone(m.Raw)
	parent, put := s.life, func(ctx context.Context) ([]byte, error) { return s.ev.ask(ctx, a) }
	switch {
	case f == nil:
		a.inFlight = s.inFlight()
	case f.client != nil:
		parent, put = f.ctx, func(ctx context.Context) ([]byte, error) { return f.sink.Ask(ctx, a.msg) }
	}
	ctx, cancel := context.WithCancelCause(parent)
	if !s.admit(id, cancel) {
		cancel(nil)
		s.dropped.Add(1)
		return
	}
	if f != nil {
		f.asks = append(f.asks, cancel)
	}
	ok := s.background(s.asking, func() {
		stop := context.AfterFunc(s.life, func() { cancel(context.Cause(s.life)) })
		var answer []byte
		err := ctx.Err()
		if err == nil {
			answer, err = put(ctx)
		}
		stop()
		s.forget(id)
		gaveUp := errors.Is(context.Cause(ctx), errServerGaveUp)
		cancel(nil)
		if gaveUp {
			return
		}
		if err := s.deliver(s.life, replyTo(id, method, answer, err)); err != nil {
			s.dropped.Add(1)
		}
	})
	if !ok { // too many at once
		s.forget(id)
		cancel(nil)
		s.tell(appendRefusal(nil, id, method))
	}
}

// admit notes an ask so that the server can cancel it; false if an ask with this id is still open.
func (s *streamable) admit(id []byte, cancel context.CancelCauseFunc) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, open := s.asks[string(id)]; open {
		return false
	}
	s.asks[string(id)] = &pendingAsk{cancel: cancel}
	return true
}

func (s *streamable) forget(id []byte) {
	s.mu.Lock()
	delete(s.asks, string(id))
	s.mu.Unlock()
}

// cancelAsk ends an ask that the server no longer wants answered.
func (s *streamable) cancelAsk(rawID []byte) {
	s.mu.Lock()
	p := s.asks[string(rawID)]
	s.mu.Unlock()
	if p != nil {
		p.cancel(errServerGaveUp)
	}
}
