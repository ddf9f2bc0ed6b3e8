package config

import (
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"time"
)

// Options is everything about the gateway itself: flags, ONE_MCP_* variables, config.toml and defaults, put together by
// [Flags.Resolve]. Sizes are bytes; no number means "unlimited".
type Options struct {
	// ConfigPath is mcp.json, ConfigDir its folder, which also holds .env, config.toml and presets.json.
	ConfigPath, ConfigDir string
	// StateDir is the folder for the gateway's own state. It is not created here.
	StateDir string
	// KeyFile holds the key that seals what clients carry, Key is the key itself; at most one is set, and with neither the
	// state folder has one.
	KeyFile string
	Key     Secret
	// EnvSubstitution turns ${VAR} in mcp.json on.
	EnvSubstitution bool

	// Transport is how clients reach the gateway: TransportHTTP (every HTTP protocol) or TransportStdio.
	Transport Transport
	Host      string
	Port      int
	// ExternalURL is the address under which clients know the gateway, "" when they use Host and Port.
	ExternalURL string
	// TrustProxy holds the networks whose X-Forwarded-* headers count. TrustAuto says that nobody decided: they then count
	// from loopback if the gateway is known under another address than its own, and from nobody otherwise.
	TrustProxy []netip.Prefix
	TrustAuto  bool
	// AllowedHosts and AllowedOrigins are accepted besides those that follow from Host and ExternalURL.
	AllowedHosts, AllowedOrigins []string

	LogLevel string
	// LogFile is "" for standard error.
	LogFile string
	// HealthInfoLevel is full, basic or minimal.
	HealthInfoLevel string
	// EnableAuth asks for bearer tokens.
	EnableAuth bool

	// Filter (a tag expression) and Preset hold for clients that select nothing themselves; at most one is set.
	Filter, Preset string
	// Pagination answers lists in pages.
	Pagination bool
	// Separator stands between server and name.
	Separator string

	// MaxBody bounds one HTTP request body, MaxHeader its headers, MaxMessage one message of a server, and MaxBatch the
	// messages in one batch.
	MaxBody, MaxHeader, MaxMessage int64
	MaxBatch                       int

	// SessionIdle ends a client session that nothing happened in.
	SessionIdle time.Duration
	// MaxSessions bounds the client sessions that are kept live, MaxStreams the open streams of all clients.
	MaxSessions, MaxStreams int
	// MCPRateLimit is requests per period and client in the notation of ulule/limiter ("2000-S"); "" is off.
	MCPRateLimit string

	// KeepAlive is the time between comments on an idle stream.
	KeepAlive time.Duration
	// SilentCall is after how long a call without an answer becomes a stream, so that no balancer cuts it.
	SilentCall time.Duration
	// StartupWait is how long the first list waits for servers that are still starting.
	StartupWait time.Duration
	// DrainDelay is how long the gateway goes on serving after it reports "not ready", and Grace how long calls in
	// flight then have.
	DrainDelay, Grace time.Duration
}

// LoadFile loads the mcp.json that the options name, the way they say.
func (o Options) LoadFile(env Env) (*File, Report, error) {
	env.NoSubstitution = !o.EnvSubstitution
	return Load(o.ConfigPath, env)
}

// PresetsPath returns the presets.json that belongs to the configuration.
func (o Options) PresetsPath() string { return filepath.Join(o.ConfigDir, "presets.json") }

// Loopback reports whether the gateway listens only to its own machine.
func (o Options) Loopback() bool { return isLoopback(o.Host) }

// Address returns host:port to listen on.
func (o Options) Address() string {
	return net.JoinHostPort(strings.Trim(o.Host, "[]"), itoa(o.Port))
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.Unmap().IsLoopback()
}

// validate checks what concerns more than one option.
func (o Options) validate(origin func(name string) string) Report {
	var r Report
	if o.Filter != "" && o.Preset != "" {
		r = append(r, Problem{
			Path:    origin("preset"),
			Message: "cannot be combined with " + origin("filter"),
			Cure:    "use one of them",
		})
	}
	if o.Key != "" && o.KeyFile != "" {
		r = append(r, Problem{
			Path:    origin("key"),
			Message: "cannot be combined with " + origin("key-file"),
			Cure:    "use one of them",
		})
	}
	if o.EnableAuth && o.Transport != TransportStdio && !o.Loopback() {
		r = append(r, Problem{
			Path:    origin("enable-auth"),
			Message: "this version cannot check tokens, and " + quote(o.Host) + " is open to other machines",
			Cure:    "listen on 127.0.0.1, or put a proxy that checks tokens in front and drop this option",
		})
	}
	return r
}
