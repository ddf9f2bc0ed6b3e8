// Package conformance puts the gateway before the official MCP conformance suite, in both roles.
//
// Server mode: the suite is the client, and the Go SDK's conformance/everything-server is the server behind the
// gateway, over streamable HTTP and over stdio, with and without a name prefix. Client mode: the suite is the server
// behind the gateway, and the Go SDK's conformance/everything-client is the client in front of it.
//
//	direct   suite ──────────────────────► everything-server          suite ◄──────────── everything-client
//	S1, S4   suite ──────────► agent ────► everything-server          suite ◄─── agent ◄── everything-client   (C1)
//	S5       suite ──► shim ─► agent ────► everything-server
//
// Every run is judged against the direct run of the same revision: all scenarios must pass, with no failure at all, no
// warning that the direct run does not have, and no fewer successful checks. All processes are real, listen on free
// loopback ports, and are ended by their own id.
//
// The tests need Node and the packages of test/package-lock.json, and therefore stand behind the build tag
// conformance: `make conformance`.
package conformance
