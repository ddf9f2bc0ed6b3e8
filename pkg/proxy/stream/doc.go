// Package stream is an SSE stream to a client as both HTTP edges need it: an ordered log of events that one HTTP response at
// a time reads.
//
//	Send ──► [ 1 2 3 4 5 ] ──► Serve (one reader; a later one takes over, from any event that is still kept)
//
// Writers never block: the log is bounded, and a client that does not read loses its oldest events, or its connection when
// a write takes too long. A resumable log keeps what it has sent, so that a client may come back with Last-Event-ID
// (2025-11-25 transports, "Resumability and Redelivery").
//
// A Log is safe for concurrent use.
package stream
