package stdio

import (
	"context"
	"io"
	"sync"

	"github.com/manifold-mcp/manifold/pkg/wire"
)

// maxPending bounds what waits for the client to read it (bytes). Beyond it answers wait, and all else is dropped.
const maxPending = 4 << 20

// lines writes whole messages, one per line, in a goroutine of its own: a client that does not read holds up nobody. It
// implements proxy.Standing.
type lines struct {
	wake chan struct{} // capacity 1: there is something to write, or nothing more will come
	done chan struct{} // closed when run has returned

	mu      sync.Mutex
	pending []byte
	room    chan struct{} // closed when something was taken; nil if nobody waits for that
	closed  bool
	failed  error
}

func newLines() *lines {
	return &lines{wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// Send implements proxy.Outlet.
func (l *lines) Send(msg []byte) bool { return l.add(msg) == nil }

// Attached implements proxy.Standing.
func (*lines) Attached() bool { return true }

// answer sends a message that must not be dropped: it waits for room until ctx or the output ends.
func (l *lines) answer(ctx context.Context, msg []byte) {
	for {
		room := l.add(msg)
		if room == nil {
			return
		}
		select {
		case <-room:
		case <-l.done:
			return
		case <-ctx.Done():
			return
		}
	}
}

// add queues a message, or gives what is closed when there may be room for it.
func (l *lines) add(msg []byte) (room <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending) > maxPending || l.closed || l.failed != nil {
		if l.room == nil {
			l.room = make(chan struct{})
		}
		return l.room
	}
	l.pending = wire.AppendLine(l.pending, msg)
	l.signal()
	return nil
}

func (l *lines) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// close lets run return when everything is written.
func (l *lines) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.signal()
}

// take gives what is to be written and takes spare for what comes next. more is false when nothing will come.
func (l *lines) take(spare []byte) (out []byte, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if cap(spare) > 1<<20 {
		spare = nil
	}
	out, l.pending = l.pending, spare[:0]
	if l.room != nil {
		close(l.room)
		l.room = nil
	}
	return out, !l.closed
}

// run writes until close was called or w fails.
func (l *lines) run(w io.Writer) {
	defer close(l.done)
	var buf []byte
	for more := true; more || len(buf) > 0; {
		if buf, more = l.take(buf); len(buf) == 0 {
			if more {
				<-l.wake
			}
			continue
		}
		if _, err := w.Write(buf); err != nil {
			l.mu.Lock()
			l.failed = err
			l.mu.Unlock()
			return
		}
	}
}

// err is why writing failed, once run has returned.
func (l *lines) err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}
