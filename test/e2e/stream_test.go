package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/manifold-mcp/manifold/internal/testkit"
)

// shortSilence makes a silent call a stream at once, with comments in quick succession.
var shortSilence = []string{"--silent-call-delay", "100ms", "--keep-alive-interval", "100ms"}

// TestSilentCallBecomesAStream: a call that stays silent becomes a stream with comments, so that no balancer cuts it, and
// its answer arrives on it.
func TestSilentCallBecomesAStream(t *testing.T) {
	t.Parallel()
	g := start(t, everyUpstream(t), shortSilence...)
	c := connect(t, g, "/mcp")
	for _, upstream := range upstreamKinds {
		t.Run(upstream, func(t *testing.T) {
			await(t, c, upstream+"__hold")
			s, err := c.Open(deadline(t), testkit.ToolCall("1", upstream+"__hold", `{"key":"silent"}`))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for comments := 0; comments < 3; {
				ev, err := s.Next()
				if err != nil {
					t.Fatal(err)
				}
				if ev.Comment {
					comments++
				} else if len(ev.Data) > 0 {
					t.Fatalf("want comments until the answer, got %q", ev.Data)
				}
			}
			release(t, c, upstream, "silent")
			m, _, err := s.NextMessage()
			if err != nil || string(m.ID) != "1" || said(m.Result) != "released" {
				t.Errorf("want the answer on the stream, got %s (%v)", m.Raw, err)
			}
			if ev, err := s.Next(); !errors.Is(err, io.EOF) {
				t.Errorf("want the stream to end after the answer, got %+v (%v)", ev, err)
			}
		})
	}
}

// TestSilentCallForAClientWithoutStreams: a client that takes only JSON waits for its JSON.
func TestSilentCallForAClientWithoutStreams(t *testing.T) {
	t.Parallel()
	g := start(t, map[string]any{"stdio": stdio(t, role{Name: "stdio"})}, shortSilence...)
	c := connect(t, g, "/mcp")
	await(t, c, "stdio__hold")
	req, err := http.NewRequestWithContext(deadline(t), http.MethodPost, g.URL("/mcp"),
		bytes.NewReader(testkit.ToolCall("1", "stdio__hold", `{"key":"json"}`)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{
		"Content-Type": {"application/json"}, "Accept": {"application/json"},
		"Mcp-Session-Id": {c.Session}, "Mcp-Protocol-Version": {newest},
	}
	type reply struct {
		res *http.Response
		err error
	}
	got := make(chan reply, 1)
	go func() {
		res, err := http.DefaultClient.Do(req)
		got <- reply{res, err}
	}()
	awaitHolding(t, c, "stdio", "json")
	release(t, c, "stdio", "json")
	r := <-got
	if r.err != nil {
		t.Fatal(r.err)
	}
	defer func() { _ = r.res.Body.Close() }()
	if kind := r.res.Header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("want JSON, got %s", kind)
	}
}

// TestCutStreamIsResumed: a client whose connection is cut in the middle of a call gets the rest, once and in order, by
// GET with Last-Event-ID (2025-11-25 transports, "Resumability and Redelivery").
func TestCutStreamIsResumed(t *testing.T) {
	t.Parallel()
	g := start(t, everyUpstream(t))
	c := connect(t, g, "/mcp")
	for _, upstream := range upstreamKinds {
		t.Run(upstream, func(t *testing.T) {
			await(t, c, upstream+"__progress")
			s, err := c.Open(deadline(t), testkit.Request(`"call"`, "tools/call", fmt.Sprintf(
				`{"name":"%s__progress","arguments":{"n":3,"nonce":"x","gate":"cut"},"_meta":{"progressToken":"t"}}`, upstream)))
			if err != nil {
				t.Fatal(err)
			}
			first, id, err := s.NextMessage()
			s.Close() // cut, while the tool waits at its gate
			if err != nil || step(first) != "1" || id == "" {
				t.Fatalf("want the first progress with an event id, got %s with %q (%v)", first.Raw, id, err)
			}
			release(t, c, upstream, "cut")
			middle := rest(t, c, id, "2", "3", `"call"`)
			rest(t, c, id, "2", "3", `"call"`) // whoever comes back with the same id missed the same
			rest(t, c, middle[0], "3", `"call"`)
		})
	}
}

// step names a message: the progress that it reports, or the id that it answers.
func step(m testkit.Message) string {
	if m.IsResponse() {
		return string(m.ID)
	}
	return string(testkit.Get(m.Params, "progress"))
}

// rest resumes after the event and wants exactly these messages up to the answer. It gives their event ids.
func rest(t *testing.T, c *testkit.Streamable, after string, want ...string) []string {
	t.Helper()
	s, err := c.Listen(deadline(t), after)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var have, ids []string
	for len(have) == 0 || have[len(have)-1] != want[len(want)-1] {
		m, id, err := s.NextMessage()
		if err != nil {
			t.Fatalf("after %v: %v", have, err)
		}
		have, ids = append(have, step(m)), append(ids, id)
	}
	if !slices.Equal(have, want) {
		t.Errorf("resumed after %s: %v, want %v", after, have, want)
	}
	return ids
}

// TestStreamIsResumedByItsOwnerOnly: another session cannot read a stream by knowing an event id.
func TestStreamIsResumedByItsOwnerOnly(t *testing.T) {
	t.Parallel()
	g := start(t, map[string]any{"stdio": stdio(t, role{Name: "stdio"})})
	alice, mallory := connect(t, g, "/mcp"), connect(t, g, "/mcp")
	await(t, alice, "stdio__progress")
	s, err := alice.Open(deadline(t), testkit.Request("1", "tools/call",
		`{"name":"stdio__progress","arguments":{"n":2,"nonce":"secret","gate":"own"},"_meta":{"progressToken":"t"}}`))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, id, err := s.NextMessage()
	if err != nil {
		t.Fatal(err)
	}
	if stolen, err := mallory.Listen(deadline(t), id); err == nil {
		stolen.Close()
		t.Error("a foreign event id opened a stream, want it refused")
	}
	release(t, alice, "stdio", "own")
	if m, _, err := s.NextMessage(); err != nil || step(m) != "2" {
		t.Errorf("the owner's stream went astray: %s (%v)", m.Raw, err)
	}
}
