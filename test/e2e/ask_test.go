package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/manifold-mcp/manifold/internal/testkit"
)

// question is a request of a server to its client.
type question struct {
	method string
	// params has NONCE where the question carries the mark of the call it belongs to.
	params string
	// answer has NONCE likewise.
	answer string
	// capability is what a client declares to be asked it.
	capability string
}

var questions = []question{
	{
		"elicitation/create", `{"message":"NONCE","requestedSchema":{"type":"object","properties":{}},"vendor":1.0}`,
		`{"action":"accept","content":{"said":"NONCE"},"later":{"n":1.0}}`, `"elicitation":{}`,
	},
	{
		"sampling/createMessage", `{"messages":[{"role":"user","content":{"type":"text","text":"NONCE"}}],"maxTokens":18446744073709551615}`,
		`{"role":"assistant","content":{"type":"text","text":"NONCE"},"model":"m","vendor":1.0}`, `"sampling":{}`,
	},
	{"roots/list", `{"_meta":{"v.example/nonce":"NONCE"}}`, `{"roots":[{"uri":"file:///NONCE"}]}`, `"roots":{}`},
}

// allCapabilities is what a client declares that can be asked everything.
const allCapabilities = `{"elicitation":{},"sampling":{},"roots":{}}`

// asked is a client that answers questions, and notes those that were not for it.
type asked struct {
	conn  testkit.Conn
	nonce string
	// meet, when set, is called with every question before it is answered.
	meet func()

	mu    sync.Mutex
	wrong []string
}

func (a *asked) handle(m testkit.Message) []byte {
	if !m.IsRequest() {
		return nil
	}
	for _, q := range questions {
		if q.method != m.Method {
			continue
		}
		if want := strings.ReplaceAll(q.params, "NONCE", a.nonce); string(m.Params) != want {
			a.mu.Lock()
			a.wrong = append(a.wrong, string(m.Raw))
			a.mu.Unlock()
		}
		if a.meet != nil {
			a.meet()
		}
		return m.Reply(strings.ReplaceAll(q.answer, "NONCE", a.nonce))
	}
	return m.Refuse(-32601, "no such method")
}

// ask has the server ask the client, and says what was wrong with what came of it.
func (a *asked) ask(ctx context.Context, server string, q question) error {
	m, err := a.conn.Do(ctx, testkit.ToolCall("1", server+"__ask", fmt.Sprintf(`{"method":%q,"params":%s}`,
		q.method, strings.ReplaceAll(q.params, "NONCE", a.nonce))))
	if err != nil {
		return err
	}
	if want := strings.ReplaceAll(q.answer, "NONCE", a.nonce); string(testkit.Get(m.Result, "answer")) != want {
		return fmt.Errorf("the server was answered %.300s, want %s", m.Raw, want)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.wrong) > 0 {
		return fmt.Errorf("asked what was not its own: %s", a.wrong)
	}
	return nil
}

// rendezvous gives a function that returns when n have called it, or when ctx ends.
func rendezvous(ctx context.Context, n int) func() {
	var mu sync.Mutex
	all := make(chan struct{})
	return func() {
		mu.Lock()
		if n--; n == 0 {
			close(all)
		}
		mu.Unlock()
		select {
		case <-all:
		case <-ctx.Done():
		}
	}
}

// askingServers are all kinds of servers that ask back; the value tells whether two clients can be asked at the same moment.
func askingServers(t *testing.T) (servers map[string]any, atOnce map[string]bool) {
	t.Helper()
	return map[string]any{
			"auto":       stdio(t, role{Name: "auto"}),
			"session":    stdio(t, role{Name: "session"}).with("isolation", "session"),
			"shared":     stdio(t, role{Name: "shared"}).with("isolation", "shared"),
			"streamable": streamable(t, newActor(role{Name: "streamable"})),
			"sse":        sse(t, newActor(role{Name: "sse"})),
			"ssesession": sse(t, newActor(role{Name: "ssesession"})).with("isolation", "session"),
		}, map[string]bool{
			"auto": true, "session": true, "shared": false, "streamable": true, "sse": true, "ssesession": true,
		}
}

// TestQuestionsReachTheirClient: what a server asks reaches the client whose call it belongs to, byte for byte, and the
// answer the server; first one client after the other, then both at the same moment.
func TestQuestionsReachTheirClient(t *testing.T) {
	t.Parallel()
	servers, atOnce := askingServers(t)
	g := start(t, servers)
	for _, kind := range []string{"streamable", "sse"} {
		t.Run("client "+kind, func(t *testing.T) {
			alice, bob := askable(t, g, kind, "alice", allCapabilities), askable(t, g, kind, "bob", allCapabilities)
			for server := range servers {
				await(t, alice.conn, server+"__ask")
			}
			for server := range servers {
				t.Run("server "+server, func(t *testing.T) {
					for _, q := range questions {
						t.Run(q.method, func(t *testing.T) {
							for _, c := range []*asked{alice, bob} {
								if err := c.ask(deadline(t), server, q); err != nil {
									t.Fatalf("%s alone: %v", c.nonce, err)
								}
							}
							if atOnce[server] {
								askBoth(t, server, q, alice, bob)
							}
						})
					}
				})
			}
		})
	}
}

