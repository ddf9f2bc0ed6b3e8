package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/manifold-mcp/manifold/internal/testkit"
	"github.com/manifold-mcp/manifold/pkg/config"
)

// agent runs the program to its end and gives its exit code and what it wrote.
func agent(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, notes bytes.Buffer
	err := run(t.Context(), args, testkit.CleanEnv(t.TempDir()), strings.NewReader(""), &out, &notes)
	code = exitCode(err, &notes)
	return code, out.String(), notes.String()
}

// written writes a file into a new folder and gives its path.
func written(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestExitCodesAndWhatIsPrinted(t *testing.T) {
	good := written(t, "mcp.json", `{"mcpServers":{"a":{"command":"true"},"b":{"url":"http://127.0.0.1:1/mcp","disabled":true}}}`)
	typo := written(t, "mcp.json", "{\"mcpServers\":{\n\"a\":{\"command\":\"true\",\"tagz\":[]}}}")
	bad := written(t, "mcp.json", "{\"mcpServers\":{\n\"a\":{\"comand\":\"true\"}}}")
	broken := written(t, "mcp.json", `{"mcpServers":`)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	nowhere := filepath.Join(t.TempDir(), "mcp.json")
	for _, c := range []struct {
		rule           string
		args           string
		code           int
		stdout, stderr string // parts; an empty one means that nothing is written
	}{
		{"the version", "version", 0, "agent " + version, ""},
		{"the version as a flag", "--version", 0, version, ""},
		{"help", "--help", 0, "example-server", ""},
		{"the guardian is not for people", "help guard", 0, "Usage", ""},
		{"a flag that is not known", "--nonsense", 2, "", "unknown flag: --nonsense"},
		{"a command that is not known", "nonsense", 2, "", `unknown command "nonsense"`},
		{"an argument too many", "serve more", 2, "", "more"},
		{"a wrong value", "--port 99999", 2, "", "--port"},
		{"what would do the opposite", "--stop", 2, "", "--stop"},
		{"a configuration that is not there", "--config " + nowhere, 2, "", nowhere},
		{"a configuration that is not JSON", "--config " + broken, 2, "", broken},
		{"a preset that is not there", "--preset dev --config " + good, 2, "", `preset "dev"`},
		{"a filter that is not one", "--filter ( --config " + good, 2, "", "--filter"},
		{"a key that is not one", "--key abc --config " + good, 2, "", "ONE_MCP_KEY"},
		{"an address that is taken", "--port " + port + " --config " + good, 1, "", "--port"},
		{"validate: nothing wrong", "validate --config " + good, 0, good + ": 2 servers (1 enabled), 0 presets, 0 errors, 0 warnings\n", ""},
		{"validate: a warning is no failure", "validate --config " + typo, 0, typo + `:2:23: warning: mcpServers.a.tagz: is not a known key and has no effect; did you mean "tags"?`, ""},
		{"validate: an error is one", "validate --config " + bad, 2, bad + ":2:5: error: mcpServers.a: has neither command nor url", ""},
		{"validate: a flag that is refused", "validate --stop --config " + good, 2, "error: --stop", ""},
		{"validate: a flag that is wrong", "validate --grace soon --config " + good, 2, "", "--grace"},
		{"validate: no file", "validate --config " + nowhere, 2, "", nowhere},
		{"validate: not JSON", "validate --config " + broken, 2, "", broken},
	} {
		t.Run(c.rule, func(t *testing.T) {
			code, stdout, stderr := agent(t, append(strings.Fields(c.args), "--state-dir", t.TempDir())...)
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			for _, w := range []struct{ name, got, want string }{{"output", stdout, c.stdout}, {"error output", stderr, c.stderr}} {
				if !strings.Contains(w.got, w.want) || w.want == "" && w.got != "" {
					t.Errorf("%s is %q, want %q in it", w.name, w.got, w.want)
				}
			}
		})
	}
}

func TestConfigSchemaPrintsTheSchema(t *testing.T) {
	code, stdout, stderr := agent(t, "config", "schema")
	if code != 0 || stdout != string(config.Schema()) || !json.Valid([]byte(stdout)) || stderr != "" {
		t.Errorf("exit code %d, %d bytes, error output %q", code, len(stdout), stderr)
	}
}

// TestStdioTransport: the client on standard input gets the tools, the calls and nothing but protocol on standard output;
// when it leaves, the program ends.
func TestStdioTransport(t *testing.T) {
	notes, _, _ := startExample(t, nil, nil, exampleOptions{HTTP: "127.0.0.1:0"})
	if !notes.Scan() {
		t.Fatal("no address was told")
	}
	_, url, _ := strings.Cut(notes.Text(), "listening on ")
	path := written(t, "mcp.json", `{"mcpServers":{"demo":{"url":"`+url+`"}}}`)
	in, toAgent := io.Pipe()
	fromAgent, out := io.Pipe()
	var log bytes.Buffer
	done := make(chan error, 1)
	go func() {
		done <- run(t.Context(), []string{"--transport", "stdio", "--config", path, "--state-dir", t.TempDir()},
			testkit.CleanEnv(t.TempDir()), in, out, &log)
	}()
	session := tryEcho(t, &mcp.IOTransport{Reader: fromAgent, Writer: toAgent}, "demo__echo")
	if err := session.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Errorf("a client that leaves is a normal end, got %v; the log:\n%s", err, log.String())
	}
}

