package e2e

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/manifold-mcp/manifold/internal/testkit"
)

// direct connects straight to an actor of the given transport.
func direct(t *testing.T, kind string, handle testkit.Handler) testkit.Conn {
	t.Helper()
	ctx := deadline(t)
	var c testkit.Conn
	switch kind {
	case "stdio":
		p, err := testkit.Program{Path: os.Args[0], Env: actorEnv(role{Name: kind}), Pipes: true}.Start()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		c = testkit.NewStdio(p.Stdout, p.Stdin, handle)
	case "sse":
		s, err := testkit.DialSSE(ctx, sse(t, newActor(role{Name: kind}))["url"].(string), handle, nil)
		if err != nil {
			t.Fatal(err)
		}
		c = s
	default:
		a := newActor(role{Name: kind})
		a.AlwaysStream = kind == "streamed"
		c = testkit.NewStreamable(streamable(t, a)["url"].(string), handle)
	}
	t.Cleanup(c.Close)
	if _, err := testkit.Shake(ctx, c, testkit.Greeting{Version: newest}); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestActorsSayWhatTheyShould shows that clients and actors themselves change nothing, so that what the other tests
// find is the gateway's.
func TestActorsSayWhatTheyShould(t *testing.T) {
	t.Parallel()
	for _, kind := range upstreamKinds {
		t.Run(kind, func(t *testing.T) {
			c := direct(t, kind, nil)
			for i, p := range passages {
				m := do(t, c, testkit.ToolCall(fmt.Sprint(i), "canned", fmt.Sprintf(`{"case":%q}`, p.rule)))
				compare(t, p.rule, bytes.TrimSpace(m.Raw), lineBased(strings.Replace(p.response(), "ID", fmt.Sprint(i), 1), kind, kind))
			}
			for i, u := range utterances {
				params := `{"arguments":` + u.result + `,"name":"mirror"}`
				m := do(t, c, testkit.Request(fmt.Sprint(i), "tools/call", params))
				compare(t, u.rule, testkit.Get(m.Result, "params"), lineBased(params, kind, kind))
			}
		})
	}
}

// TestActorsAsk shows the same of what a server asks and tells on behalf of a call.
func TestActorsAsk(t *testing.T) {
	t.Parallel()
	for _, kind := range upstreamKinds {
		t.Run(kind, func(t *testing.T) {
			told := make(chan string, 8)
			c := direct(t, kind, func(m testkit.Message) []byte {
				if m.IsRequest() {
					return m.Reply(`{"roots":[]}`)
				}
				told <- testkit.GetString(m.Params, "message")
				return nil
			})
			m := do(t, c, testkit.ToolCall("1", "ask", `{"method":"roots/list","params":{}}`))
			if got := string(testkit.Get(m.Result, "answer")); got != `{"roots":[]}` {
				t.Errorf("asked for roots, got %s", m.Raw)
			}
			do(t, c, testkit.Request("2", "tools/call", `{"name":"progress","arguments":{"n":3,"nonce":"x"},"_meta":{"progressToken":0}}`))
			for range 3 {
				if got := <-told; got != "x" {
					t.Errorf("told %q", got)
				}
			}
		})
	}
}
