package config

import (
	"strings"
	"time"
)

// Option is one setting of the gateway, whichever way it is given.
type Option struct {
	// Name is the flag without dashes, Short its one-letter form or "".
	Name, Short string
	// Group is a heading of help and documentation.
	Group string
	Kind  Kind
	// TOML are the keys in config.toml with their section ("auth.enabled"); the first one that is there counts.
	TOML []string
	// Default is the value as one would write it; "" when there is none.
	Default string
	Help    string
	// AliasOf names the option that this one is another name of.
	AliasOf string
	// Deprecated says what to use instead; the option still works.
	Deprecated string
	// NoEffect says why the option is accepted without doing anything.
	NoEffect string
	// Refused says why using the option is an error: ignoring it would do the opposite of what was asked.
	Refused string

	set setter
}

// Env returns the variable of the option: --enable-auth is ONE_MCP_ENABLE_AUTH.
func (o Option) Env() string {
	return ownVariables + strings.ToUpper(strings.ReplaceAll(o.Name, "-", "_"))
}

// The groups, in the order of help.
const (
	groupConfig  = "Configuration"
	groupListen  = "Listening"
	groupLog     = "Logs and health"
	groupSelect  = "Catalogue"
	groupLimits  = "Limits"
	groupTime    = "Streams, start and stop"
	groupAuth    = "Authorization"
	group1MCP    = "Other options of 1MCP"
	groupProcess = "Background processes"
)

// The reasons why an option has no effect.
const (
	notYet      = "it is not available in this version"
	alwaysOn    = "the gateway always works this way"
	inOneMCPToo = "it has none in 1MCP either"
	noSessions  = "sessions live in sealed ids and need no file"
)

// Registry returns all options in the order of help.
func Registry() []Option {
	all := [][]Option{
		configOptions(), listenOptions(), logOptions(), selectOptions(), limitOptions(), timeOptions(), authOptions(),
		asyncOptions(), lazyOptions(), otherOptions(), processOptions(),
	}
	var out []Option
	for _, group := range all {
		for _, o := range group {
			if o.TOML == nil && o.AliasOf == "" && o.Group != groupProcess && o.Name != "config" && o.Name != "config-dir" {
				o.TOML = []string{camel(o.Name)}
			}
			out = append(out, o)
		}
	}
	return out
}

// camel turns health-info-level into healthInfoLevel.
func camel(name string) string {
	parts := strings.Split(name, "-")
	for i := 1; i < len(parts); i++ {
		parts[i] = strings.ToUpper(parts[i][:1]) + parts[i][1:]
	}
	return strings.Join(parts, "")
}

func configOptions() []Option {
	return []Option{
		{
			Name: "config", Short: "c", Group: groupConfig, Help: "the mcp.json to serve; its folder holds .env, config.toml and presets.json",
			set: setText(func(o *Options) *string { return &o.ConfigPath }),
		},
		{
			Name: "config-dir", Short: "d", Group: groupConfig, Help: "the folder of mcp.json when --config is not given (default ~/.config/1mcp)",
			set: setText(func(o *Options) *string { return &o.ConfigDir }),
		},
		{
			Name: "state-dir", Group: groupConfig, Help: "the folder for the gateway's own key and state (default: a folder per configuration under the user's state home)",
			set: setText(func(o *Options) *string { return &o.StateDir }),
		},
		{
			Name: "key-file", Group: groupConfig, Help: "the file with the key that seals session ids; give all replicas the same (default: one in the state folder)",
			set: setText(func(o *Options) *string { return &o.KeyFile }),
		},
		{
			Name: "key", Group: groupConfig, Help: "the key itself, 32 bytes in base64; use the variable, because others can see command lines",
			set: setKey,
		},
		{
			Name: "enable-env-substitution", Group: groupConfig, Kind: KindBool, Default: "true", Help: "replace ${VAR} and ${file:…} in mcp.json",
			set: setBool(func(o *Options) *bool { return &o.EnvSubstitution }),
		},
	}
}

func listenOptions() []Option {
	return []Option{
		{
			Name: "transport", Short: "t", Group: groupListen, Kind: KindChoice, Default: "http", Help: "how clients connect: http (serves streamable HTTP and SSE; sse means the same) or stdio",
			set: setTransport,
		},
		{Name: "host", Short: "H", Group: groupListen, Default: "127.0.0.1", Help: "the address to listen on; 0.0.0.0 for all", set: setHost},
		{
			Name: "port", Short: "P", Group: groupListen, Kind: KindNumber, Default: "3050", Help: "the port to listen on; 0 takes a free one",
			set: setNumber(func(o *Options) *int { return &o.Port }, 0, 65535),
		},
		{Name: "external-url", Short: "u", Group: groupListen, Help: "the URL under which clients know the gateway; its host is allowed", set: setExternalURL},
		{
			Name: "trust-proxy", Group: groupListen, Kind: KindList, TOML: []string{"auth.trustProxy", "trustProxy"}, Default: "auto",
			Help: "whose X-Forwarded-* headers count: true, false, loopback, linklocal, uniquelocal, addresses, networks; auto is loopback if --external-url or --allowed-hosts says that there is a proxy, and else nobody", set: setTrustProxy,
		},
		{
			Name: "allowed-hosts", Group: groupListen, Kind: KindList, Help: "more values of Host to accept, without port",
			set: setList(func(o *Options) *[]string { return &o.AllowedHosts }),
		},
		{
			Name: "allowed-origins", Group: groupListen, Kind: KindList, Help: "more values of Origin to accept, such as https://app.example.com",
			set: setList(func(o *Options) *[]string { return &o.AllowedOrigins }),
		},
	}
}

