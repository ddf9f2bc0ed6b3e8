package main

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
)

// This file stands alone: it is part of this program and, by an overlay at build time, of the agent that is measured. With
// the variable set it tells on that address what the runtime has allocated; without it, it does nothing.

// benchProbeVariable names the address to listen on.
const benchProbeVariable = "MANIFOLD_BENCH_PROBE"

// benchProbe is the answer of /memstats: what was allocated since the start of the process.
type benchProbe struct {
	Mallocs uint64 `json:"mallocs"`
	Bytes   uint64 `json:"bytes"`
}

// benchProbeMux has what is told.
var benchProbeMux = http.NewServeMux()

func init() {
	addr := os.Getenv(benchProbeVariable)
	if addr == "" {
		return
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		panic(err)
	}
	benchProbeMux.HandleFunc("/memstats", func(w http.ResponseWriter, _ *http.Request) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		_ = json.NewEncoder(w).Encode(benchProbe{Mallocs: m.Mallocs, Bytes: m.TotalAlloc})
	})
	benchProbeMux.HandleFunc("/gc", func(http.ResponseWriter, *http.Request) { debug.FreeOSMemory() })
	go func() { _ = http.Serve(l, benchProbeMux) }()
}
