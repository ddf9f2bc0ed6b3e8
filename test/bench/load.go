package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/manifold-mcp/manifold/internal/testkit"
)

// job is what a load process does: so many clients on connections of their own send the same request, one after the
// answer to the other.
type job struct {
	// Addr and Path are where to send to, PID and Probe the process to measure there; no PID measures nothing.
	Addr, Path string
	PID        int
	Probe      string
	Clients    int
	Duration   time.Duration
	// Body is the request.
	Body string
	// Profile is a file for a processor profile of the measured process, taken meanwhile.
	Profile string
	// Loose takes answers with another id, from a handler that does not read.
	Loose bool
}

// outcome is what a load process found.
type outcome struct {
	Calls    int
	Elapsed  time.Duration
	CPU      time.Duration
	Mallocs  uint64
	Bytes    uint64
	P50, P99 time.Duration
	RSS      int64
	// Cut counts the answers that ended too soon; they are not among the calls.
	Cut int
}

// perSecond gives the calls per second.
func (o outcome) perSecond() float64 { return float64(o.Calls) / o.Elapsed.Seconds() }

// perCall divides an amount by the calls.
func (o outcome) perCall(amount float64) float64 { return amount / float64(o.Calls) }

// warmUp comes before what is measured: connections, buffers, sessions.
const warmUp = 300 * time.Millisecond

// loadMain runs the job on standard input and writes the outcome to standard output.
func loadMain() error {
	var j job
	if err := json.NewDecoder(os.Stdin).Decode(&j); err != nil {
		return err
	}
	o, err := j.run()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(o)
}

func (j job) run() (outcome, error) {
	clients := make([]*client, j.Clients)
	for i := range clients {
		c, err := dial(j.Addr, j.Path)
		if err != nil {
			return outcome{}, err
		}
		defer c.close()
		if !j.Loose {
			if err := c.initialize(); err != nil {
				return outcome{}, err
			}
		}
		clients[i] = c
	}
	if _, err := j.drive(clients, warmUp); err != nil {
		return outcome{}, err
	}
	before, err := j.sample()
	if err != nil {
		return outcome{}, err
	}
	profiled := j.profile()
	cutBefore := cut(clients)
	begun := time.Now()
	latencies, err := j.drive(clients, j.Duration)
	if err != nil {
		return outcome{}, err
	}
	elapsed := time.Since(begun)
	after, err := j.sample()
	if err = errors.Join(err, <-profiled); err != nil {
		return outcome{}, err
	}
	slices.Sort(latencies)
	n := len(latencies)
	return outcome{
		Calls: n, Elapsed: elapsed, CPU: after.usage.CPU - before.usage.CPU, RSS: after.usage.RSS,
		Mallocs: after.probe.Mallocs - before.probe.Mallocs, Bytes: after.probe.Bytes - before.probe.Bytes,
		P50: latencies[n/2], P99: latencies[n*99/100], Cut: cut(clients) - cutBefore,
	}, nil
}

// cut counts the cut answers of all clients so far.
func cut(clients []*client) (n int) {
	for _, c := range clients {
		n += c.cut
	}
	return n
}

// drive has all clients call for so long and gives how long each call took.
func (j job) drive(clients []*client, d time.Duration) ([]time.Duration, error) {
	var mu sync.Mutex
	var all []time.Duration
	var failures []error
	deadline := time.Now().Add(d)
	var wg sync.WaitGroup
	for _, c := range clients {
		wg.Go(func() {
			var took []time.Duration
			var err error
			for now := time.Now(); err == nil && now.Before(deadline); {
				var whole bool
				whole, err = c.try(j.Body, !j.Loose)
				done := time.Now()
				if whole {
					took = append(took, done.Sub(now))
				}
				now = done
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
			if err != nil {
				failures = append(failures, err)
			}
		})
	}
	wg.Wait()
	return all, errors.Join(failures...)
}

// sample is what the measured process has used up to now.
type sample struct {
	usage testkit.Usage
	probe benchProbe
}

func (j job) sample() (sample, error) {
	var s sample
	if j.PID == 0 {
		return s, nil
	}
	if j.Probe != "" {
		if err := getJSON("http://"+j.Probe+"/memstats", &s.probe); err != nil {
			return s, err
		}
	}
	var err error
	s.usage, err = testkit.UsageOf(j.PID)
	return s, err
}

func getJSON(url string, into any) error {
	res, err := http.Get(url)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, res.Status)
	}
	if into == nil {
		_, err = io.Copy(io.Discard, res.Body)
		return err
	}
	return json.NewDecoder(res.Body).Decode(into)
}

// profile takes a profile of whole seconds while the load runs.
func (j job) profile() <-chan error {
	done := make(chan error, 1)
	if j.Profile == "" || j.Probe == "" {
		done <- nil
		return done
	}
	go func() {
		done <- func() error {
			res, err := http.Get(fmt.Sprintf("http://%s/profile?seconds=%d", j.Probe, max(1, int(j.Duration.Seconds()))))
			if err != nil {
				return err
			}
			defer func() { _ = res.Body.Close() }()
			f, err := os.Create(j.Profile)
			if err != nil {
				return err
			}
			_, err = io.Copy(f, res.Body)
			return errors.Join(err, f.Close())
		}()
	}()
	return done
}
