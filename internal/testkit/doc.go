// Package testkit holds what the tests of the whole program share: building the binary, starting and ending it, talking
// to it as a client of any transport, and standing in for the servers behind it.
//
//	test ──► Streamable | SSE | Stdio (clients) ──► the agent, a real process ──► Server over streamable HTTP | SSE | stdio
//
// Everything here speaks raw messages: a test says exactly which bytes go out and sees exactly which bytes come in. It
// shares no code with the gateway, so that an error in one is not hidden by the same error in the other.
//
// What a function starts, it ends with the test (testing.TB.Cleanup) or when its Close is called. All types are safe for
// concurrent use unless they say otherwise.
package testkit
