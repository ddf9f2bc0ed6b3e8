package e2e

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/manifold-mcp/manifold/internal/testkit"
)

// newest is the revision that clients here speak unless their test is about revisions.
const newest = "2025-11-25"

// Flags of the agent that the tests need.
var (
	// unlimited lifts the rate limit and the delay at the end out of the way of tests that are not about them.
	unlimited = []string{"--mcp-rate-limit", "1000000-S", "--drain-delay", "0s"}
)

// patience bounds one wait in a test; it is long because it only ends what has failed.
const patience = 30 * time.Second

// deadline gives a context that ends with the test or after patience.
func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// actorEnv is the environment of a stdio actor.
func actorEnv(r role) []string {
	text, _ := json.Marshal(r)
	return append(os.Environ(), actorVariable+"="+string(text))
}

// entry is one server in mcp.json.
type entry map[string]any

// with gives the entry with one more member.
func (e entry) with(key string, value any) entry {
	e = maps.Clone(e)
	e[key] = value
	return e
}

// stdio makes the entry of an actor that the agent starts itself.
func stdio(t *testing.T, r role) entry {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{actorVariable: string(text)}
	if dir := os.Getenv("GOCOVERDIR"); dir != "" {
		env["GOCOVERDIR"] = dir
	}
	return entry{"type": "stdio", "command": self, "env": env}
}

// serveHTTP serves h for as long as the test runs and gives its address.
func serveHTTP(t *testing.T, h http.Handler) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	return srv.URL
}

// streamable makes the entry of an actor behind streamable HTTP.
func streamable(t *testing.T, a *actor) entry {
	t.Helper()
	return entry{"type": "streamableHttp", "url": serveHTTP(t, a.Streamable()) + "/mcp"}
}

// sse makes the entry of an actor behind HTTP+SSE.
func sse(t *testing.T, a *actor) entry {
	t.Helper()
	return entry{"type": "sse", "url": serveHTTP(t, a.SSE()) + "/sse"}
}

// start starts the agent in front of these servers, without a rate limit.
func start(t *testing.T, servers map[string]any, args ...string) *testkit.Gateway {
	t.Helper()
	return testkit.StartGateway(t, testkit.Setup{Servers: servers, Args: slices.Concat(unlimited, args)})
}

// connect makes an initialised client of streamable HTTP; path may carry a query.
func connect(t *testing.T, g *testkit.Gateway, path string) *testkit.Streamable {
	t.Helper()
	return connectAs(t, g, path, testkit.Greeting{Version: newest}, nil)
}

func connectAs(t *testing.T, g *testkit.Gateway, path string, hello testkit.Greeting, handle testkit.Handler) *testkit.Streamable {
	t.Helper()
	c, err := testkit.Connect(deadline(t), g.URL(path), hello, handle)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// connectSSE makes an initialised client of HTTP+SSE.
func connectSSE(t *testing.T, g *testkit.Gateway, path string, hello testkit.Greeting, handle testkit.Handler) *testkit.SSE {
	t.Helper()
	ctx := deadline(t)
	c, err := testkit.DialSSE(ctx, g.URL(path), handle, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if _, err := testkit.Shake(ctx, c, hello); err != nil {
		t.Fatal(err)
	}
	return c
}

// do sends a request and gives its response.
func do(t *testing.T, c testkit.Conn, raw []byte) testkit.Message {
	t.Helper()
	m, err := c.Do(deadline(t), raw)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// call calls a tool and gives its result; an error fails the test.
func call(t *testing.T, c testkit.Conn, tool, arguments string) json.RawMessage {
	t.Helper()
	m := do(t, c, testkit.ToolCall(testkit.Quote("call of "+t.Name()+" "+tool), tool, arguments))
	if m.Result == nil {
		t.Fatalf("%s: %s", tool, m.Raw)
	}
	return m.Result
}

// said gives the text of a tool result's first content block.
func said(result json.RawMessage) string {
	blocks := testkit.Items(result, "content")
	if len(blocks) == 0 {
		return ""
	}
	return testkit.GetString(blocks[0], "text")
}

// names gives the names (or uris) of everything in a list.
func names(t *testing.T, c testkit.Conn, method, member, key string) []string {
	t.Helper()
	var all []string
	cursor := ""
	for {
		params := "{}"
		if cursor != "" {
			params = `{"cursor":` + testkit.Quote(cursor) + `}`
		}
		m := do(t, c, testkit.Request(`"list"`, method, params))
		if m.Result == nil {
			t.Fatalf("%s: %s", method, m.Raw)
		}
		for _, item := range testkit.Items(m.Result, member) {
			all = append(all, testkit.GetString(item, key))
		}
		if cursor = testkit.GetString(m.Result, "nextCursor"); cursor == "" {
			return all
		}
	}
}

func toolNames(t *testing.T, c testkit.Conn) []string {
	t.Helper()
	return names(t, c, "tools/list", "tools", "name")
}

// await waits until the client sees all these tools.
func await(t *testing.T, c testkit.Conn, want ...string) {
	t.Helper()
	var have []string
	ok := testkit.Poll(patience, func() bool {
		have = toolNames(t, c)
		return !slices.ContainsFunc(want, func(name string) bool { return !slices.Contains(have, name) })
	})
	if !ok {
		t.Fatalf("tools %s were not served within %v; there are: %s", strings.Join(want, ", "), patience, strings.Join(have, ", "))
	}
}

// awaitHolding waits until a call is held at the gate and gives the id under which the server knows it.
func awaitHolding(t *testing.T, c testkit.Conn, server, key string) string {
	t.Helper()
	var id string
	testkit.Until(t, patience, "a call held at "+key, func() bool {
		r := call(t, c, server+"__holding", `{"key":`+testkit.Quote(key)+`}`)
		id = testkit.GetString(r, "id")
		return testkit.GetInt(r, "holding") > 0
	})
	return id
}

// release opens a gate.
func release(t *testing.T, c testkit.Conn, server, key string) {
	t.Helper()
	call(t, c, server+"__release", `{"key":`+testkit.Quote(key)+`}`)
}
