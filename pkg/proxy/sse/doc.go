// Package sse is the client-facing edge of HTTP+SSE (2024-11-05): GET /sse opens the one stream of a session and names
// where to post; POST /messages takes the client's messages, and every answer comes on the stream. The session ends with
// its stream.
package sse
