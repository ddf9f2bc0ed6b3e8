package streamable

import (
	"context"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/manifold-mcp/manifold/pkg/filter"
	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/proxy"
	"github.com/manifold-mcp/manifold/pkg/proxy/stream"
)

// Options are the edge's part of the configuration.
type Options struct {
	// MaxBody bounds a request body (bytes).
	MaxBody int64
	// MaxBatch bounds the messages of one batch (2025-03-26).
	MaxBatch int
	// MaxStreams bounds the open SSE streams of all clients.
	MaxStreams int64
	// Silence is how long a call may be silent before its answer becomes a stream with keep-alive comments.
	Silence time.Duration
	// Linger is how long a call waits for a client that lost its stream, and how long what was sent is kept for it.
	Linger time.Duration
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

// Edge is the handler of /mcp. It is safe for concurrent use.
type Edge struct {
	router  *proxy.Router
	opts    Options
	streams atomic.Int64
}

// New makes the edge in front of a router.
func New(router *proxy.Router, opts Options) *Edge { return &Edge{router: router, opts: opts} }

// Headers of the protocol, in Go's canonical form.
const (
	headerSession  = "Mcp-Session-Id"
	headerRevision = "Mcp-Protocol-Version"
	headerLastID   = "Last-Event-Id"
)

// ServeHTTP serves POST, GET and DELETE. Hosts, origins and rates are the server's to check.
func (e *Edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f := e.checkRevision(r); f != nil {
		f.write(w)
		return
	}
	switch r.Method {
	case http.MethodPost:
		e.post(w, r)
	case http.MethodGet:
		e.get(w, r)
	case http.MethodDelete:
		e.delete(w, r)
	default:
		w.Header().Set("Allow", "POST, GET, DELETE")
		fail(http.StatusMethodNotAllowed, protocol.CodeInvalidRequest, "use POST, GET or DELETE").write(w)
	}
}

// checkRevision refuses revisions that the gateway does not speak (2025-06-18 transports, "Protocol Version Header").
func (e *Edge) checkRevision(r *http.Request) *failure {
	revision := r.Header.Get(headerRevision)
	switch {
	case revision == "", protocol.IsLegacy(revision):
		return nil
	case protocol.IsModern(revision):
		return unsupportedRevision(revision)
	}
	return fail(http.StatusBadRequest, protocol.CodeInvalidRequest, "MCP-Protocol-Version names a revision that this gateway does not speak")
}

func (e *Edge) principal(r *http.Request) string {
	if e.opts.Principal == nil {
		return ""
	}
	return e.opts.Principal(r)
}

// session finds the session that a request names; nil without a failure if it names none.
func (e *Edge) session(r *http.Request) (*proxy.Session, *failure) {
	id := r.Header.Get(headerSession)
	if id == "" {
		return nil, nil
	}
	s, err := e.router.Sessions().Get(id, e.principal(r))
	if err == nil {
		if s.Stands() && conversationOf(s) != nil {
			return s, nil
		}
		if c := conversationOf(s); c != nil { // it came back after a restart, or after it was dropped
			s.Stand(c)
			return s, nil
		}
	}
	return nil, fail(http.StatusNotFound, protocol.CodeInvalidRequest, "Session not found: initialize again")
}

// admit counts a stream in, if there is room for one more.
func (e *Edge) admit() bool {
	if e.streams.Add(1) > e.opts.MaxStreams {
		e.streams.Add(-1)
		return false
	}
	return true
}

func (e *Edge) leave() { e.streams.Add(-1) }

// base is the request to the router that all messages of one HTTP request share.
func (e *Edge) base(r *http.Request, s *proxy.Session) (proxy.Request, *failure) {
	if s != nil {
		return proxy.Request{Client: s.Client(), Session: s, Filter: s.Filter, Paged: s.Paged}, nil
	}
	expr, opts, f := e.selection(r)
	if f != nil {
		return proxy.Request{}, f
	}
	revision := r.Header.Get(headerRevision)
	if revision == "" {
		revision = protocol.AssumedRevision
	}
	client := &protocol.Client{Principal: e.principal(r), Revision: revision}
	return proxy.Request{Client: client, Filter: expr, Paged: opts.Pagination}, nil
}

func (e *Edge) selection(r *http.Request) (filter.Expr, filter.Options, *failure) {
	if r.URL.RawQuery == "" {
		return e.opts.Default, filter.Options{Pagination: e.opts.Paged}, nil
	}
	query, err := url.ParseQuery(r.URL.RawQuery) // URL.Query drops what it cannot read, and with it a filter
	if err != nil {
		return filter.Expr{}, filter.Options{}, fail(http.StatusBadRequest, protocol.CodeInvalidParams, "query: "+err.Error())
	}
	expr, opts, err := filter.Select(query, e.opts.Preset)
	if err != nil {
		return expr, opts, fail(http.StatusBadRequest, protocol.CodeInvalidParams, err.Error())
	}
	if expr.IsZero() {
		expr = e.opts.Default
	}
	opts.Pagination = opts.Pagination || e.opts.Paged
	return expr, opts, nil
}

// callContext is the context of a call: it carries the request's values but not its end, for a call may outlive its connection.
func callContext(r *http.Request) (context.Context, context.CancelCauseFunc) {
	return context.WithCancelCause(context.WithoutCancel(r.Context()))
}
