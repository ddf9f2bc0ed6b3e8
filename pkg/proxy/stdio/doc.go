// Package stdio is the client-facing edge on standard input and output: one client, one message per line (all legacy
// revisions). It ends when the input does.
package stdio
