package config

import "math"

// The options of 1MCP that the gateway accepts so that a command line, a unit file or a compose file can stay as it is.

func authOptions() []Option {
	enableAuth := setBool(func(o *Options) *bool { return &o.EnableAuth })
	return []Option{
		{
			Name: "enable-auth", Group: groupAuth, Kind: KindBool, TOML: []string{"auth.enabled"}, Default: "false", NoEffect: notYet,
			Help: "ask clients for bearer tokens; refused together with a --host that other machines reach", set: enableAuth,
		},
		{Name: "auth", Group: groupAuth, Kind: KindBool, AliasOf: "enable-auth", Deprecated: "use --enable-auth", Help: "the same as --enable-auth", set: enableAuth},
		silentBool("enable-scope-validation", groupAuth, "true", "check scopes of tokens", notYet, "auth.enableScopeValidation"),
		silentBool("enable-enhanced-security", groupAuth, "false", "1MCP's additional headers and input filter", notYet, "auth.enableEnhancedSecurity"),
		silentNumber("session-ttl", groupAuth, "1440", "life of an access token in minutes", notYet, "auth.sessionTtl"),
		silentText("session-storage-path", groupAuth, "the folder for OAuth sessions", notYet),
		silentNumber("rate-limit-window", groupAuth, "15", "window of the rate limit on OAuth endpoints in minutes", notYet, "auth.rateLimitWindow"),
		silentNumber("rate-limit-max", groupAuth, "100", "requests per window on OAuth endpoints", notYet, "auth.rateLimitMax"),
	}
}

func asyncOptions() []Option {
	snapshot := silentBool("async-notify-on-snapshot", group1MCP, "true", "tell clients when the first catalogue is complete", alwaysOn)
	return []Option{
		silentBool("enable-async-loading", group1MCP, "false", "listen before the servers are connected", alwaysOn, "asyncLoading.enabled"),
		silentBool("async-batch-notifications", group1MCP, "true", "coalesce list_changed notifications", alwaysOn, "asyncLoading.batchNotifications"),
		silentNumber("async-batch-delay", group1MCP, "1000", "how long to coalesce, in milliseconds", notYet, "asyncLoading.batchDelay"),
		snapshot,
		{
			Name: "async-notify-on-ready", Group: group1MCP, Kind: KindBool, AliasOf: snapshot.Name,
			Deprecated: "use --async-notify-on-snapshot", Help: "the same as --async-notify-on-snapshot", set: snapshot.set,
		},
		silentNumber("async-min-servers", group1MCP, "", "how many servers to wait for", inOneMCPToo, "asyncLoading.minServers"),
		silentNumber("async-timeout", group1MCP, "", "how long to wait for servers, in milliseconds", inOneMCPToo, "asyncLoading.timeout"),
	}
}

func lazyOptions() []Option {
	return []Option{
		silentBool("enable-lazy-loading", group1MCP, "false", "three meta tools instead of the whole list", notYet, "lazyLoading.enabled"),
		silentText("lazy-mode", group1MCP, "the form of lazy loading", inOneMCPToo, "lazyLoading.mode"),
		silentText("lazy-direct-expose", group1MCP, "tools to list in any case", inOneMCPToo),
		silentNumber("lazy-cache-max-entries", group1MCP, "1000", "schemas to keep", notYet, "lazyLoading.cacheMaxEntries"),
		silentNumber("lazy-cache-ttl", group1MCP, "", "how long to keep a schema, in milliseconds", notYet),
		silentText("lazy-preload", group1MCP, "tools to load at once", notYet),
		silentText("lazy-preload-keywords", group1MCP, "tools to load at once, by keyword", notYet),
		silentBool("lazy-inline-catalog", group1MCP, "false", "put the catalogue into the description of the meta tool", notYet, "lazyLoading.inlineCatalog"),
		silentChoice("lazy-catalog-format", group1MCP, "grouped", "the form of that catalogue", notYet, "flat", "grouped", "categorized"),
		silentChoice("lazy-fallback-on-error", group1MCP, "skip", "what to do when a schema cannot be loaded", notYet, "skip", "full"),
		silentNumber("lazy-fallback-timeout", group1MCP, "5000", "how long to wait for a schema, in milliseconds", notYet),
	}
}

