// Package protocol holds the words that the router and the upstreams share: revisions, methods, error codes,
// capabilities, and the inner language of one call.
//
// The inner language has the shape of the modern protocol (2026-07-28): a [Call] carries everything that is known about
// its asker, so nothing has to be remembered about an earlier request. What a server sends back before its answer goes to
// the call's [Sink]: notifications, and requests of the server to its client (sampling, elicitation, roots). Edges that
// speak legacy sessions translate at their own border.
//
//	edge ── Call{Message, Edits, Client, Sink} ──► router ──► upstream
//	edge ◄── Sink.Notify / Sink.Ask / Sink.Detach ─────────── upstream
//	edge ◄── *Answer ──────────────────────────── router ◄─── upstream
//
// The package decodes nothing and does no input or output. All its values are safe for concurrent reading.
package protocol
