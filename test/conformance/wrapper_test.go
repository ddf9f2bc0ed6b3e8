//go:build conformance

package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/manifold-mcp/manifold/internal/testkit"
	"github.com/manifold-mcp/manifold/test/probe"
)

// The suite starts a client as `CMD URL`. Through the gateway CMD is this test program itself, told by these variables
// that it is to be the wrapper.
const (
	wrapperEnv = "MANIFOLD_CONFORMANCE_AGENT"  // the path of the agent
	wrappedEnv = "MANIFOLD_CONFORMANCE_CLIENT" // the path of the client that stands in front of it
)

// wrapperTimeout ends the wrapper before the suite would kill it, so that the gateway is always stopped.
const wrapperTimeout = 50 * time.Second

// connectTimeout bounds the time until the gateway is connected to the suite's server.
const connectTimeout = 20 * time.Second

// runWrapper starts the agent with the suite's server as its only one, runs the client against the agent, and stops
// the agent. Every check of the suite then judges the agent.
func runWrapper(agent, suiteURL string) error {
	ctx, cancel := context.WithTimeout(context.Background(), wrapperTimeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "manifold-wrapper-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	config, err := json.Marshal(map[string]any{"mcpServers": map[string]any{
		"suite": map[string]any{"type": "http", "url": suiteURL, "prefix": ""},
	}})
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "mcp.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		return err
	}
	port, err := freePort(ctx)
	if err != nil {
		return err
	}
	proc, err := testkit.Program{
		Path: agent,
		Args: []string{"--config", file, "--host", "127.0.0.1", "--port", strconv.Itoa(port), "--state-dir", filepath.Join(dir, "state"), "--drain-delay", "0s"},
		Env:  append(testkit.CleanEnv(dir), wrapperEnv+"="),
	}.Start()
	if err != nil {
		return err
	}
	defer func() {
		_, _ = proc.Stop(5 * time.Second)
		proc.Close()
		fmt.Fprint(os.Stderr, proc.Log())
	}()
	url := fmt.Sprintf("http://127.0.0.1:%d/mcp", port)
	// The server of the scenario initialize has no tools to wait for.
	toolless := os.Getenv("MCP_CONFORMANCE_SCENARIO") == "initialize"
	if !testkit.Poll(connectTimeout, func() bool {
		tools, err := probe.Tools(ctx, url)
		return err == nil && (toolless || len(tools) > 0)
	}) {
		return fmt.Errorf("the gateway did not come up in front of %s", suiteURL)
	}
	client := exec.CommandContext(ctx, os.Getenv(wrappedEnv), url)
	client.Stdout, client.Stderr = os.Stdout, os.Stderr
	return client.Run()
}

// freePort gives a loopback port that nobody uses at this moment.
func freePort(ctx context.Context) (int, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}
