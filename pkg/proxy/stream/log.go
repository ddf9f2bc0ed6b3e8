package stream

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/manifold-mcp/manifold/pkg/wire"
)

// Bounds of one log. A single event may be larger than its bytes: it then stands alone. Answers that nobody has read yet are
// kept beyond them; see Log.Deliver.
const (
	MaxEvents = 1024
	MaxBytes  = 4 << 20
)

// Log is one stream's events. The zero value is not usable; see New.
type Log struct {
	id        string // prefix of event ids; empty: events carry none and are not kept
	resumable bool
	maxEvents int
	maxBytes  int

	mu      sync.Mutex
	events  []event
	bytes   int
	next    uint64 // sequence number of the next event, from 1
	sent    uint64 // highest number that a reader has taken
	dropped uint64
	closed  bool
	hangup  bool
	wake    chan struct{} // of the present reader; nil if there is none
	room    chan struct{} // closed when the reader has taken something; nil if nobody waits for that
}

type event struct {
	seq    uint64
	data   []byte // framed
	answer bool   // must not be dropped before it was read
}

// New makes a log. With an id its events carry ids "<id>-<number>" and are kept for a client that comes back.
func New(id string) *Log { return Bounded(id, MaxEvents, MaxBytes) }

// Bounded makes a log with bounds of its own, for one that is kept although nothing is in flight on it.
func Bounded(id string, events, bytes int) *Log {
	return &Log{id: id, resumable: id != "", maxEvents: events, maxBytes: bytes, next: 1}
}

// Send appends a message. It returns false when the log is closed.
func (l *Log) Send(msg []byte) bool { return l.append(wire.Event{Data: msg, Retry: -1}, false) }

// SendNamed appends an event with a name of its own.
func (l *Log) SendNamed(name string, data []byte) bool {
	return l.append(wire.Event{Name: name, Data: data, Retry: -1}, false)
}

// Prime appends an event without data, by which a client learns an id to come back with and, if retry is not negative, when.
func (l *Log) Prime(retry time.Duration) bool {
	return l.append(wire.Event{Retry: retry}, false)
}

// Answer appends a message that is not dropped before it was read: a request is answered exactly once. The caller sees to
// it that there are few.
func (l *Log) Answer(msg []byte) bool { return l.append(wire.Event{Data: msg, Retry: -1}, true) }

// Deliver is Answer for logs without an end: it waits while more than the log's bytes are unread, until ctx ends.
func (l *Log) Deliver(ctx context.Context, msg []byte) bool {
	for {
		room := l.full()
		if room == nil {
			return l.Answer(msg)
		}
		select {
		case <-room:
		case <-ctx.Done():
			return false
		}
	}
}

// full gives nil if there is room in the log, else what is closed when there may be.
func (l *Log) full() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	unread := 0
	for _, e := range l.events {
		if e.seq > l.sent {
			unread += len(e.data)
		}
	}
	if l.closed || unread <= l.maxBytes {
		return nil
	}
	if l.room == nil {
		l.room = make(chan struct{})
	}
	return l.room
}

// makeRoom wakes those who wait for room.
func (l *Log) makeRoom() {
	if l.room != nil {
		close(l.room)
		l.room = nil
	}
}

// Finish appends the last message, an answer, and closes the log.
func (l *Log) Finish(msg []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	ok := l.add(wire.Event{Data: msg, Retry: -1}, true)
	l.closed = true
	l.makeRoom()
	return ok
}

func (l *Log) append(e wire.Event, answer bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.add(e, answer)
}

func (l *Log) add(e wire.Event, answer bool) bool {
	if l.closed {
		return false
	}
	if l.id != "" {
		e.ID, e.HasID = l.id+"-"+strconv.FormatUint(l.next, 10), true
	}
	data := wire.AppendEvent(make([]byte, 0, len(e.Data)+len(e.ID)+32), e)
	l.events = append(l.events, event{l.next, data, answer})
	l.next++
	l.bytes += len(data)
	l.trim()
	l.signal()
	return true
}

// trim drops the oldest events beyond the bounds, but neither the newest nor answers that nobody has read.
func (l *Log) trim() {
	for len(l.events) > 1 && (len(l.events) > l.maxEvents || l.bytes > l.maxBytes) {
		old := l.events[:len(l.events)-1]
		i := slices.IndexFunc(old, func(e event) bool { return !e.answer || e.seq <= l.sent })
		if i < 0 {
			return
		}
		if old[i].seq > l.sent {
			l.dropped++
		}
		l.bytes -= len(old[i].data)
		if i == 0 { // the usual case, without moving the others
			l.events[0] = event{}
			l.events = l.events[1:]
			continue
		}
		l.events = slices.Delete(l.events, i, i+1)
	}
}

func (l *Log) signal() {
	if l.wake != nil {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// Close ends the log: its reader leaves when it has sent everything.
func (l *Log) Close() {
	l.mu.Lock()
	l.closed = true
	l.signal()
	l.makeRoom()
	l.mu.Unlock()
}

// HangUp makes the present reader leave when it has sent everything, or the next one if there is none yet; the log goes on.
func (l *Log) HangUp() {
	l.mu.Lock()
	l.hangup = true
	l.signal()
	l.mu.Unlock()
}

// Closed tells whether nothing more will be appended.
func (l *Log) Closed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// Attached tells whether a response is reading the log.
func (l *Log) Attached() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wake != nil
}

// Dropped is how many events were lost before anybody read them.
func (l *Log) Dropped() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dropped
}

// Size is how much is kept (bytes), and whether the log is closed and a reader has taken all of it.
func (l *Log) Size() (size int, delivered bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes, l.closed && l.sent == l.next-1
}

// attach makes the caller the reader; the one before it leaves.
func (l *Log) attach() chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wake != nil {
		close(l.wake)
	}
	l.wake = make(chan struct{}, 1)
	return l.wake
}

func (l *Log) detach(wake chan struct{}) {
	l.mu.Lock()
	if l.wake == wake {
		l.wake = nil
	}
	l.mu.Unlock()
}

// Undelivered is the position before the first event that no reader has taken.
func (l *Log) Undelivered() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent
}

// take appends the events after a position to dst. more is false when the reader should leave after writing them.
func (l *Log) take(dst []byte, after uint64, wake chan struct{}) (_ []byte, last uint64, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wake != wake { // somebody else reads now
		return dst, after, false
	}
	after = min(after, l.next-1) // a position from the future is somebody's mistake
	i, _ := slices.BinarySearchFunc(l.events, after+1, func(e event, seq uint64) int { return cmp.Compare(e.seq, seq) })
	for _, e := range l.events[i:] {
		dst = append(dst, e.data...)
		after = e.seq
	}
	l.sent = max(l.sent, after)
	l.makeRoom()
	if !l.resumable {
		clear(l.events)
		l.events, l.bytes = l.events[:0], 0
	}
	more = !l.closed && !l.hangup
	l.hangup = false
	return dst, after, more
}
