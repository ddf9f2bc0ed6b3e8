package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/manifold-mcp/manifold/internal/testkit"
)

// role is what distinguishes one actor from another.
type role struct {
	Name string `json:"name"`
	// Hang makes it read and never answer.
	Hang bool `json:"hang,omitempty"`
	// Tools is how many numbered tools it has besides the usual ones.
	Tools int `json:"tools,omitempty"`
	// Stubborn makes a stdio actor ignore the end of its input and SIGTERM.
	Stubborn bool `json:"stubborn,omitempty"`
	// Shell makes a stdio actor start another one that does the work on the same pipes, and wait for it, as npx and sh do.
	Shell bool `json:"shell,omitempty"`
	// Orphan makes a stdio actor start a stubborn process in its group that holds none of its pipes.
	Orphan bool `json:"orphan,omitempty"`
}

// actor is a raw MCP server that does what its tools are told.
type actor struct {
	role
	*testkit.Server
	orphan int

	mu sync.Mutex
	// gates are what hold waits for and release opens; a gate may be opened before anybody waits.
	gates map[string]chan struct{}
	// holding counts who waits at a gate now.
	holding map[string]int
	// crowd are the calls of gather that wait to be enough.
	crowd   int
	crowded chan struct{}
	// heard are the notifications and cancelled the ids of the calls that were taken back, in order.
	heard     []string
	cancelled []string
	// ids are the ids of hold calls by key, as this server saw them.
	ids map[string]string
	// extra counts the tools that came with time; they only get more, so that no two changes undo each other.
	extra int
}

func newActor(r role) *actor {
	a := &actor{
		role: r, gates: map[string]chan struct{}{}, holding: map[string]int{}, ids: map[string]string{},
		crowded: make(chan struct{}),
	}
	a.Server = &testkit.Server{Serve: a.serve, Heard: a.hear}
	return a
}

func (a *actor) hear(_ *testkit.Peer, m testkit.Message) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.heard = append(a.heard, string(m.Raw))
}

// serve answers every method of the protocol that a server has.
func (a *actor) serve(c *testkit.Call) {
	if a.Hang {
		<-c.Context().Done()
		return
	}
	switch c.Method {
	case "initialize":
		c.Result(fmt.Sprintf(`{"protocolVersion":%s,"capabilities":{"tools":{"listChanged":true},"prompts":{"listChanged":true},`+
			`"resources":{"subscribe":true,"listChanged":true},"completions":{},"logging":{}},"serverInfo":{"name":"actor %s","version":"1"}}`,
			testkit.Get(c.Params, "protocolVersion"), a.Name))
	case "ping", "logging/setLevel":
		c.Result(`{}`)
	case "tools/list":
		c.Result(`{"tools":[` + strings.Join(a.toolList(), ",") + `]}`)
	case "tools/call":
		a.call(c)
	case "prompts/list":
		c.Result(`{"prompts":[{"name":"greet","arguments":[{"name":"who"}]}]}`)
	case "prompts/get":
		c.Result(fmt.Sprintf(`{"messages":[{"role":"user","content":{"type":"text","text":"greetings from %s"}}]}`, a.Name))
	case "resources/list":
		c.Result(fmt.Sprintf(`{"resources":[{"uri":"actor://%s/doc","name":"doc"}]}`, a.Name))
	case "resources/templates/list":
		c.Result(fmt.Sprintf(`{"resourceTemplates":[{"uriTemplate":"actor://%s/page/{n}","name":"page"}]}`, a.Name))
	case "resources/read":
		c.Result(fmt.Sprintf(`{"contents":[{"uri":%s,"text":"read at %s"}]}`, testkit.Get(c.Params, "uri"), a.Name))
	case "resources/subscribe", "resources/unsubscribe":
		a.hear(c.Peer, c.Message)
		c.Result(`{}`)
	case "completion/complete":
		c.Result(fmt.Sprintf(`{"completion":{"values":["completed by %s"]}}`, a.Name))
	default:
		c.Respond(c.Refuse(-32601, "no such method"))
	}
}

// tools are what every actor can do, by name.
var tools = map[string]func(*actor, *testkit.Call, json.RawMessage){
	"mirror":   (*actor).mirror,
	"canned":   (*actor).canned,
	"progress": (*actor).progress,
	"gather":   (*actor).gather,
	"hold":     (*actor).hold,
	"holding":  (*actor).isHolding,
	"release":  (*actor).release,
	"report":   (*actor).report,
	"ask":      (*actor).askBack,
	"poke":     (*actor).poke,
	"pids":     (*actor).pids,
	"flood":    (*actor).flood,
}

func (a *actor) toolList() []string {
	list := make([]string, 0, len(tools)+a.Tools+2)
	list = append(list, weirdTool)
	for name := range tools {
		list = append(list, fmt.Sprintf(`{"name":%q,"description":"what it says","inputSchema":{"type":"object"}}`, name))
	}
	for i := range a.Tools {
		list = append(list, fmt.Sprintf(`{"name":"numbered_%05d","description":"tool number %d","inputSchema":{"type":"object"}}`, i, i))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.extra {
		list = append(list, fmt.Sprintf(`{"name":"extra_%d","inputSchema":{"type":"object"}}`, i))
	}
	return list
}

func (a *actor) call(c *testkit.Call) {
	name := testkit.GetString(c.Params, "name")
	if tool := tools[name]; tool != nil {
		tool(a, c, testkit.Get(c.Params, "arguments"))
		return
	}
	if strings.HasPrefix(name, "numbered_") {
		c.Result(`{"content":[{"type":"text","text":` + testkit.Quote(name) + `}]}`)
		return
	}
	c.Respond(c.Refuse(-32602, "no such tool: "+name))
}

// text is a tool result of one text.
func text(s string) string { return `{"content":[{"type":"text","text":` + testkit.Quote(s) + `}]}` }
