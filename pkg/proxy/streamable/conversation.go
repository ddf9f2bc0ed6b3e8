package streamable

import (
	"cmp"
	"context"
	"crypto/rand"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/manifold-mcp/manifold/pkg/proxy"
	"github.com/manifold-mcp/manifold/pkg/proxy/stream"
)

// conversation is what this edge keeps with a session: its streams, to which the client may come back. As an outlet it is
// the standing stream (GET).
type conversation struct {
	epoch    string // distinguishes event ids of this run from those of an earlier one
	standing *stream.Log

	mu      sync.Mutex
	last    int
	streams map[string]*resumable
}

// resumable is the stream of one POST.
type resumable struct {
	id     string
	number int
	log    *stream.Log
	cancel context.CancelCauseFunc
	timer  *time.Timer // gives it up; nil while it has not lost a reader yet
}

// Bounds of what is kept per session.
const (
	// maxResumable bounds the streams: beyond it the oldest that are complete are forgotten, and if none is, a new one cannot
	// be resumed.
	maxResumable = 64
	// maxDelivered bounds the streams that were written to their end, kept in case their last bytes were lost (bytes).
	maxDelivered = 256 << 10
	// Many sessions never open their standing stream, and most that do never lose it.
	maxStandingEvents = 128
	maxStandingBytes  = 256 << 10
)

func newConversation(s *proxy.Session) *conversation {
	c := &conversation{epoch: rand.Text()[:8], streams: map[string]*resumable{}}
	c.standing = stream.Bounded(c.epoch+".0", maxStandingEvents, maxStandingBytes)
	context.AfterFunc(s.Context(), c.standing.Close)
	return c
}

// conversationOf gives a session's conversation, made on first use, or nil if the session belongs to another edge.
func conversationOf(s *proxy.Session) *conversation {
	if c, ok := s.Attachment(nil).(*conversation); ok {
		return c
	}
	c, _ := s.Attachment(func() any { return newConversation(s) }).(*conversation)
	return c
}

// Send implements proxy.Outlet on the standing stream. Without a reader a message waits for the next one, in the log's
// bounds.
func (c *conversation) Send(msg []byte) bool { return c.standing.Send(msg) }

// Attached implements proxy.Standing.
func (c *conversation) Attached() bool { return c.standing.Attached() }

// open makes a stream for a POST, or gives nil if too many are open.
func (c *conversation) open(cancel context.CancelCauseFunc) *resumable {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.streams) >= maxResumable {
		closed := c.oldestFirst(func(e *resumable) bool { return e.log.Closed() })
		if len(closed) == 0 {
			return nil
		}
		c.forget(closed[0])
	}
	c.last++
	id := c.epoch + "." + strconv.Itoa(c.last)
	e := &resumable{id: id, number: c.last, log: stream.New(id), cancel: cancel}
	c.streams[id] = e
	return e
}

// oldestFirst gives the streams for which which holds. The caller holds the lock.
func (c *conversation) oldestFirst(which func(*resumable) bool) []*resumable {
	var out []*resumable
	for _, e := range c.streams {
		if which(e) {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b *resumable) int { return cmp.Compare(a.number, b.number) })
	return out
}

// find gives the stream of that id, or nil.
func (c *conversation) find(id string) *resumable {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.streams[id]
}

// linger is called when a stream has lost its reader: if none has come after d, the call is given up and the stream forgotten.
func (c *conversation) linger(e *resumable, d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trimDelivered()
	if c.streams[e.id] != e {
		return
	}
	if e.timer != nil {
		e.timer.Reset(d)
		return
	}
	e.timer = time.AfterFunc(d, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !e.log.Attached() { // whoever reads now will call linger
			e.cancel(proxy.ErrClientGone)
			c.forget(e)
		}
	})
}

// trimDelivered forgets the oldest of the streams that were written to their end, as far as they are too large together.
func (c *conversation) trimDelivered() {
	delivered := c.oldestFirst(func(e *resumable) bool {
		_, delivered := e.log.Size()
		return delivered && !e.log.Attached()
	})
	total := 0
	for _, e := range slices.Backward(delivered) {
		size, _ := e.log.Size()
		if total += size; total > maxDelivered {
			c.forget(e)
		}
	}
}

// forget lets go of a stream. The caller holds the lock.
func (c *conversation) forget(e *resumable) {
	if e.timer != nil {
		e.timer.Stop()
	}
	delete(c.streams, e.id)
}
