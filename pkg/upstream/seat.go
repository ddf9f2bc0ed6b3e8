package upstream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/manifold-mcp/manifold/pkg/protocol"
)

// seats are the connections that clients have of their own, by the client's key.
type seats struct {
	u *Upstream

	mu    sync.Mutex
	byKey map[string]*seat
	ended bool
	work  sync.WaitGroup
}

func (s *seats) init(u *Upstream) {
	s.u = u
	s.byKey = make(map[string]*seat)
}

// take gives the client's own connection and keeps it from being closed as idle until the place is released. A client that has
// none gets one, if the server is up and there is room.
func (s *seats) take(ctx context.Context, c *protocol.Client) (place, error) {
	seat, err := s.enter(c)
	if err != nil {
		return place{}, err
	}
	over, err := seat.await(ctx)
	if err != nil {
		seat.leave()
		return place{}, err
	}
	return place{conn: over, seat: seat}, nil
}

func (s *seats) enter(c *protocol.Client) (*seat, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seat := s.byKey[c.Key]
	if seat == nil {
		switch {
		case s.ended:
			return nil, fmt.Errorf("%w: %w", protocol.ErrUnavailable, errStopped)
		case s.u.shared.Load() == nil: // nothing is started for a server that is known to be down
			return nil, s.u.unavailable()
		case len(s.byKey) >= s.u.opts.MaxConnections:
			return nil, fmt.Errorf("%w: %d clients have a connection of their own to it, which is the limit", protocol.ErrBusy, len(s.byKey))
		}
		seat = newSeat(s.u, c)
		s.byKey[c.Key] = seat
		s.work.Go(func() {
			seat.run()
		})
	}
	seat.client.Store(c)
	seat.calls++
	return seat, nil
}

// find gives a client's seat, nil if it has none.
func (s *seats) find(key string) *seat {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byKey[key]
}

// live gives a client's own connection if there is one now.
func (s *seats) live(key string) conn {
	if seat := s.find(key); seat != nil {
		return seat.current()
	}
	return nil
}

// release ends a client's connection; it does not wait.
func (s *seats) release(key string) {
	s.mu.Lock()
	seat := s.byKey[key]
	delete(s.byKey, key)
	s.mu.Unlock()
	if seat != nil {
		seat.end(errReleased)
	}
}

// wait waits until all seats have ended; no new ones are made.
func (s *seats) wait() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.work.Wait()
}

// vacate removes a seat unless it is needed; with force also then.
func (s *seats) vacate(seat *seat, force bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !force && (seat.calls > 0 || !seat.subs.empty()) {
		return false
	}
	if s.byKey[seat.key] == seat {
		delete(s.byKey, seat.key)
	}
	return true
}

var (
	errReleased = errors.New("the client has gone")
	errIdle     = errors.New("the connection was idle")
)

// seat is one client's own connection: made on its first call, made anew after a loss if the client has subscriptions, closed
// when idle.
type seat struct {
	u      *Upstream
	key    string
	client atomic.Pointer[protocol.Client] // as of its last call
	subs   *subscriptions
	level  levelSetting
	life   context.Context
	end    context.CancelCauseFunc

	calls int       // in flight; guarded by seats.mu
	used  time.Time // when the last call ended; guarded by seats.mu

	mu    sync.Mutex
	ready chan struct{} // closed when the attempt to connect has ended
	conn  conn          // nil if it failed
	err   error
}

func newSeat(u *Upstream, c *protocol.Client) *seat {
	s := &seat{u: u, key: c.Key, subs: newSubscriptions(u.opts.MaxSubscriptions), level: newLevelSetting(), ready: make(chan struct{})}
	s.life, s.end = context.WithCancelCause(u.life)
	s.client.Store(c)
	return s
}

// leave ends the use by one call.
func (s *seat) leave() {
	s.u.seats.mu.Lock()
	defer s.u.seats.mu.Unlock()
	s.calls--
	s.used = time.Now()
}

// await waits for the connection that is being made.
func (s *seat) await(ctx context.Context) (conn, error) {
	s.mu.Lock()
	ready := s.ready
	s.mu.Unlock()
	select {
	case <-ready:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return nil, fmt.Errorf("%w: the client's own connection: %w", protocol.ErrUnavailable, s.err)
	}
	return s.conn, nil
}

// current gives the connection if there is one.
func (s *seat) current() conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn
}

