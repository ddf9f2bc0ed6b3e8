package config

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spf13/pflag"
)

// resolveWith resolves options from arguments, variables and a config.toml ("" for none) in a folder of its own.
func resolveWith(t *testing.T, args []string, environ []string, toml string) (Options, Report) {
	t.Helper()
	dir := t.TempDir()
	if toml != "" {
		if err := os.WriteFile(filepath.Join(dir, "config.toml"), []byte(toml), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f := NewFlags()
	fs := pflag.NewFlagSet("agent", pflag.ContinueOnError)
	f.Bind(fs)
	if err := fs.Parse(append([]string{"--config", filepath.Join(dir, "mcp.json")}, args...)); err != nil {
		t.Fatalf("parse %q: %v", args, err)
	}
	return f.Resolve(EnvFrom(append([]string{"HOME=/home/me"}, environ...)))
}

func problems(r Report) []string {
	var out []string
	for _, p := range r {
		out = append(out, p.Severity.String()+" "+p.String())
	}
	return out
}

func TestDefaultOptions(t *testing.T) {
	got, report := NewFlags().Resolve(EnvFrom([]string{"HOME=/home/me"}))
	if len(report) > 0 {
		t.Fatal(problems(report))
	}
	want := Options{
		ConfigPath: "/home/me/.config/1mcp/mcp.json", ConfigDir: "/home/me/.config/1mcp", EnvSubstitution: true,
		StateDir:  "/home/me/.local/state/manifold/" + filepath.Base(got.StateDir),
		Transport: TransportHTTP, Host: "127.0.0.1", Port: 3050,
		TrustAuto: true,
		LogLevel:  "info", HealthInfoLevel: "minimal", Separator: "__",
		MaxBody: 4 << 20, MaxHeader: 64 << 10, MaxMessage: 16 << 20, MaxBatch: 100,
		SessionIdle: 30 * time.Minute, MaxSessions: 10_000, MaxStreams: 10_000, MCPRateLimit: "2000-S",
		KeepAlive: 20 * time.Second, SilentCall: 5 * time.Second, StartupWait: 1500 * time.Millisecond, Grace: 25 * time.Second,
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
	if got.Address() != "127.0.0.1:3050" || got.PresetsPath() != "/home/me/.config/1mcp/presets.json" {
		t.Errorf("address %s, presets %s", got.Address(), got.PresetsPath())
	}
}

// TestEveryOption checks the table itself: unique names, a default that its own parser takes, a variable, a help text.
func TestEveryOption(t *testing.T) {
	seen := map[string]string{}
	once := func(what, name, owner string) {
		if other, twice := seen[what+name]; twice && name != "" {
			t.Errorf("%s %s belongs to --%s and --%s", what, name, other, owner)
		}
		seen[what+name] = owner
	}
	options := Registry()
	for _, o := range options {
		once("flag", o.Name, o.Name)
		once("flag", "no-"+o.Name, o.Name)
		once("short", o.Short, o.Name)
		once("variable", o.Env(), o.Name)
		for _, key := range o.TOML {
			once("key", key, o.Name)
		}
		if o.Default != "" && o.set(&Options{}, o.Default) != nil {
			t.Errorf("--%s refuses its default %q", o.Name, o.Default)
		}
		if o.Help == "" || o.Group == "" || o.set == nil {
			t.Errorf("--%s has no help, group or parser", o.Name)
		}
		if o.AliasOf != "" && !slices.ContainsFunc(options, func(a Option) bool { return a.Name == o.AliasOf && a.AliasOf == "" }) {
			t.Errorf("--%s is an alias of --%s, which there is not", o.Name, o.AliasOf)
		}
	}
}

func TestPrecedence(t *testing.T) {
	const env, toml = "ONE_MCP_PORT=2", "port = 3"
	tests := []struct {
		rule    string
		args    []string
		environ []string
		toml    string
		want    int
	}{
		{"default", nil, nil, "", 3050},
		{"config.toml over default", nil, nil, toml, 3},
		{"environment over config.toml", nil, []string{env}, toml, 2},
		{"flag over environment", []string{"--port", "1"}, []string{env}, toml, 1},
		{"flag over config.toml", []string{"-P", "1"}, nil, toml, 1},
		{"an empty variable is not set", nil, []string{"ONE_MCP_PORT="}, toml, 3},
		{"a flag that says the default wins as well", []string{"--port=3050"}, []string{env}, toml, 3050},
		{"of a repeated flag the last one holds", []string{"--port", "7", "-P8"}, nil, "", 8},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			got, report := resolveWith(t, tt.args, tt.environ, tt.toml)
			if got.Port != tt.want || len(report) > 0 {
				t.Errorf("port %d, want %d; %v", got.Port, tt.want, problems(report))
			}
		})
	}
}

func TestBooleans(t *testing.T) {
	tests := []struct {
		rule    string
		args    []string
		environ []string
		want    bool
	}{
		{"a flag alone is true", []string{"--pagination"}, nil, true},
		{"its short form", []string{"-p"}, nil, true},
		{"=false", []string{"--pagination=false"}, []string{"ONE_MCP_PAGINATION=true"}, false},
		{"--no-", []string{"--no-pagination"}, []string{"ONE_MCP_PAGINATION=true"}, false},
		{"--no- of false is true", []string{"--no-pagination=false"}, nil, true},
		{"the last of both holds", []string{"--no-pagination", "--pagination"}, nil, true},
		{"a variable says 1", nil, []string{"ONE_MCP_PAGINATION=1"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			got, report := resolveWith(t, tt.args, tt.environ, "")
			if got.Pagination != tt.want || len(report) > 0 {
				t.Errorf("pagination %v, want %v; %v", got.Pagination, tt.want, problems(report))
			}
		})
	}
}

func TestOptionValues(t *testing.T) {
	tests := []struct {
		args []string
		got  func(Options) any
		want any
	}{
		{[]string{"-t", "stdio"}, func(o Options) any { return o.Transport }, TransportStdio},
		{[]string{"--transport=sse"}, func(o Options) any { return o.Transport }, TransportHTTP},
		{[]string{"-H", "0.0.0.0"}, func(o Options) any { return o.Address() }, "0.0.0.0:3050"},
		{[]string{"--host", "::1"}, func(o Options) any { return o.Address() }, "[::1]:3050"},
		{[]string{"-u", "https://mcp.example.com/base"}, func(o Options) any { return o.ExternalURL }, "https://mcp.example.com/base"},
		{[]string{"--trust-proxy", "10.1.2.3, fd00::/8"}, func(o Options) any { return o.TrustProxy }, []netip.Prefix{netip.MustParsePrefix("10.1.2.3/32"), netip.MustParsePrefix("fd00::/8")}},
		{[]string{"--trust-proxy", "false"}, func(o Options) any { return len(o.TrustProxy) }, 0},
		{[]string{"--trust-proxy", "auto"}, func(o Options) any { return o.TrustAuto }, true},
		{[]string{"--trust-proxy", "loopback"}, func(o Options) any { return o.TrustAuto }, false},
		{[]string{"--host", "0.0.0.0"}, func(o Options) any { return o.DrainDelay }, 5 * time.Second},
		{[]string{"--host", "0.0.0.0", "--drain-delay", "0s"}, func(o Options) any { return o.DrainDelay }, time.Duration(0)},
		{[]string{"--drain-delay", "2s"}, func(o Options) any { return o.DrainDelay }, 2 * time.Second},
		{[]string{"--key-file", "k"}, func(o Options) any { return o.KeyFile }, "k"},
		{[]string{"--key", "AAAA"}, func(o Options) any { return o.Key.Reveal() }, "AAAA"},
		{[]string{"--trust-proxy", "uniquelocal"}, func(o Options) any { return len(o.TrustProxy) }, 4},
		{[]string{"--allowed-hosts", "a, b,"}, func(o Options) any { return o.AllowedHosts }, []string{"a", "b"}},
		{[]string{"--allowed-origins", "https://a"}, func(o Options) any { return o.AllowedOrigins }, []string{"https://a"}},
		{[]string{"--log-level", "WARN"}, func(o Options) any { return o.LogLevel }, "warn"},
		{[]string{"--health-info-level", "full"}, func(o Options) any { return o.HealthInfoLevel }, "full"},
		{[]string{"-f", "web AND NOT db"}, func(o Options) any { return o.Filter }, "web AND NOT db"},
		{[]string{"--separator", "_1mcp_"}, func(o Options) any { return o.Separator }, "_1mcp_"},
		{[]string{"--max-body-size", "1MiB"}, func(o Options) any { return o.MaxBody }, int64(1 << 20)},
		{[]string{"--max-body-size", "2 mb"}, func(o Options) any { return o.MaxBody }, int64(2e6)},
		{[]string{"--max-body-size", "5000"}, func(o Options) any { return o.MaxBody }, int64(5000)},
		{[]string{"--mcp-rate-limit", "off"}, func(o Options) any { return o.MCPRateLimit }, ""},
		{[]string{"--mcp-rate-limit", "10-m"}, func(o Options) any { return o.MCPRateLimit }, "10-M"},
		{[]string{"--drain-delay", "0s"}, func(o Options) any { return o.DrainDelay }, time.Duration(0)},
		{[]string{"--no-enable-env-substitution"}, func(o Options) any { return o.EnvSubstitution }, false},
		{[]string{"--key", "hunter2"}, func(o Options) any { return o.Key.Reveal() + fmt.Sprintf("%+v", o.Key) }, "hunter2[redacted]"},
		{[]string{"--state-dir", "/state"}, func(o Options) any { return o.StateDir }, "/state"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			o, report := resolveWith(t, tt.args, nil, "")
			if diff := cmp.Diff(tt.want, tt.got(o), cmpopts.EquateComparable(netip.Prefix{})); diff != "" || len(report) > 0 {
				t.Errorf("%v (-want +got):\n%s", problems(report), diff)
			}
		})
	}
}

