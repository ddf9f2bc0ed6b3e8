package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// parseOne loads a single server from the text of its entry and fails the test on any problem.
func parseOne(t *testing.T, entry string, environ ...string) Server {
	t.Helper()
	return parseFile(t, `{"mcpServers": {"s": `+entry+`}}`, environ...).Servers[0]
}

// parseFile loads a text that must have no problem and at least one server.
func parseFile(t *testing.T, text string, environ ...string) *File {
	t.Helper()
	file, report, err := Parse([]byte(text), t.TempDir(), EnvFrom(environ))
	report = slices.DeleteFunc(report, func(p Problem) bool { return strings.Contains(p.Message, "in this version") })
	if err != nil || len(report) > 0 || len(file.Servers) == 0 {
		t.Fatalf("Parse(%s) = %v, problems %v, error %v", text, file, report, err)
	}
	return file
}

func reveal(m map[string]Secret) map[string]string {
	if m == nil {
		return nil
	}
	out := map[string]string{}
	for k, v := range m {
		out[k] = v.Reveal()
	}
	return out
}

func TestEveryKeyReachesItsField(t *testing.T) {
	file, report, err := Load("testdata/good/everything.json", EnvFrom([]string{"B=2"}))
	if err != nil || report.HasErrors() {
		t.Fatalf("Load: %v %v", report, err)
	}
	yes, no, zero, three := true, false, 0, 3
	delay, shortDelay, empty := 2*time.Second, 250*time.Millisecond, ""
	program := file.Servers[0]
	if diff := cmp.Diff(map[string]string{"SHARED": "1", "OWN": "own", "PORT": "3000"}, reveal(program.Env)); diff != "" {
		t.Errorf("env (-want +got):\n%s", diff)
	}
	program.Env, program.shown = nil, nil
	want := Server{
		Name: "program", Transport: TransportStdio, Command: "server", Args: []string{"--flag", "value", "5", "true"}, Cwd: "/srv",
		InheritParentEnv: true, EnvFilter: []string{"PATH", "HOME", "NODE_*", "!NODE_SECRET"}, Stderr: StderrIgnore,
		RestartOnExit: &no, MaxRestarts: &zero, RestartDelay: &delay, Tags: []string{"a", "b"}, DisabledTools: []string{"rm"},
		ToolDescriptionOverrides: map[string]string{"ls": "List."}, InstructionOverride: &empty, Prefix: &empty,
		Isolation: IsolationSession, ConnectionTimeout: 6 * time.Second, RequestTimeout: 7 * time.Second,
	}
	if diff := cmp.Diff(fields(want), fields(program)); diff != "" {
		t.Errorf("program (-want +got):\n%s", diff)
	}

	remote := file.Servers[1]
	if got := remote.URL.Reveal(); got != "https://example.com/mcp" || remote.Transport != TransportHTTP || remote.TransportInferred {
		t.Errorf("remote: url %s, transport %s, inferred %v", got, remote.Transport, remote.TransportInferred)
	}
	if diff := cmp.Diff(map[string]string{"Authorization": "Bearer x"}, reveal(remote.Headers)); diff != "" {
		t.Errorf("headers of an entry replace those of serverDefaults (-want +got):\n%s", diff)
	}
	wantOAuth := OAuth{ClientID: "id", ClientSecret: "s", Scopes: []string{"a"}, AutoRegister: &no, RedirectURL: "http://127.0.0.1/cb"}
	if diff := cmp.Diff(wantOAuth, *remote.OAuth); diff != "" || remote.OAuth.ClientSecret.Reveal() != "s" {
		t.Errorf("oauth (-want +got):\n%s", diff)
	}
	if remote.RestartOnExit != nil || remote.Env != nil || remote.EnvFilter != nil {
		t.Error("serverDefaults for programs reached a remote server")
	}

	codex, list, gemini := file.Servers[2], file.Servers[3], file.Servers[4]
	if codex.ConnectionTimeout != 20*time.Second || codex.RequestTimeout != 30*time.Second {
		t.Errorf("1MCP merges by key: connectionTimeout of serverDefaults wins over another key of the entry; got %v %v", codex.ConnectionTimeout, codex.RequestTimeout)
	}
	if diff := cmp.Diff([]*bool{&yes}, []*bool{codex.RestartOnExit}); diff != "" || *codex.MaxRestarts != three || *codex.RestartDelay != shortDelay {
		t.Errorf("restart defaults: %v %v %v", codex.RestartOnExit, codex.MaxRestarts, codex.RestartDelay)
	}
	if diff := cmp.Diff(map[string]string{"A": "1", "B": "2"}, reveal(list.Env)); diff != "" || list.Stderr != StderrInherit {
		t.Errorf("an env list replaces that of serverDefaults and inherits (-want +got):\n%s stderr %s", diff, list.Stderr)
	}
	if gemini.Transport != TransportHTTP || !cmp.Equal(gemini.OAuth.Scopes, []string{"a", "b"}) || gemini.OAuth.ClientID != "" {
		t.Errorf("gemini: %v %v", gemini.Transport, gemini.OAuth)
	}
	if got := file.Servers[5].Transport; got != TransportSSE {
		t.Errorf("a URL whose path ends with /sse: %v", got)
	}
	if got := file.Servers[6].Name; got != "vscode" {
		t.Errorf("servers beside mcpServers: %q", got)
	}
}

