// Package wire handles JSON-RPC 2.0 messages as the bytes they are: it finds the members that a gateway routes on,
// replaces some of them, and frames messages for stdio (lines) and server-sent events. It decodes nothing else, so
// unknown members, key order and 64-bit integers pass a gateway unchanged.
//
// # Two readers
//
//	from a client    Parse  full RFC 8259 validation, UTF-8, depth, and duplicate keys on every level
//	from an upstream Skim   envelope, params, result and _meta located; what lies inside is only bracket-matched
//	                 RelayResponse  the same idea for a response of any size, streamed through a fixed buffer
//
// Policy is decided on the same bytes that are sent on, so the strict reader leaves no two ways to read a message:
// keys are compared case-sensitively after unescaping, a repeated key, trailing bytes, a byte order mark, invalid UTF-8
// and a key with a lone surrogate are all refused. Whatever Parse accepts Skim accepts too, with the same spans.
//
// Both take time linear in the message, allocate nothing for a small message that is valid, and use no recursion that
// depends on the input: nesting is a bit set of MaxDepth bits, keys of large objects go into a pooled hash table with a
// random seed.
//
// # Spans and edits
//
// A Message holds half-open ranges (Span) of its Raw bytes. SetMember, DeleteMember and literal Edit values describe
// changes, and AppendSplice writes the changed copy in one pass.
//
// # Concurrency
//
// Messages, spans and edits are plain values. An EventReader or LineReader belongs to one goroutine. The buffer pool is
// safe for concurrent use.
//
// What a method means, which protocol revision is spoken and who may call what are left to packages protocol and proxy.
package wire