func TestWrongFlagNamesWhatIsAllowed(t *testing.T) {
	tests := []struct{ arg, want string }{
		{"--port=abc", `invalid argument "abc" for "-P, --port" flag: must be a whole number from 0 to 65535`},
		{"--port=65536", "must be a whole number from 0 to 65535"},
		{"--transport=tcp", "must be stdio, http or sse"},
		{"--log-level=loud", "must be debug, info, warn or error"},
		{"--health-info-level=all", "must be full, basic or minimal"},
		{"--host=http://x", "must be an IP address or a host name"},
		{"--host=a:80", "must be an IP address or a host name"},
		{"--external-url=ftp://x", "must be an http:// or https:// URL"},
		{"--external-url=https://u@x", "without user"},
		{"--trust-proxy=everyone", "must be auto, true, false, loopback"},
		{"--trust-proxy=2", "must be auto, true, false, loopback"},
		{"--separator=.", "must be 1 to 16 of A-Z a-z 0-9 _ -"},
		{"--separator=", "must be 1 to 16 of A-Z a-z 0-9 _ -"},
		{"--preset=../x", "must be 1 to 50 of A-Z a-z 0-9 _ -"},
		{"--mcp-rate-limit=0-S", "must be off, or a number and S, M, H or D"},
		{"--mcp-rate-limit=5/s", "must be off, or a number and S, M, H or D"},
		{"--max-body-size=0", "must be a size from 1KiB to 1GiB"},
		{"--max-body-size=99999999999GiB", "must be a size from 1KiB to 1GiB"},
		{"--max-sessions=0", "must be a whole number from 1 to 10000000"},
		{"--session-idle-timeout=0s", "must be a time with a unit from 1s to 720h"},
		{"--keep-alive-interval=20", "must be a time with a unit from 100ms to 1h"},
		{"--pagination=maybe", "must be true or false"},
		{"--no-pagination=maybe", "must be true or false"},
		{"--lazy-catalog-format=odd", "must be flat, grouped or categorized"},
		{"--session-ttl=soon", "must be a whole number from 0 to 2147483647"},
		{"--no-such-flag", "unknown flag: --no-such-flag"},
	}
	for _, tt := range tests {
		t.Run(tt.arg, func(t *testing.T) {
			fs := pflag.NewFlagSet("agent", pflag.ContinueOnError)
			NewFlags().Bind(fs)
			if err := fs.Parse([]string{tt.arg}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestResolveReports(t *testing.T) {
	tests := []struct {
		rule    string
		args    []string
		environ []string
		toml    string
		want    []string
	}{
		{
			"all wrong variables at once, by name", nil, []string{"ONE_MCP_PORT=x", "ONE_MCP_LOG_LEVEL=loud"}, "",
			[]string{`error ONE_MCP_PORT: is "x"; must be a whole number from 0 to 65535`, `error ONE_MCP_LOG_LEVEL: is "loud"; must be debug, info, warn or error`},
		},
		{
			"a wrong key of config.toml", nil, nil, "port = \"x\"\n[logging]\nlevel = \"loud\"",
			[]string{`error config.toml: port: is "x"; must be a whole number from 0 to 65535`, `error config.toml: logging.level: is "loud"; must be debug, info, warn or error`},
		},
		{"a password in a URL is not repeated", nil, []string{"ONE_MCP_EXTERNAL_URL=https://u:hunter2@h"}, "", []string{"error ONE_MCP_EXTERNAL_URL: is not valid; must be an http:// or https:// URL with a host and without user, query and fragment"}},
		{"an unknown variable", nil, []string{"ONE_MCP_PROT=1"}, "", []string{`warning ONE_MCP_PROT: is not a known variable and has no effect; did you mean "ONE_MCP_PORT"?`}},
		{"a variable of 1MCP that is no option", nil, []string{"ONE_MCP_ADMIN_PASSWORD=x"}, "", []string{"warning ONE_MCP_ADMIN_PASSWORD: has no effect: it is not available in this version"}},
		{"an unknown key of config.toml", nil, nil, "prot = 1\n[admin]\nenabled = true", []string{"warning config.toml: admin.enabled: has no effect: it is not available in this version", `warning config.toml: prot: is not a known key and has no effect; did you mean "port"?`}},
		{"a config.toml that is not TOML", nil, nil, "a = 1\nb = = 2", []string{"error config.toml: is not TOML; see line 2, column 5"}},
		{"an option that does nothing says so once", []string{"--enable-lazy-loading", "--enable-lazy-loading"}, []string{"ONE_MCP_ENABLE_LAZY_LOADING=true"}, "", []string{"warning --enable-lazy-loading: has no effect: it is not available in this version"}},
		{"switching off what does not exist needs no word", []string{"--enable-lazy-loading=false"}, nil, "", nil},
		{"switching off what is always on does", []string{"--no-async-batch-notifications"}, nil, "", []string{"warning --async-batch-notifications: has no effect: the gateway always works this way"}},
		{"a deprecated alias works and says what to use", []string{"--auth"}, nil, "", []string{"warning --auth: is deprecated; use --enable-auth", "warning --auth: has no effect: it is not available in this version"}},
		{"the option wins over its alias", []string{"--auth=false", "--enable-auth"}, nil, "", []string{"warning --enable-auth: has no effect: it is not available in this version"}},
		{"auth on an open address is refused: it would be open to all", []string{"--enable-auth", "-H", "0.0.0.0"}, nil, "", []string{
			"warning --enable-auth: has no effect: it is not available in this version",
			`error --enable-auth: this version cannot check tokens, and "0.0.0.0" is open to other machines; listen on 127.0.0.1, or put a proxy that checks tokens in front and drop this option`,
		}},
		{"an open address without auth is not", []string{"-H", "0.0.0.0"}, nil, "", nil},
		{"LOG_LEVEL works", nil, []string{"LOG_LEVEL=debug"}, "", []string{"warning LOG_LEVEL: is deprecated; use ONE_MCP_LOG_LEVEL"}},
		{"LOG_LEVEL of another program is left alone", nil, []string{"LOG_LEVEL=verbose"}, "", nil},
		{"serving is not stopping", []string{"--stop"}, nil, "", []string{"error --stop: is not available; this version runs in the foreground only; use your service manager"}},
		{"--background serves in the foreground", []string{"--background"}, nil, "", []string{"warning --background: has no effect: this version runs in the foreground"}},
		{"filter and preset exclude each other", []string{"--filter", "a"}, []string{"ONE_MCP_PRESET=b"}, "", []string{"error ONE_MCP_PRESET: cannot be combined with --filter; use one of them"}},
		{"trusting everybody is allowed, with a word", []string{"--trust-proxy=true"}, nil, "", []string{"warning --trust-proxy: trusts X-Forwarded-* headers of everybody, so clients can claim any address; name the networks of your proxies"}},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			_, report := resolveWith(t, tt.args, tt.environ, tt.toml)
			if diff := cmp.Diff(tt.want, problems(report)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// TestServeLineOf1MCP gives every flag of 1MCP's serve command at once: none is refused.
func TestServeLineOf1MCP(t *testing.T) {
	line := `-t http -P 4000 -H localhost -u http://localhost:4000 -f web -p --auth --enable-auth --enable-scope-validation
		--enable-enhanced-security --session-ttl 60 --session-storage-path s --rate-limit-window 1 --rate-limit-max 5 --trust-proxy loopback
		--template-context-trust legacy --confirm-untrusted-template-context --health-info-level basic --enable-async-loading
		--async-batch-notifications --async-batch-delay 10 --async-notify-on-snapshot --async-notify-on-ready --async-min-servers 1
		--async-timeout 5 --enable-lazy-loading --lazy-mode full --lazy-direct-expose a --lazy-cache-max-entries 5 --lazy-cache-ttl 5
		--lazy-preload a --lazy-preload-keywords b --lazy-inline-catalog --lazy-catalog-format flat --lazy-fallback-on-error full
		--lazy-fallback-timeout 5 --enable-config-reload --config-reload-debounce 5 --enable-env-substitution --enable-session-persistence
		--session-persist-requests 5 --session-persist-interval 5 --session-background-flush 5 --enable-client-notifications
		--enable-jsonrpc-error-logging --enable-internal-tools --internal-tools safe -T file --background --log-level debug --log-file x
		--cli-session-cache-path p`
	o, report := resolveWith(t, strings.Fields(line), nil, "")
	if report.HasErrors() || o.Port != 4000 || o.Host != "localhost" || !o.Pagination || !o.EnableAuth || o.Filter != "web" {
		t.Errorf("options %+v, problems %v", o, problems(report))
	}
	var silent []string
	for _, p := range report {
		silent = append(silent, p.Path)
	}
	slices.Sort(silent)
	if diff := cmp.Diff(slices.Compact(slices.Clone(silent)), silent); diff != "" {
		t.Errorf("a flag is named twice (-want +got):\n%s", diff)
	}
}

// TestConfigTOMLOf1MCP has every key that 1MCP documents: none is unknown.
func TestConfigTOMLOf1MCP(t *testing.T) {
	o, report := resolveWith(t, nil, nil, `
transport = "http"
port = 3051
host = "127.0.0.1"
logLevel = "warn"
logFile = "old.log"
[logging]
file = "new.log"
level = "debug"
maxSize = "10m"
maxFiles = 5
[auth]
enabled = true
sessionTtl = 60
rateLimitWindow = 15
rateLimitMax = 100
trustProxy = ["loopback", "10.0.0.0/8"]
enableScopeValidation = true
enableEnhancedSecurity = false
[asyncLoading]
enabled = true
batchNotifications = true
batchDelay = 100
minServers = 1
timeout = 1000
[lazyLoading]
enabled = false
cacheMaxEntries = 10
inlineCatalog = false
mode = "full"
[configReload]
enabled = true
debounce = 100
[admin]
enabled = true
[templateContext]
trust = "verified"
`)
	for _, p := range report {
		if !strings.Contains(p.Message, "has no effect: ") {
			t.Error(p)
		}
	}
	if o.Port != 3051 || o.LogLevel != "debug" || o.LogFile != "new.log" || len(o.TrustProxy) != 3 || !o.EnableAuth {
		t.Errorf("options %+v", o)
	}
}

func TestWhereTheConfigurationIs(t *testing.T) {
	tests := []struct {
		rule      string
		args      []string
		environ   []string
		path, dir string
	}{
		{"the default folder", nil, []string{"HOME=/h"}, "/h/.config/1mcp/mcp.json", "/h/.config/1mcp"},
		{"XDG_CONFIG_HOME is not honoured", nil, []string{"HOME=/h", "XDG_CONFIG_HOME=/x"}, "/h/.config/1mcp/mcp.json", "/h/.config/1mcp"},
		{"--config-dir", []string{"-d", "/d"}, nil, "/d/mcp.json", "/d"},
		{"--config wins, and its folder counts", []string{"-c", "/c/my.json", "-d", "/d"}, nil, "/c/my.json", "/c"},
		{"a relative file", []string{"-c", "my.json"}, nil, "my.json", "."},
		{"variables", nil, []string{"ONE_MCP_CONFIG=/e/f.json"}, "/e/f.json", "/e"},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			f := NewFlags()
			fs := pflag.NewFlagSet("agent", pflag.ContinueOnError)
			f.Bind(fs)
			if err := fs.Parse(tt.args); err != nil {
				t.Fatal(err)
			}
			o, _ := f.Resolve(EnvFrom(tt.environ))
			if o.ConfigPath != tt.path || o.ConfigDir != tt.dir {
				t.Errorf("file %s, folder %s; want %s, %s", o.ConfigPath, o.ConfigDir, tt.path, tt.dir)
			}
		})
	}
	_, report := NewFlags().Resolve(EnvFrom(nil))
	if got := problems(report); len(got) != 1 || got[0] != "error --config: HOME is not set, so there is no home folder; give --config FILE" {
		t.Errorf("without a home folder: %q", got)
	}
}

func TestStateDir(t *testing.T) {
	same := func(goos string, environ ...string) string {
		dir, err := defaultStateDir(goos, "/etc/mcp.json", EnvFrom(environ))
		if err != nil {
			return err.Error()
		}
		return strings.ReplaceAll(dir, filepath.Base(dir), "HASH")
	}
	for _, tt := range []struct{ rule, got, want string }{
		{"XDG_STATE_HOME", same("linux", "HOME=/h", "XDG_STATE_HOME=/s"), "/s/manifold/HASH"},
		{"a relative XDG_STATE_HOME is invalid by its specification", same("linux", "HOME=/h", "XDG_STATE_HOME=s"), "/h/.local/state/manifold/HASH"},
		{"without", same("linux", "HOME=/h"), "/h/.local/state/manifold/HASH"},
		{"Windows", same("windows", "USERPROFILE=/u", "LOCALAPPDATA=/l"), "/l/manifold/state/HASH"},
		{"Windows without LOCALAPPDATA", same("windows", "USERPROFILE=/u"), "/u/AppData/Local/manifold/state/HASH"},
		{"nobody's", same("linux"), "HOME is not set, so there is no home folder"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %s, want %s", tt.rule, tt.got, tt.want)
		}
	}
	env := EnvFrom([]string{"HOME=/h"})
	a, _ := DefaultStateDir("/etc/mcp.json", env)
	b, _ := DefaultStateDir("/etc/other/../mcp.json", env)
	c, _ := DefaultStateDir("/etc/mcp2.json", env)
	if a != b || a == c {
		t.Errorf("one folder per configuration: %s %s %s", a, b, c)
	}
	if dir, err := defaultDir("windows", EnvFrom([]string{"USERPROFILE=/u"})); err != nil || dir != filepath.Join("/u", "AppData", "Roaming", "1mcp") {
		t.Errorf("the default folder on Windows: %s %v", dir, err)
	}
}

func TestLoadFileObeysTheOptions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mcp.json")
	if err := os.WriteFile(path, []byte(`{"mcpServers": {"s": {"command": "$A"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for on, want := range map[bool]string{true: "1", false: "$A"} {
		file, _, err := Options{ConfigPath: path, EnvSubstitution: on}.LoadFile(EnvFrom([]string{"A=1"}))
		if err != nil || file.Servers[0].Command != want {
			t.Errorf("substitution %v: %v, error %v", on, file, err)
		}
	}
}

// TestHelp holds that help shows what does something, with type and default, and hides the rest.
func TestHelp(t *testing.T) {
	fs := pflag.NewFlagSet("agent", pflag.ContinueOnError)
	NewFlags().Bind(fs)
	help := fs.FlagUsages()
	for _, want := range []string{"-P, --port number", "(default 3050)", "--log-level choice", "--max-body-size size", "--pagination", "--drain-delay duration"} {
		if !strings.Contains(help, want) {
			t.Errorf("help lacks %q:\n%s", want, help)
		}
	}
	for _, hidden := range []string{"--no-pagination", "--lazy-mode", "--stop", "--auth "} {
		if strings.Contains(help, hidden) {
			t.Errorf("help shows %q", hidden)
		}
	}
}