// run makes and keeps the connection until it is not needed.
func (s *seat) run() {
	defer s.end(nil)
	defer s.u.seats.vacate(s, true)
	retry := &backoff{}
	for {
		began := time.Now()
		err := s.serve()
		if s.life.Err() != nil || errors.Is(err, errIdle) {
			return
		}
		s.u.log.Debug().Str("reason", string(classify(err))).Str("cause", s.u.opts.Redact(err.Error())).Msg("a client's own connection ended")
		retry.lasted(time.Since(began))
		if reopens(err) && retry.failures == 0 { // the server was restarted: nothing is wrong with it now
			retry.failures++
			s.again()
			s.u.turned.turn()
			continue
		}
		s.publish(nil, err)
		// Until then calls fail at once, which keeps a server that cannot start from being started by each call.
		if !sleep(s.life, retry.next()) || s.u.seats.vacate(s, false) {
			return
		}
		s.again()
	}
}

// serve makes one connection and waits for its end.
func (s *seat) serve() error {
	c, leave, err := s.u.dial(s.life, clientGreeting(s.client.Load(), s.u.opts.Version), s)
	if err != nil {
		s.publish(nil, err)
		return err
	}
	leave()
	defer func() {
		if reopens(c.err()) { // its successor need not wait for it
			s.u.closing.Go(func() { closeConn(s.life, c) })
		} else {
			closeConn(s.life, c)
		}
	}()
	defer s.subs.lost(s.life)
	if err := s.level.apply(s.life, c, func() string { return s.u.levels.of(s.key) }); err != nil {
		s.u.log.Debug().Str("cause", s.u.opts.Redact(err.Error())).Msg("log level was not restored")
	}
	s.subs.replay(s.life, doURI(c, protocol.ResourcesSubscribe))
	s.publish(c, nil)
	err = s.attend(c)
	if !reopens(err) {
		s.publish(nil, err)
	}
	return err
}

// attend waits until the connection ends or is idle for too long.
func (s *seat) attend(c conn) error {
	check := time.NewTicker(max(s.u.opts.IdleConnection/4, time.Millisecond))
	defer check.Stop()
	for {
		select {
		case <-c.done():
			return fmt.Errorf("%w: %w", protocol.ErrLost, c.err())
		case <-s.life.Done():
			return context.Cause(s.life)
		case <-check.C:
			if s.idleFor() >= s.u.opts.IdleConnection && s.u.seats.vacate(s, false) {
				return errIdle
			}
		}
	}
}

func (s *seat) idleFor() time.Duration {
	s.u.seats.mu.Lock()
	defer s.u.seats.mu.Unlock()
	if s.calls > 0 || s.used.IsZero() {
		return 0
	}
	return time.Since(s.used)
}

// publish ends an attempt: those who wait get the connection, or the reason why there is none.
func (s *seat) publish(c conn, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn, s.err = c, err
	select {
	case <-s.ready:
	default:
		close(s.ready)
	}
}

// again begins another attempt, for which callers wait.
func (s *seat) again() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready = make(chan struct{})
}

func (s *seat) applyLevel(ctx context.Context) error {
	c := s.current()
	if c == nil {
		return nil // set when it is connected
	}
	return s.level.apply(ctx, c, func() string { return s.u.levels.of(s.key) })
}

// listChanged implements events: the lists are the shared connection's.
func (s *seat) listChanged(method string) {
	if shared := s.u.shared.Load(); shared != nil {
		shared.nudge(listsOf(method))
	}
}

// updated implements events.
func (s *seat) updated(uri string, msg []byte) {
	if clients := s.subs.interested(uri); len(clients) > 0 {
		s.u.listener.Updated(s.u.name, clients, msg)
	}
}

// stray implements events: what comes here can only be meant for this client.
func (s *seat) stray(_ string, msg []byte) {
	if peer := s.client.Load().Peer; peer != nil {
		peer.Notify(msg)
	}
}

// ask implements events: the oldest call in flight takes it, otherwise the client itself.
func (s *seat) ask(ctx context.Context, a *ask) ([]byte, error) {
	if len(a.inFlight) > 0 {
		return a.inFlight[0].sink.Ask(ctx, a.msg)
	}
	c := s.client.Load()
	if err := answerable(c, &a.msg); err != nil {
		return nil, err
	}
	if c.Peer == nil {
		return nil, fmt.Errorf("%w: there is no way to reach it now", protocol.ErrRefused)
	}
	return c.Peer.Ask(ctx, a.msg)
}
