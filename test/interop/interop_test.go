//go:build interop

package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manifold-mcp/manifold/internal/testkit"
	"github.com/manifold-mcp/manifold/test/node"
	"github.com/manifold-mcp/manifold/test/probe"
)

// runTimeout bounds one client carrying out one plan.
const runTimeout = 3 * time.Minute

// clients carry out a plan and give the transcript.
var clients = []struct {
	name string
	run  func(t *testing.T, p plan) []entry
}{
	{"ts1", func(t *testing.T, p plan) []entry { return runNode(t, "ts1.mjs", p) }},
	{"ts2", func(t *testing.T, p plan) []entry { return runNode(t, "ts2.mjs", p) }},
	{"go", runGoClient},
}

func TestMain(m *testing.M) {
	code := m.Run()
	testkit.RemoveAgent()
	os.Exit(code)
}

// TestParity compares direct and proxied for every server over every transport the server has, and for the richest
// one also over every transport of the gateway.
func TestParity(t *testing.T) {
	for _, row := range []struct {
		server   server
		upstream string   // how the gateway, or the client, reaches the server
		edges    []string // how the client reaches the gateway
		// isolation is the setting of that name; empty is the default, auto. A server that asks its client something
		// then gets a connection for each client. The gateway's lists are those of the shared connection, so what a server
		// adds to its lists on one client's own connection can be read but is not listed: only the row with shared
		// connections has the steps that are marked so.
		isolation string
	}{
		{everything, "stdio", []string{"http", "sse", "stdio"}, ""},
		{everything, "stdio", []string{"http"}, "shared"},
		{everything, "http", []string{"http"}, ""},
		{everything, "sse", []string{"http"}, ""},
		{filesystem, "stdio", []string{"http"}, ""},
		{memory, "stdio", []string{"http"}, ""},
	} {
		for _, client := range clients {
			t.Run(fmt.Sprintf("%s_%s%s/%s", row.server.name, row.upstream, row.isolation, client.name), func(t *testing.T) {
				t.Parallel()
				dir := folder(t)
				direct := newPlan(row.server, client.name, dir, row.isolation == "shared")
				direct.Target = row.server.start(t, row.upstream, dir)
				transcript := client.run(t, direct)
				checkCoverage(t, transcript, direct.Steps)
				want := normalise(t, transcript, "", dir)
				for _, edge := range row.edges {
					t.Run("through_"+edge, func(t *testing.T) {
						dir := folder(t)
						proxied := newPlan(row.server, client.name, dir, row.isolation == "shared")
						proxied.Prefix = row.server.name + "__"
						proxied.Settle = true
						proxied.Target = throughAgent(t, row.server.name, row.isolation, row.server.start(t, row.upstream, dir), edge)
						got := normalise(t, client.run(t, proxied), proxied.Prefix, dir)
						for _, s := range direct.Steps {
							// The folder is in the steps' arguments, never in their labels.
							if diff := cmp.Diff(want[s.Label], got[s.Label]); diff != "" {
								t.Errorf("%s (-direct +proxied):\n%s", s.Label, diff)
							}
						}
					})
				}
			})
		}
	}
}

// folder is a new working folder, with the same files in it each time, under its real path: the filesystem server
// resolves symbolic links.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	work := filepath.Join(dir, "work")
	seedFiles(t, work)
	return work
}

// newPlan is the plan of a server for a client, with the answers that the client gives; its root is the working
// folder, because the filesystem server serves what the client names as its roots.
func newPlan(s server, client, dir string, shared bool) plan {
	return plan{
		Roots:       []root{{URI: (&url.URL{Scheme: "file", Path: dir}).String(), Name: "work"}},
		Sampling:    json.RawMessage(`{"model":"canned","role":"assistant","content":{"type":"text","text":"hi"},"stopReason":"endTurn"}`),
		Elicitation: map[string]any{"name": "Ada", "check": true, "integer": 7},
		Steps:       numbered(s.steps(dir), client, shared),
	}
}

// start gives a way to a fresh process of the server: the command that starts it, or the URL of one that runs.
func (s server) start(t *testing.T, kind, dir string) target {
	t.Helper()
	command, script := node.Binary(t), node.Script(t, s.script)
	env := map[string]string{"PATH": os.Getenv("PATH"), "TZ": "UTC"}
	for name, value := range s.env(dir) {
		env[name] = value
	}
	args := append([]string{script}, s.args(dir)...)
	if kind == "stdio" {
		return target{Kind: kind, Command: command, Args: args, Env: env}
	}
	port := testkit.FreePort(t)
	mode, path := "streamableHttp", "/mcp"
	if kind == "sse" {
		mode, path = "sse", "/sse"
	}
	environ := []string{fmt.Sprintf("PORT=%d", port)}
	for name, value := range env {
		environ = append(environ, name+"="+value)
	}
	proc, err := testkit.Program{Path: command, Args: append(args, mode), Env: environ}.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proc.Close)
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	probe.Listening(t, addr)
	return target{Kind: kind, URL: "http://" + addr + path}
}

// throughAgent starts the gateway in front of the server and gives the way to the gateway.
func throughAgent(t *testing.T, name, isolation string, to target, edge string) target {
	t.Helper()
	entry := map[string]any{"type": to.Kind, "url": to.URL}
	if to.Kind == "stdio" {
		entry = map[string]any{"command": to.Command, "args": to.Args, "env": to.Env}
	}
	if isolation != "" {
		entry["isolation"] = isolation
	}
	setup := testkit.Setup{Servers: map[string]any{name: entry}, Args: []string{"--drain-delay", "0s"}}
	if edge == "stdio" {
		dir := t.TempDir()
		config := filepath.Join(dir, "mcp.json")
		if err := os.WriteFile(config, setup.JSON(t), 0o600); err != nil {
			t.Fatal(err)
		}
		return target{
			Kind: "stdio", Command: testkit.Agent(t),
			Args: []string{"--transport", "stdio", "--config", config, "--state-dir", filepath.Join(dir, "state"), "--drain-delay", "0s"},
			Env:  map[string]string{"PATH": os.Getenv("PATH"), "HOME": dir},
		}
	}
	gateway := testkit.StartGateway(t, setup)
	if edge == "sse" {
		return target{Kind: "sse", URL: gateway.URL("/sse")}
	}
	return target{Kind: "http", URL: gateway.URL("/mcp")}
}

// runNode lets one of the Node clients carry out the plan.
func runNode(t *testing.T, script string, p plan) []entry {
	t.Helper()
	input, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), runTimeout)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, node.Binary(t), script)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, stderr.Bytes())
	}
	var transcript []entry
	if err := json.Unmarshal(stdout.Bytes(), &transcript); err != nil {
		t.Fatalf("%s wrote no transcript: %v\n%s", script, err, stderr.Bytes())
	}
	if len(transcript) != len(p.Steps) {
		t.Fatalf("%s wrote %d entries for %d steps", script, len(transcript), len(p.Steps))
	}
	return transcript
}
