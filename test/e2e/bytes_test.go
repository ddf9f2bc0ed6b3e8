package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/manifold-mcp/manifold/internal/testkit"
)

// upstreams of every transport; streamed answers every request by a stream.
var upstreamKinds = []string{"stdio", "streamable", "streamed", "sse"}

func everyUpstream(t *testing.T) map[string]any {
	t.Helper()
	streamed := newActor(role{Name: "streamed"})
	streamed.AlwaysStream = true
	return map[string]any{
		"stdio":      stdio(t, role{Name: "stdio"}),
		"streamable": streamable(t, newActor(role{Name: "streamable"})),
		"streamed":   streamable(t, streamed),
		"sse":        sse(t, newActor(role{Name: "sse"})),
	}
}

// everyClient runs the test as a client of each transport, in front of the same kinds of servers.
func everyClient(t *testing.T, f func(t *testing.T, kind string, c testkit.Conn)) {
	servers := everyUpstream(t)
	var ready []string
	for _, kind := range upstreamKinds {
		ready = append(ready, kind+"__mirror")
	}
	hello := testkit.Greeting{Version: newest}
	g := start(t, servers)
	t.Run("client streamable", func(t *testing.T) {
		c := connect(t, g, "/mcp")
		await(t, c, ready...)
		f(t, "streamable", c)
	})
	t.Run("client sse", func(t *testing.T) {
		c := connectSSE(t, g, "/sse", hello, nil)
		await(t, c, ready...)
		f(t, "sse", c)
	})
	t.Run("client stdio", func(t *testing.T) {
		p := testkit.StdioGateway(t, testkit.Setup{Servers: servers})
		c := testkit.NewStdio(p.Stdout, p.Stdin, nil)
		t.Cleanup(c.Close)
		if _, err := testkit.Shake(deadline(t), c, hello); err != nil {
			t.Fatal(err)
		}
		await(t, c, ready...)
		f(t, "stdio", c)
	})
}

// lineBased gives what becomes of a message between these two: on a pipe a line end inside a message must become a blank.
func lineBased(message, client, upstream string) []byte {
	if client == "stdio" || upstream == "stdio" {
		return testkit.OneLine([]byte(message))
	}
	return []byte(message)
}

// TestResultsArriveUnchanged holds invariant 1 towards the client: ids apart, every byte of a response is the server's.
func TestResultsArriveUnchanged(t *testing.T) {
	t.Parallel()
	everyClient(t, func(t *testing.T, client string, c testkit.Conn) {
		for _, upstream := range upstreamKinds {
			for i, p := range passages {
				for _, meta := range []string{``, `,"_meta":{"progressToken":"p"}`} {
					t.Run(fmt.Sprintf("from %s/%s/announced %t", upstream, p.rule, meta != ""), func(t *testing.T) {
						id := fmt.Sprintf(`"%d-%d"`, i, len(meta))
						m := do(t, c, testkit.Request(id, "tools/call", fmt.Sprintf(`{"name":%q,"arguments":{"case":%q}%s}`,
							upstream+"__canned", p.rule, meta)))
						compare(t, "result", m.Result, lineBased(p.result, client, upstream))
						compare(t, "response", bytes.TrimSpace(m.Raw), lineBased(strings.Replace(p.response(), "ID", id, 1), client, upstream))
					})
				}
			}
		}
	})
}

// TestRequestsArriveUnchanged holds invariant 1 towards the server: the name apart, the parameters are the client's.
func TestRequestsArriveUnchanged(t *testing.T) {
	t.Parallel()
	everyClient(t, func(t *testing.T, client string, c testkit.Conn) {
		for _, upstream := range upstreamKinds {
			for i, u := range utterances {
				t.Run("to "+upstream+"/"+u.rule, func(t *testing.T) {
					params := `{"vendor" :{"x":1.0},"arguments":` + u.result + `,"_meta":{"v.example/n":18446744073709551615},"name":"NAME","late":null}`
					m := do(t, c, testkit.Request(fmt.Sprint(i), "tools/call", strings.Replace(params, "NAME", upstream+"__mirror", 1)))
					compare(t, "params", testkit.Get(m.Result, "params"),
						lineBased(strings.Replace(params, "NAME", "mirror", 1), client, upstream))
				})
			}
		}
	})
}

// TestListedItemsAreUnchanged: what a list says of a tool is what its server said, the name apart.
func TestListedItemsAreUnchanged(t *testing.T) {
	t.Parallel()
	everyClient(t, func(t *testing.T, _ string, c testkit.Conn) {
		m := do(t, c, testkit.Request("1", "tools/list", ""))
		listed := map[string]json.RawMessage{}
		for _, item := range testkit.Items(m.Result, "tools") {
			listed[testkit.GetString(item, "name")] = item
		}
		for _, upstream := range upstreamKinds {
			name := upstream + "__weird"
			compare(t, name, listed[name], []byte(strings.Replace(weirdTool, `"weird"`, `"`+name+`"`, 1)))
		}
	})
}

// TestIDsComeBackAsTheyWere: an id may be any string or number, and it is matched by its own spelling.
func TestIDsComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	everyClient(t, func(t *testing.T, _ string, c testkit.Conn) {
		for _, id := range []string{`0`, `-1`, `9007199254740993`, `18446744073709551615`, `1.5`, `""`, `"\u0061\"\\"`, `"é"`} {
			for _, upstream := range upstreamKinds {
				m, err := c.Do(deadline(t), testkit.ToolCall(id, upstream+"__mirror", `{}`))
				if err != nil || m.Result == nil {
					t.Errorf("id %s at %s: %v %s", id, upstream, err, m.Raw)
				}
			}
		}
	})
}

// compare compares bytes and shows where they part.
func compare(t *testing.T, what string, have, want []byte) {
	t.Helper()
	if bytes.Equal(have, want) {
		return
	}
	at := 0
	for at < len(have) && at < len(want) && have[at] == want[at] {
		at++
	}
	around := func(b []byte) []byte { return b[max(0, min(at-40, len(b))):min(at+80, len(b))] }
	t.Errorf("%s changed at byte %d (of %d, want %d)\nhave …%s…\nwant …%s…", what, at, len(have), len(want), around(have), around(want))
}

// TestAnswerIsPlainUntilSomethingPrecedesIt: JSON for a quick answer, a stream from the first notification on.
func TestAnswerIsPlainUntilSomethingPrecedesIt(t *testing.T) {
	t.Parallel()
	g := start(t, everyUpstream(t))
	c := connect(t, g, "/mcp")
	for _, upstream := range upstreamKinds {
		await(t, c, upstream+"__canned")
		for _, row := range []struct{ rule, meta, kind string }{
			{"nothing precedes", ``, "application/json"},
			{"progress precedes", `,"_meta":{"progressToken":1}`, "text/event-stream"},
		} {
			t.Run(upstream+"/"+row.rule, func(t *testing.T) {
				res, err := c.Post(deadline(t), testkit.Request("1", "tools/call",
					fmt.Sprintf(`{"name":%q,"arguments":{"case":"unknown fields"}%s}`, upstream+"__canned", row.meta)))
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(res.Body)
				_ = res.Body.Close()
				if err != nil || res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), row.kind) {
					t.Errorf("want 200 and %s, got %s and %s (%v): %.200s", row.kind, res.Status, res.Header.Get("Content-Type"), err, body)
				}
				if row.meta != "" && res.Header.Get("X-Accel-Buffering") != "no" {
					t.Error("a stream lacks X-Accel-Buffering: no, so nginx would hold it back")
				}
			})
		}
	}
}
