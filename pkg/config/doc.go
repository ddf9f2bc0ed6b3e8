// Package config reads everything a person configures: mcp.json (the servers), presets.json, and the options of the
// gateway itself (flags, ONE_MCP_* variables, config.toml).
//
//	mcp.json ─► parse ─► expand ${VAR} ─► serverDefaults ─► Validate ─► File + Report
//	flags > ONE_MCP_* > config.toml > default ─────────────► Resolve ─► Options + Report
//
// Both halves follow one rule: nothing is decided over the network, every problem is found in one pass, and each
// problem names its place (mcpServers.github.url, --port, ONE_MCP_PORT), what is wrong, and the cure. A server with an
// error is left out and the others load; only a file that is not JSON at all fails as a whole.
//
// Values that may hold credentials are of type [Secret] and print as [redacted] in every verb of fmt, in JSON and in
// logs; [Secret.Reveal] is the one way to the text.
//
// What this package leaves to its neighbours: starting servers (upstream), the grammar of tag expressions and the
// derivation of public names (filter), and reloading (its caller calls [Load] again and swaps the result).
//
// Everything here is safe for concurrent use once built: a File and its Servers are never changed after Load returns.
package config
