//go:build unix

package e2e

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/manifold-mcp/manifold/internal/testkit"
)

// TestShutdownEndsStreams: SIGTERM with idle streams and a call that does not end: the agent exits with 0 within its
// grace, and idle streams end as streams end, not by a cut.
func TestShutdownEndsStreams(t *testing.T) {
	t.Parallel()
	const grace = 2 * time.Second
	g := start(t, map[string]any{"stdio": stdio(t, role{Name: "stdio"})}, "--drain-delay", "0s", "--grace", grace.String())
	c := connect(t, g, "/mcp")
	await(t, c, "stdio__hold")
	ends := make(chan error, 20)
	for range cap(ends) {
		s, err := connect(t, g, "/mcp").Listen(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		go func() {
			var err error
			for err == nil {
				_, _, err = s.NextMessage()
			}
			ends <- err
		}()
	}
	go func() { _, _ = c.Do(t.Context(), testkit.ToolCall("1", "stdio__hold", `{"key":"never"}`)) }()
	awaitHolding(t, c, "stdio", "never")

	begun := time.Now()
	code, inTime := g.Stop(grace + 10*time.Second)
	took := time.Since(begun)
	if !inTime || code != 0 {
		t.Errorf("exit code %d, in time: %t; want 0", code, inTime)
	}
	limit := grace + 3*time.Second // the servers behind it get a moment of their own to end
	if testkit.RaceEnabled {       // with the race detector every process sleeps a second before it ends
		limit += 5 * time.Second
	}
	if took > limit {
		t.Errorf("the agent took %v to end, want at most %v", took, limit)
	}
	for range cap(ends) {
		if err := <-ends; !errors.Is(err, io.EOF) {
			t.Errorf("an idle stream ended with %v, want EOF", err)
		}
	}
}

// TestCallsInFlightMayEndWithinTheGrace: a call that ends within the grace is answered.
func TestCallsInFlightMayEndWithinTheGrace(t *testing.T) {
	t.Parallel()
	a := newActor(role{Name: "streamable"})
	g := start(t, map[string]any{"streamable": streamable(t, a)}, "--drain-delay", "0s", "--grace", "20s")
	c := connect(t, g, "/mcp")
	await(t, c, "streamable__hold")
	got := make(chan string, 1)
	go func() {
		m, err := c.Do(t.Context(), testkit.ToolCall("1", "streamable__hold", `{"key":"late"}`))
		if err != nil {
			got <- err.Error()
			return
		}
		got <- said(m.Result)
	}()
	awaitHolding(t, c, "streamable", "late")
	if err := g.Terminate(); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, patience, "the listener to close", func() bool { return !g.Listens() })
	a.open("late")
	if text := <-got; text != "released" {
		t.Errorf("the call in flight ended as %q, want its answer", text)
	}
	if code, ended := g.Wait(patience); !ended || code != 0 {
		t.Errorf("exit code %d, ended: %t", code, ended)
	}
}
