package proxy

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/manifold-mcp/manifold/pkg/filter"
	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// Outlet is a way to send whole messages to a client: the stream of one request, or what stands open for a session.
type Outlet interface {
	// Send queues a message, whose bytes are copied. It never blocks. False means that it cannot reach the client.
	Send(msg []byte) bool
}

// Standing is an outlet that stays open between requests.
type Standing interface {
	Outlet
	// Attached tells whether somebody reads it now.
	Attached() bool
}

// Causes with which calls are cancelled.
var (
	ErrClientCancelled = errors.New("cancelled by the client")
	ErrClientGone      = errors.New("client went away")
	ErrSessionEnded    = errors.New("session ended")
)

// Session is one legacy client session: the facts that its sealed id carries, and what is live about it. The live part may
// be dropped when idle and is made again from the id.
type Session struct {
	// ID is the sealed id that the client carries.
	ID string
	// Filter and Paged are what the client selected when it initialised.
	Filter filter.Expr
	Paged  bool
	// Created is when the client initialised.
	Created time.Time

	client   atomic.Pointer[protocol.Client]
	seen     atomic.Int64 // unix seconds of the last use
	standing atomic.Pointer[Standing]
	ctx      context.Context
	end      context.CancelCauseFunc

	mu       sync.Mutex
	level    string
	mute     bool   // the client can answer no more
	epoch    string // before the ids of asks: a late answer to an ask of an earlier life must not fit one of this
	nextID   int64
	asks     map[string]*pendingAsk // by the id we gave
	calls    map[*inFlight]struct{} // a client that uses an id twice at once has two
	attached any
}

// pendingAsk is a server's request waiting for the client's answer.
type pendingAsk struct {
	answer chan []byte // capacity 1
	notify func(msg []byte)
	token  []byte // the server's progress token, nil if it set none
}

type inFlight struct {
	id     string // as the client wrote it
	cancel context.CancelCauseFunc
}

// Client is who asks; its Peer is the session itself.
func (s *Session) Client() *protocol.Client { return s.client.Load() }

// Introduce replaces what is known of a client whose session exists since before it could say who it is (HTTP+SSE).
func (s *Session) Introduce(c protocol.Client) {
	old := s.client.Load()
	c.Key, c.Principal, c.Peer = old.Key, old.Principal, s
	s.client.Store(&c)
}

// Context ends when the session does.
func (s *Session) Context() context.Context { return s.ctx }

// Stand sets where messages go that belong to none of the session's requests.
func (s *Session) Stand(o Standing) { s.standing.Store(&o) }

// Stands tells whether Stand was called.
func (s *Session) Stands() bool { return s.standing.Load() != nil }

func (s *Session) standingOutlet() Standing {
	if o := s.standing.Load(); o != nil {
		return *o
	}
	return nil
}

// Touch marks the session as used.
func (s *Session) Touch() { s.seen.Store(time.Now().Unix()) }

// Notify implements protocol.Peer on what stands open.
func (s *Session) Notify(msg []byte) { s.deliver(nil, msg) }

// Ask implements protocol.Peer on what stands open.
func (s *Session) Ask(ctx context.Context, req wire.Message) ([]byte, error) {
	return s.ask(ctx, nil, req)
}

// Sink gives the sink of one request whose messages go to o, or to what stands open if o cannot carry them.
func (s *Session) Sink(o Outlet) protocol.Sink { return &sink{Session: s, out: o} }

// sink is the way back for what precedes one answer.
type sink struct {
	*Session
	out Outlet
}

func (k *sink) Notify(msg []byte) { k.deliver(k.out, msg) }

func (k *sink) Ask(ctx context.Context, req wire.Message) ([]byte, error) {
	return k.ask(ctx, k.out, req)
}

// Detach passes on to outlets that know streams.
func (k *sink) Detach(retry time.Duration) {
	if d, ok := k.out.(interface{ Detach(time.Duration) }); ok {
		d.Detach(retry)
	}
}

// deliver sends a notification, unless the client does not want log messages of that level.
func (s *Session) deliver(o Outlet, msg []byte) {
	if !s.wants(msg) {
		return
	}
	if o != nil && o.Send(msg) {
		return
	}
	if st := s.standingOutlet(); st != nil && Outlet(st) != o {
		st.Send(msg)
	}
}

// put sends a question: on o, or on what stands open if o cannot carry it. It is not left where nobody reads it now, for
// it would be found there when nobody waits for the answer any more.
func (s *Session) put(o Outlet, msg []byte) bool {
	if o != nil && o.Send(msg) {
		return true
	}
	st := s.standingOutlet()
	return st != nil && Outlet(st) != o && st.Attached() && st.Send(msg)
}

// levels of log messages, least severe first (2025-11-25 logging, RFC 5424).
var levels = []string{"debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"}

func (s *Session) wants(msg []byte) bool {
	s.mu.Lock()
	level := s.level
	s.mu.Unlock()
	if level == "" {
		return true // before setLevel the server decides (2025-11-25 logging)
	}
	m, err := wire.Skim(msg)
	if err != nil || m.MethodName() != protocol.LogMessage {
		return err == nil
	}
	at, ok := wire.Lookup(m.Raw, m.Params, "level")
	if !ok {
		return true
	}
	text, _ := wire.Unquote(at.Of(m.Raw))
	i := slices.Index(levels, text)
	return i < 0 || i >= slices.Index(levels, level)
}

