package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/manifold-mcp/manifold/pkg/filter"
	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// Options are the router's part of the configuration.
type Options struct {
	// Name and Version are what the gateway calls itself in initialize.
	Name, Version string
	// Separator stands between a server's prefix and a name.
	Separator string
	// StartupWait is how long after its start the first lists wait for servers that are still starting.
	StartupWait time.Duration
	// Sessions bounds the sessions.
	Sessions SessionLimits
}

// Router routes requests of clients to servers.
type Router struct {
	opts     Options
	keys     Sealer
	log      zerolog.Logger
	sessions *Sessions
	started  time.Time

	servers atomic.Pointer[[]*Server]
	current atomic.Pointer[catalogue]
	settled atomic.Bool

	build sync.Mutex    // one rebuild at a time
	dirty atomic.Bool   // an inventory changed since the last build
	wake  chan struct{} // capacity 1: Run has something to rebuild
	// pending are list_changed notifications that wait for the next broadcast; guarded by build.
	pending map[change]bool
}

// Request is one request of a client.
type Request struct {
	Message wire.Message
	// Client is the asker.
	Client *protocol.Client
	// Session is the legacy session it belongs to; nil if it has none.
	Session *Session
	// Filter and Paged are what the client selected.
	Filter filter.Expr
	Paged  bool

	// Cancel ends the context that the request is served with, if its caller has a way to; otherwise Begin makes one.
	Cancel context.CancelCauseFunc

	begun *begun
}

// begun is a request whose id can be cancelled.
type begun struct {
	ctx context.Context
	end func()
}

// NewRouter makes a router without servers.
func NewRouter(opts Options, keys Sealer, log zerolog.Logger) *Router {
	r := &Router{opts: opts, keys: keys, log: log, started: time.Now(), wake: make(chan struct{}, 1), pending: map[change]bool{}}
	r.sessions = newSessions(keys, opts.Sessions, r.releaseSession)
	r.SetServers(nil)
	return r
}

// SetServers replaces the servers, in order of configuration.
func (r *Router) SetServers(servers []*Server) {
	r.servers.Store(&servers)
	r.settled.Store(false)
	r.dirty.Store(true)
	r.rebuild()
	r.poke() // for Run to tell the clients
}

// Sessions gives the client sessions.
func (r *Router) Sessions() *Sessions { return r.sessions }

// Problems gives what the servers offer and could not be served as it is.
func (r *Router) Problems() []Problem { return r.current.Load().problems }

// Begin lets a request be cancelled by its id from now on. An edge that reads on while it serves calls Begin before it reads
// on, so that a cancellation directly behind the request finds it; Serve does it for the others. What was begun must be served.
func (r *Router) Begin(ctx context.Context, req *Request) {
	if req.Session == nil || req.begun != nil {
		return
	}
	end := func() {}
	if req.Cancel == nil {
		ctx, req.Cancel = context.WithCancelCause(ctx)
		end = func() { req.Cancel(nil) }
	}
	undo := req.Session.begin(req.Message.ID.Of(req.Message.Raw), req.Cancel)
	req.begun = &begun{ctx: ctx, end: func() { undo(); end() }}
}

// Serve answers one request. It always returns an answer, which the caller writes and closes. What precedes the answer
// goes to sink. The message's bytes must stay valid until Serve returns.
func (r *Router) Serve(ctx context.Context, req *Request, sink protocol.Sink) (answer *protocol.Answer) {
	r.Begin(ctx, req)
	if req.begun != nil {
		defer func() {
			if answer.Stream == nil {
				req.begun.end()
				return
			}
			answer.Stream = &lasting{answer.Stream, req.begun.end} // its source reads under this context
		}()
		ctx = req.begun.ctx
	}
	method := req.Message.MethodName()
	defer func() { // edges call from goroutines of their own, where nobody else would
		if p := recover(); p != nil {
			r.log.Error().Str("panic", fmt.Sprint(p)).Bytes("stack", debug.Stack()).Str("method", method).Msg("request panicked")
			answer = r.failed(ctx, method, errPanic)
		}
	}()
	handle, ok := methods[method]
	if !ok {
		handle = (*Router).unknown
	}
	answer, err := handle(r, ctx, &job{Request: req, method: method, sink: sink})
	if err != nil {
		return r.failed(ctx, method, err)
	}
	return answer
}

var errPanic = errors.New("panic")

// lasting is the stream of an answer that keeps its request begun until it is closed.
type lasting struct {
	io.ReadCloser
	end func()
}

func (l *lasting) Close() error {
	defer l.end()
	return l.ReadCloser.Close()
}

// failed maps an error to the answer that the client gets; the cause goes to the log.
func (r *Router) failed(ctx context.Context, method string, err error) *protocol.Answer {
	var public *protocol.Error
	if errors.As(err, &public) {
		return &protocol.Answer{Err: public}
	}
	code, text := protocol.CodeInternal, "internal error"
	for _, row := range publicErrors {
		if errors.Is(err, row.err) {
			text = row.text
			break
		}
	}
	r.log.Debug().Err(err).AnErr("cause", context.Cause(ctx)).Str("method", method).Msg("request failed")
	return &protocol.Answer{Err: &protocol.Error{Code: code, Message: text, Cause: err}}
}

// Unwanted tells whether an answer is to a request that its client has cancelled: none should be sent then (2025-11-25
// cancellation, "Behavior Requirements"), where the transport allows it.
func Unwanted(a *protocol.Answer) bool { return a.Err != nil && errors.Is(a.Err, ErrClientCancelled) }

// publicErrors are the texts that clients see, one per sentinel. The first that matches counts.
var publicErrors = []struct {
	err  error
	text string
}{
	{ErrClientCancelled, "request was cancelled"},
	{ErrClientGone, "client went away"},
	{ErrSessionEnded, "session ended"},
	{protocol.ErrTimeout, "the server did not answer in time"},
	{protocol.ErrBusy, "the server is busy; try again later"},
	{protocol.ErrTooLarge, "the server's answer is larger than the gateway's limit"},
	{protocol.ErrProtocol, "the server's answer is not valid"},
	{protocol.ErrLost, "the connection to the server was lost; the call may or may not have run"},
	{protocol.ErrUnavailable, "the server is not available"},
	{context.Canceled, "request was cancelled"},
}

// Notification takes a client's notification.
func (r *Router) Notification(ctx context.Context, req *Request) {
	s := req.Session
	m := req.Message
	switch m.MethodName() {
	case protocol.Initialized:
	case protocol.Cancelled:
		if s != nil && m.RequestID.Present() {
			s.cancel(m.RequestID.Of(m.Raw))
		}
	case protocol.Progress:
		if s != nil {
			s.progress(m)
		}
	default: // roots/list_changed, and whatever the gateway does not know
		v := r.view(req.Filter)
		for i, e := range v.entries {
			if !v.visible[i] {
				continue
			}
			if err := e.Notify(ctx, req.Client, m.Raw); err != nil {
				r.log.Debug().Err(err).Str("upstream", e.Name()).Msg("notification was not passed on")
			}
		}
	}
}

func (r *Router) view(expr filter.Expr) *view { return r.current.Load().view(expr) }

// releaseSession frees what servers hold for a session that ended.
func (r *Router) releaseSession(s *Session) {
	for _, srv := range *r.servers.Load() {
		srv.Release(s.Client().Key)
	}
}
