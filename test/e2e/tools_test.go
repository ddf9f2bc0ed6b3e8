package e2e

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/manifold-mcp/manifold/internal/testkit"
)

// mirror gives back the parameters that arrived, byte for byte, with their digest.
func (a *actor) mirror(c *testkit.Call, _ json.RawMessage) {
	c.Result(fmt.Sprintf(`{"content":[],"digest":"%x","params":%s}`, sha256.Sum256(c.Params), c.Params))
}

// canned answers with one of the prepared responses, after a progress notification if the call has a token.
func (a *actor) canned(c *testkit.Call, args json.RawMessage) {
	say(c, 1, "now")
	want := testkit.GetString(args, "case")
	for _, p := range passages {
		if p.rule == want {
			c.Respond([]byte(strings.Replace(p.response(), "ID", string(c.ID), 1)))
			return
		}
	}
	c.Respond(c.Refuse(-32602, "no such case"))
}

// say sends a progress notification for the call; without a token there is none.
func say(c *testkit.Call, n int, nonce string) {
	if token := testkit.Get(c.Params, "_meta", "progressToken"); token != nil {
		c.Notify(testkit.Notification("notifications/progress",
			fmt.Sprintf(`{"progressToken":%s,"progress":%d,"message":%s}`, token, n, testkit.Quote(nonce))))
	}
}

// progress reports once, waits at a gate if it is given one, reports n-1 times more and answers, all with the nonce.
func (a *actor) progress(c *testkit.Call, args json.RawMessage) {
	nonce := testkit.GetString(args, "nonce")
	for i := range testkit.GetInt(args, "n") {
		say(c, i+1, nonce)
		if key := testkit.GetString(args, "gate"); i == 0 && key != "" && !a.wait(c, key) {
			return
		}
	}
	c.Result(text(nonce))
}

// gather waits until n calls are in flight; then all of them report and answer at once.
func (a *actor) gather(c *testkit.Call, args json.RawMessage) {
	nonce := testkit.GetString(args, "nonce")
	a.mu.Lock()
	all := a.crowded
	if a.crowd++; a.crowd == testkit.GetInt(args, "n") {
		a.crowd, a.crowded = 0, make(chan struct{})
		close(all)
	}
	a.mu.Unlock()
	select {
	case <-all:
	case <-c.Context().Done():
		return
	}
	for i := range 3 {
		say(c, i+1, nonce)
	}
	c.Result(text(nonce))
}

// gate gives the gate of that key. The caller holds the lock.
func (a *actor) gate(key string) chan struct{} {
	g := a.gates[key]
	if g == nil {
		g = make(chan struct{})
		a.gates[key] = g
	}
	return g
}

// wait waits at a gate; false when the call was taken back.
func (a *actor) wait(c *testkit.Call, key string) bool {
	a.mu.Lock()
	g := a.gate(key)
	a.holding[key]++
	a.ids[key] = string(c.ID)
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		a.holding[key]--
		if c.Cancelled() {
			a.cancelled = append(a.cancelled, string(c.ID))
		}
		a.mu.Unlock()
	}()
	select {
	case <-g:
		return true
	case <-c.Context().Done():
		return false
	}
}

func (a *actor) hold(c *testkit.Call, args json.RawMessage) {
	if a.wait(c, testkit.GetString(args, "key")) {
		c.Result(text("released"))
	}
}

func (a *actor) isHolding(c *testkit.Call, args json.RawMessage) {
	key := testkit.GetString(args, "key")
	a.mu.Lock()
	n, id := a.holding[key], a.ids[key]
	a.mu.Unlock()
	c.Result(fmt.Sprintf(`{"content":[],"holding":%d,"id":%s}`, n, testkit.Quote(id)))
}

func (a *actor) release(c *testkit.Call, args json.RawMessage) {
	a.open(testkit.GetString(args, "key"))
	c.Result(text("done"))
}

// open opens a gate for good.
func (a *actor) open(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	close(a.gate(key))
}

// report tells what was heard and cancelled so far.
func (a *actor) report(c *testkit.Call, _ json.RawMessage) {
	a.mu.Lock()
	heard, cancelled := append([]string{}, a.heard...), append([]string{}, a.cancelled...)
	a.mu.Unlock()
	h, _ := json.Marshal(heard)
	x, _ := json.Marshal(cancelled)
	c.Result(fmt.Sprintf(`{"content":[],"heard":%s,"cancelled":%s}`, h, x))
}

// askBack asks the client what the arguments say and gives back what came.
func (a *actor) askBack(c *testkit.Call, args json.RawMessage) {
	m, err := c.Ask(testkit.GetString(args, "method"), string(testkit.Get(args, "params")))
	if err != nil {
		return
	}
	answer := func(v json.RawMessage) string {
		if v == nil {
			return "null"
		}
		return string(v)
	}
	c.Result(fmt.Sprintf(`{"content":[],"pid":%d,"answer":%s,"refused":%s}`, os.Getpid(), answer(m.Result), answer(m.Error)))
}

// poke sends what belongs to no call; on a pipe that shows only when no call is in flight, so it answers first.
func (a *actor) poke(c *testkit.Call, args json.RawMessage) {
	c.Result(text("poked"))
	switch testkit.GetString(args, "what") {
	case "tools":
		a.mu.Lock()
		a.extra++
		a.mu.Unlock()
		c.Peer.Notify(testkit.Notification("notifications/tools/list_changed", ""))
	case "updated":
		c.Peer.Notify(testkit.Notification("notifications/resources/updated", fmt.Sprintf(`{"uri":"actor://%s/doc"}`, a.Name)))
	case "log":
		c.Peer.Notify(testkit.Notification("notifications/message", fmt.Sprintf(`{"level":"error","data":"said by %s"}`, a.Name)))
	}
}

func (a *actor) pids(c *testkit.Call, _ json.RawMessage) {
	c.Result(fmt.Sprintf(`{"content":[],"pid":%d,"parent":%d,"orphan":%d}`, os.Getpid(), os.Getppid(), a.orphan))
}

// flood writes 100 MB of one line without an end to standard output, past the transport.
func (a *actor) flood(*testkit.Call, json.RawMessage) {
	block := []byte(strings.Repeat("x", 1<<20))
	for range 100 {
		if _, err := os.Stdout.Write(block); err != nil {
			return
		}
	}
	_, _ = io.WriteString(os.Stdout, "\n")
}
