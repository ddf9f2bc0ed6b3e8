package testkit

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Setup says how to start the agent.
type Setup struct {
	// Servers is the mcpServers section: name to entry, in any form that encoding/json can write.
	Servers map[string]any
	// Config holds further members of mcp.json.
	Config map[string]any
	// Args are further flags.
	Args []string
	// Env is added to the environment.
	Env []string
	// StateDir is kept by the caller to start a second agent on the same state; a new folder when empty.
	StateDir string
	// Port is kept by the caller to start a second agent on the same address; a free one when zero.
	Port int
}

// Gateway is a running agent.
type Gateway struct {
	*Process
	// Port and StateDir are what it was started with, for a successor.
	Port     int
	StateDir string
}

// startWithin bounds the time from the start of the process to its listener being up.
const startWithin = 60 * time.Second

// StartGateway starts the agent and waits until it listens. It is ended with the test; its log is shown when the test
// failed, and a report of the race detector fails the test.
func StartGateway(tb testing.TB, s Setup) *Gateway {
	tb.Helper()
	var g *Gateway
	for attempt := range 5 {
		g = s.launch(tb)
		if g.awaitLive() {
			return g
		}
		// Between choosing a free port and using it somebody else may have taken it.
		if s.Port != 0 || !strings.Contains(g.Log(), "address already in use") {
			break
		}
		tb.Logf("attempt %d: the port was taken meanwhile", attempt+1)
	}
	tb.Fatalf("the agent did not come up within %v; its log:\n%s", startWithin, g.Log())
	return nil
}

func (s Setup) launch(tb testing.TB) *Gateway {
	tb.Helper()
	g := &Gateway{Port: s.Port, StateDir: s.StateDir}
	if g.Port == 0 {
		g.Port = FreePort(tb)
	}
	if g.StateDir == "" {
		g.StateDir = tb.TempDir()
	}
	args := append([]string{
		"--config", s.write(tb), "--host", "127.0.0.1", "--port", strconv.Itoa(g.Port), "--state-dir", g.StateDir,
	}, s.Args...)
	proc, err := Program{Path: Agent(tb), Args: args, Env: append(CleanEnv(tb.TempDir()), s.Env...)}.Start()
	if err != nil {
		tb.Fatal(err)
	}
	g.Process = proc
	watch(tb, proc)
	return g
}

// write writes mcp.json and gives its path.
func (s Setup) write(tb testing.TB) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "mcp.json")
	if err := os.WriteFile(path, s.JSON(tb), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// JSON gives the text of mcp.json.
func (s Setup) JSON(tb testing.TB) []byte {
	tb.Helper()
	all := map[string]any{"mcpServers": s.Servers}
	maps.Copy(all, s.Config)
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// watch ends the process with the test and reports on it.
func watch(tb testing.TB, proc *Process) {
	tb.Cleanup(func() {
		_, _ = proc.Stop(10 * time.Second)
		proc.Close()
		log := proc.Log()
		if at := strings.Index(log, "WARNING: DATA RACE"); at >= 0 {
			tb.Errorf("data race in the agent:\n%s", log[at:])
		} else if at := strings.Index(log, "\npanic: "); at >= 0 {
			tb.Errorf("the agent panicked:\n%s", log[at:])
		}
		if tb.Failed() {
			const enough = 16 << 10
			if len(log) > enough {
				log = "…" + log[len(log)-enough:]
			}
			tb.Logf("log of the agent (pid %d):\n%s", proc.PID(), log)
		}
	})
}

// URL gives the address of a path (and query) on the gateway.
func (g *Gateway) URL(path string) string { return fmt.Sprintf("http://127.0.0.1:%d%s", g.Port, path) }

// Addr gives the gateway's host and port.
func (g *Gateway) Addr() string { return fmt.Sprintf("127.0.0.1:%d", g.Port) }

// Listens tells whether the gateway accepts connections.
func (g *Gateway) Listens() bool {
	conn, err := net.DialTimeout("tcp", g.Addr(), time.Second)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// awaitLive waits until /health/live answers 200; false when the process ended or the time is over.
func (g *Gateway) awaitLive() bool {
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	live := false
	Poll(startWithin, func() bool {
		select {
		case <-g.Done():
			return true
		default:
		}
		res, err := client.Get(g.URL("/health/live"))
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		// Somebody else who took the port would answer, too; the agent's log has its address once it listens.
		live = res.StatusCode == http.StatusOK && strings.Contains(g.Log(), g.Addr())
		return live
	})
	return live
}

// StdioGateway starts the agent with --transport stdio; the caller talks to it through a [Stdio] client.
func StdioGateway(tb testing.TB, s Setup) *Process {
	tb.Helper()
	state := s.StateDir
	if state == "" {
		state = tb.TempDir()
	}
	args := append([]string{"--transport", "stdio", "--config", s.write(tb), "--state-dir", state}, s.Args...)
	proc, err := Program{Path: Agent(tb), Args: args, Env: append(CleanEnv(tb.TempDir()), s.Env...), Pipes: true}.Start()
	if err != nil {
		tb.Fatal(err)
	}
	watch(tb, proc)
	return proc
}

// CleanEnv gives the environment of the test without what would steer the agent, and with a home of its own.
func CleanEnv(home string) []string {
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		switch {
		case strings.HasPrefix(name, "ONE_MCP_"), strings.HasPrefix(name, "XDG_"), name == "HOME", name == "LOG_LEVEL":
		default:
			env = append(env, kv)
		}
	}
	return append(env, "HOME="+home)
}

// FreePort gives a TCP port of the loopback interface that nobody uses at this moment.
func FreePort(tb testing.TB) int {
	tb.Helper()
	port, err := FindPort()
	if err != nil {
		tb.Fatal(err)
	}
	return port
}

// FindPort is FreePort outside of a test.
func FindPort() (int, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}
