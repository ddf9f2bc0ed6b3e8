// Package filter decides which part of the catalogue a client sees, and under which names.
//
// A client chooses with one of the query parameters tags, tag-filter, filter and preset ([Select]); each becomes an [Expr]
// over the tags of a server. An [Expr] has a canonical text: two selections that mean the same in the same words share it,
// so it serves as the key of everything that is computed once per filter. [PublicName] makes the name under which a client
// sees a tool or prompt.
//
//	?tags=a,b          ParseTags ──┐
//	?tag-filter=a+!b   ParseExpr ──┼──► Expr ──► Match(tags of a server)
//	?filter=…          ParseFilter ┤       └──► String(), the cache key
//	?preset=dev        ParsePreset ┘
//
// Everything here is a pure function or an immutable value, safe for concurrent use. Where the tags and presets come from,
// and what the filtered lists look like, is the business of the configuration and of the proxy.
package filter
