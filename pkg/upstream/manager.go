package upstream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/rs/zerolog"

	"github.com/manifold-mcp/manifold/pkg/config"
	"github.com/manifold-mcp/manifold/pkg/redact"
)

// Listener hears what happens at the upstreams outside of calls. Its methods are called from the connections' own goroutines:
// they return quickly, never call back into the upstream in a way that waits, and copy msg if they keep it.
type Listener interface {
	// Changed: an upstream's inventory, or whether it is connected, is different from before.
	Changed(upstream string)
	// Updated: a resource has changed (notifications/resources/updated, whole message); clients are the keys of those who
	// have subscribed to it.
	Updated(upstream string, clients []string, msg []byte)
	// Stray: a notification (whole message) on a connection shared by clients that belongs to none of them in particular.
	Stray(upstream, method string, msg []byte)
}

// Manager owns the upstreams of one configuration.
type Manager struct {
	set      atomic.Pointer[set]
	guardian *guardian

	mu      sync.Mutex
	cancel  context.CancelCauseFunc // of Run; nil before
	stopped chan struct{}           // closed when Run has returned
	closed  bool
}

// set is an immutable list of upstreams.
type set struct {
	all    []*Upstream // in the order of the configuration
	byName map[string]*Upstream
}

// New makes the upstreams of all servers that are not disabled. It starts nothing.
func New(servers []config.Server, opts Options, l Listener, log zerolog.Logger) *Manager {
	opts = opts.withDefaults()
	g := newGate(opts.Starts, opts.StartShare)
	m := &Manager{guardian: newGuardian(opts.Guard, log.With().Str("component", "upstream").Logger()), stopped: make(chan struct{})}
	next := &set{byName: make(map[string]*Upstream, len(servers))}
	for i := range servers {
		s := &servers[i]
		if s.Disabled {
			continue
		}
		child := log.With().Str("component", "upstream").Str("upstream", s.Name).Logger()
		own := opts
		own.Redact = redactor(s, opts.Redact)
		u := newUpstream(s, dialerFor(s, own, m.guardian, child), own, g, l, child)
		next.all = append(next.all, u)
		next.byName[s.Name] = u
	}
	m.set.Store(next)
	return m
}

// redactor cleans a server's texts of what the configuration gave it to keep: values of env and headers, and its URL.
func redactor(s *config.Server, also func(string) string) func(string) string {
	secrets := []string{s.URL.Reveal()}
	for _, v := range s.Env {
		secrets = append(secrets, v.Reveal())
	}
	for _, v := range s.Headers {
		secrets = append(secrets, v.Reveal())
	}
	own := redact.NewRedactor(secrets...)
	if also == nil {
		return own.Text
	}
	return func(text string) string { return also(own.Text(text)) }
}

// dialerFor picks the dialer of a server's transport.
func dialerFor(s *config.Server, opts Options, g *guardian, log zerolog.Logger) dialer {
	switch s.Transport {
	case config.TransportStdio:
		d := newStdioDialer(s, opts, log)
		d.guardian = g
		return d
	case config.TransportSSE:
		return newSSEDialer(*s, opts, log)
	default:
		return newStreamableDialer(*s, opts, log)
	}
}

// newStdioDialer makes the dialer of a server that is a child process.
func newStdioDialer(s *config.Server, opts Options, log zerolog.Logger) *stdioDialer {
	return &stdioDialer{
		cmd:    command{path: s.Command, args: s.Args, env: s.Environ(opts.Environ), dir: s.Cwd},
		stderr: s.Stderr,
		opts:   opts,
		log:    log,
	}
}

// Run starts all upstreams at once and keeps them running until ctx ends or Close is called; then it ends them and returns. It
// is called once.
func (m *Manager) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	m.mu.Lock()
	if m.cancel != nil || m.closed {
		m.mu.Unlock()
		return errors.New("upstream manager: already run or closed")
	}
	m.cancel = cancel
	m.mu.Unlock()
	defer close(m.stopped)
	defer m.guardian.close() // after the last child

	all := m.set.Load().all
	errs := make([]error, len(all))
	var running sync.WaitGroup
	for i, u := range all {
		running.Go(func() {
			if err := u.Run(ctx); err != nil {
				errs[i] = fmt.Errorf("upstream %q: %w", u.name, err)
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// Upstreams lists the upstreams in the order of the configuration. The slice is shared and must not be changed.
func (m *Manager) Upstreams() []*Upstream { return m.set.Load().all }

// Upstream gives one by name.
func (m *Manager) Upstream(name string) (*Upstream, bool) {
	u, ok := m.set.Load().byName[name]
	return u, ok
}

// Release forgets a client at all upstreams.
func (m *Manager) Release(clientKey string) {
	for _, u := range m.set.Load().all {
		u.Release(clientKey)
	}
}

// Close ends Run and waits for it. It may be called more than once, also without Run.
func (m *Manager) Close() {
	m.mu.Lock()
	m.closed = true
	cancel := m.cancel
	m.mu.Unlock()
	if cancel != nil {
		cancel(errStopped)
		<-m.stopped
	}
}
