package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/manifold-mcp/manifold/internal/testkit"
)

// TestOneHungServerAmongTwenty: a server that reads and never answers delays neither the start nor the first list.
func TestOneHungServerAmongTwenty(t *testing.T) {
	servers := map[string]any{"s07": stdio(t, role{Name: "s07", Hang: true})}
	var want []string
	for i := range 20 {
		name := fmt.Sprintf("s%02d", i)
		if servers[name] == nil {
			servers[name] = stdio(t, role{Name: name})
			want = append(want, name+"__mirror")
		}
	}
	limit := 2 * time.Second
	if testkit.RaceEnabled { // twenty processes start at once, each many times slower
		limit = 10 * time.Second
	}
	g := start(t, servers)
	up := time.Now()
	c := connect(t, g, "/mcp")
	first := toolNames(t, c)
	if took := time.Since(up); took > limit {
		t.Errorf("the first tools/list was answered %v after the listener was up, want at most %v", took, limit)
	}
	t.Logf("first tools/list after %v with %d tools", time.Since(up), len(first))
	await(t, c, want...)
	if took := time.Since(up); took > limit {
		t.Errorf("the tools of the other 19 servers were served %v after the listener was up, want at most %v", took, limit)
	}
	if m := do(t, c, testkit.ToolCall("1", "s07__mirror", `{}`)); m.Error == nil {
		t.Errorf("a call to the hung server should fail at once, got %s", m.Raw)
	}
}
