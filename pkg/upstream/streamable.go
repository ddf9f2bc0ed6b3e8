package upstream

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/manifold-mcp/manifold/pkg/protocol"
)

// streamable is a connection over streamable HTTP, revisions 2025-03-26 to 2025-11-25: one POST per message, whose response
// is the answer or a stream that ends in it, and a standing GET stream for what belongs to no request.
type streamable struct {
	http       *httpClient
	ev         events
	log        zerolog.Logger
	maxMessage int
	maxAnswer  int64

	requests atomic.Pointer[requests]
	greeted  *hello // set before anybody else sees the connection

	dropped   atomic.Uint64 // messages that belonged to nobody
	listening atomic.Bool   // the standing stream is open or may become so

	mu      sync.Mutex
	flights map[uint64]*httpFlight
	left    turnstile // turns when a call leaves a connection that has ended
	lastID  uint64
	asks    map[string]*pendingAsk // by the server's raw id
	ended   bool

	finished chan struct{} // closed when no more calls are taken; cause is set before
	cause    error
	// life ends with the connection; the standing stream, asks and background messages hang on it.
	life     context.Context
	endLife  context.CancelCauseFunc
	work     sync.WaitGroup
	asking   chan struct{} // a slot for each request of the server that is being put to a client
	sending  chan struct{} // a slot for each message of the connection's own that is being sent
	closing  sync.Once
	closedUp chan struct{}
}

// requests are the templates of a connection's requests. They change once, when initialize has been answered.
type requests struct {
	post, listen *http.Request
	session      string
}

// httpFlight is one call in flight.
type httpFlight struct {
	flight
	id     uint64
	digits [24]byte // room for the id in JSON
	method string
	token  []byte // the client's progress token, raw; nil if it sent none
	// ctx ends with the caller's context until detach is called; afterwards only by cancel. A stream that has brought its
	// answer may come to its end after the caller has left.
	ctx    context.Context
	cancel context.CancelCauseFunc
	detach func() bool
	sent   bool             // the server may know of the call
	late   *protocol.Answer // came on another stream than the call's own; guarded by streamable.mu

	// Of the call's own goroutine: what ends with the call, and whether its stream was taken up again.
	asks    []context.CancelCauseFunc
	resumed bool

	// using is held while the sink is notified; over says that the call has returned and the sink must not be touched.
	using sync.Mutex
	over  bool
}

// errElsewhere ends the waiting on a call's own stream when its answer has come on another one.
var errElsewhere = errors.New("answered on another stream")

// dialStreamable performs the handshake over streamable HTTP.
func dialStreamable(ctx context.Context, h *httpClient, o httpOptions, g greeting, ev events) (*streamable, error) {
	s := &streamable{
		http: h, ev: ev, log: o.Log, maxMessage: o.MaxMessage, maxAnswer: o.MaxAnswer,
		flights:  make(map[uint64]*httpFlight),
		asks:     make(map[string]*pendingAsk),
		finished: make(chan struct{}),
		asking:   make(chan struct{}, maxAsks),
		sending:  make(chan struct{}, maxSends),
		closedUp: make(chan struct{}),
	}
	s.life, s.endLife = context.WithCancelCause(context.Background())
	s.prepare(h.url, "", "")
	h.enter()
	if err := s.handshake(ctx, g); err != nil {
		s.close(context.WithoutCancel(ctx))
		return nil, err
	}
	s.listening.Store(true)
	s.work.Go(s.listen)
	return s, nil
}

func (s *streamable) handshake(ctx context.Context, g greeting) error {
	a, err := s.call(ctx, ownCall(appendInitialize(nil, "0", g)))
	if err != nil {
		return fmt.Errorf("initialize: %w", err)
	}
	defer a.Close()
	if a.Stream != nil {
		return fmt.Errorf("initialize: %w: more than %d bytes", protocol.ErrTooLarge, maxHeld)
	}
	h, err := parseHello(&a.Message)
	if err != nil {
		return err
	}
	s.greeted = h
	now := s.requests.Load()
	s.prepare(now.post.URL, now.session, h.revision)
	if err := s.notify(ctx, []byte(initialized)); err != nil {
		return fmt.Errorf("%s: %w", protocol.Initialized, err)
	}
	return nil
}

// prepare makes the request templates. The version header goes with everything after initialize (2025-06-18 transports,
// "Protocol Version Header"); servers of 2025-03-26 do not look at it.
func (s *streamable) prepare(u *url.URL, session, revision string) {
	var extra []string
	if session != "" {
		extra = append(extra, "Mcp-Session-Id", session)
	}
	if revision != "" {
		extra = append(extra, "Mcp-Protocol-Version", revision)
	}
	s.requests.Store(&requests{
		post: s.http.template(http.MethodPost, u, append(slices.Clone(extra),
			"Content-Type", "application/json", "Accept", "application/json, text/event-stream")...),
		listen:  s.http.template(http.MethodGet, u, append(slices.Clone(extra), "Accept", "text/event-stream")...),
		session: session,
	})
}

// maxSession bounds a session id, which goes with every request.
const maxSession = 4 << 10

