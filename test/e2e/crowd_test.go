package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/manifold-mcp/manifold/internal/testkit"
)

// TestIdenticalIDsAndTokens: a hundred clients use the same id and the same progress token at the same moment, on
// every transport, and each gets its own answer and its own progress (security-reliability S33).
func TestIdenticalIDsAndTokens(t *testing.T) {
	t.Parallel()
	const clients = 100
	g := start(t, everyUpstream(t))
	crowd := make([]*member, clients)
	for i := range crowd {
		crowd[i] = joinCrowd(t, g, i)
	}
	for _, upstream := range upstreamKinds {
		await(t, crowd[0].conn, upstream+"__gather")
	}
	for _, upstream := range upstreamKinds {
		t.Run(upstream, func(t *testing.T) {
			ctx := deadline(t)
			var wg sync.WaitGroup
			for i, m := range crowd {
				wg.Go(func() {
					if err := m.gather(ctx, upstream, clients); err != nil {
						t.Errorf("client %d: %v", i, err)
					}
				})
			}
			wg.Wait()
		})
	}
}

// member is one client of the crowd.
type member struct {
	conn  testkit.Conn
	nonce string

	mu   sync.Mutex
	told []string
}

// joinCrowd connects a client; every fourth comes by HTTP+SSE.
func joinCrowd(t *testing.T, g *testkit.Gateway, i int) *member {
	t.Helper()
	m := &member{nonce: fmt.Sprintf("nonce %d", i)}
	hello := testkit.Greeting{Version: newest}
	if i%4 == 3 {
		m.conn = connectSSE(t, g, "/sse", hello, m.hear)
	} else {
		m.conn = connectAs(t, g, "/mcp", hello, m.hear)
	}
	return m
}

func (m *member) hear(n testkit.Message) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n.Method == "notifications/progress" {
		m.told = append(m.told, string(testkit.Get(n.Params, "progressToken"))+" "+testkit.GetString(n.Params, "message"))
	}
	return nil
}

// gather makes one call under the id and token that everybody uses, and says what was wrong with what came back.
func (m *member) gather(ctx context.Context, upstream string, n int) error {
	m.mu.Lock()
	m.told = nil
	m.mu.Unlock()
	answer, err := m.conn.Do(ctx, testkit.Request("7", "tools/call", fmt.Sprintf(
		`{"name":"%s__gather","arguments":{"n":%d,"nonce":%q},"_meta":{"progressToken":"same"}}`, upstream, n, m.nonce)))
	if err != nil {
		return err
	}
	if said(answer.Result) != m.nonce {
		return fmt.Errorf("asked with %q, answered %.200s", m.nonce, answer.Raw)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	want := `"same" ` + m.nonce
	if len(m.told) != 3 {
		return fmt.Errorf("told %q before the answer, want %q three times", m.told, want)
	}
	for _, told := range m.told {
		if told != want {
			return fmt.Errorf("told %q, want %q", told, want)
		}
	}
	return nil
}
