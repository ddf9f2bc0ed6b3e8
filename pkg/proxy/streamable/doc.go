// Package streamable is the client-facing edge of streamable HTTP: POST, GET and DELETE on one path, for the revisions
// 2025-03-26, 2025-06-18 and 2025-11-25, decided per request.
//
// The call runs in the handler's goroutine and ends in one of two ways:
//
//	POST ─► call ──────────────────────► answer          ► application/json, copied through if it is large
//	             └─ anything precedes it, or silence ───► text/event-stream from then on, until the answer
//
// A stream is a stream.Log. If its client can come back (it has a session and the stream has ids), the call outlives the
// connection for a while and GET with Last-Event-ID goes on where the client was; otherwise a client that goes away
// cancels its call, because nobody could ever receive the answer.
package streamable