// fields returns the exported fields of a server, because cmp shows and compares a Server by its String.
func fields(s Server) map[string]any {
	out := map[string]any{}
	v := reflect.ValueOf(s)
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.IsExported() {
			out[f.Name] = v.Field(i).Interface()
		}
	}
	return out
}

func TestTransportIsInferred(t *testing.T) {
	tests := []struct {
		rule, entry string
		want        Transport
	}{
		{"command means stdio", `{"command": "x"}`, TransportStdio},
		{"url means http", `{"url": "https://h/x"}`, TransportHTTP},
		{"url that ends with mcp means http", `{"url": "https://h/mcp"}`, TransportHTTP},
		{"url that ends with /sse means sse", `{"url": "https://h/a/sse"}`, TransportSSE},
		{"a slash at the end does not matter", `{"url": "https://h/sse/"}`, TransportSSE},
		{"nor does the query", `{"url": "https://h/sse?x=/mcp"}`, TransportSSE},
		{"a query that ends with /sse is no path", `{"url": "https://h/mcp?x=/sse"}`, TransportHTTP},
		{"a word that ends with sse is not /sse", `{"url": "https://h/posse"}`, TransportHTTP},
		{"serverUrl is read as url is", `{"serverUrl": "https://h/sse"}`, TransportSSE},
		{"httpUrl means http in any case", `{"httpUrl": "https://h/sse"}`, TransportHTTP},
		{"what a variable becomes counts", `{"url": "https://h/${P}"}`, TransportSSE},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			s := parseOne(t, tt.entry, "P=sse")
			if s.Transport != tt.want || !s.TransportInferred {
				t.Errorf("transport %s (inferred %v), want %s", s.Transport, s.TransportInferred, tt.want)
			}
		})
	}
}

func TestTypeHasManySpellings(t *testing.T) {
	file, report, err := Load("testdata/good/types.json", EnvFrom(nil))
	if err != nil || len(report) > 0 || len(file.Servers) != len(typeWords) {
		t.Fatalf("Load: %v %v", report, err)
	}
	for _, s := range file.Servers {
		if s.Transport != typeWords[s.Name] || s.TransportInferred {
			t.Errorf("type %q: transport %s, inferred %v", s.Name, s.Transport, s.TransportInferred)
		}
	}
	if s := parseOne(t, `{"type": "STDIO", "command": "x"}`); s.Transport != TransportStdio {
		t.Errorf("case matters in type: %s", s.Transport)
	}
}

func TestDisabled(t *testing.T) {
	tests := []struct {
		rule, keys string
		want       bool
	}{
		{"a server is enabled", `"tags": []`, false},
		{"disabled", `"disabled": true`, true},
		{"disabled false", `"disabled": false`, false},
		{"enabled false means disabled", `"enabled": false`, true},
		{"enabled", `"enabled": true`, false},
		{"both may agree", `"enabled": false, "disabled": true`, true},
		{"a variable may decide", `"disabled": "${OFF}"`, true},
		{"or its default", `"disabled": "${NOT_SET:-false}"`, false},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			file := parseFile(t, `{"mcpServers": {"s": {"command": "x", `+tt.keys+`}}}`, "OFF=true")
			if got := file.Servers[0].Disabled; got != tt.want {
				t.Errorf("Disabled = %v, want %v", got, tt.want)
			}
			if got := len(file.Enabled()) == 0; got != tt.want {
				t.Errorf("Enabled() is empty: %v, want %v", got, tt.want)
			}
		})
	}
}

