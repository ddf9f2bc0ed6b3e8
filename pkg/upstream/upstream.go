package upstream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/manifold-mcp/manifold/pkg/config"
	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/redact"
)

// Upstream is one configured server: it is connected, kept connected, and called. Everything but Run may be called at any
// time by anybody.
type Upstream struct {
	name           string
	isolation      config.Isolation
	connectTimeout time.Duration
	requestTimeout time.Duration
	dialer         dialer
	opts           Options
	gate           *gate
	listener       Listener
	log            zerolog.Logger

	status    atomic.Pointer[Status]
	turned    turnstile // turns with each change of status
	inventory atomic.Pointer[protocol.Inventory]
	shared    atomic.Pointer[sharedConn] // nil unless ready
	settled   chan struct{}
	settle    sync.Once

	askers   askers
	elicited elicitations
	subs     *subscriptions // of the shared connection
	levels   levels
	seats    seats

	life    context.Context // ends with Run
	endLife context.CancelCauseFunc
	running atomic.Bool
	// reopening says that the server has merely forgotten the session: calls wait for the next one instead of failing at once.
	reopening atomic.Bool
	closing   sync.WaitGroup // connections that end beside their successors
}

// errStopped is the cause of everything that ends because the upstream is being stopped.
var errStopped = errors.New("upstream is being stopped")

// newUpstream makes an upstream; opts has its defaults filled in.
func newUpstream(s *config.Server, d dialer, opts Options, g *gate, l Listener, log zerolog.Logger) *Upstream {
	u := &Upstream{
		name:           s.Name,
		isolation:      s.Isolation,
		connectTimeout: positive(s.ConnectionTimeout, config.DefaultConnectionTimeout),
		requestTimeout: positive(s.RequestTimeout, config.DefaultRequestTimeout),
		dialer:         d,
		opts:           opts,
		gate:           g,
		listener:       l,
		log:            log,
		settled:        make(chan struct{}),
		subs:           newSubscriptions(opts.MaxSubscriptions),
	}
	u.life, u.endLife = context.WithCancelCause(context.Background())
	u.levels.init()
	u.seats.init(u)
	u.inventory.Store(&protocol.Inventory{Stale: true})
	u.setStatus(Status{Phase: PhaseIdle})
	return u
}

// Name is the server's name in the configuration.
func (u *Upstream) Name() string { return u.name }

// Status gives a snapshot.
func (u *Upstream) Status() Status {
	s := *u.status.Load()
	if s.Phase == PhaseReady {
		s.LastConnected = time.Now()
	}
	return s
}

// Inventory is what the server offers; never nil. While the server is not connected it is the last known, marked Stale.
func (u *Upstream) Inventory() *protocol.Inventory { return u.inventory.Load() }

// Settled is closed when the first attempt to start has ended, one way or the other.
func (u *Upstream) Settled() <-chan struct{} { return u.settled }

// Run keeps the server connected until ctx ends, and then ends all its connections. It is called once.
func (u *Upstream) Run(ctx context.Context) error {
	if u.running.Swap(true) {
		return fmt.Errorf("upstream %q runs already", u.name)
	}
	// Clients' own connections are ended beside the shared one, not after it.
	defer context.AfterFunc(ctx, func() { u.endLife(errStopped) })()
	defer func() {
		u.endLife(errStopped)
		u.seats.wait()
		u.closing.Wait()
		u.setStatus(Status{Phase: PhaseIdle})
		u.settleNow()
	}()
	retry := &backoff{}
	for {
		err := u.serve(ctx, retry)
		if ctx.Err() != nil {
			return nil
		}
		if reopens(err) && retry.failures == 0 { // a server that was restarted: nothing is wrong with it now
			retry.failures++
			u.log.Info().Msg("upstream has forgotten the session; it is opened again")
			continue
		}
		if wait := u.failed(retry, err); !sleep(ctx, wait) {
			return nil
		}
	}
}

func (u *Upstream) settleNow() { u.settle.Do(func() { close(u.settled) }) }