// adopt takes the session id of the answer to initialize, and the URL if that was a redirect. An id is visible ASCII only
// (2025-03-26 transports, "Session Management" 1).
func (s *streamable) adopt(resp *http.Response) error {
	id := resp.Header.Get("Mcp-Session-Id")
	if len(id) > maxSession {
		return fmt.Errorf("%w: session id of %d bytes", protocol.ErrProtocol, len(id))
	}
	for _, c := range []byte(id) {
		if c < 0x21 || c > 0x7e {
			return fmt.Errorf("%w: session id is not visible ASCII", protocol.ErrProtocol)
		}
	}
	s.prepare(resp.Request.URL, id, "")
	return nil
}

func (s *streamable) hello() *hello         { return s.greeted }
func (s *streamable) done() <-chan struct{} { return s.finished }

func (s *streamable) err() error {
	select {
	case <-s.finished:
		return s.cause
	default:
		return nil
	}
}

// end takes no more calls. Those in flight go on: the answer to one of them can still be on its way although the server
// has refused another message.
func (s *streamable) end(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.ended = true
	s.cause = cause
	s.endLife(cause)
	close(s.finished)
}

// close implements conn. Calls in flight fail with protocol.ErrLost; answers that are being copied through go on.
func (s *streamable) close(ctx context.Context) {
	s.closing.Do(func() {
		defer close(s.closedUp)
		s.end(errConnClosed)
		if errors.Is(s.cause, errSessionGone) {
			s.landed(ctx)
		}
		s.mu.Lock()
		for _, f := range s.flights {
			f.cancel(errConnClosed)
		}
		s.mu.Unlock()
		s.deleteSession(ctx)
		s.work.Wait()
		s.http.leave()
	})
	<-s.closedUp
}

// landed waits for the calls in flight, or until ctx ends: in a lost session each of them is refused by itself, and may then
// be sent again, while one that is cut may have run.
func (s *streamable) landed(ctx context.Context) {
	for {
		next := s.left.next()
		s.mu.Lock()
		n := len(s.flights)
		s.mu.Unlock()
		if n == 0 {
			return
		}
		select {
		case <-next:
		case <-ctx.Done():
			return
		}
	}
}

// deleteSession tells the server that the session is over (2025-03-26 transports, "Session Management" 5). A server may
// refuse that with 405; nothing depends on it.
func (s *streamable) deleteSession(ctx context.Context) {
	now := s.requests.Load()
	if now.session == "" || errors.Is(s.cause, errSessionGone) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	bye := *now.listen
	bye.Method = http.MethodDelete
	if resp, err := s.http.send(ctx, &bye, nil); err == nil {
		discard(resp)
	}
}

// notify implements conn.
func (s *streamable) notify(ctx context.Context, msg []byte) error {
	if err := s.err(); err != nil {
		return fmt.Errorf("%w: %w", protocol.ErrUnavailable, err)
	}
	return s.deliver(ctx, msg)
}

// deliver POSTs a message that has no answer: a notification or a response.
func (s *streamable) deliver(ctx context.Context, msg []byte) error {
	ctx, cancel := context.WithTimeoutCause(ctx, postTimeout, protocol.ErrTimeout)
	defer cancel()
	p := plain(bytes.Clone(msg))
	resp, err := s.http.send(ctx, s.requests.Load().post, p)
	if err != nil {
		sent := p.abort()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return transportError(err, sent)
	}
	p.release()
	if resp.StatusCode/100 == 2 {
		discard(resp)
		return nil
	}
	status := newStatusError(resp)
	if _, err = s.refusal(resp); err == nil {
		err = status // an error in the body answers nobody
	}
	return err
}

// tell sends a message of the connection's own without making the caller wait. When too many wait already it is dropped: the
// server has stopped taking messages.
func (s *streamable) tell(msg []byte) {
	ok := s.background(s.sending, func() {
		if err := s.deliver(s.life, msg); err != nil {
			s.dropped.Add(1)
		}
	})
	if !ok {
		s.dropped.Add(1)
	}
}

// background runs f in a goroutine of the connection; false when all slots are taken or the connection has ended.
func (s *streamable) background(slots chan struct{}, f func()) bool {
	select {
	case slots <- struct{}{}:
	default:
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		<-slots
		return false
	}
	s.work.Go(func() {
		defer func() { <-slots }()
		f()
	})
	return true
}

// inFlight lists the clients' calls in flight, oldest first.
func (s *streamable) inFlight() []*flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	var own []*httpFlight
	for _, f := range s.flights {
		if f.client != nil {
			own = append(own, f)
		}
	}
	slices.SortFunc(own, func(a, b *httpFlight) int { return cmp.Compare(a.id, b.id) })
	list := make([]*flight, len(own))
	for i, f := range own {
		list[i] = &f.flight
	}
	return list
}

// flightOf finds the call in flight that a raw id or progress token names; nil if there is none.
func (s *streamable) flightOf(raw []byte) *httpFlight {
	id, err := strconv.ParseUint(string(bytes.Trim(raw, `"`)), 10, 64)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flights[id]
}

var _ conn = (*streamable)(nil)
