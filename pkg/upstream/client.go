package upstream

import (
	"context"
	"errors"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// Notify sends a client's notification, a whole JSON-RPC message, on that client's own connection. Without one it does nothing:
// on a shared connection the server could not tell whose it is.
func (u *Upstream) Notify(ctx context.Context, c *protocol.Client, msg []byte) error {
	if c == nil {
		return nil
	}
	over := u.seats.live(c.Key)
	if over == nil {
		return nil
	}
	if err := over.notify(ctx, msg); err != nil {
		return u.wrap(err)
	}
	return nil
}

// Subscribe adds the call's client to the subscribers of a resource. c is the client's resources/subscribe as it is to be
// sent; uri is the server's own. Only the first subscriber's request reaches the server.
func (u *Upstream) Subscribe(ctx context.Context, c *protocol.Call, uri string) (*protocol.Answer, error) {
	place, err := u.place(ctx, c.Client)
	if err != nil {
		return nil, u.wrap(err)
	}
	defer place.release()
	subs := u.subs
	if place.seat != nil {
		subs = place.seat.subs
	}
	a, err := subs.subscribe(ctx, c.Client.Key, uri, func(ctx context.Context) (*protocol.Answer, error) {
		return u.callOn(ctx, place.conn, c)
	})
	if place.seat == nil && c.Client.Key == "" && err == nil {
		u.subs.drop("") // nobody could be told; the server's answer is all that such a client gets
	}
	return a, err
}

// Unsubscribe takes the call's client from the subscribers; the last one's request reaches the server.
func (u *Upstream) Unsubscribe(ctx context.Context, c *protocol.Call, uri string) (*protocol.Answer, error) {
	subs, over := u.subs, conn(nil)
	if s := u.shared.Load(); s != nil {
		over = s.conn
	}
	if seat := u.seats.find(c.Client.Key); seat != nil && seat.subs.holds(c.Client.Key, uri) {
		subs, over = seat.subs, seat.current()
	}
	a, err := subs.unsubscribe(ctx, c.Client.Key, uri, func(ctx context.Context) (*protocol.Answer, error) {
		if over == nil { // the server has forgotten it with the connection
			return &protocol.Answer{Result: emptyResult}, nil
		}
		return u.callOn(ctx, over, c)
	})
	return a, err
}

// SetLevel notes the level of log messages that a client wants. Its own connection gets exactly that level, the shared one the
// most verbose that any client wants. Servers without logging are not asked.
func (u *Upstream) SetLevel(ctx context.Context, clientKey, level string) error {
	if err := u.levels.want(clientKey, level); err != nil {
		return err
	}
	var errs []error
	if s := u.shared.Load(); s != nil {
		errs = append(errs, s.applyLevel(ctx))
	}
	if seat := u.seats.find(clientKey); seat != nil {
		errs = append(errs, seat.applyLevel(ctx))
	}
	if err := errors.Join(errs...); err != nil {
		return u.wrap(err)
	}
	return nil
}

// Release forgets a client: its subscriptions, its level, its own connection. It does not wait for the server.
func (u *Upstream) Release(clientKey string) {
	u.levels.forget(clientKey)
	u.elicited.release(clientKey)
	u.subs.drop(clientKey)
	u.seats.release(clientKey)
	if s := u.shared.Load(); s != nil {
		s.nudge(0)
	}
}

// completed hands notifications/elicitation/complete to the client that was given the elicitation.
func (u *Upstream) completed(msg []byte) {
	m, err := wire.Skim(msg)
	if err != nil {
		return
	}
	if c := u.elicited.completed(&m); c != nil && c.Peer != nil {
		c.Peer.Notify(msg)
	}
}