func TestTimeouts(t *testing.T) {
	tests := []struct {
		rule, defaults, keys string
		connection, request  time.Duration
	}{
		{"the defaults", `{}`, ``, DefaultConnectionTimeout, DefaultRequestTimeout},
		{"timeout stands in for both", `{}`, `"timeout": 1500`, 1500 * time.Millisecond, 1500 * time.Millisecond},
		{"its own key wins over timeout", `{}`, `"timeout": 1500, "requestTimeout": "2m"`, 1500 * time.Millisecond, 2 * time.Minute},
		{"seconds of Codex", `{}`, `"startup_timeout_sec": 10.5, "tool_timeout_sec": 3`, 10500 * time.Millisecond, 3 * time.Second},
		{"milliseconds win over seconds", `{}`, `"startup_timeout_sec": 10, "connectionTimeout": 20`, 20 * time.Millisecond, DefaultRequestTimeout},
		{"serverDefaults reach a server without its own", `{"requestTimeout": 10}`, ``, DefaultConnectionTimeout, 10 * time.Millisecond},
		{"its own wins over serverDefaults", `{"requestTimeout": 10}`, `"requestTimeout": 20`, DefaultConnectionTimeout, 20 * time.Millisecond},
		{"a variable may give a time", `{}`, `"requestTimeout": "${T}"`, DefaultConnectionTimeout, 90 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			keys := `"command": "x"`
			if tt.keys != "" {
				keys += ", " + tt.keys
			}
			s := parseFile(t, `{"mcpServers": {"s": {`+keys+`}}, "serverDefaults": `+tt.defaults+`}`, "T=1m30s").Servers[0]
			if s.ConnectionTimeout != tt.connection || s.RequestTimeout != tt.request {
				t.Errorf("connection %v, request %v; want %v, %v", s.ConnectionTimeout, s.RequestTimeout, tt.connection, tt.request)
			}
		})
	}
}

func TestServerDefaultsMerge(t *testing.T) {
	tests := []struct {
		rule, defaults, entry string
		want                  map[string]string
	}{
		{"objects merge and the entry wins", `{"env": {"A": "d", "B": "d"}}`, `"env": {"B": "s"}`, map[string]string{"A": "d", "B": "s"}},
		{"an entry without env has that of serverDefaults", `{"env": {"A": "d"}}`, `"tags": []`, map[string]string{"A": "d"}},
		{"a list in the entry replaces", `{"env": {"A": "d"}}`, `"env": ["B=s"]`, map[string]string{"B": "s"}},
		{"a list in serverDefaults is replaced", `{"env": ["A=d"]}`, `"env": {"B": "s"}`, map[string]string{"B": "s"}},
		{"a list in serverDefaults serves an entry without env", `{"env": ["A=d"]}`, `"tags": []`, map[string]string{"A": "d"}},
		{"serverDefaults may stand behind the servers", `{"env": {"A": "d"}}`, `"cwd": "."`, map[string]string{"A": "d"}},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			s := parseFile(t, `{"mcpServers": {"s": {"command": "x", `+tt.entry+`}}, "serverDefaults": `+tt.defaults+`}`).Servers[0]
			if diff := cmp.Diff(tt.want, reveal(s.Env)); diff != "" {
				t.Errorf("env (-want +got):\n%s", diff)
			}
		})
	}
	file := parseFile(t, `{"serverDefaults": {"headers": {"A": "d"}, "envFilter": ["X", "Y"], "inheritParentEnv": true},
		"mcpServers": {"r": {"url": "https://h/mcp"}, "p": {"command": "x", "envFilter": ["Y", "Z"]}}}`)
	if diff := cmp.Diff(map[string]string{"A": "d"}, reveal(file.Servers[0].Headers)); diff != "" {
		t.Errorf("headers of serverDefaults (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"X", "Y", "Z"}, file.Servers[1].EnvFilter); diff != "" {
		t.Errorf("envFilter lists are joined without duplicates (-want +got):\n%s", diff)
	}
}

func TestDotEnvBesideTheFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "mcp.json")
	write("mcp.json", `{"mcpServers": {"s": {"command": "x", "env": {"A": "$A", "B": "${B}", "F": "${file:key}"}}, "l": {"command": "x", "env": ["B", "A"]}}}`)
	write(".env", "A=dotenv\nexport B=\"two\\nlines\"\n")
	write("key", "secret\r\n")
	file, report, err := Load(path, EnvFrom([]string{"A=process"}))
	if err != nil || len(report) > 0 {
		t.Fatal(report, err)
	}
	if diff := cmp.Diff(map[string]string{"A": "process", "B": "two\nlines", "F": "secret"}, reveal(file.Servers[0].Env)); diff != "" {
		t.Errorf("the process environment wins over .env (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"A": "process", "B": "two\nlines"}, reveal(file.Servers[1].Env)); diff != "" {
		t.Errorf("explicit inheritance sees .env (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{path, filepath.Join(dir, ".env"), filepath.Join(dir, "key")}, file.Sources); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
	if got := strings.Join(file.Servers[0].Environ(nil), " "); strings.Contains(got, "dotenv") {
		t.Errorf(".env reached a child that does not name it: %s", got)
	}
}

func TestNoSubstitution(t *testing.T) {
	env := EnvFrom([]string{"A=1"})
	env.NoSubstitution = true
	file, report, err := Parse([]byte(`{"mcpServers": {"s": {"command": "$A", "args": ["${A}", "${file:x}", "${$}"]}}}`), "", env)
	if err != nil || len(report) > 0 {
		t.Fatal(report, err)
	}
	got := append([]string{file.Servers[0].Command}, file.Servers[0].Args...)
	if diff := cmp.Diff([]string{"$A", "${A}", "${file:x}", "${$}"}, got); diff != "" {
		t.Errorf("text changed (-want +got):\n%s", diff)
	}
}

func TestArgumentsPassAsTheyAre(t *testing.T) {
	s := parseOne(t, `{"command": "x", "args": ["; touch a", "$(id)", "\u0060id\u0060", "a b", ""]}`)
	if diff := cmp.Diff([]string{"; touch a", "$(id)", "`id`", "a b", ""}, s.Args); diff != "" {
		t.Errorf("args (-want +got):\n%s", diff)
	}
}

func TestLoadFailsAsAWhole(t *testing.T) {
	if _, _, err := Load(filepath.Join(t.TempDir(), "mcp.json"), Env{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if _, _, err := Load(t.TempDir(), Env{}); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
		t.Errorf("a folder: %v", err)
	}
	for rule, text := range map[string]string{"UTF-16": "\xff\xfe{\x00}\x00", "UTF-8": "{\"a\": \"\xff\"}", "UTF-16 ": "\xfe\xff"} {
		if _, _, err := Parse([]byte(text), "", Env{}); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(rule)) {
			t.Errorf("%s: %v", rule, err)
		}
	}
	if file, _, err := Parse([]byte("\xef\xbb\xbf{\"mcpServers\": {\"s\": {\"command\": \"x\"}}} // end"), "", Env{}); err != nil || len(file.Servers) != 1 {
		t.Errorf("a byte order mark and a comment without newline at the end: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/broken/*.txtar", "testdata/good/*.json", "../../mcp.json.example"} {
		names, _ := filepath.Glob(pattern)
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			text := string(data)
			if _, rest, ok := strings.Cut(text, "-- mcp.json --\n"); ok {
				text, _, _ = strings.Cut(rest, "\n-- ")
			}
			f.Add(text)
		}
	}
	env := Env{
		Lookup:   func(string) (string, bool) { return "value", true },
		ReadFile: func(string, int64) ([]byte, error) { return nil, fs.ErrNotExist },
	}
	f.Fuzz(func(t *testing.T, text string) {
		file, report, err := Parse([]byte(text), "dir", env)
		if (err == nil) != (file != nil) {
			t.Fatalf("file %v, error %v", file, err)
		}
		if file == nil {
			return
		}
		seen := map[string]bool{}
		for _, s := range file.Servers {
			if seen[s.Name] {
				t.Errorf("two servers of the name %q", s.Name)
			}
			seen[s.Name] = true
			if !s.Disabled && s.Validate().HasErrors() {
				t.Errorf("a server with errors was kept: %v", s.Validate())
			}
			if s.Transport == "" || s.ConnectionTimeout <= 0 || s.RequestTimeout <= 0 || s.Isolation == "" || s.Stderr == "" {
				t.Errorf("a default is missing: %#v", fields(s))
			}
		}
		for _, p := range report {
			if p.Message == "" || p.Line < 1 || p.Column < 1 {
				t.Errorf("a problem without message or place: %+v", p)
			}
		}
	})
}
