// Package interop holds the gateway against real servers and real clients: everything that a client gets through the
// gateway must equal, field by field, what it gets straight from the server.
//
// The servers are the official ones from npm (everything over stdio, streamable HTTP and HTTP+SSE; filesystem; memory).
// The clients are the official TypeScript SDKs 1.x and 2.x and the Go SDK. A plan lists what a client does with a server:
// list everything, call every tool, get every prompt, read every resource, complete, subscribe. Each client carries
// the plan out twice, directly and through the agent, and writes down what came back; the two transcripts must be equal.
//
//	plan ─┬─► client ─────────────────► server     ─► transcript ─┐
//	      └─► client ─► agent ────────► its equal  ─► transcript ─┴─► normalise ─► equal?
//
// What may differ is listed, with its reason, in normalise_test.go, and nowhere else. Both sides get processes and
// folders of their own, equal at the start, so that tools which change something can be called too.
//
// The tests need Node and the packages of test/package-lock.json, and therefore stand behind the build tag interop:
// `make interop`.
package interop