// askable connects a client that can be asked what its capabilities say.
func askable(t *testing.T, g *testkit.Gateway, kind, nonce, capabilities string) *asked {
	t.Helper()
	a := &asked{nonce: nonce}
	hello := testkit.Greeting{Version: newest, Capabilities: capabilities, Name: nonce}
	if kind == "sse" {
		a.conn = connectSSE(t, g, "/sse", hello, a.handle)
	} else {
		a.conn = connectAs(t, g, "/mcp", hello, a.handle)
	}
	return a
}

// askBoth has both asked at the same moment: neither answers before both have been asked.
func askBoth(t *testing.T, server string, q question, both ...*asked) {
	t.Helper()
	ctx := deadline(t)
	meet := rendezvous(ctx, len(both))
	var wg sync.WaitGroup
	for _, c := range both {
		c.meet = meet
		wg.Go(func() {
			if err := c.ask(ctx, server, q); err != nil {
				t.Errorf("%s, both at once: %v", c.nonce, err)
			}
		})
	}
	wg.Wait()
	for _, c := range both {
		c.meet = nil
	}
}

// TestClientsThatCannotBeAskedAreNot: a client that did not declare the capability is never asked, nobody else is asked
// in its place, and the server is refused in the way that its kind of question has.
func TestClientsThatCannotBeAskedAreNot(t *testing.T) {
	t.Parallel()
	servers, _ := askingServers(t)
	g := start(t, servers)
	bystander := askable(t, g, "streamable", "bystander", allCapabilities)
	stream, err := bystander.conn.(*testkit.Streamable).Listen(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stream.Close)
	go listen(stream, bystander)
	for server := range servers {
		await(t, bystander.conn, server+"__ask")
		for _, q := range questions {
			t.Run(server+"/"+q.method, func(t *testing.T) {
				others := `{` + joinExcept(q.capability) + `}`
				mute := askable(t, g, "streamable", "mute", others)
				result := call(t, mute.conn, server+"__ask", fmt.Sprintf(`{"method":%q,"params":%s}`, q.method, q.params))
				if !refused(q, result) {
					t.Errorf("the server was answered %s, want a refusal", result)
				}
				for _, c := range []*asked{mute, bystander} {
					c.mu.Lock()
					if len(c.wrong) > 0 {
						t.Errorf("%s was asked: %s", c.nonce, c.wrong)
					}
					c.wrong = nil
					c.mu.Unlock()
				}
			})
		}
	}
}

// listen hands what comes on a standing stream to the client's handler.
func listen(s *testkit.Stream, a *asked) {
	for {
		m, _, err := s.NextMessage()
		if err != nil {
			return
		}
		a.handle(m)
	}
}

// joinExcept gives the members of all capabilities but one.
func joinExcept(capability string) string {
	var have []string
	for _, q := range questions {
		if q.capability != capability {
			have = append(have, q.capability)
		}
	}
	return strings.Join(have, ",")
}

// refused tells whether the server learned that nobody answers: elicitations are cancelled or refused, anything else is a
// method that the client does not have (bridge matrix, "What cannot be bridged").
func refused(q question, result json.RawMessage) bool {
	if testkit.GetInt(result, "refused", "code") == -32601 {
		return true
	}
	return q.method == "elicitation/create" && testkit.GetString(result, "answer", "action") == "cancel"
}

// TestAmbiguousQuestionsAreRefused: on a shared connection with two calls of two clients in flight nobody can say whose
// question it is, so nobody is asked.
func TestAmbiguousQuestionsAreRefused(t *testing.T) {
	t.Parallel()
	g := start(t, map[string]any{"shared": stdio(t, role{Name: "shared"}).with("isolation", "shared")})
	alice, bob := askable(t, g, "streamable", "alice", allCapabilities), askable(t, g, "streamable", "bob", allCapabilities)
	await(t, alice.conn, "shared__ask")
	held := make(chan error, 1)
	go func() {
		_, err := bob.conn.Do(t.Context(), testkit.ToolCall(`"held"`, "shared__hold", `{"key":"bob"}`))
		held <- err
	}()
	awaitHolding(t, alice.conn, "shared", "bob")
	for _, q := range questions {
		err := alice.ask(deadline(t), "shared", q)
		if err == nil || !strings.Contains(err.Error(), "the server was answered") {
			t.Errorf("%s with two calls in flight: %v, want the server refused", q.method, err)
		}
		if len(alice.wrong)+len(bob.wrong) > 0 {
			t.Errorf("%s: asked: %s %s", q.method, alice.wrong, bob.wrong)
		}
	}
	release(t, alice.conn, "shared", "bob")
	if err := <-held; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
