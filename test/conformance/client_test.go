//go:build conformance

package conformance

import (
	"os"
	"testing"

	"github.com/manifold-mcp/manifold/internal/testkit"
)

// clientGates are the client scenarios without authorization; 2025-03-26 has none.
var clientGates = []struct {
	revision  string
	scenarios []string
}{
	{"2025-06-18", []string{"initialize", "tools_call"}},
	{"2025-11-25", []string{
		"initialize", "tools_call", "elicitation-sep1034-client-defaults", "sse-retry", "json-schema-2020-12-preservation",
	}},
}

// TestClientMode lets the suite judge the gateway as a client of a server. The scenarios run one by one; the suite
// would start a whole list at once.
func TestClientMode(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	env := []string{wrapperEnv + "=" + testkit.Agent(t), wrappedEnv + "=" + everythingClient}
	for _, gate := range clientGates {
		t.Run(gate.revision, func(t *testing.T) {
			direct, got := newReport(), newReport()
			for _, scenario := range gate.scenarios {
				direct.add(clientScenario(t, nil, everythingClient, scenario, gate.revision))
				got.add(clientScenario(t, env, self, scenario, gate.revision))
			}
			record("direct client", gate.revision, len(direct.scenarios), direct, direct)
			judge(t, "C1 client", gate.revision, len(gate.scenarios), got, direct)
		})
	}
}

func newReport() report { return report{scenarios: map[string][]check{}} }

// add takes the scenarios of another run in.
func (r *report) add(other report) {
	for scenario, checks := range other.scenarios {
		r.scenarios[scenario] = checks
	}
	r.exit = max(r.exit, other.exit)
	r.output += other.output
}
