package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// cell is one load that all targets are compared by.
type cell struct {
	name    string
	size    int
	clients int
}

var cells = []cell{
	{"1 KiB, 1 client", 1 << 10, 1},
	{"1 KiB, 16 clients", 1 << 10, 16},
	{"64 KiB, 1 client", 64 << 10, 1},
	{"64 KiB, 16 clients", 64 << 10, 16},
	{"10 MB, 1 client", 10_000_000, 1},
	{"10 MB, 16 clients", 10_000_000, 16},
}

// request is a tools/call of about 200 bytes.
func (c cell) request() string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":42,"method":"tools/call","params":{"name":"canned","arguments":{"size":%d,"query":"%s"}}}`,
		c.size, strings.Repeat("a question ", 9))
}

// results are the outcomes of a cell by target, one per round.
type results map[string][]outcome

// calls compares all targets by all cells.
func (s *setting) calls() error {
	all := make([]results, len(cells))
	for round := range s.rounds {
		for i, c := range cells {
			if all[i] == nil {
				all[i] = results{}
			}
			order := s.targets()
			if round%2 == 1 { // so that none is always the first, on warm or cold caches
				slices.Reverse(order)
			}
			for _, t := range order {
				j := job{Path: "/mcp", Clients: c.clients, Duration: s.duration, Body: c.request()}
				if s.profiles != "" && t.middle == s.agent {
					j.Profile = filepath.Join(s.profiles, strings.NewReplacer(" ", "-", ",", "").Replace(c.name)+".pprof")
				}
				o, err := t.measure(j)
				if err != nil {
					return fmt.Errorf("%s: %w", c.name, err)
				}
				all[i][t.name] = append(all[i][t.name], o)
				fmt.Fprintf(os.Stderr, "round %d, %s, %s: %.0f calls/s\n", round+1, c.name, t.name, o.perSecond())
			}
		}
	}
	s.printFacts()
	printCalls(all)
	printRatios(all)
	return nil
}

func (s *setting) printFacts() {
	fmt.Printf("One run on %d cores (%s/%s), %s, %d rounds of %v per cell; medians.\n\n",
		runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), s.rounds, s.duration)
}

func printCalls(all []results) {
	fmt.Println("| answer | through | calls/s | p50 | p99 | CPU per call | bytes per call | allocations per call | memory |")
	fmt.Println("|---|---|---:|---:|---:|---:|---:|---:|---:|")
	for i, c := range cells {
		for _, name := range []string{"direct", "ReverseProxy", "Manifold"} {
			rs := all[i][name]
			row := []string{
				c.name, name,
				fmt.Sprintf("%.0f", median(rs, outcome.perSecond)),
				micros(median(rs, func(o outcome) float64 { return float64(o.P50) })),
				micros(median(rs, func(o outcome) float64 { return float64(o.P99) })),
			}
			if name == "direct" {
				row = append(row, "–", "–", "–", "–")
			} else {
				row = append(row,
					micros(median(rs, cpuPerCall)),
					fmt.Sprintf("%.1f kB", median(rs, bytesPerCall)/1000),
					fmt.Sprintf("%.0f", median(rs, allocsPerCall)),
					fmt.Sprintf("%.0f MiB", median(rs, func(o outcome) float64 { return float64(o.RSS) / (1 << 20) })))
			}
			fmt.Println("| " + strings.Join(row, " | ") + " |")
		}
	}
	fmt.Println()
	for i, c := range cells {
		for name, rs := range all[i] {
			for round, o := range rs {
				if o.Cut > 0 {
					fmt.Printf("%s, round %d: %s cut off %d of %d answers; they are not counted.\n\n", c.name, round+1, name, o.Cut, o.Cut+o.Calls)
				}
			}
		}
	}
}

func cpuPerCall(o outcome) float64    { return o.perCall(float64(o.CPU)) }
func bytesPerCall(o outcome) float64  { return o.perCall(float64(o.Bytes)) }
func allocsPerCall(o outcome) float64 { return o.perCall(float64(o.Mallocs)) }

// printRatios prints Manifold over ReverseProxy: the ratio of each round, and of these the median.
func printRatios(all []results) {
	fmt.Println("| Manifold ÷ ReverseProxy | calls/s | CPU per call | p50 | p99 | bytes | allocations |")
	fmt.Println("|---|---:|---:|---:|---:|---:|---:|")
	for i, c := range cells {
		row := []string{c.name}
		for _, f := range []func(outcome) float64{
			outcome.perSecond, cpuPerCall,
			func(o outcome) float64 { return float64(o.P50) }, func(o outcome) float64 { return float64(o.P99) },
			bytesPerCall, allocsPerCall,
		} {
			row = append(row, fmt.Sprintf("%.2f", medianRatio(all[i]["Manifold"], all[i]["ReverseProxy"], f)))
		}
		fmt.Println("| " + strings.Join(row, " | ") + " |")
	}
	fmt.Println("| *goal at 1 and 64 KiB* | *≥ 1.30* | *≤ 0.75* | | | | |")
	fmt.Println("| *goal at 10 MB, 1 client* | | | *≤ 1.20* | | *under 1 MiB per call* | |")
	fmt.Println()
}

func median(rs []outcome, f func(outcome) float64) float64 {
	values := make([]float64, len(rs))
	for i, o := range rs {
		values[i] = f(o)
	}
	return middle(values)
}

func medianRatio(a, b []outcome, f func(outcome) float64) float64 {
	values := make([]float64, len(a))
	for i := range a {
		values[i] = f(a[i]) / f(b[i])
	}
	return middle(values)
}

// middle is the median; of an even number the mean of the two in the middle.
func middle(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	if n%2 == 1 {
		return values[n/2]
	}
	return (values[n/2-1] + values[n/2]) / 2
}

// micros prints nanoseconds as µs or ms.
func micros(ns float64) string {
	if ns >= float64(10*time.Millisecond) {
		return fmt.Sprintf("%.1f ms", ns/1e6)
	}
	return fmt.Sprintf("%.0f µs", ns/1e3)
}
