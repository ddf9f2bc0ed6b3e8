package upstream

import (
	"context"
	"fmt"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/redact"
)

// Call sends a client's request and waits for its answer. A server that is not connected fails it at once with
// protocol.ErrUnavailable. It times out (protocol.ErrTimeout) after the server's request timeout without progress. Errors wrap
// the sentinels of protocol; their text is for the log, not for clients.
func (u *Upstream) Call(ctx context.Context, c *protocol.Call) (*protocol.Answer, error) {
	place, err := u.place(ctx, c.Client)
	if err != nil && u.reopening.Load() {
		place, err = u.successor(ctx, nil, c.Client)
	}
	if err != nil {
		return nil, u.wrap(err)
	}
	a, err := u.callOn(ctx, place.conn, c)
	place.release()
	if err == nil || !reopens(err) {
		return a, err
	}
	// The server has forgotten the session and refused the call unread, so it may be sent once more (invariant 4).
	next, again := u.successor(ctx, place.conn, c.Client)
	if again != nil {
		return nil, err
	}
	defer next.release()
	return u.callOn(ctx, next.conn, c)
}

// successor waits for the connection that takes the place of one whose session is lost.
func (u *Upstream) successor(ctx context.Context, lost conn, c *protocol.Client) (place, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, u.connectTimeout, protocol.ErrTimeout)
	defer cancel()
	for {
		turned := u.turned.next()
		next, err := u.place(ctx, c)
		if err == nil && next.conn != lost {
			return next, nil
		}
		if err == nil {
			next.release()
		} else if p := u.status.Load().Phase; p != PhaseStarting && p != PhaseReady {
			return place{}, err
		}
		select {
		case <-turned:
		case <-ctx.Done():
			return place{}, context.Cause(ctx)
		}
	}
}

// callOn runs a call on a connection.
func (u *Upstream) callOn(ctx context.Context, over conn, c *protocol.Call) (*protocol.Answer, error) {
	g := u.guardCall(ctx, c)
	a, err := over.call(g.ctx, &g.call)
	if err != nil {
		g.end()
		return nil, u.wrap(err)
	}
	if a.Stream != nil {
		a.Stream = g.hold(a.Stream)
		return a, nil
	}
	g.end()
	if a.Message.Error.Present() {
		u.elicited.refused(&a.Message, c.Client)
	}
	return a, nil
}

// place is where a call goes: a connection, and the seat that must not be closed meanwhile.
type place struct {
	conn conn
	seat *seat // nil on the shared connection
}

func (p place) release() {
	if p.seat != nil {
		p.seat.leave()
	}
}

// place picks the connection for a client's call; a client's own is made if need be.
func (u *Upstream) place(ctx context.Context, c *protocol.Client) (place, error) {
	if u.alone(c) {
		return u.seats.take(ctx, c)
	}
	s := u.shared.Load()
	if s == nil {
		return place{}, u.unavailable()
	}
	return place{conn: s.conn}, nil
}

func (u *Upstream) unavailable() error {
	st := u.status.Load()
	if st.Reason != redact.None {
		return fmt.Errorf("%w (%s)", protocol.ErrUnavailable, st.Reason)
	}
	return fmt.Errorf("%w (%s)", protocol.ErrUnavailable, st.Phase)
}

func (u *Upstream) wrap(err error) error { return fmt.Errorf("upstream %q: %w", u.name, err) }
