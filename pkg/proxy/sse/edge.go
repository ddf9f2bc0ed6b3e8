package sse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"

	"github.com/manifold-mcp/manifold/pkg/filter"
	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/proxy"
	"github.com/manifold-mcp/manifold/pkg/proxy/stream"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// Options are the edge's part of the configuration.
type Options struct {
	// MaxBody bounds a message of a client (bytes).
	MaxBody int64
	// MaxStreams bounds the open streams of all clients.
	MaxStreams int64
	// MaxCalls bounds the requests of one client in flight: each POST returns at once, so nothing else would.
	MaxCalls int64
	// Messages is the path that clients post to; it is sent as it is in the endpoint event.
	Messages string
	// Timing is that of the streams.
	Timing stream.Timing
	// Preset finds a preset by name; nil means there are none.
	Preset func(name string) (filter.Expr, bool)
	// Default and Paged are for clients that select nothing themselves.
	Default filter.Expr
	Paged   bool
	// Principal says who a request is from; nil means that nobody is authenticated.
	Principal func(*http.Request) string
}

// Edge holds the two handlers of HTTP+SSE. It is safe for concurrent use.
type Edge struct {
	router  *proxy.Router
	opts    Options
	streams atomic.Int64
}

// New makes the edge in front of a router.
func New(router *proxy.Router, opts Options) *Edge { return &Edge{router: router, opts: opts} }

// channel is what this edge keeps with a session: its one stream, and how many calls are in flight.
type channel struct {
	log   *stream.Log
	calls atomic.Int64
	asked atomic.Bool // initialize came
	ready atomic.Bool // initialize was answered: before, a client expects nothing else
}

// Send implements proxy.Outlet.
func (c *channel) Send(msg []byte) bool { return c.ready.Load() && c.log.Send(msg) }

// Attached implements proxy.Standing.
func (c *channel) Attached() bool { return !c.log.Closed() }

// open makes the channel of a session that nobody else knows yet. It is closed with the session.
func open(s *proxy.Session) *channel {
	c := s.Attachment(func() any { return &channel{log: stream.New("")} }).(*channel)
	context.AfterFunc(s.Context(), c.log.Close)
	s.Stand(c)
	return c
}

// channelOf gives the channel of a session, or nil if it belongs to another edge or another replica.
func channelOf(s *proxy.Session) *channel {
	c, _ := s.Attachment(nil).(*channel)
	return c
}

func (e *Edge) principal(r *http.Request) string {
	if e.opts.Principal == nil {
		return ""
	}
	return e.opts.Principal(r)
}

// Stream serves GET /sse: the stream that carries everything to the client. The session lives as long as it.
func (e *Edge) Stream(w http.ResponseWriter, r *http.Request) {
	query, err := url.ParseQuery(r.URL.RawQuery) // URL.Query drops what it cannot read, and with it a filter
	if err != nil {
		fail(w, http.StatusBadRequest, protocol.CodeInvalidParams, "query: "+err.Error())
		return
	}
	expr, opts, err := filter.Select(query, e.opts.Preset)
	if err != nil {
		fail(w, http.StatusBadRequest, protocol.CodeInvalidParams, err.Error())
		return
	}
	if expr.IsZero() {
		expr = e.opts.Default
	}
	paged := opts.Pagination || e.opts.Paged
	if e.streams.Add(1) > e.opts.MaxStreams {
		e.streams.Add(-1)
		w.Header().Set("Retry-After", "5")
		fail(w, http.StatusServiceUnavailable, protocol.CodeInternal, "too many open streams (--max-streams)")
		return
	}
	defer e.streams.Add(-1)
	sessions := e.router.Sessions()
	client := protocol.Client{Principal: e.principal(r), Revision: protocol.Revision20241105}
	s := sessions.New(client, expr, paged)
	defer sessions.End(s)
	c := open(s)
	defer c.log.Close()
	stream.SetHeaders(w.Header())
	w.WriteHeader(http.StatusOK)
	c.log.SendNamed("endpoint", []byte(e.opts.Messages+"?sessionId="+s.ID))
	_ = c.log.Serve(r.Context(), w, e.opts.Timing, 0) // however it ended, the session ends with it
}

// Message serves POST /messages: one message of a client, whose answer goes to its stream.
func (e *Edge) Message(w http.ResponseWriter, r *http.Request) {
	s, err := e.router.Sessions().Get(r.URL.Query().Get("sessionId"), e.principal(r))
	var c *channel
	if err == nil {
		c = channelOf(s)
	}
	if c == nil || c.log.Closed() { // the stream is gone, or another replica has it
		fail(w, http.StatusNotFound, protocol.CodeInvalidRequest, "Session not found: open the stream again")
		return
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, e.opts.MaxBody))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			fail(w, http.StatusRequestEntityTooLarge, protocol.CodeInvalidRequest, fmt.Sprintf("message is larger than %d bytes (--max-body-size)", e.opts.MaxBody))
			return
		}
		fail(w, http.StatusBadRequest, protocol.CodeParse, "message could not be read")
		return
	}
	m, err := wire.Parse(raw)
	if err != nil {
		bad := protocol.ParseError(err)
		fail(w, http.StatusBadRequest, bad.Code, bad.Message)
		return
	}
	if !e.take(r, s, c, m) {
		w.Header().Set("Retry-After", "1")
		fail(w, http.StatusTooManyRequests, protocol.CodeInternal, fmt.Sprintf("more than %d requests in flight", e.opts.MaxCalls))
		return
	}
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, "Accepted") // as the reference implementations do; some clients wait for a body
}

// take starts what a message asks for. It returns false when too much is in flight.
func (e *Edge) take(r *http.Request, s *proxy.Session, c *channel, m wire.Message) bool {
	req := proxy.Request{Message: m, Client: s.Client(), Session: s, Filter: s.Filter, Paged: s.Paged}
	switch m.Kind {
	case wire.Notification:
		e.router.Notification(r.Context(), &req)
	case wire.Response:
		s.Answer(m)
	default:
		if c.calls.Add(1) > e.opts.MaxCalls {
			c.calls.Add(-1)
			return false
		}
		e.router.Begin(s.Context(), &req)
		go func() {
			defer c.calls.Add(-1)
			e.serve(s, c, &req)
		}()
	}
	return true
}

// serve answers a request on the stream. It ends with the session.
func (e *Edge) serve(s *proxy.Session, c *channel, req *proxy.Request) {
	id := req.Message.ID.Of(req.Message.Raw)
	if req.Message.MethodName() == protocol.Initialize && c.asked.CompareAndSwap(false, true) {
		answer := e.initialize(s, req)
		c.log.Answer(answer.Whole(id))
		c.ready.Store(!answer.Failed())
		c.asked.Store(!answer.Failed())
		return
	}
	answer := e.router.Serve(s.Context(), req, s.Sink(c))
	if proxy.Unwanted(answer) {
		answer.Close()
		return
	}
	c.log.Deliver(s.Context(), answer.Whole(id))
}

// initialize learns what the client can be asked. The session exists since its stream was opened.
func (e *Edge) initialize(s *proxy.Session, req *proxy.Request) *protocol.Answer {
	client, bad := proxy.ParseInitialize(&req.Message)
	if bad != nil {
		return &protocol.Answer{Err: bad}
	}
	s.Introduce(client)
	return &protocol.Answer{Result: e.router.Welcome(context.WithoutCancel(s.Context()), client.Revision, s.Filter)}
}

func fail(w http.ResponseWriter, status, code int, text string) {
	e := protocol.Error{Code: code, Message: text}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(e.Append(nil, nil)) // a client that left is told nothing
}
