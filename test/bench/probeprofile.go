//go:build benchprofile

package main

import "net/http/pprof"

// This file lets -profile look into the agent. It is not in the agent otherwise, because the runtime samples allocations in
// every program that could ask for them.

func init() { benchProbeMux.HandleFunc("/profile", pprof.Profile) }