// TestReadmeCommand runs what the README says first, with the arguments that stand there: the example configuration serves the
// tools of the example server.
func TestReadmeCommand(t *testing.T) {
	root, err := testkit.Root()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(root)
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	const command = "go run ./cmd/gateway "
	at := bytes.Index(readme, []byte("\n"+command))
	if at < 0 {
		t.Fatalf("README.md has no line that begins with %q", command)
	}
	line, _, _ := strings.Cut(string(readme[at+1:]), "\n")
	args := strings.Fields(strings.TrimPrefix(line, command))
	if !slices.Contains(args, "mcp.json.example") {
		t.Errorf("the README runs %q, not the example configuration", line)
	}

	environ := slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "ONE_MCP_") })
	ctx, stop := context.WithCancel(t.Context())
	log := &serving{address: make(chan string, 1)}
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, append(args, "--port", "0", "--state-dir", t.TempDir()), environ, nil, io.Discard, log)
	}()
	select {
	case url := <-log.address:
		session := tryEcho(t, &mcp.StreamableClientTransport{Endpoint: url}, "example__echo")
		if err := session.Close(); err != nil {
			t.Error(err)
		}
		stop()
		err = <-done
	case err = <-done:
		stop()
		t.Error("ended before it served")
	}
	if err != nil {
		t.Error(err)
	}
}

// serving takes a log and tells the address that is served.
type serving struct{ address chan string }

func (s *serving) Write(line []byte) (int, error) {
	var entry struct{ Message, Address string }
	if json.Unmarshal(line, &entry) == nil && entry.Message == "serving" {
		s.address <- entry.Address
	}
	return len(line), nil
}

// tryEcho connects and calls a tool called echo under its public name, as soon as it is served.
func tryEcho(t *testing.T, transport mcp.Transport, tool string) *mcp.ClientSession {
	t.Helper()
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), transport, &mcp.ClientSessionOptions{ProtocolVersion: "2025-11-25"})
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	testkit.Until(t, 2*time.Minute, tool+" is served", func() bool { // go run may have to compile first
		list, err := session.ListTools(t.Context(), nil)
		if err != nil {
			t.Fatalf("tools/list: %v", err)
		}
		return slices.ContainsFunc(list.Tools, func(t *mcp.Tool) bool { return t.Name == tool })
	})
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: map[string]any{"message": "hi"}})
	if err != nil {
		t.Fatalf("tools/call: %v", err)
	}
	if diff := cmp.Diff([]mcp.Content{&mcp.TextContent{Text: "hi"}}, result.Content); diff != "" {
		t.Errorf("content (-want +got):\n%s", diff)
	}
	return session
}
