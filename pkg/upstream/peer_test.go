package upstream

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// envelope is a JSON-RPC message as the tests' server sees it.
type envelope struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

// peer is the tests' MCP server, over whatever carries messages. handle may be nil, or leave a message to the default by
// returning false.
type peer struct {
	send   func(string)
	handle func(p *peer, m envelope) bool
	caps   string // capabilities; default tools

	mu      sync.Mutex
	asked   int
	waiting map[string]chan envelope
}

func (p *peer) reply(id json.RawMessage, result string) {
	p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, id, result))
}

func (p *peer) refuse(id json.RawMessage, code int) {
	p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":{"code":%d,"message":"no"}}`, id, code))
}

// ask sends a request to the gateway and gives the channel of its answer.
func (p *peer) ask(method, params string) <-chan envelope {
	p.mu.Lock()
	p.asked++
	id := fmt.Sprintf(`"ask-%d"`, p.asked)
	if p.waiting == nil {
		p.waiting = make(map[string]chan envelope)
	}
	ch := make(chan envelope, 1)
	p.waiting[id] = ch
	p.mu.Unlock()
	p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":%q,"params":%s}`, id, method, params))
	return ch
}

// take handles one message from the gateway.
func (p *peer) take(raw []byte) {
	var m envelope
	if err := json.Unmarshal(raw, &m); err != nil {
		panic(fmt.Sprintf("gateway sent %q: %v", raw, err))
	}
	if m.Method == "" {
		p.mu.Lock()
		ch := p.waiting[string(m.ID)]
		delete(p.waiting, string(m.ID))
		p.mu.Unlock()
		if ch != nil {
			ch <- m
		}
		return
	}
	if p.handle != nil && p.handle(p, m) {
		return
	}
	caps := p.caps
	if caps == "" {
		caps = `{"tools":{"listChanged":true}}`
	}
	switch m.Method {
	case protocol.Initialize:
		p.reply(m.ID, `{"protocolVersion":"2025-11-25","capabilities":`+caps+`,"serverInfo":{"name":"test","version":"1"},"instructions":"be kind"}`)
	case protocol.ToolsList:
		p.reply(m.ID, `{"tools":[{"name":"echo","inputSchema":{"type":"object"}}]}`)
	case protocol.ToolsCall:
		p.reply(m.ID, `{"content":[],"echo":`+string(m.Params)+`}`)
	default:
		if m.ID != nil {
			p.refuse(m.ID, protocol.CodeMethodNotFound)
		}
	}
}

// memPipe is a pipe to a peer in memory. The peer handles messages one after the other in a goroutine of its own.
type memPipe struct {
	toPeer, fromPeer chan []byte
	closed           chan struct{}
	once             sync.Once
	peerDone         chan struct{}
	last             []byte
}

func newMemPipe(p *peer) *memPipe {
	m := &memPipe{
		toPeer: make(chan []byte, 256), fromPeer: make(chan []byte, 256),
		closed: make(chan struct{}), peerDone: make(chan struct{}),
	}
	p.send = func(s string) {
		select {
		case m.fromPeer <- []byte(s):
		case <-m.closed:
		}
	}
	go func() {
		defer close(m.peerDone)
		for {
			select {
			case raw := <-m.toPeer:
				p.take(raw)
			case <-m.closed:
				return
			}
		}
	}()
	return m
}

func (m *memPipe) send(ctx context.Context, msg []byte) error {
	select {
	case <-m.closed:
		return protocol.ErrUnavailable
	default:
	}
	select {
	case m.toPeer <- []byte(string(msg)):
		return nil
	case <-m.closed:
		return protocol.ErrUnavailable
	case <-ctx.Done():
		return protocol.ErrUnavailable
	}
}

func (m *memPipe) recv() ([]byte, error) {
	for i := range m.last {
		m.last[i] = '#' // whoever kept the last message notices
	}
	select {
	case m.last = <-m.fromPeer:
		return m.last, nil
	case <-m.closed:
		return nil, io.EOF
	}
}

func (m *memPipe) close(context.Context) {
	m.kill()
	<-m.peerDone
}

// kill ends the pipe as a crash of the server would.
func (m *memPipe) kill() { m.once.Do(func() { close(m.closed) }) }

// tape is a sink and peer that keeps what it gets and answers asks with answer.
type tape struct {
	mu     sync.Mutex
	got    []string
	asked  []string
	answer func(ctx context.Context, method string) (string, error)
}

func (t *tape) Notify(msg []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.got = append(t.got, string(msg))
}

func (t *tape) notes() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.got, "\n")
}

func (t *tape) questions() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.asked, "\n")
}

func (t *tape) Detach(time.Duration) {}

func (t *tape) Ask(ctx context.Context, req wire.Message) ([]byte, error) {
	t.mu.Lock()
	t.asked = append(t.asked, string(req.Raw))
	answer := t.answer
	t.mu.Unlock()
	if answer == nil {
		return nil, protocol.ErrRefused
	}
	s, err := answer(ctx, req.MethodName())
	return []byte(s), err
}

// silent is an events that keeps what it is told.
type silent struct {
	mu     sync.Mutex
	lists  []string
	uris   []string
	strays []string
	onAsk  func(ctx context.Context, a *ask) ([]byte, error)
}

func (s *silent) listChanged(method string) { s.add(&s.lists, method) }
func (s *silent) updated(uri string, _ []byte) {
	s.add(&s.uris, uri)
}
func (s *silent) stray(method string, _ []byte) { s.add(&s.strays, method) }

func (s *silent) add(list *[]string, v string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*list = append(*list, v)
}

func (s *silent) ask(ctx context.Context, a *ask) ([]byte, error) {
	if s.onAsk == nil {
		return nil, protocol.ErrRefused
	}
	return s.onAsk(ctx, a)
}

// callOf makes a client's call out of its raw request.
func callOf(t testing.TB, raw string, client *protocol.Client, sink protocol.Sink) *protocol.Call {
	t.Helper()
	m, err := wire.Parse([]byte(raw))
	if err != nil {
		t.Fatalf("Parse(%s): %v", raw, err)
	}
	return &protocol.Call{Message: m, Method: m.MethodName(), Client: client, Sink: sink}
}
