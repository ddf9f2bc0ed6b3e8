//go:build unix

package e2e

import (
	"testing"
	"time"

	"github.com/manifold-mcp/manifold/internal/testkit"
)

// family starts the agent in front of every kind of child process there is and gives the pids of all processes, by name.
func family(t *testing.T) (*testkit.Gateway, map[string]int) {
	t.Helper()
	roles := map[string]role{
		"plain":         {},
		"busy":          {},
		"stubborn":      {Stubborn: true},
		"shell":         {Shell: true},
		"stubbornshell": {Shell: true, Stubborn: true},
		"parent":        {Orphan: true},
	}
	servers := map[string]any{}
	for name, r := range roles {
		r.Name = name
		servers[name] = stdio(t, r)
	}
	g := start(t, servers, "--grace", "1s")
	c := connect(t, g, "/mcp")
	pids := map[string]int{}
	for name, r := range roles {
		await(t, c, name+"__pids")
		result := call(t, c, name+"__pids", `{}`)
		pids[name] = testkit.GetInt(result, "pid")
		if r.Shell {
			pids["parent of "+name] = testkit.GetInt(result, "parent")
		}
		if r.Orphan {
			pids["orphan of "+name] = testkit.GetInt(result, "orphan")
		}
	}
	// One of them is in the middle of a call.
	go func() { _, _ = c.Do(t.Context(), testkit.ToolCall(`"held"`, "busy__hold", `{"key":"for ever"}`)) }()
	awaitHolding(t, c, "busy", "for ever")
	for name, pid := range pids {
		if pid <= 1 || !testkit.Alive(pid) {
			t.Fatalf("%s (pid %d) does not run", name, pid)
		}
	}
	return g, pids
}

// gone waits until none of the processes runs any more.
func gone(t *testing.T, pids map[string]int, within time.Duration) {
	t.Helper()
	begun := time.Now()
	left := func() (names []string) {
		for name, pid := range pids {
			if testkit.Alive(pid) {
				names = append(names, name)
			}
		}
		return names
	}
	testkit.Poll(within, func() bool { return len(left()) == 0 })
	for _, name := range left() {
		t.Errorf("%q (pid %d) still runs %v after the agent ended", name, pids[name], time.Since(begun).Round(time.Millisecond))
		testkit.KillPID(pids[name])
	}
}

// TestKilledGatewayLeavesNoChild: after kill -9, which leaves the agent no chance to do anything, no child and no
// grandchild runs for more than 5 s (security-reliability D4).
func TestKilledGatewayLeavesNoChild(t *testing.T) {
	t.Parallel()
	g, pids := family(t)
	g.Kill()
	gone(t, pids, 5*time.Second)
}

// TestStoppedGatewayLeavesNoChild: after SIGTERM the agent has ended all process groups before it exits, also of servers
// that ignore the end of their input and SIGTERM (security-reliability D3).
func TestStoppedGatewayLeavesNoChild(t *testing.T) {
	t.Parallel()
	g, pids := family(t)
	code, inTime := g.Stop(20 * time.Second)
	if !inTime || code != 0 {
		t.Errorf("after SIGTERM: exit code %d, ended in time: %t", code, inTime)
	}
	gone(t, pids, time.Second)
}
