// Package e2e tests the real binary with real processes: clients of every transport in front of it, servers of every
// transport behind it, all on the loopback interface and on free ports. It needs Go alone.
//
// The servers are actors (actor_test.go): raw MCP servers that do what their tools are told to do. A stdio actor is the
// test binary run again. Nothing here waits by sleeping: a tool that must be slow waits for another call to let it go.
package e2e
