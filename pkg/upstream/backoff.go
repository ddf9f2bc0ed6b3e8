package upstream

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Times of trying again (DESIGN §5).
const (
	backoffFirst = time.Second
	backoffMax   = time.Minute
	backoffMin   = 100 * time.Millisecond // full jitter may give nearly nothing; a process is not respawned that fast
	stableAfter  = 5 * time.Minute        // a connection that lasted that long starts the count over
)

// backoff counts failures in a row and gives the waits between them: a random time up to 1, 2, 4 … 60 s (full jitter).
type backoff struct{ failures int }

// next counts a failure and gives how long to wait now.
func (b *backoff) next() time.Duration {
	ceiling := backoffMax
	if b.failures < 6 { // 1<<6 s is more than the maximum
		ceiling = backoffFirst << b.failures
	}
	b.failures++
	return max(backoffMin, rand.N(ceiling)) //nolint:gosec // jitter, not a secret
}

// lasted notes how long a connection was up.
func (b *backoff) lasted(d time.Duration) {
	if d >= stableAfter {
		b.failures = 0
	}
}

// gate bounds how many servers are being started at the same moment. What it protects is the machine against the rush of
// processes at the beginning; a start that takes longer than share goes on beside the bound, so one that hangs delays nobody.
type gate struct {
	slots chan struct{}
	share time.Duration
}

func newGate(starts int, share time.Duration) *gate {
	return &gate{slots: make(chan struct{}, starts), share: share}
}

// enter waits for a slot; leave gives it back and may be called more than once.
func (g *gate) enter(ctx context.Context) (leave func(), err error) {
	select {
	case g.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	var once sync.Once
	release := func() { once.Do(func() { <-g.slots }) }
	t := time.AfterFunc(g.share, release)
	return func() { t.Stop(); release() }, nil
}
