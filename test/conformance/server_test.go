//go:build conformance

package conformance

import (
	"fmt"
	"testing"

	"github.com/manifold-mcp/manifold/internal/testkit"
	"github.com/manifold-mcp/manifold/test/probe"
)

// serverGates are the revisions that the gateway speaks and how many server scenarios the suite has for each.
var serverGates = []struct {
	revision  string
	scenarios int
}{
	{"2025-03-26", 1},
	{"2025-06-18", 27},
	{"2025-11-25", 33},
}

// serverName is the gateway's name for the everything-server, and so the default prefix of its names.
const serverName = "everything"

func TestServerMode(t *testing.T) {
	direct := map[string]report{}
	for _, gate := range serverGates {
		direct[gate.revision] = serverSuite(t, startEverything(t), gate.revision)
		if got := len(direct[gate.revision].scenarios); got != gate.scenarios {
			t.Fatalf("%s: the direct run has %d scenarios, expected %d: is the suite another version?\n%s",
				gate.revision, got, gate.scenarios, direct[gate.revision].excerpt())
		}
		record("direct", gate.revision, gate.scenarios, direct[gate.revision], direct[gate.revision])
	}
	for _, way := range []struct {
		gate string
		open func(t *testing.T) (url string)
	}{
		{"S1 http", func(t *testing.T) string {
			return startAgent(t, map[string]any{"type": "http", "url": startEverything(t), "prefix": ""})
		}},
		{"S4 stdio", func(t *testing.T) string {
			return startAgent(t, map[string]any{"command": everythingServer, "prefix": ""})
		}},
		{"S5 http, prefix", func(t *testing.T) string {
			return startShim(t, startAgent(t, map[string]any{"type": "http", "url": startEverything(t)}), serverName+"__")
		}},
		{"S5 stdio, prefix", func(t *testing.T) string {
			return startShim(t, startAgent(t, map[string]any{"command": everythingServer}), serverName+"__")
		}},
	} {
		t.Run(way.gate, func(t *testing.T) {
			url := way.open(t)
			for _, gate := range serverGates {
				t.Run(gate.revision, func(t *testing.T) {
					judge(t, way.gate, gate.revision, gate.scenarios, serverSuite(t, url, gate.revision), direct[gate.revision])
				})
			}
		})
	}
}

// startEverything runs the SDK's conformance server over streamable HTTP with sessions and gives its URL.
func startEverything(t *testing.T) (url string) {
	t.Helper()
	addr := fmt.Sprintf("127.0.0.1:%d", testkit.FreePort(t))
	proc, err := testkit.Program{Path: everythingServer, Args: []string{"-http=" + addr, "-stateless=false"}}.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proc.Close)
	probe.Listening(t, addr)
	return "http://" + addr + "/mcp"
}

// startAgent runs the gateway with one server and waits until it offers that server's tools.
func startAgent(t *testing.T, entry map[string]any) (url string) {
	t.Helper()
	url = testkit.StartGateway(t, testkit.Setup{
		Servers: map[string]any{serverName: entry},
		Args:    []string{"--drain-delay", "0s"}, // there is no balancer to tell
	}).URL("/mcp")
	probe.OffersTools(t, url)
	return url
}
