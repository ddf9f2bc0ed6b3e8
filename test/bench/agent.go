package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/manifold-mcp/manifold/internal/testkit"
)

// buildAgent builds the binary as releases are built, with the probe in it.
func buildAgent(ctx context.Context, dir string, profile bool) (string, error) {
	tags := "nomsgpack"
	if profile {
		tags += ",benchprofile"
	}
	root, err := testkit.Root()
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for _, name := range []string{"probe.go", "probeprofile.go"} { // the second one counts only with its tag
		replace[filepath.Join(root, "cmd", "gateway", "zz_bench_"+name)] = filepath.Join(root, "test", "bench", name)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		return "", err
	}
	out := filepath.Join(dir, "agent")
	if err := os.Setenv("CGO_ENABLED", "0"); err != nil {
		return "", err
	}
	return out, testkit.BuildAgent(ctx, out, "-trimpath", "-tags", tags, "-overlay", file)
}

// server is one entry of mcp.json.
type server map[string]any

// agentArgs lift the limits that protect against what a benchmark does.
var agentArgs = []string{
	"--mcp-rate-limit", "100000000-S", "--trust-proxy", "loopback", "--max-sessions", "1000000", "--drain-delay", "0s", "--grace", "1s",
}

// startAgent starts the agent in front of the servers and waits until it listens. Its log goes to a file, as in a service.
func startAgent(binary, dir, name string, servers map[string]server, more ...string) (*child, error) {
	dir = filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Join(dir, "state"), 0o700); err != nil {
		return nil, err
	}
	text, err := json.Marshal(map[string]any{"mcpServers": servers})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "mcp.json"), text, 0o600); err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		c, err := tryAgent(binary, dir, more)
		// Between choosing a free port and using it somebody else may have taken it.
		if err == nil || attempt == 5 || !strings.Contains(err.Error(), "address already in use") {
			return c, err
		}
	}
}

// tryAgent starts the agent with the configuration in dir on a port that was free a moment ago.
func tryAgent(binary, dir string, more []string) (*child, error) {
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	port, err := testkit.FindPort()
	if err != nil {
		return nil, err
	}
	args := append(append([]string{
		"--config", filepath.Join(dir, "mcp.json"), "--state-dir", filepath.Join(dir, "state"), "--host", "127.0.0.1", "--port", strconv.Itoa(port),
	}, agentArgs...), more...)
	c, err := launch(binary, args, []string{"HOME=" + dir}, nil, log)
	if err != nil {
		return nil, err
	}
	c.addr = fmt.Sprintf("127.0.0.1:%d", port)
	live := false
	testkit.Poll(comeUp, func() bool {
		live = answers(c.addr)
		return live || c.ended()
	})
	if !live || c.ended() { // what answers may be somebody else, who has the port
		c.stop()
		said, _ := os.ReadFile(log.Name())
		return nil, fmt.Errorf("the agent did not come up: %s", said)
	}
	return c, nil
}

// comeUp bounds the time until the agent listens.
const comeUp = 30 * time.Second

func answers(addr string) bool {
	res, err := http.Get("http://" + addr + "/health/live")
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// toolsOf lists the tools that an endpoint serves, until there are as many as wanted; it gives the last answer's bytes.
func toolsOf(addr, path string, want int) ([]byte, error) {
	c, err := dial(addr, path)
	if err != nil {
		return nil, err
	}
	defer c.close()
	if err := c.initialize(); err != nil {
		return nil, err
	}
	var body []byte
	ok := testkit.Poll(30*time.Second, func() bool {
		var a answer
		if a, err = c.exchange("POST", listRequest); err != nil {
			return true
		}
		body = a.body
		return len(testkit.Items(body, "result", "tools")) >= want
	})
	if err == nil && !ok {
		err = errors.New("the tools were not served in time")
	}
	return body, err
}
