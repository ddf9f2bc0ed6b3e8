package upstream

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/manifold-mcp/manifold/pkg/protocol"
)

// subscriptions counts which clients of one connection want to hear of which resource, so that the server is asked once per
// uri. Requests about one uri follow each other; those about different ones do not wait. The wants survive a reconnect.
type subscriptions struct {
	max int

	mu    sync.Mutex
	byURI map[string]*subscription
}

type subscription struct {
	turn chan struct{}       // held while a request about this uri is on its way
	keys map[string]struct{} // guarded by subscriptions.mu
	// active: the server has the subscription, as far as we know. Guarded by turn.
	active bool
	users  int // goroutines that hold this; guarded by subscriptions.mu
}

// emptyResult is the answer of the gateway itself.
var emptyResult = []byte("{}")

// request sends a subscribe or unsubscribe for a uri to the server.
type request func(ctx context.Context) (*protocol.Answer, error)

func newSubscriptions(limit int) *subscriptions {
	return &subscriptions{max: limit, byURI: make(map[string]*subscription)}
}

// subscribe adds a client to a uri; ask is sent if the server does not have the subscription yet.
func (s *subscriptions) subscribe(ctx context.Context, key, uri string, ask request) (*protocol.Answer, error) {
	sub, err := s.take(ctx, uri, true)
	if err != nil {
		return nil, err
	}
	defer s.leave(uri, sub)
	answer := &protocol.Answer{Result: emptyResult}
	if !sub.active {
		if answer, err = ask(ctx); err != nil || answer.Failed() {
			return answer, err
		}
		sub.active = true
	}
	s.mu.Lock()
	sub.keys[key] = struct{}{}
	s.mu.Unlock()
	return answer, nil
}

// unsubscribe takes a client from a uri; ask is sent when it was the last one.
func (s *subscriptions) unsubscribe(ctx context.Context, key, uri string, ask request) (*protocol.Answer, error) {
	sub, err := s.take(ctx, uri, false)
	if err != nil {
		return nil, err
	}
	if sub == nil {
		return &protocol.Answer{Result: emptyResult}, nil
	}
	defer s.leave(uri, sub)
	s.mu.Lock()
	_, had := sub.keys[key]
	delete(sub.keys, key)
	last := len(sub.keys) == 0
	s.mu.Unlock()
	if !had || !last || !sub.active {
		return &protocol.Answer{Result: emptyResult}, nil
	}
	sub.active = false // also if it fails: then nobody wants what comes
	return ask(ctx)
}

// take gets the turn for a uri; with create false it returns nil for one that is unknown.
func (s *subscriptions) take(ctx context.Context, uri string, create bool) (*subscription, error) {
	s.mu.Lock()
	sub := s.byURI[uri]
	if sub == nil {
		if !create {
			s.mu.Unlock()
			return nil, nil
		}
		if len(s.byURI) >= s.max {
			s.mu.Unlock()
			return nil, fmt.Errorf("%w: it has %d resource subscriptions, which is the limit", protocol.ErrBusy, s.max)
		}
		sub = &subscription{turn: make(chan struct{}, 1), keys: make(map[string]struct{})}
		s.byURI[uri] = sub
	}
	sub.users++
	s.mu.Unlock()
	select {
	case sub.turn <- struct{}{}:
		return sub, nil
	case <-ctx.Done():
		s.forget(uri, sub)
		return nil, context.Cause(ctx)
	}
}

// leave gives the turn back.
func (s *subscriptions) leave(uri string, sub *subscription) {
	<-sub.turn
	s.forget(uri, sub)
}

func (s *subscriptions) forget(uri string, sub *subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sub.users--; sub.users == 0 && len(sub.keys) == 0 && !sub.active {
		delete(s.byURI, uri)
	}
}

// holds tells whether a client is subscribed to a uri here.
func (s *subscriptions) holds(key, uri string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := s.byURI[uri]
	if sub == nil {
		return false
	}
	_, ok := sub.keys[key]
	return ok
}

// empty tells whether nobody is subscribed to anything.
func (s *subscriptions) empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sub := range s.byURI {
		if len(sub.keys) > 0 {
			return false
		}
	}
	return true
}

// interested lists the clients that want to hear of uri. Since an update may name a part of what was subscribed (2025-11-25
// schema, ResourceUpdatedNotification), those of an enclosing uri count when nobody has subscribed to it exactly.
func (s *subscriptions) interested(uri string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sub := s.byURI[uri]; sub != nil && len(sub.keys) > 0 {
		return keysOf(nil, sub)
	}
	seen := map[string]struct{}{}
	for prefix, sub := range s.byURI {
		if encloses(prefix, uri) {
			for key := range sub.keys {
				seen[key] = struct{}{}
			}
		}
	}
	return keysOf(nil, &subscription{keys: seen})
}

func encloses(prefix, uri string) bool {
	rest, ok := strings.CutPrefix(uri, prefix)
	return ok && rest != "" && (strings.HasSuffix(prefix, "/") || strings.ContainsRune("/#?", rune(rest[0])))
}

func keysOf(keys []string, sub *subscription) []string {
	for key := range sub.keys {
		keys = append(keys, key)
	}
	return keys
}

// drop forgets a client. A uri that nobody wants any more is left for sweep.
func (s *subscriptions) drop(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sub := range s.byURI {
		delete(sub.keys, key)
	}
}

// uris lists the uris that somebody wants, or those that nobody does.
func (s *subscriptions) uris(wanted bool) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for uri, sub := range s.byURI {
		if len(sub.keys) > 0 == wanted {
			list = append(list, uri)
		}
	}
	return list
}

// sweep unsubscribes what nobody wants any more.
func (s *subscriptions) sweep(ctx context.Context, ask func(ctx context.Context, uri string) error) {
	for _, uri := range s.uris(false) {
		sub, err := s.take(ctx, uri, false)
		if err != nil {
			return
		}
		if sub == nil {
			continue
		}
		if s.orphaned(sub) && sub.active {
			sub.active = false
			_ = ask(ctx, uri) // the server may refuse; nobody listens anyway
		}
		s.leave(uri, sub)
	}
}

// replay subscribes everything anew on a fresh connection. What the server refuses stays wanted, for the next connection.
func (s *subscriptions) replay(ctx context.Context, ask func(ctx context.Context, uri string) error) {
	for _, uri := range s.uris(true) {
		sub, err := s.take(ctx, uri, false)
		if err != nil {
			return
		}
		if sub == nil {
			continue
		}
		if !s.orphaned(sub) && !sub.active {
			sub.active = ask(ctx, uri) == nil
		}
		s.leave(uri, sub)
	}
}

func (s *subscriptions) orphaned(sub *subscription) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(sub.keys) == 0
}

// lost notes that the connection has ended: the server has no subscription any more.
func (s *subscriptions) lost(ctx context.Context) {
	s.mu.Lock()
	all := make([]string, 0, len(s.byURI))
	for uri := range s.byURI {
		all = append(all, uri)
	}
	s.mu.Unlock()
	for _, uri := range all {
		sub, err := s.take(ctx, uri, false)
		if err != nil {
			return
		}
		if sub != nil {
			sub.active = false
			s.leave(uri, sub)
		}
	}
}
