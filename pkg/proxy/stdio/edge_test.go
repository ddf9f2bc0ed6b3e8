package stdio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/manifold-mcp/manifold/pkg/filter"
	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/proxy"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// client is the other end of the pipes.
type client struct {
	t      *testing.T
	in     *io.PipeWriter
	out    *wire.LineReader
	router *proxy.Router
	served chan error
	cancel context.CancelFunc
}

func start(t *testing.T, tools map[string]script) *client {
	t.Helper()
	return startWith(t, Options{MaxMessage: 1000, MaxCalls: 3}, tools)
}

func startWith(t *testing.T, opts Options, tools map[string]script) *client {
	t.Helper()
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	c := &client{t: t, in: inW, out: wire.NewLineReader(outR, 1<<20), router: newRouter(t, tools), served: make(chan error, 1), cancel: cancel}
	go func() {
		c.served <- Serve(ctx, c.router, inR, outW, opts)
		_ = outW.Close()
		_ = inR.Close()
	}()
	t.Cleanup(func() { cancel(); _ = inW.Close(); _ = outR.Close() })
	return c
}

func (c *client) send(lines ...string) {
	c.t.Helper()
	if _, err := io.WriteString(c.in, strings.Join(lines, "\n")+"\n"); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) next() string {
	c.t.Helper()
	line, err := c.out.Next()
	if err != nil {
		c.t.Fatalf("output ended: %v", err)
	}
	return string(line)
}

func (c *client) want(lines ...string) {
	c.t.Helper()
	for _, l := range lines {
		if got := c.next(); got != l {
			c.t.Error(cmp.Diff(l, got))
		}
	}
}

func (c *client) end() error {
	c.t.Helper()
	if line, err := c.out.Next(); err == nil {
		c.t.Errorf("got %s, want the end", line)
	}
	err := <-c.served
	if n := c.router.Sessions().Count(); n != 0 {
		c.t.Errorf("%d sessions are left", n)
	}
	return err
}

func initialize(revision string) string {
	return `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"` + revision + `","capabilities":{"sampling":{}}}}`
}

func call(id, name string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"method":"tools/call","params":{"name":"` + name + `"}}`
}

const (
	ping = `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	pong = `{"jsonrpc":"2.0","id":1,"result":{}}`
)

// asks is a script that asks its client and answers with what it said.
func asks(ctx context.Context, c *protocol.Call) (*protocol.Answer, error) {
	raw, err := c.Sink.Ask(ctx, mustSkim(sampling))
	return text(string(raw)), err
}

func TestRoundTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, map[string]script{"asks": asks, "pretty": func(context.Context, *protocol.Call) (*protocol.Answer, error) {
			return response("{\n\t\"a\": 1\r\n}"), nil
		}})
		var live *proxy.Session
		synctest.Wait()
		c.router.Sessions().Each(func(s *proxy.Session) bool { live = s; return false })
		live.Notify([]byte(`{"jsonrpc":"2.0","method":"notifications/early"}`)) // a client expects nothing before initialize
		c.send(initialize("2025-06-18"))
		if got := c.next(); !strings.Contains(got, `"id":0,"result":{"protocolVersion":"2025-06-18"`) {
			t.Errorf("initialize: %s", got)
		}
		synctest.Wait()
		c.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`, initialize("2025-06-18"))
		if got := c.next(); !strings.Contains(got, "initialized already") {
			t.Errorf("a second initialize: %s", got)
		}
		live.Notify([]byte(`{"jsonrpc":"2.0","method":"notifications/late"}`)) // does not wait for the client to read
		c.want(`{"jsonrpc":"2.0","method":"notifications/late"}`)
		c.send(call(`"p"`, "pretty"))
		c.want(`{"jsonrpc":"2.0","id":"p","result":{ 	"a": 1  }}`)
		c.send(call("1", "asks"))
		q, _ := wire.Skim([]byte(c.next()))
		c.send(`{"jsonrpc":"2.0","id":` + string(q.ID.Of(q.Raw)) + `,"result":{"role":"assistant"}}`)
		if got := c.next(); !strings.Contains(got, `"id":1,"result"`) || !strings.Contains(got, "assistant") {
			t.Errorf("got %s", got)
		}
		_ = c.in.Close()
		if err := c.end(); err != nil {
			t.Error(err)
		}
	})
}

func TestLinesThatAreRefused(t *testing.T) {
	c := start(t, nil)
	c.send("garbage", "", `{"jsonrpc":"1.0","id":"x","method":"ping"}`, "["+ping+"]", `{"jsonrpc":"2.0","id":5,"method":"initialize"}`, ping)
	for _, part := range []string{`"id":null,"error":{"code":-32700`, `"id":"x","error":{"code":-32600`, `"id":null,"error":{"code":-32600`, `"id":5,"error":{"code":-32602`, pong} {
		if got := c.next(); !strings.Contains(got, part) {
			t.Errorf("got %s, want %s", got, part)
		}
	}
	c.send(initialize("2025-03-26")) // the session was not spoilt
	if got := c.next(); !strings.Contains(got, "2025-03-26") {
		t.Errorf("initialize after all: %s", got)
	}
	go func() { _, _ = io.WriteString(c.in, strings.Repeat("x", 1500)+"\n") }()
	if err := c.end(); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("a line too long: %v", err)
	}
}

func TestBatches(t *testing.T) {
	c := start(t, nil)
	c.send(initialize("2025-03-26"))
	c.next()
	c.send(`[{"jsonrpc":"2.0","method":"notifications/initialized"},` + ping + `,7]`)
	got := []string{c.next(), c.next()}
	if all := strings.Join(got, "\n"); !strings.Contains(all, pong) || !strings.Contains(all, `"id":null,"error":{"code":-32600`) {
		t.Errorf("got %s", all)
	}
	c.send(`[]`)
	if got := c.next(); !strings.Contains(got, "-32600") {
		t.Errorf("an empty batch: %s", got)
	}
	c.send(`[` + strings.Repeat(`1,`, maxBatch) + `1]`)
	if got := c.next(); !strings.Contains(got, "too many messages") {
		t.Errorf("a large batch: %s", got)
	}
	c.send(ping)
	c.want(pong)
}

// The end of the input lets calls finish, but not wait for answers that cannot come.
func TestEndOfInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(ctx context.Context, _ *protocol.Call) (*protocol.Answer, error) {
			select {
			case <-time.After(time.Minute):
				return text("slow"), nil
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}
		c := start(t, map[string]script{"slow": slow, "asks": asks})
		c.send(initialize("2025-06-18"))
		c.next()
		c.send(call("1", "slow"), call("2", "asks"))
		if got := c.next(); !strings.Contains(got, "sampling/createMessage") {
			t.Errorf("got %s", got)
		}
		_ = c.in.Close()
		if got := c.next(); !strings.Contains(got, `"id":2,"error"`) {
			t.Errorf("got %s", got)
		}
		if got := c.next(); !strings.Contains(got, `"id":1,"result"`) {
			t.Errorf("got %s", got)
		}
		if err := c.end(); err != nil {
			t.Error(err)
		}
	})
}

// The answer to a question is read although no more requests are taken.
func TestMaxCalls(t *testing.T) {
	c := start(t, map[string]script{"asks": asks})
	c.send(initialize("2025-06-18"))
	c.next()
	var ids []string
	for i := range 3 {
		c.send(call(fmt.Sprint(i), "asks"))
		m, _ := wire.Skim([]byte(c.next()))
		ids = append(ids, string(m.ID.Of(m.Raw)))
	}
	c.send(call("9", "asks"))
	c.want(`{"jsonrpc":"2.0","id":9,"error":{"code":-32603,"message":"more than 3 requests in flight"}}`)
	for i, id := range ids {
		c.send(`{"jsonrpc":"2.0","id":` + id + `,"result":{}}`)
		if got := c.next(); !strings.Contains(got, fmt.Sprintf(`"id":%d,"result"`, i)) {
			t.Errorf("got %s", got)
		}
	}
}

func TestCancellation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n calls
		c := start(t, map[string]script{"hang": n.hang(false)})
		// Directly behind each other: the request must be found although nobody may serve it yet. It is not answered.
		c.send(call(`"a"`, "hang"), `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}`, ping)
		c.want(pong)
		synctest.Wait()
		if n.cancelled.Load() != n.started.Load() {
			t.Error("the call goes on")
		}
		c.send(call("2", "hang"))
		synctest.Wait()
		c.cancel()
		if got := c.next(); !strings.Contains(got, `"id":2,"error"`) {
			t.Errorf("got %s", got)
		}
		if err := c.end(); err != nil {
			t.Error(err)
		}
		if n.cancelled.Load() != n.started.Load() {
			t.Error("the call goes on after the end")
		}
	})
}

func TestOutputThatFails(t *testing.T) {
	in, w := io.Pipe()
	go func() { _, _ = io.WriteString(w, ping+"\n"+ping+"\n"+ping+"\n"); _ = w.Close() }()
	why := errors.New("broken pipe")
	if err := Serve(t.Context(), newRouter(t, nil), in, failing{why}, Options{MaxMessage: 1000, MaxCalls: 3, Filter: filter.Expr{}}); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
	_ = in.Close()
}

// A client that does not read holds up neither the gateway nor its own answers for good.
func TestAClientThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		large := strings.Repeat("x", 900<<10)
		const sent = 20
		c := startWith(t, Options{MaxMessage: 1000, MaxCalls: sent}, map[string]script{
			"large": func(context.Context, *protocol.Call) (*protocol.Answer, error) { return text(large), nil }})
		c.send(initialize("2025-06-18"))
		c.next()
		var live *proxy.Session
		c.router.Sessions().Each(func(s *proxy.Session) bool { live = s; return false })
		go func() {
			for i := range sent {
				c.send(call(fmt.Sprint(i), "large"))
			}
		}()
		synctest.Wait()
		live.Notify([]byte(`{"jsonrpc":"2.0","method":"notifications/x"}`))
		seen := map[string]bool{}
		for len(seen) < sent {
			line := c.next()
			if strings.Contains(line, "notifications/x") {
				continue
			}
			m, err := wire.Skim([]byte(line))
			if err != nil || !m.Result.Present() {
				t.Fatalf("%v: %.100s", err, line)
			}
			seen[string(m.ID.Of(m.Raw))] = true
		}
	})
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestOfficialClient(t *testing.T) {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	served := make(chan error, 1)
	go func() {
		served <- Serve(t.Context(), newRouter(t, map[string]script{"asks": asks}), inR, outW, Options{MaxMessage: 1 << 20, MaxCalls: 3})
		_ = outW.Close()
	}()
	client := mcp.NewClient(&mcp.Implementation{Name: "c", Version: "1"}, &mcp.ClientOptions{
		CreateMessageHandler: func(context.Context, *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
			return &mcp.CreateMessageResult{Role: "assistant", Model: "m", Content: &mcp.TextContent{Text: "42"}}, nil
		},
	})
	session, err := client.Connect(t.Context(), &mcp.IOTransport{Reader: outR, Writer: inW}, nil)
	if err != nil {
		t.Fatal(err)
	}
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "asks"})
	if err != nil || !strings.Contains(result.Content[0].(*mcp.TextContent).Text, "42") {
		t.Errorf("call: %v, %v", result, err)
	}
	if err := session.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := <-served; err != nil {
		t.Errorf("served: %v", err)
	}
}