func logOptions() []Option {
	return []Option{
		{
			Name: "log-level", Group: groupLog, Kind: KindChoice, TOML: []string{"logging.level", "logLevel"}, Default: "info", Help: "debug, info, warn or error",
			set: setChoice(func(o *Options) *string { return &o.LogLevel }, "debug", "info", "warn", "error"),
		},
		{
			Name: "log-file", Group: groupLog, TOML: []string{"logging.file", "logFile"}, Help: "write the log to this file instead of standard error",
			set: setText(func(o *Options) *string { return &o.LogFile }),
		},
		{
			Name: "health-info-level", Group: groupLog, Kind: KindChoice, Default: "minimal", Help: "how much /health tells: full, basic or minimal",
			set: setChoice(func(o *Options) *string { return &o.HealthInfoLevel }, "full", "basic", "minimal"),
		},
	}
}

func selectOptions() []Option {
	return []Option{
		{
			Name: "filter", Short: "f", Group: groupSelect, Help: "a tag expression for clients that select nothing themselves",
			set: setText(func(o *Options) *string { return &o.Filter }),
		},
		{
			Name: "preset", Group: groupSelect, Help: "a preset of presets.json for clients that select nothing themselves",
			set: setMatching(func(o *Options) *string { return &o.Preset }, presetName, "1 to 50 of A-Z a-z 0-9 _ -"),
		},
		{
			Name: "pagination", Short: "p", Group: groupSelect, Kind: KindBool, Default: "false", Help: "answer lists in pages",
			set: setBool(func(o *Options) *bool { return &o.Pagination }),
		},
		{
			Name: "separator", Group: groupSelect, Default: "__", Help: "what stands between server and name; _1mcp_ gives the names of 1MCP",
			set: setMatching(func(o *Options) *string { return &o.Separator }, separatorPattern, "1 to 16 of A-Z a-z 0-9 _ -"),
		},
	}
}

func limitOptions() []Option {
	const maxCount = 10_000_000
	return []Option{
		{
			Name: "max-body-size", Group: groupLimits, Kind: KindSize, Default: "4MiB", Help: "the largest request body of a client",
			set: setSize(func(o *Options) *int64 { return &o.MaxBody }, 1<<10, 1<<30),
		},
		{
			Name: "max-header-size", Group: groupLimits, Kind: KindSize, Default: "64KiB", Help: "the largest request headers of a client",
			set: setSize(func(o *Options) *int64 { return &o.MaxHeader }, 4<<10, 16<<20),
		},
		{
			Name: "max-message-size", Group: groupLimits, Kind: KindSize, Default: "16MiB", Help: "the largest message of a server that is kept in memory",
			set: setSize(func(o *Options) *int64 { return &o.MaxMessage }, 64<<10, 1<<30),
		},
		{
			Name: "max-batch", Group: groupLimits, Kind: KindNumber, Default: "100", Help: "the most messages in one JSON-RPC batch",
			set: setNumber(func(o *Options) *int { return &o.MaxBatch }, 1, 10_000),
		},
		{
			Name: "max-sessions", Group: groupLimits, Kind: KindNumber, Default: "10000", Help: "the most client sessions kept in memory; the longest unused one makes room",
			set: setNumber(func(o *Options) *int { return &o.MaxSessions }, 1, maxCount),
		},
		{
			Name: "max-streams", Group: groupLimits, Kind: KindNumber, Default: "10000", Help: "the most open streams of all clients",
			set: setNumber(func(o *Options) *int { return &o.MaxStreams }, 1, maxCount),
		},
		{Name: "mcp-rate-limit", Group: groupLimits, Default: "2000-S", Help: "the most MCP requests of one client per second (S), minute (M), hour (H) or day (D); off for none", set: setRate},
	}
}

func timeOptions() []Option {
	return []Option{
		{
			Name: "session-idle-timeout", Group: groupTime, Kind: KindDuration, Default: "30m", Help: "when a session ends that nothing happens in",
			set: setDuration(func(o *Options) *time.Duration { return &o.SessionIdle }, time.Second, 30*24*time.Hour),
		},
		{
			Name: "keep-alive-interval", Group: groupTime, Kind: KindDuration, Default: "20s", Help: "the time between comments on an idle stream",
			set: setDuration(func(o *Options) *time.Duration { return &o.KeepAlive }, 100*time.Millisecond, time.Hour),
		},
		{
			Name: "silent-call-delay", Group: groupTime, Kind: KindDuration, Default: "5s", Help: "when a call that has no answer yet becomes a stream",
			set: setDuration(func(o *Options) *time.Duration { return &o.SilentCall }, 10*time.Millisecond, time.Hour),
		},
		{
			Name: "startup-wait", Group: groupTime, Kind: KindDuration, Default: "1500ms", Help: "how long the first list waits for servers that are starting",
			set: setDuration(func(o *Options) *time.Duration { return &o.StartupWait }, 0, 10*time.Minute),
		},
		{
			Name: "drain-delay", Group: groupTime, Kind: KindDuration, Default: "auto", Help: "how long to go on serving after reporting not ready; auto is 0s on loopback and else 5s, the time a balancer needs to notice",
			set: setDrainDelay,
		},
		{
			Name: "grace", Group: groupTime, Kind: KindDuration, Default: "25s", Help: "how long calls in flight may take after that",
			set: setDuration(func(o *Options) *time.Duration { return &o.Grace }, 0, time.Hour),
		},
	}
}
