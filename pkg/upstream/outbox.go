package upstream

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// Bounds of an outbox.
const (
	outboxBytes    = 4 << 20         // waiting to be written; one larger message is taken when nothing waits
	outboxMessages = 1024            // waiting to be written
	outboxWait     = 2 * time.Second // how long a sender waits for space before it is told ErrBusy
	outboxStall    = 5 * time.Second // a write that takes longer means that the reader has stopped: ErrBusy at once
)

// outbox writes messages as lines, in order, from one goroutine (run), and never lets a reader that has stopped reading hold
// its senders: they are told protocol.ErrBusy. What was taken is written when the reader goes on. Several waiting messages
// go out in one write.
type outbox struct {
	w io.Writer

	mu       sync.Mutex
	pending  []byte
	count    int
	since    time.Time // when the write now running began; zero if none runs
	closed   error
	space    chan struct{} // closed and replaced whenever pending was taken
	wake     chan struct{} // a token: there is work; closed by stop, after which closed is set and nothing is offered
	stopped  bool
	finished chan struct{}
}

func newOutbox(w io.Writer) *outbox {
	return &outbox{w: w, space: make(chan struct{}), wake: make(chan struct{}, 1), finished: make(chan struct{})}
}

// send takes a message; the bytes are copied.
func (o *outbox) send(ctx context.Context, msg []byte) error {
	var patience *time.Timer
	for {
		space, err := o.offer(msg)
		if space == nil {
			return err
		}
		if patience == nil {
			patience = time.NewTimer(outboxWait)
			defer patience.Stop()
		}
		select {
		case <-space:
		case <-patience.C:
			return fmt.Errorf("%w: %d messages wait to be written", protocol.ErrBusy, outboxMessages)
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", protocol.ErrUnavailable, context.Cause(ctx))
		}
	}
}

// offer takes the message if there is room; otherwise it returns a channel that is closed when there may be.
func (o *outbox) offer(msg []byte) (<-chan struct{}, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed != nil {
		return nil, fmt.Errorf("%w: %w", protocol.ErrUnavailable, o.closed)
	}
	if !o.since.IsZero() && time.Since(o.since) > outboxStall {
		return nil, fmt.Errorf("%w: it has stopped reading", protocol.ErrBusy)
	}
	if o.count > 0 && (o.count >= outboxMessages || len(o.pending)+len(msg) > outboxBytes) {
		return o.space, nil
	}
	o.pending = wire.AppendLine(o.pending, msg)
	o.count++
	select {
	case o.wake <- struct{}{}:
	default:
	}
	return nil, nil
}

// run writes until stop is called or a write fails.
func (o *outbox) run() {
	defer close(o.finished)
	var batch []byte
	for range o.wake {
		batch = o.take(batch)
		if len(batch) == 0 {
			continue
		}
		_, err := o.w.Write(batch)
		if cap(batch) > 1<<20 {
			batch = nil // one large message does not keep its memory
		}
		if o.wrote(err); err != nil {
			return
		}
	}
}

// take swaps the pending bytes against an empty buffer and notes the start of a write.
func (o *outbox) take(spare []byte) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	batch := o.pending
	o.pending, o.count = spare[:0], 0
	o.since = time.Now()
	close(o.space)
	o.space = make(chan struct{})
	return batch
}

// wrote notes the end of a write.
func (o *outbox) wrote(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.since = time.Time{}
	if err != nil && o.closed == nil {
		o.closed = err
	}
}

// stop lets run end when it is idle or its write fails; the owner closes the writer to make it fail.
func (o *outbox) stop(cause error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed == nil {
		o.closed = cause
	}
	if !o.stopped {
		o.stopped = true
		close(o.wake)
	}
}
