package server

import (
	"context"
	"fmt"
	"hash/maphash"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/ulule/limiter/v3"
	"github.com/ulule/limiter/v3/drivers/store/common"
	"github.com/ulule/limiter/v3/drivers/store/memory"
)

const (
	// maxClients is how many clients of a class are counted one by one in a window.
	maxClients = 20_000
	// overflow is among how many counters the rest is spread: they share budgets, but nobody is uncounted.
	overflow = 1024
)

// store counts in the limiter library's memory cache. The library's own memory store grows with every address, which an
// IPv6 network has without end, and cleans up in a goroutine that only the garbage collector stops. This one is bounded
// and cleans up on its way.
type store struct {
	cache   *memory.CacheWrapper
	seed    maphash.Seed
	clients atomic.Int64 // new ones since the last cleaning
	clean   atomic.Int64 // time of the next cleaning, Unix nanoseconds
	period  time.Duration
}

func newStore(period time.Duration) *store {
	return &store{cache: memory.NewCache(0), seed: maphash.MakeSeed(), period: period}
}

// Get counts one request; see [limiter.Store].
func (s *store) Get(ctx context.Context, key string, rate limiter.Rate) (limiter.Context, error) {
	return s.Increment(ctx, key, 1, rate)
}

// Increment counts requests; see [limiter.Store].
func (s *store) Increment(_ context.Context, key string, count int64, rate limiter.Rate) (limiter.Context, error) {
	now := time.Now()
	s.tidy(now)
	if s.clients.Load() >= maxClients {
		if _, known := s.cache.Load(key); !known {
			key = "overflow:" + strconv.FormatUint(maphash.String(s.seed, key)%overflow, 10)
		}
	}
	n, expires := s.cache.Increment(key, count, rate.Period)
	if n == count {
		s.clients.Add(1)
	}
	return common.GetContextFromState(now, rate, expires, n), nil
}

// Peek tells the state without counting; see [limiter.Store].
func (s *store) Peek(_ context.Context, key string, rate limiter.Rate) (limiter.Context, error) {
	n, expires := s.cache.Get(key, rate.Period)
	return common.GetContextFromState(time.Now(), rate, expires, n), nil
}

// Reset forgets a client; see [limiter.Store].
func (s *store) Reset(_ context.Context, key string, rate limiter.Rate) (limiter.Context, error) {
	n, expires := s.cache.Reset(key, rate.Period)
	return common.GetContextFromState(time.Now(), rate, expires, n), nil
}

// tidy drops what has expired, once in a window. What is alive then began within the last one.
func (s *store) tidy(now time.Time) {
	due := s.clean.Load()
	if now.UnixNano() < due || !s.clean.CompareAndSwap(due, now.Add(s.period).UnixNano()) {
		return
	}
	s.cache.Clean()
	s.clients.Store(0)
}

// errorType names an error without its text, which may hold addresses and passwords of the store.
func errorType(err error) string { return fmt.Sprintf("%T", err) }
