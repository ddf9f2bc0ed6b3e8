// Command bench measures the real binary against httputil.ReverseProxy in front of the same canned server and prints one
// table of one run, ready for the README:
//
//	go run ./test/bench [-duration 3s] [-rounds 3]
//
// Everything is a process of its own: the server, the proxy, the agent, and the load. Rounds are interleaved, so that
// what else the machine does hits all alike; ratios are taken within a round and their median is printed. CPU is what the
// kernel counted for the process in the middle (/proc, so Linux only). Allocations are what its runtime counted: the agent
// is built with one more file (probe.go, by go build -overlay), which answers when it is asked and is idle otherwise.
//
// Goals are printed beside the numbers and never asserted: a busy machine must not fail a build.
package main