// serve makes one connection and serves it until it ends; the error says why it did, or why it could not be made.
func (u *Upstream) serve(ctx context.Context, retry *backoff) error {
	defer u.settleNow()
	last := u.status.Load()
	u.setStatus(Status{Phase: PhaseStarting, Reason: last.Reason, Text: last.Text, Attempts: retry.failures})
	s := newSharedConn(u)
	g := greeting{capabilities: []byte(sharedCapabilities), info: gatewayInfo(u.opts.Version)}
	c, leave, err := u.dial(ctx, g, s)
	if err != nil {
		return err
	}
	defer leave()
	s.conn = c
	defer u.end(ctx, s)
	if err := s.begin(ctx); err != nil {
		return err
	}
	leave()
	began := time.Now()
	u.ready(s)
	u.settleNow()
	err = s.attend(ctx)
	retry.lasted(time.Since(began))
	return err
}

// dial makes a connection within the connection timeout. The start occupies a place in the gate until leave is called.
func (u *Upstream) dial(ctx context.Context, g greeting, ev events) (c conn, leave func(), err error) {
	leave, err = u.gate.enter(ctx)
	if err != nil {
		return nil, nil, err
	}
	dialling, cancel := context.WithTimeoutCause(ctx, u.connectTimeout, fmt.Errorf("%w: not connected after %v", protocol.ErrTimeout, u.connectTimeout))
	defer cancel()
	c, err = u.dialer.dial(dialling, g, ev)
	if err != nil {
		leave()
		if cause := context.Cause(dialling); cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		return nil, nil, err
	}
	return c, leave, nil
}

// ready publishes a connection.
func (u *Upstream) ready(s *sharedConn) {
	u.shared.Store(s)
	u.reopening.Store(false)
	st := Status{Phase: PhaseReady}
	if p, ok := s.conn.(interface{ processID() int }); ok {
		st.PID = p.processID()
	}
	u.setStatus(st)
	inv := u.inventory.Load()
	u.log.Info().Int("tools", len(inv.Tools)).Int("prompts", len(inv.Prompts)).Int("resources", len(inv.Resources)).
		Str("revision", s.conn.hello().revision).Msg("upstream is ready")
	u.listener.Changed(u.name)
}

// end takes a connection out of service and ends it.
func (u *Upstream) end(ctx context.Context, s *sharedConn) {
	reopening := reopens(s.conn.err())
	u.reopening.Store(reopening)
	was := u.shared.Swap(nil)
	stale := *u.inventory.Load()
	stale.Stale = true
	u.inventory.Store(&stale)
	if ctx.Err() != nil {
		u.setStatus(Status{Phase: PhaseStopping})
	}
	if reopening { // its successor need not wait for it
		u.closing.Go(func() { closeConn(ctx, s.conn) })
	} else {
		closeConn(ctx, s.conn)
	}
	u.subs.lost(u.life)
	if was != nil {
		u.listener.Changed(u.name)
	}
}

// closeConn ends a connection in order also when ctx has ended, within the time that a process is given to stop.
func closeConn(ctx context.Context, c conn) {
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), stdinGrace+termGrace+time.Second)
	defer cancel()
	c.close(closing)
}

// failed notes a failure and gives how long to wait before the next attempt.
func (u *Upstream) failed(retry *backoff, err error) time.Duration {
	u.reopening.Store(false)
	wait := retry.next()
	st := Status{
		Phase: PhaseBackoff, Reason: classify(err), Text: clip(u.opts.Redact(err.Error()), 2*maxServerText),
		Attempts: retry.failures, NextRetry: time.Now().Add(wait),
	}
	u.setStatus(st)
	u.log.Warn().Str("reason", string(st.Reason)).Str("cause", st.Text).Int("attempts", st.Attempts).Dur("retry_in", wait).
		Msg("upstream is not available")
	return wait
}

// setStatus fills in what follows from the rest and publishes the status.
func (u *Upstream) setStatus(st Status) {
	now := time.Now()
	st.Name, st.Since = u.name, now
	st.State = st.Phase.public(st.Reason != redact.None)
	if last := u.status.Load(); last != nil {
		st.LastConnected = last.LastConnected
		if last.Phase == PhaseReady {
			st.LastConnected = now
		}
	}
	if st.Phase == PhaseReady {
		st.LastConnected = now
	}
	u.status.Store(&st)
	u.turned.turn()
}

// sleep waits; false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
