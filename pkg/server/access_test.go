package server

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

func TestOneAccessLinePerRequest(t *testing.T) {
	e := newEdge(t, Config{TrustProxy: "127.0.0.1"})
	e.do(t, "POST", "/mcp?token=hunter2&x=%0d%0aevil", "Peer: 127.0.0.1:7", "X-Forwarded-For: 198.51.100.7", "X-Request-Id: from-proxy")
	e.do(t, "GET", "/secret-path/hunter2", "X-Request-Id: forged")
	e.do(t, "GET", "/mcp", "Host: attacker.example")
	e.do(t, strings.Repeat("A", 500), "/mcp")
	lines := e.log.all(t)
	if len(lines) != 4 {
		t.Fatalf("%d lines for 4 requests", len(lines))
	}
	for i, want := range []map[string]any{
		{"level": "info", "component": "server", "message": "request", "method": "POST", "route": "/mcp", "status": 200.0, "bytes": 17.0, "client_ip": "198.51.100.7", "request_id": "from-proxy"},
		{"method": "GET", "route": "none", "status": 404.0, "client_ip": "192.0.2.1"},
		{"route": "/mcp", "status": 403.0},
		{"method": "other", "status": 405.0},
	} {
		for name, value := range want {
			if lines[i][name] != value {
				t.Errorf("line %d: %s is %v, want %v", i, name, lines[i][name], value)
			}
		}
		if _, timed := lines[i]["duration_ms"].(float64); !timed {
			t.Errorf("line %d has no duration: %v", i, lines[i])
		}
	}
	if id, _ := lines[1]["request_id"].(string); id == "forged" || id == "" || id == lines[2]["request_id"] {
		t.Errorf("request ids %v, %v", id, lines[2]["request_id"])
	}
	e.log.mu.Lock()
	defer e.log.mu.Unlock()
	if strings.Contains(e.log.buf.String(), "hunter2") {
		t.Errorf("the log holds what the client sent: %s", e.log.buf.String())
	}
}

func TestHealthIsLoggedAtDebug(t *testing.T) {
	e := newEdge(t, Config{})
	e.do(t, "GET", "/health")
	if got := e.log.all(t)[0]["level"]; got != "debug" {
		t.Errorf("level %v", got)
	}
}

func TestHandlersSeeTheRequestID(t *testing.T) {
	e := newEdge(t, Config{})
	var seen string
	e.Mount("/id", []string{"GET"}, MCP, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = RequestID(r) }))
	w := e.do(t, "GET", "/id", "X-Request-Id: mine")
	if seen == "" || seen == "mine" || w.Header().Get("X-Request-Id") != seen || e.log.all(t)[0]["request_id"] != seen {
		t.Errorf("handler %q, answer %q, log %v", seen, w.Header().Get("X-Request-Id"), e.log.all(t)[0]["request_id"])
	}
}

// recorder is a ResponseWriter that costs nothing.
type recorder struct{ h http.Header }

func (r *recorder) Header() http.Header         { return r.h }
func (r *recorder) Write(p []byte) (int, error) { return len(p), nil }
func (r *recorder) WriteHeader(int)             {}

// BenchmarkChain is what a request pays for the edge: everything but the handler and the connection.
func BenchmarkChain(b *testing.B) {
	s, err := New(Config{Limits: map[RouteClass]Limit{MCP: {Max: 1 << 60, Period: 1 << 40}}}, zerolog.New(io.Discard))
	if err != nil {
		b.Fatal(err)
	}
	body := []byte("ok")
	s.Mount("/mcp", []string{"POST"}, MCP, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }))
	r := httptest.NewRequestWithContext(b.Context(), "POST", "/mcp", nil)
	r.Host = "127.0.0.1:3050"
	r.RemoteAddr = "127.0.0.1:4711"
	w := &recorder{h: http.Header{}}
	h := s.Handler()
	b.ReportAllocs()
	for b.Loop() {
		clear(w.h)
		h.ServeHTTP(w, r)
	}
}
