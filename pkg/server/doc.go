// Package server is the HTTP edge: it listens, guards, limits, logs and drains. It knows handlers, not what they do; what a
// request means is decided by whoever mounted the handler.
//
// Every request passes the same chain, in this order; each guard ends the request or hands it on:
//
//	access line ► recovery ► client address ► Host ► Origin and CORS ► encoding ► body deadline ► route ► rate limit ► handler
//
// A server lives once:
//
//	New ──► Mount… ──► Run ──(ctx ends)──► draining ──(DrainDelay)──► no new connections, streams end ──(Grace)──► closed
//	                    └──────────────────────────────(Close)───────────────────────────────────────────────────► closed
//
// Mount before Run or Handler. Everything else may be called at any time from anywhere.
package server
