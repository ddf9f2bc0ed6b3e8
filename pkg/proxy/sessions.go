package proxy

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/manifold-mcp/manifold/pkg/filter"
	"github.com/manifold-mcp/manifold/pkg/protocol"
)

// ErrNoSession is why a session cannot be had: the id is not ours, too old, ended, or another principal's. All read the same to a client: it initialises again.
var ErrNoSession = errors.New("session not found")

// Sessions finds sessions by their sealed ids. What it holds in memory is bounded; a session that was dropped for room or
// idleness is made again from its id when its client returns.
type Sessions struct {
	keys    Sealer
	limits  SessionLimits
	release func(*Session)

	byID  sync.Map // sealed id → *Session
	byKey sync.Map // Client.Key → *Session
	count atomic.Int64

	mu    sync.Mutex
	ended map[string]time.Time // keys of sessions that were deleted, until their ids expire
}

// Sealer makes and opens what clients carry; *state.Keyring is one.
type Sealer interface {
	Seal(purpose string, plain []byte) string
	Open(purpose, sealed string) ([]byte, error)
}

// SessionLimits bound what sessions cost.
type SessionLimits struct {
	// MaxAge is how long a sealed id is accepted; a session that is in use then goes on until it no longer is.
	MaxAge time.Duration
	// Idle is how long the live part of an unused session is kept.
	Idle time.Duration
	// Max is how many are kept live; the longest unused one makes room.
	Max int
}

// sealedSession is what a session id carries. Names are short because clients send it with every request.
type sealedSession struct {
	Key       string              `json:"k"`
	Created   int64               `json:"t"`
	Revision  string              `json:"r"`
	Caps      protocol.Capability `json:"c,omitempty"`
	RawCaps   json.RawMessage     `json:"rc,omitempty"`
	Info      json.RawMessage     `json:"i,omitempty"`
	Principal string              `json:"p,omitempty"`
	Filter    string              `json:"f,omitempty"`
	Paged     bool                `json:"g,omitempty"`
}

// maxCarried bounds the clientInfo and the capabilities that a session id carries verbatim (bytes each); what is longer is
// carried as the known capabilities only, because header lines have limits everywhere.
const maxCarried = 512

// maxEnded bounds the memory of deleted sessions; beyond it the oldest could be revived by their own client.
const maxEnded = 100_000

func newSessions(keys Sealer, limits SessionLimits, release func(*Session)) *Sessions {
	return &Sessions{keys: keys, limits: limits, release: release, ended: map[string]time.Time{}}
}

// New makes a session for a client that initialises. The client's Key and Peer are set by it.
func (ss *Sessions) New(client protocol.Client, expr filter.Expr, paged bool) *Session {
	client.Key = rand.Text()
	s := &Session{Filter: expr, Paged: paged, Created: time.Now()}
	sealed := sealedSession{Key: client.Key, Created: s.Created.Unix(), Revision: client.Revision, Caps: client.Caps,
		Principal: client.Principal, Filter: expr.String(), Paged: paged}
	if len(client.RawCaps) <= maxCarried {
		sealed.RawCaps = client.RawCaps
	}
	if len(client.Info) <= maxCarried {
		sealed.Info = client.Info
	}
	plain, _ := json.Marshal(sealed) // strings and valid raw JSON cannot fail
	s.ID = ss.keys.Seal(sealSession, plain)
	return ss.add(s, client)
}

func (ss *Sessions) add(s *Session, client protocol.Client) *Session {
	client.Peer = s
	s.client.Store(&client)
	s.epoch = "m" + rand.Text()[:8] + "-"
	s.ctx, s.end = context.WithCancelCause(context.Background())
	s.Touch()
	if other, raced := ss.byID.LoadOrStore(s.ID, s); raced {
		return other.(*Session)
	}
	ss.byKey.Store(client.Key, s)
	if ss.count.Add(1) > int64(ss.limits.Max) {
		ss.makeRoom(s)
	}
	return s
}

// Get finds the session with that sealed id for that principal.
func (ss *Sessions) Get(id, principal string) (*Session, error) {
	if v, ok := ss.byID.Load(id); ok {
		s := v.(*Session)
		if s.Client().Principal != principal || ss.expired(s.Created) && !s.busy() {
			return nil, ErrNoSession
		}
		s.Touch()
		return s, nil
	}
	return ss.revive(id, principal)
}

