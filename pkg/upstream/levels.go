package upstream

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// severities are the log levels, most verbose first (2025-11-25 logging, "Log Levels").
var severities = []string{"debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"}

// levels are the log levels that clients want of one server, by the client's key.
type levels struct {
	mu    sync.Mutex
	byKey map[string]int // index into severities
}

func (l *levels) init() { l.byKey = make(map[string]int) }

// want notes a client's level; one that does not exist is an invalid parameter.
func (l *levels) want(key, level string) error {
	i := slices.Index(severities, level)
	if i < 0 {
		return protocol.Errorf(protocol.CodeInvalidParams, "unknown log level")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.byKey[key] = i
	return nil
}

func (l *levels) forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.byKey, key)
}

// of gives a client's level; empty if it wants none.
func (l *levels) of(key string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i, ok := l.byKey[key]; ok {
		return severities[i]
	}
	return ""
}

// lowest gives the most verbose level that anybody wants; empty if nobody does.
func (l *levels) lowest() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lowest := len(severities)
	for _, i := range l.byKey {
		lowest = min(lowest, i)
	}
	if lowest == len(severities) {
		return ""
	}
	return severities[lowest]
}

// levelSetting is the level that one connection has been set to. Changes follow each other, the last wish wins.
type levelSetting struct {
	turn chan struct{} // held while the level is being set; guards the rest
	on   conn          // the connection that now is about
	now  string
}

func newLevelSetting() levelSetting { return levelSetting{turn: make(chan struct{}, 1)} }

// apply sets the level that is wanted when its turn has come.
func (s *levelSetting) apply(ctx context.Context, c conn, wanted func() string) error {
	if c.hello().has&protocol.HasLogging == 0 {
		return nil
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if s.on != c {
		s.on, s.now = c, ""
	}
	level := wanted()
	if level == "" || level == s.now {
		return nil
	}
	params := append(wire.AppendQuote([]byte(`{"level":`), level), '}')
	if err := do(ctx, c, protocol.LoggingSetLevel, params); err != nil {
		return err
	}
	s.now = level
	return nil
}

// ownTimeout bounds the gateway's own small requests.
const ownTimeout = 15 * time.Second

// do sends a request of the gateway itself whose result does not matter.
func do(ctx context.Context, c conn, method string, params []byte) error {
	ctx, cancel := context.WithTimeoutCause(ctx, ownTimeout, protocol.ErrTimeout)
	defer cancel()
	a, err := c.call(ctx, newRequest(method, params))
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	defer a.Close()
	m, err := whole(a)
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	if m.Error.Present() {
		return fmt.Errorf("%s: server answered %s", method, errorText(m))
	}
	return nil
}

// doURI sends a request of the gateway itself about a resource.
func doURI(c conn, method string) func(ctx context.Context, uri string) error {
	return func(ctx context.Context, uri string) error {
		return do(ctx, c, method, append(wire.AppendQuote([]byte(`{"uri":`), uri), '}'))
	}
}
