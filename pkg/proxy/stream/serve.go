package stream

import (
	"context"
	"net/http"
	"time"

	"github.com/manifold-mcp/manifold/pkg/wire"
)

// Timing of a stream to a client.
type Timing struct {
	// KeepAlive is how often a comment is sent on a silent stream, so that no balancer takes it for dead (ALB: 60 s).
	KeepAlive time.Duration
	// Write is how long one write may take before the client is given up.
	Write time.Duration
}

// SetHeaders sets the headers of an SSE response. X-Accel-Buffering keeps nginx from holding events back.
func SetHeaders(h http.Header) {
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache, no-transform")
	h.Set("X-Accel-Buffering", "no")
}

// Serve writes the events after a position to a response until the log ends, is taken over or hung up (nil), or ctx ends
// or the client is gone (an error). Headers must be set; the first bytes go out at once.
func (l *Log) Serve(ctx context.Context, w http.ResponseWriter, t Timing, after uint64) error {
	wake := l.attach()
	defer l.detach(wake)
	out := http.NewResponseController(w)
	tick := time.NewTicker(t.KeepAlive)
	defer tick.Stop()
	buf := wire.AppendComment(nil, "")
	for {
		var more bool
		buf, after, more = l.take(buf, after, wake)
		if len(buf) > 0 {
			_ = out.SetWriteDeadline(time.Now().Add(t.Write)) // not every writer has deadlines
			if _, err := w.Write(buf); err != nil {
				return err
			}
			if err := out.Flush(); err != nil {
				return err
			}
			buf = shrink(buf)
			if more {
				continue // more may have come while writing
			}
		}
		if !more {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-wake:
		case <-tick.C:
			buf = wire.AppendComment(buf, "")
		}
	}
}

// shrink empties a write buffer, and lets go of one that a large event has made large.
func shrink(buf []byte) []byte {
	if cap(buf) > 64<<10 {
		return nil
	}
	return buf[:0]
}
