// Package example is a small, real MCP server: the one that `agent example-server` runs, that mcp.json.example
// starts on a machine with nothing but Go, and that tests put behind the gateway.
//
// Each feature of the protocol that a gateway has to carry is here once, in its smallest useful form: plain and
// structured results, progress and cancellation, log messages, requests that the server makes of its client
// (elicitation, sampling, roots), a resource that changes, a resource template, a prompt with completion.
//
// The server is written on the official Go SDK and speaks every protocol revision that the SDK speaks. The tools
// that ask their client something return an input-required result; the SDK turns that into server-initiated
// requests for clients older than 2026-07-28.
//
//	New ─► Server ─┬─ RunStdio(ctx, in, out)   one session on a pair of streams
//	               ├─ StreamableHandler()      any number of stateful sessions over streamable HTTP
//	               ├─ SSEHandler()             any number of sessions over HTTP+SSE (2024-11-05)
//	               └─ Run(ctx, interval)       lets the counter resource change, until ctx ends
//
// A Server is safe for concurrent use by any number of sessions.
package example
