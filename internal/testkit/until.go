package testkit

import (
	"testing"
	"time"
)

// Until asks cond again and again until it is true, and fails the test when the time is over. What names the thing
// that was waited for.
func Until(tb testing.TB, within time.Duration, what string, cond func() bool) {
	tb.Helper()
	if !Poll(within, cond) {
		tb.Fatalf("not within %v: %s", within, what)
	}
}

// Poll asks cond again and again until it is true or the time is over, and tells which.
func Poll(within time.Duration, cond func() bool) bool {
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if cond() {
			return true
		}
		select {
		case <-deadline.C:
			return cond()
		case <-tick.C:
		}
	}
}