func (s *Session) setLevel(level string) {
	s.mu.Lock()
	s.level = level
	s.mu.Unlock()
}

// maxAsks bounds the questions that wait for one client; a server that asks more is refused.
const maxAsks = 64

// ask puts a server's request to the client under an id of our own and waits for the answer.
func (s *Session) ask(ctx context.Context, o Outlet, req wire.Message) ([]byte, error) {
	if want := protocol.CapabilityFor(req.MethodName()); want != 0 && !s.canBeAsked(want) {
		return nil, protocol.ErrRefused
	}
	p := &pendingAsk{answer: make(chan []byte, 1), notify: protocol.ProgressOf(ctx)}
	id, msg, err := s.register(p, req)
	if err != nil {
		return nil, err
	}
	defer s.forget(id)
	if !s.put(o, msg) {
		return nil, protocol.ErrRefused
	}
	select {
	case answer := <-p.answer:
		if answer == nil {
			return nil, protocol.ErrRefused
		}
		return answer, nil
	case <-s.ctx.Done():
		return nil, protocol.ErrRefused
	case <-ctx.Done():
		s.deliver(o, []byte(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"`+id+`","reason":"the server no longer needs the answer"}}`))
		return nil, context.Cause(ctx)
	}
}

// canBeAsked: elicitation by URL alone is enough for the gateway to pass an elicitation; the mode is the server's to respect.
func (s *Session) canBeAsked(want protocol.Capability) bool {
	if want == protocol.CanElicitForm {
		return s.Client().Caps&(protocol.CanElicitForm|protocol.CanElicitURL) != 0
	}
	return s.Client().Caps.Has(want)
}

// register gives the ask an id (and a progress token) that is unique in the session, and makes the message to send.
func (s *Session) register(p *pendingAsk, req wire.Message) (id string, msg []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.asks) >= maxAsks || s.mute {
		return "", nil, protocol.ErrRefused
	}
	s.nextID++
	id = s.epoch + strconv.FormatInt(s.nextID, 10)
	quoted := []byte(`"` + id + `"`)
	edits := []wire.Edit{{At: req.ID, With: quoted}}
	if req.ProgressToken.Present() {
		p.token = slices.Clone(req.ProgressToken.Of(req.Raw))
		edits = append(edits, wire.Edit{At: req.ProgressToken, With: quoted})
	}
	if s.asks == nil {
		s.asks = map[string]*pendingAsk{}
	}
	s.asks[id] = p
	return id, wire.AppendSplice(nil, req.Raw, edits...), nil
}

// Mute says that the client can answer no more, though it may still read: what it was asked is refused, as will be all else.
func (s *Session) Mute() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mute = true
	for id, p := range s.asks {
		delete(s.asks, id)
		p.answer <- nil
	}
}

func (s *Session) forget(id string) {
	s.mu.Lock()
	delete(s.asks, id)
	s.mu.Unlock()
}

// Answer takes a client's response to a server's request. False means that nothing waits for it.
func (s *Session) Answer(m wire.Message) bool {
	id, _ := wire.Unquote(m.ID.Of(m.Raw))
	s.mu.Lock()
	p := s.asks[id]
	delete(s.asks, id)
	s.mu.Unlock()
	if p == nil {
		return false
	}
	p.answer <- slices.Clone(m.Raw)
	return true
}

// progress takes a client's progress on a server's request.
func (s *Session) progress(m wire.Message) {
	token, _ := wire.Unquote(m.ProgressToken.Of(m.Raw))
	s.mu.Lock()
	p := s.asks[token]
	s.mu.Unlock()
	if p != nil && p.notify != nil && p.token != nil {
		p.notify(wire.AppendSplice(nil, m.Raw, wire.Edit{At: m.ProgressToken, With: p.token}))
	}
}

// begin registers a request so that it can be cancelled, and returns what undoes that.
func (s *Session) begin(id []byte, cancel context.CancelCauseFunc) func() {
	f := &inFlight{string(id), cancel}
	s.mu.Lock()
	if s.calls == nil {
		s.calls = map[*inFlight]struct{}{}
	}
	s.calls[f] = struct{}{}
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		delete(s.calls, f)
		s.mu.Unlock()
	}
}

// cancel ends the request with that id, if it is in flight.
func (s *Session) cancel(id []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for f := range s.calls {
		if f.id == string(id) {
			f.cancel(ErrClientCancelled)
		}
	}
}

// cancelAll ends all requests in flight.
func (s *Session) cancelAll(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for f := range s.calls {
		f.cancel(cause)
	}
}

// busy tells whether the session may not be dropped: something is in flight or a stream is open.
func (s *Session) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.standing.Load()
	return len(s.calls) > 0 || len(s.asks) > 0 || o != nil && (*o).Attached()
}

// Attachment gives what an edge keeps with the session, made on first use unless make is nil; it ends with the session.
func (s *Session) Attachment(make func() any) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.attached == nil && make != nil {
		s.attached = make()
	}
	return s.attached
}
