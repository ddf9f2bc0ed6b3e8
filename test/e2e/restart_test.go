package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/manifold-mcp/manifold/internal/testkit"
)

// successor starts another agent with the same servers, address and state.
func successor(t *testing.T, g *testkit.Gateway, servers map[string]any) *testkit.Gateway {
	t.Helper()
	return testkit.StartGateway(t, testkit.Setup{Servers: servers, Args: unlimited, Port: g.Port, StateDir: g.StateDir})
}

// TestSessionsSurviveARestart: whoever had a session calls on as if nothing had happened, whether the agent was asked to
// end or was killed. What cannot be honoured answers 404, so that its client initialises again.
func TestSessionsSurviveARestart(t *testing.T) {
	t.Parallel()
	const sessions = 50
	servers := map[string]any{
		"stdio":      stdio(t, role{Name: "stdio"}),
		"streamable": streamable(t, newActor(role{Name: "streamable"})),
	}
	g := start(t, servers)
	clients := make([]*testkit.Streamable, sessions)
	for i := range clients {
		clients[i] = connect(t, g, "/mcp")
		await(t, clients[i], "stdio__mirror", "streamable__mirror")
	}
	deleted := connect(t, g, "/mcp")
	if status, err := deleted.Delete(deadline(t)); err != nil || status/100 != 2 {
		t.Fatalf("DELETE: %d, %v", status, err)
	}
	wantGone(t, "a deleted session", deleted)

	for _, end := range []struct {
		how string
		f   func()
	}{
		{"SIGTERM", func() { g.Stop(20 * time.Second) }},
		{"kill -9", func() { g.Kill() }},
	} {
		end.f()
		g = successor(t, g, servers)
		for i, c := range clients {
			// The servers may still be starting: such a call fails, but it must not be told to initialise again.
			var m testkit.Message
			testkit.Poll(patience, func() bool {
				m = do(t, c, testkit.ToolCall("1", []string{"stdio__mirror", "streamable__mirror"}[i%2], `{}`))
				return m.Result != nil
			})
			if m.Result == nil {
				t.Errorf("after %s: session %d: %s", end.how, i, m.Raw)
			}
		}
	}
}

// TestOnlyOwnSessionsAreServed: an id that this gateway did not make, or not like this, is answered 404.
func TestOnlyOwnSessionsAreServed(t *testing.T) {
	t.Parallel()
	servers := map[string]any{"streamable": streamable(t, newActor(role{Name: "streamable"}))}
	g := start(t, servers)
	own := connect(t, g, "/mcp").Session
	if len(own) < 22 {
		t.Errorf("the session id %q is too short to be unguessable", own)
	}
	other := connect(t, start(t, servers), "/mcp").Session
	ids := map[string]string{
		"made up":                             "stream-7e6f2b8e-0f3a-4b58-9d0e-6a5d2f1c0b9a",
		"of another gateway":                  other,
		"with more behind it":                 own + "A",
		"with less":                           own[:len(own)-1],
		"in another case":                     strings.ToUpper(own),
		"of a thousand letters":               strings.Repeat("A", 1000),
		"altered at the first byte":           alter(own, 0),
		"altered in the middle":               alter(own, len(own)/2),
		"altered near the end":                alter(own, len(own)-3),
		"two ids in one, as a cookie has it":  own + "," + own,
		"a path":                              "../" + own,
		"an id with white space in its midst": own[:5] + " " + own[5:],
	}
	for rule, id := range ids {
		c := testkit.NewStreamable(g.URL("/mcp"), nil)
		c.Session, c.Version = id, newest
		wantGone(t, "an id "+rule, c)
	}
}

// alter changes one character of an id into another of the same alphabet.
func alter(id string, at int) string {
	b := []byte(id)
	if b[at] == 'A' {
		b[at] = 'B'
	} else {
		b[at] = 'A'
	}
	return string(b)
}

// wantGone checks that POST, GET and DELETE of a session all say 404.
func wantGone(t *testing.T, what string, c *testkit.Streamable) {
	t.Helper()
	res, err := c.Post(deadline(t), testkit.Request("1", "tools/list", ""))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusNotFound {
		t.Errorf("%s: POST %s, want 404", what, res.Status)
	}
	if s, err := c.Listen(deadline(t), ""); err == nil {
		s.Close()
		t.Errorf("%s: GET opened a stream, want 404", what)
	} else if !strings.Contains(err.Error(), fmt.Sprint(http.StatusNotFound)) {
		t.Errorf("%s: GET %v, want 404", what, err)
	}
	if status, err := c.Delete(deadline(t)); err != nil || status != http.StatusNotFound {
		t.Errorf("%s: DELETE %d %v, want 404", what, status, err)
	}
}
