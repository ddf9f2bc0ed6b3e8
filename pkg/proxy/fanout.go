package proxy

import (
	"context"
	"slices"
	"time"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// change is one reason for a list_changed: a server's list of one kind is not what it was. It concerns those who see the
// server with the tags of this entry.
type change struct {
	entry *entry
	kind  kind
}

const (
	// settle is how long a rebuild waits for further changes: servers announce several lists at once.
	settle = 20 * time.Millisecond
	// quiet is the least time between two list_changed broadcasts: storms of flapping servers are merged (drill D11).
	quiet = time.Second
)

// Run rebuilds the catalogue when inventories change, tells clients, and sweeps sessions, until ctx ends.
func (r *Router) Run(ctx context.Context) error {
	swept := make(chan struct{})
	go func() {
		defer close(swept)
		r.sessions.run(ctx)
	}()
	defer func() { <-swept }()
	var last time.Time
	var due <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
			if !sleep(ctx, settle) {
				return nil
			}
			r.rebuild()
			if due == nil && r.hasPending() {
				due = time.After(time.Until(last.Add(quiet)))
			}
		case <-due:
			due, last = nil, time.Now()
			r.broadcast()
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// Changed tells the router that a server's inventory is another one. It implements upstream.Listener.
func (r *Router) Changed(string) {
	r.dirty.Store(true)
	r.poke()
}

func (r *Router) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// rebuild makes the catalogue anew if anything changed, and notes which lists are not what they were.
func (r *Router) rebuild() {
	r.build.Lock()
	defer r.build.Unlock()
	if !r.dirty.Swap(false) {
		return
	}
	next := build(*r.servers.Load(), r.opts.Separator)
	last := r.current.Swap(next)
	r.reportProblems(last, next)
	if last == nil {
		return
	}
	before := map[string]*entry{}
	for _, e := range last.entries {
		before[e.Name()] = e
	}
	for _, e := range next.entries {
		b := before[e.Name()]
		delete(before, e.Name())
		if b == nil || !slices.Equal(b.Tags, e.Tags) { // it comes into other views than before, and may leave some
			r.note(e, nil)
			r.note(b, nil)
		} else {
			r.note(e, b)
		}
	}
	for _, gone := range before {
		r.note(gone, nil)
	}
}

// note marks the lists in which two states of a server differ; nil stands for empty lists.
func (r *Router) note(e, other *entry) {
	if e == nil {
		return
	}
	for k := range kinds {
		old := noItems
		if other != nil {
			old = other.digest[k]
		}
		if e.digest[k] != old {
			r.pending[change{e, k}] = true
		}
	}
}

func (r *Router) reportProblems(last, next *catalogue) {
	known := map[Problem]bool{}
	if last != nil {
		for _, p := range last.problems {
			known[p] = true
		}
	}
	for _, p := range next.problems {
		if !known[p] {
			r.log.Warn().Str("upstream", p.Server).Str("kind", p.Kind).Str("item", p.Item).Str("reason", p.Reason).
				Msg("not served as the server lists it")
		}
	}
}

func (r *Router) hasPending() bool {
	r.build.Lock()
	defer r.build.Unlock()
	return len(r.pending) > 0
}

// broadcast tells each session which of the lists that it sees have changed.
func (r *Router) broadcast() {
	r.build.Lock()
	pending := r.pending
	r.pending = map[change]bool{}
	r.build.Unlock()
	r.sessions.Each(func(s *Session) bool {
		sent := map[string]bool{}
		for c := range pending {
			method := shapes[c.kind].changed
			if !sent[method] && s.Filter.Match(c.entry.Tags) {
				sent[method] = true
				s.Notify([]byte(`{"jsonrpc":"2.0","method":"` + method + `"}`))
			}
		}
		return true
	})
}

// Updated passes resources/updated to the clients that subscribed. It implements upstream.Listener.
func (r *Router) Updated(server string, clients []string, msg []byte) {
	msg = r.publicUpdate(server, msg)
	for _, key := range clients {
		if s := r.sessions.ByKey(key); s != nil && r.view(s.Filter).shows(server) {
			s.Notify(msg)
		}
	}
}

// publicUpdate puts the public URI into a resources/updated notification if it is a wrapped one.
func (r *Router) publicUpdate(server string, msg []byte) []byte {
	for _, e := range r.current.Load().entries {
		if e.Name() != server || e.wrapped == nil {
			continue
		}
		if m, err := wire.Skim(msg); err == nil && m.URI.Present() {
			own, _ := wire.Unquote(m.URI.Of(m.Raw))
			if public := e.publicURI(own); public != own {
				return wire.AppendSplice(nil, msg, wire.Edit{At: m.URI, With: wire.AppendQuote(nil, public)})
			}
		}
	}
	return msg
}

// Stray passes a notification that belongs to no call to every session that sees the server. It implements upstream.Listener.
func (r *Router) Stray(server, _ string, msg []byte) {
	r.sessions.Each(func(s *Session) bool {
		if r.view(s.Filter).shows(server) {
			s.Notify(msg)
		}
		return true
	})
}

// awaitStart holds the first lists back for servers that are still starting, so that a client which lists once and at once
// sees them; one that hangs delays nobody beyond StartupWait after the gateway's own start.
func (r *Router) awaitStart(ctx context.Context) {
	if r.settled.Load() {
		return
	}
	left := time.Until(r.started.Add(r.opts.StartupWait))
	if left > 0 {
		timer := time.NewTimer(left)
		defer timer.Stop()
		for _, s := range *r.servers.Load() {
			select {
			case <-s.Settled():
			case <-timer.C:
				r.rebuild()
				r.settled.Store(true)
				return
			case <-ctx.Done():
				return
			}
		}
	}
	r.rebuild() // first, so that nobody who finds it settled sees the lists of before
	r.settled.Store(true)
}

var _ protocol.Peer = (*Session)(nil)