// ByKey finds a live session by its client's key, or nil.
func (ss *Sessions) ByKey(key string) *Session {
	if v, ok := ss.byKey.Load(key); ok {
		return v.(*Session)
	}
	return nil
}

// revive makes the live part of a session again from its id: after a restart, on another replica, or after it was dropped.
func (ss *Sessions) revive(id, principal string) (*Session, error) {
	plain, err := ss.keys.Open(sealSession, id)
	if err != nil {
		return nil, ErrNoSession
	}
	var sealed sealedSession
	if err := json.Unmarshal(plain, &sealed); err != nil || sealed.Principal != principal {
		return nil, ErrNoSession
	}
	created := time.Unix(sealed.Created, 0)
	ss.mu.Lock()
	_, ended := ss.ended[sealed.Key]
	ss.mu.Unlock()
	if ended || ss.expired(created) {
		return nil, ErrNoSession
	}
	expr, err := filter.ParseExpr(sealed.Filter)
	if sealed.Filter == "" {
		expr, err = filter.Expr{}, nil
	}
	if err != nil {
		return nil, ErrNoSession
	}
	client := protocol.Client{Key: sealed.Key, Principal: principal, Revision: sealed.Revision, Caps: sealed.Caps,
		RawCaps: sealed.RawCaps, Info: sealed.Info}
	return ss.add(&Session{ID: id, Filter: expr, Paged: sealed.Paged, Created: created}, client), nil
}

func (ss *Sessions) expired(created time.Time) bool { return time.Since(created) > ss.limits.MaxAge }

// End ends a session for good: its client deleted it, or its transport is gone for ever.
func (ss *Sessions) End(s *Session) {
	ss.mu.Lock()
	if len(ss.ended) >= maxEnded {
		ss.forgetEnded()
	}
	ss.ended[s.Client().Key] = s.Created
	ss.mu.Unlock()
	ss.drop(s, ErrSessionEnded)
	s.cancelAll(ErrSessionEnded)
}

// forgetEnded removes what expired, and if nothing did, an arbitrary one.
func (ss *Sessions) forgetEnded() {
	for key, created := range ss.ended {
		if ss.expired(created) {
			delete(ss.ended, key)
		}
	}
	for key := range ss.ended {
		if len(ss.ended) < maxEnded {
			return
		}
		delete(ss.ended, key)
	}
}

// drop forgets the live part of a session.
func (ss *Sessions) drop(s *Session, cause error) {
	if !ss.byID.CompareAndDelete(s.ID, s) {
		return
	}
	ss.byKey.CompareAndDelete(s.Client().Key, s)
	ss.count.Add(-1)
	s.end(cause)
	ss.release(s)
}

// sample is how many sessions are looked at to find one that may go.
const sample = 32

// makeRoom drops the longest unused of a few sessions. A session that is busy stays; so a flood of sessions that are all
// busy exceeds the limit by as many streams and calls as the edge admits, which is bounded there.
func (ss *Sessions) makeRoom(except *Session) {
	var oldest *Session
	n := 0
	ss.byID.Range(func(_, v any) bool {
		s := v.(*Session)
		if s != except && (oldest == nil || s.seen.Load() < oldest.seen.Load()) && !s.busy() {
			oldest = s
		}
		n++
		return n < sample || oldest == nil
	})
	if oldest != nil {
		ss.drop(oldest, ErrSessionEnded)
	}
}

// Each calls f with every live session until f returns false.
func (ss *Sessions) Each(f func(*Session) bool) {
	ss.byID.Range(func(_, v any) bool { return f(v.(*Session)) })
}

// Count is how many sessions are live.
func (ss *Sessions) Count() int { return int(ss.count.Load()) }

// run drops idle and expired sessions until ctx ends, then all of them.
func (ss *Sessions) run(ctx context.Context) {
	tick := time.NewTicker(max(ss.limits.Idle/10, time.Second))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			ss.Each(func(s *Session) bool { ss.drop(s, ErrSessionEnded); return true })
			return
		case now := <-tick.C:
			ss.sweep(now)
		}
	}
}

func (ss *Sessions) sweep(now time.Time) {
	idle := now.Add(-ss.limits.Idle).Unix()
	ss.Each(func(s *Session) bool {
		if (ss.expired(s.Created) || s.seen.Load() < idle) && !s.busy() {
			ss.drop(s, ErrSessionEnded)
		}
		return true
	})
}