func otherOptions() []Option {
	return []Option{
		silentChoice("template-context-trust", group1MCP, "verified", "whose context fills mcpTemplates", notYet, "verified", "disabled", "legacy").withTOML("templateContext.trust"),
		silentBool("confirm-untrusted-template-context", group1MCP, "false", "allow legacy trust on an open address", notYet),
		silentBool("enable-config-reload", group1MCP, "true", "read mcp.json again when it changes", notYet, "configReload.enabled"),
		silentNumber("config-reload-debounce", group1MCP, "500", "how long to wait for further changes, in milliseconds", notYet, "configReload.debounce"),
		silentBool("enable-session-persistence", group1MCP, "true", "write sessions to disk", noSessions),
		silentNumber("session-persist-requests", group1MCP, "100", "write a session after so many requests", noSessions),
		silentNumber("session-persist-interval", group1MCP, "5", "write sessions after so many minutes", noSessions),
		silentNumber("session-background-flush", group1MCP, "60", "write sessions every so many seconds", noSessions),
		silentBool("enable-client-notifications", group1MCP, "true", "tell clients about changes of the configuration", alwaysOn),
		silentBool("enable-jsonrpc-error-logging", group1MCP, "true", "log JSON-RPC errors", alwaysOn),
		silentBool("enable-internal-tools", group1MCP, "false", "offer tools that manage the gateway", notYet),
		silentText("internal-tools", group1MCP, "which of them", notYet),
		silentText("instructions-template", group1MCP, "the file of a template for instructions", notYet).withShort("T"),
		silentText("cli-session-cache-path", group1MCP, "where command line clients keep their session", notYet),
	}
}

// processOptions manage a background process in 1MCP. Serving in the foreground is the safe half of --background; the
// other three ask for something else than serving, so serving would be wrong.
func processOptions() []Option {
	const cure = "this version runs in the foreground only; use your service manager"
	out := []Option{{
		Name: "background", Group: groupProcess, Kind: KindBool, Default: "false", Help: "run in the background",
		NoEffect: "this version runs in the foreground", set: setBool(nil),
	}}
	for _, o := range []struct{ name, help string }{
		{"status", "print whether a background process runs"}, {"stop", "stop the background process"}, {"restart", "restart the background process"},
	} {
		out = append(out, Option{
			Name: o.name, Group: groupProcess, Kind: KindBool, Default: "false", Help: o.help, Refused: cure, set: setBool(nil),
		})
	}
	return out
}

func silentBool(name, group, def, help, why string, toml ...string) Option {
	return Option{Name: name, Group: group, Kind: KindBool, Default: def, Help: help, NoEffect: why, TOML: toml, set: setBool(nil)}
}

func silentNumber(name, group, def, help, why string, toml ...string) Option {
	return Option{Name: name, Group: group, Kind: KindNumber, Default: def, Help: help, NoEffect: why, TOML: toml, set: setNumber(nil, 0, math.MaxInt32)}
}

func silentText(name, group, help, why string, toml ...string) Option {
	return Option{Name: name, Group: group, Help: help, NoEffect: why, TOML: toml, set: anyText}
}

func silentChoice(name, group, def, help, why string, choices ...string) Option {
	return Option{Name: name, Group: group, Kind: KindChoice, Default: def, Help: help + ": " + oneOf(choices), NoEffect: why, set: setChoice(nil, choices...)}
}

func (o Option) withTOML(keys ...string) Option { o.TOML = keys; return o }
func (o Option) withShort(letter string) Option { o.Short = letter; return o }
