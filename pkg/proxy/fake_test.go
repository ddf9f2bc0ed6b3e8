package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/manifold-mcp/manifold/pkg/filter"
	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/state"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// fake is a scripted upstream. Without a script a call answers with the bytes that reached it.
type fake struct {
	name    string
	inv     atomic.Pointer[protocol.Inventory]
	settled chan struct{}
	script  func(ctx context.Context, c *protocol.Call) (*protocol.Answer, error)
	level   func(ctx context.Context, level string) error

	mu  sync.Mutex
	log []string // what was asked of it besides calls
}

func (f *fake) Name() string                   { return f.name }
func (f *fake) Inventory() *protocol.Inventory { return f.inv.Load() }
func (f *fake) Settled() <-chan struct{}       { return f.settled }
func (f *fake) Release(key string)             { f.note("release %s", key) }

func (f *fake) note(format string, args ...any) {
	f.mu.Lock()
	f.log = append(f.log, fmt.Sprintf(format, args...))
	f.mu.Unlock()
}

func (f *fake) noted() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.log, "; ")
}

func (f *fake) Call(ctx context.Context, c *protocol.Call) (*protocol.Answer, error) {
	if f.script != nil {
		return f.script(ctx, c)
	}
	return result(`{"server":"` + f.name + `","got":` + sent(c) + `}`), nil
}

func (f *fake) Notify(_ context.Context, client *protocol.Client, msg []byte) error {
	f.note("notify %s %s", client.Key, msg)
	return nil
}

func (f *fake) Subscribe(_ context.Context, c *protocol.Call, uri string) (*protocol.Answer, error) {
	f.note("subscribe %s as %s", uri, sent(c))
	return result(`{}`), nil
}

func (f *fake) Unsubscribe(_ context.Context, _ *protocol.Call, uri string) (*protocol.Answer, error) {
	f.note("unsubscribe %s", uri)
	return result(`{}`), nil
}

func (f *fake) SetLevel(ctx context.Context, key, level string) error {
	f.note("level %s", level)
	if f.level != nil {
		return f.level(ctx, level)
	}
	return nil
}

// sent is the request as it would reach the server.
func sent(c *protocol.Call) string {
	return string(wire.AppendSplice(nil, c.Message.Raw, c.Edits...))
}

// result is a server's answer under an id of the connection.
func result(value string) *protocol.Answer { return answer(`"result":` + value) }

func answer(member string) *protocol.Answer {
	m, err := wire.Skim([]byte(`{"jsonrpc":"2.0","id":4711,` + member + `}`))
	if err != nil {
		panic(err)
	}
	return &protocol.Answer{Message: m}
}

func raws(items ...string) (out [][]byte) {
	for _, i := range items {
		out = append(out, []byte(i))
	}
	return out
}

func tool(name string) string {
	return fmt.Sprintf(`{"name":%q,"inputSchema":{"type":"object"}}`, name)
}

// server is a connected server with these parts and its name as prefix and tag.
func server(name string, inv protocol.Inventory) (*Server, *fake) {
	f := &fake{name: name, settled: make(chan struct{})}
	close(f.settled)
	if inv.Has == 0 {
		inv.Has = protocol.HasTools | protocol.HasPrompts | protocol.HasResources | protocol.HasSubscribe
	}
	f.inv.Store(&inv)
	return &Server{Upstream: f, Prefix: name, Tags: []string{name}}, f
}

func keyring(t testing.TB, seed byte) *state.Keyring {
	t.Helper()
	ring, err := state.NewKeyring(bytes.Repeat([]byte{seed}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func router(t testing.TB, servers ...*Server) *Router {
	t.Helper()
	r := NewRouter(Options{Name: "manifold", Version: "1.2.3", Separator: "__", StartupWait: time.Minute,
		Sessions: SessionLimits{MaxAge: time.Hour, Idle: time.Minute, Max: 100}}, keyring(t, 1), zerolog.Nop())
	r.SetServers(servers)
	return r
}

func expr(t testing.TB, text string) filter.Expr {
	t.Helper()
	if text == "" {
		return filter.Expr{}
	}
	e, err := filter.ParseExpr(text)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func message(t testing.TB, raw string) wire.Message {
	t.Helper()
	m, err := wire.Parse([]byte(raw))
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return m
}

// ask puts a request without a session and returns the whole answer.
func ask(t testing.TB, r *Router, select_, raw string) string {
	t.Helper()
	m := message(t, raw)
	req := &Request{Message: m, Client: &protocol.Client{}, Filter: expr(t, select_)}
	return string(r.Serve(t.Context(), req, &box{}).Whole(m.ID.Of(m.Raw)))
}

// askIn puts a request in a session.
func askIn(t testing.TB, r *Router, s *Session, raw string) string {
	t.Helper()
	m := message(t, raw)
	req := &Request{Message: m, Client: s.Client(), Session: s, Filter: s.Filter}
	return string(r.Serve(t.Context(), req, &box{}).Whole(m.ID.Of(m.Raw)))
}

func call(name string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q}}`, name)
}

// names lists an encoded list's members of that key.
func names(t testing.TB, whole, list, key string) (out []string) {
	t.Helper()
	var m struct {
		Result map[string]json.RawMessage `json:"result"`
	}
	var items []map[string]json.RawMessage
	if err := json.Unmarshal([]byte(whole), &m); err != nil {
		t.Fatalf("%s: %v", whole, err)
	}
	if err := json.Unmarshal(m.Result[list], &items); err != nil {
		t.Fatalf("%s: %v", whole, err)
	}
	for _, i := range items {
		var name string
		if err := json.Unmarshal(i[key], &name); err != nil {
			t.Fatalf("%s: %v", whole, err)
		}
		out = append(out, name)
	}
	return out
}

// box is a sink and an outlet that keeps what it is given.
type box struct {
	mu     sync.Mutex
	closed bool // Send fails
	away   bool // nobody reads
	got    []string
	notify chan struct{} // if set, takes a value per message
}

func (b *box) Send(msg []byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.got = append(b.got, string(msg))
	if b.notify != nil {
		b.notify <- struct{}{}
	}
	return true
}

func (b *box) Attached() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.away
}

func (b *box) Notify(msg []byte)     { b.Send(msg) }
func (*box) Detach(time.Duration)    {}
func (b *box) all() string           { return strings.Join(b.take(), "\n") }
func (b *box) count(part string) int { return strings.Count(b.peek(), part) }
func (b *box) peek() string          { b.mu.Lock(); defer b.mu.Unlock(); return strings.Join(b.got, "\n") }
func (*box) Ask(context.Context, wire.Message) ([]byte, error) {
	return nil, protocol.ErrRefused
}

func (b *box) take() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	got := b.got
	b.got = nil
	return got
}

// join is a session with a standing outlet.
func join(r *Router, e filter.Expr, client protocol.Client) (*Session, *box) {
	s := r.Sessions().New(client, e, false)
	b := &box{}
	s.Stand(b)
	return s, b
}
