// Package upstream is the gateway's side towards MCP servers: one [Upstream] per configured server, all owned by a [Manager].
//
// An upstream connects to its server, keeps it connected, knows what it offers, and carries calls to it: over stdio (a child
// process), streamable HTTP or HTTP+SSE. It changes nothing in a message but its id and progress token. What names mean, who
// may call what, and how answers reach clients is the business of package proxy.
//
//	Manager ─► Upstream ─► sharedConn ─► conn      serves the lists and all calls that need no connection of their own
//	                  └──► seat (per client) ─► conn   under isolation: session, or auto once the server asks clients back
//
//	conn: mux over a pipe (stdio, HTTP+SSE), or streamable HTTP
//
// The life of an upstream (public state in brackets; crash_loop, failed and awaiting_oauth come with later policies):
//
//	idle ──► starting ──► ready ──► backoff ──► starting …      any ──► stopping ──► idle
//	[disconnected]        [connected]  [error]                  [disconnected]
//
// What a server asks of clients (sampling, elicitation, roots) goes to the call it belongs to; where that is not certain it is
// refused, never guessed. Between connection and client stands a guard per call: it times the call out, checks that the client
// can be asked, and promises that the call's sink is not touched after the call has returned.
//
// Child processes lead groups of their own, which are killed with them; what remains when the gateway itself is killed is the
// business of its guardian, a process of its own ([RunGuardian]).
//
// Everything is safe for concurrent use. Nothing that one server does (hang, crash, flood, garbage, silence) delays another:
// readers never wait for clients, writers never wait for servers that have stopped reading, and all queues, lists and texts are
// bounded.
package upstream
