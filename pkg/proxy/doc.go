// Package proxy is the heart of the gateway: one request in, one answer out.
//
// A [Router] owns the catalogue (what all servers offer, under the names that clients see) and the [Sessions]. An edge
// (sub-packages streamable, sse, stdio) reads a client's message, finds or makes its session, and hands a [Request] with a
// sink to [Router.Serve]; what comes back is an answer that the edge writes in its own way.
//
//	streamable ─┐                      ┌─ catalogue (immutable, swapped whole)
//	sse ────────┼─► Router.Serve ──────┼─ Sessions (live things only: the session itself travels in its sealed id)
//	stdio ──────┘        │             └─ fan-out (list_changed, resources/updated, stray log messages)
//	                     ▼
//	                 Upstream (an interface; package upstream implements it)
//
// What a request's filter hides does not exist for it: the lookup itself is by (view, public name), so lists, calls, reads,
// completions, subscriptions and notifications agree by construction.
//
// Everything exported is safe for concurrent use. The catalogue is read without locks.
package proxy
