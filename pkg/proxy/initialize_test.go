package proxy

import (
	"strings"
	"testing"

	"github.com/manifold-mcp/manifold/pkg/wire"
)

// A session keeps what its client says of itself, so that is bounded: a flood of sessions must not fill the memory.
func TestLongIntroductionsAreRefused(t *testing.T) {
	long := `"` + strings.Repeat("x", maxIntroduction) + `"`
	for member, body := range map[string]string{
		"clientInfo":   `"capabilities":{},"clientInfo":{"name":` + long + `}`,
		"capabilities": `"capabilities":{"experimental":{"a":` + long + `}},"clientInfo":{}`,
	} {
		m, err := wire.Parse([]byte(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",` + body + `}}`))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseInitialize(&m); err == nil || !strings.Contains(err.Message, member) {
			t.Errorf("%s: %v", member, err)
		}
	}
}
