package upstream

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/manifold-mcp/manifold/pkg/protocol"
)

// Times of refreshing lists after list_changed: the first waits a moment for others, and storms are merged (DESIGN §5,
// security-reliability D11).
const (
	refreshDebounce = 50 * time.Millisecond
	refreshInterval = time.Second
)

// sharedConn is the connection of an upstream that its clients share: it serves the lists, and all calls that need no
// connection of their own. It is made before its conn, to take what comes during the handshake.
type sharedConn struct {
	u     *Upstream
	conn  conn
	level levelSetting

	dirty atomic.Uint32 // listSet to fetch
	wake  chan struct{} // a token: attend has something to do
}

func newSharedConn(u *Upstream) *sharedConn {
	return &sharedConn{u: u, level: newLevelSetting(), wake: make(chan struct{}, 1)}
}

// begin loads the lists and restores what clients have set up. It fails only if the connection ends over it.
func (s *sharedConn) begin(ctx context.Context) error {
	u := s.u
	inv, failed, err := loadInventory(ctx, s.conn, u.inventory.Load(), allLists)
	if ended := s.ended(ctx); ended != nil {
		return ended
	}
	if err != nil {
		u.log.Warn().Str("cause", u.opts.Redact(err.Error())).Msg("some lists of the upstream are incomplete")
	}
	u.inventory.Store(inv)
	s.nudge(failed)
	if err := s.applyLevel(ctx); err != nil {
		u.log.Debug().Str("cause", u.opts.Redact(err.Error())).Msg("log level was not restored")
	}
	u.subs.replay(ctx, doURI(s.conn, protocol.ResourcesSubscribe))
	return s.ended(ctx)
}

// ended says why the connection or ctx has ended, nil while neither has.
func (s *sharedConn) ended(ctx context.Context) error {
	select {
	case <-s.conn.done():
		return fmt.Errorf("%w: %w", protocol.ErrLost, s.conn.err())
	default:
		return context.Cause(ctx)
	}
}

// attend keeps the lists fresh and tidies up after clients until the connection or ctx ends.
func (s *sharedConn) attend(ctx context.Context) error {
	var last time.Time // when lists were fetched
	retry := &backoff{}
	for {
		if !s.idle(ctx, s.wake, -1) {
			return s.ended(ctx)
		}
		s.tidy(ctx)
		if s.dirty.Load() == 0 {
			continue
		}
		if !s.idle(ctx, nil, max(refreshDebounce, time.Until(last.Add(refreshInterval)))) {
			return s.ended(ctx)
		}
		failed := s.refresh(ctx, listSet(s.dirty.Swap(0)))
		last = time.Now()
		if failed == 0 {
			retry.failures = 0
			continue
		}
		time.AfterFunc(retry.next(), func() { s.nudge(failed) })
	}
}

// idle waits for a token or for d to pass (d < 0: for ever); false when the connection or ctx has ended.
func (s *sharedConn) idle(ctx context.Context, token <-chan struct{}, d time.Duration) bool {
	var after <-chan time.Time
	if d >= 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		after = t.C
	}
	select {
	case <-s.conn.done():
		return false
	case <-ctx.Done():
		return false
	case <-token:
	case <-after:
	}
	return true
}

// tidy ends what clients that have gone had asked for.
func (s *sharedConn) tidy(ctx context.Context) {
	s.u.subs.sweep(ctx, doURI(s.conn, protocol.ResourcesUnsubscribe))
	if err := s.applyLevel(ctx); err != nil {
		s.u.log.Debug().Str("cause", s.u.opts.Redact(err.Error())).Msg("log level was not set")
	}
}

// refresh fetches some lists anew and publishes them if anything has changed. It returns those that could not be fetched.
func (s *sharedConn) refresh(ctx context.Context, lists listSet) (failed listSet) {
	u := s.u
	old := u.inventory.Load()
	inv, failed, err := loadInventory(ctx, s.conn, old, lists)
	if s.ended(ctx) != nil {
		return 0
	}
	if err != nil {
		u.log.Warn().Str("cause", u.opts.Redact(err.Error())).Msg("some lists of the upstream are incomplete")
	}
	if !sameInventory(old, inv) {
		u.inventory.Store(inv)
		u.listener.Changed(u.name)
	}
	return failed
}

// nudge asks attend to fetch lists (if any) and to tidy up.
func (s *sharedConn) nudge(lists listSet) {
	s.dirty.Or(uint32(lists))
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *sharedConn) applyLevel(ctx context.Context) error {
	return s.level.apply(ctx, s.conn, s.u.levels.lowest)
}

// listChanged implements events.
func (s *sharedConn) listChanged(method string) { s.nudge(listsOf(method)) }

// updated implements events.
func (s *sharedConn) updated(uri string, msg []byte) {
	if clients := s.u.subs.interested(uri); len(clients) > 0 {
		s.u.listener.Updated(s.u.name, clients, msg)
	}
}

// stray implements events.
func (s *sharedConn) stray(method string, msg []byte) {
	if method == protocol.ElicitationComplete {
		s.u.completed(msg)
		return
	}
	s.u.listener.Stray(s.u.name, method, msg)
}

// ask implements events. It goes to the client behind the calls in flight if that can only be one; otherwise it is refused. Either
// way the server is known from now on to ask this, so that under isolation: auto clients get connections of their own.
func (s *sharedConn) ask(ctx context.Context, a *ask) ([]byte, error) {
	if kind := asksFor(&a.msg); s.u.askers.noted(kind) {
		s.u.log.Info().Str("method", clip(a.msg.MethodName(), 60)).Msg("upstream asks its clients back")
	}
	f := soleCause(a.inFlight)
	if f == nil {
		return nil, fmt.Errorf("%w: %d calls are in flight and none can be told to be its cause", protocol.ErrRefused, len(a.inFlight))
	}
	return f.sink.Ask(ctx, a.msg)
}
