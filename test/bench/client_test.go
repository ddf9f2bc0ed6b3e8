package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func serveUpstream(t *testing.T) string {
	t.Helper()
	srv := httptest.NewServer(newUpstream())
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://")
}

func dialTest(t *testing.T, addr, path string) *client {
	t.Helper()
	c, err := dial(addr, path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

func TestCallsOfEverySize(t *testing.T) {
	t.Parallel()
	addr := serveUpstream(t)
	for _, cell := range cells {
		c := dialTest(t, addr, "/mcp")
		if err := c.initialize(); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := c.call(cell.request(), true); err != nil {
				t.Fatal(err)
			}
		}
		if c.size < cell.size || c.size > cell.size+200 {
			t.Errorf("%s: an answer of %d bytes", cell.name, c.size)
		}
		if n := len(cell.request()); n < 180 || n > 260 {
			t.Errorf("%s: a request of %d bytes, want about 200", cell.name, n)
		}
	}
}

// TestProxyPassesTheSame: what comes through the yardstick is what comes directly, chunked or not.
func TestProxyPassesTheSame(t *testing.T) {
	t.Parallel()
	addr := serveUpstream(t)
	h, err := proxyHandler("http://"+addr, "")
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	for _, path := range []string{"/mcp", "/many"} {
		direct, err := toolsOf(addr, path, 1)
		if err != nil {
			t.Fatal(err)
		}
		proxied, err := toolsOf(strings.TrimPrefix(srv.URL, "http://"), path, 1)
		if err != nil || string(direct) != string(proxied) {
			t.Errorf("%s: %d bytes directly, %d through the proxy (%v)", path, len(direct), len(proxied), err)
		}
	}
}

// TestChunkedAnswersAreMeasured: an answer of unknown length counts as long as its parts together.
func TestChunkedAnswersAreMeasured(t *testing.T) {
	t.Parallel()
	parts := []string{`{"jsonrpc":"2.0","id":42,`, `"result":{"text":"`, strings.Repeat("x", 100_000), `"}}`}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, part := range parts {
			_, _ = io.WriteString(w, part)
			_ = http.NewResponseController(w).Flush()
		}
	}))
	t.Cleanup(srv.Close)
	c := dialTest(t, strings.TrimPrefix(srv.URL, "http://"), "/")
	for range 3 {
		if err := c.call(listRequest, true); err != nil {
			t.Fatal(err)
		}
	}
	if want := len(strings.Join(parts, "")); c.size != want {
		t.Errorf("an answer of %d bytes, want %d", c.size, want)
	}
}

func TestWrongAnswersAreNoticed(t *testing.T) {
	t.Parallel()
	addr := serveUpstream(t)
	c := dialTest(t, addr, "/mcp")
	for _, body := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"nonsense"}`, // an error
		`{"jsonrpc":"2.0","method":"tools/list"}`,      // 202 and nothing
	} {
		if err := c.call(body, true); err == nil {
			t.Errorf("%s: taken for an answer", body)
		}
	}
}

func TestMiddle(t *testing.T) {
	t.Parallel()
	for want, values := range map[float64][]float64{2: {3, 1, 2}, 2.5: {4, 1, 3, 2}, 7: {7}} {
		if have := middle(values); have != want {
			t.Errorf("the middle of %v is %v, want %v", values, have, want)
		}
	}
}
