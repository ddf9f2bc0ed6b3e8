package e2e

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/manifold-mcp/manifold/internal/testkit"
)

// memory gives the most that the agent has ever had resident (bytes); zero where it cannot be told.
func memory(t *testing.T, g *testkit.Gateway) int64 {
	t.Helper()
	if runtime.GOOS != "linux" || testkit.RaceEnabled { // the race detector multiplies memory
		return 0
	}
	u, err := testkit.UsageOf(g.PID())
	if err != nil {
		t.Fatal(err)
	}
	return u.PeakRSS
}

// harmless has one server misbehave by a call, and checks that the call fails, that a neighbour served before and after,
// and that memory stayed in bounds (security-reliability S20, S21).
func harmless(t *testing.T, bad entry) {
	t.Helper()
	g := start(t, map[string]any{"bad": bad, "good": stdio(t, role{Name: "good"})})
	c := connect(t, g, "/mcp")
	await(t, c, "good__mirror", "bad__mirror")
	before := memory(t, g)
	failed := make(chan testkit.Message, 1)
	ctx := deadline(t)
	go func() {
		m, _ := c.Do(ctx, testkit.ToolCall("1", "bad__flood", `{}`))
		failed <- m
	}()
	for done := false; !done; {
		select {
		case m := <-failed:
			done = true
			if m.Error == nil {
				t.Errorf("want an error, got %.300s", m.Raw)
			}
		default:
		}
		begun := time.Now()
		call(t, c, "good__mirror", `{}`)
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("a call to the neighbour took %v", took)
		}
	}
	if grown := memory(t, g) - before; grown > 64<<20 {
		t.Errorf("the agent grew by %d MiB, want less than 64", grown>>20)
	}
}

// TestLineWithoutEnd: a stdio server that writes 100 MB without a line end is ended, and nobody else notices.
func TestLineWithoutEnd(t *testing.T) {
	t.Parallel()
	harmless(t, stdio(t, role{Name: "bad"}))
}

// TestPackedBomb: an answer that unpacks to 200 MB is not unpacked into memory.
func TestPackedBomb(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	z, _ := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	_, _ = io.WriteString(z, `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"`)
	block := bytes.Repeat([]byte("x"), 1<<20)
	for range 200 {
		_, _ = z.Write(block)
	}
	_, _ = io.WriteString(z, `"}]}}`)
	_ = z.Close()
	harmless(t, entry{"type": "http", "url": serveHTTP(t, poisoned(newActor(role{Name: "bad"}), func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(packed.Bytes())
	}))})
}

// TestAnswersThatAreNone: what an HTTP server may answer instead of JSON-RPC is an error of that call alone.
func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	for rule, answer := range map[string]func(w http.ResponseWriter){
		"a page":   func(w http.ResponseWriter) { _, _ = io.WriteString(w, "<html>sorry</html>") },
		"cut JSON": func(w http.ResponseWriter) { writeJSON(w, `{"jsonrpc":"2.0","id":1,"result":{"content":[`) },
		"JSON and more": func(w http.ResponseWriter) {
			writeJSON(w, `{"jsonrpc":"2.0","id":1,"result":{}}{"jsonrpc":"2.0","id":1,"result":{}}`)
		},
		"another's id":    func(w http.ResponseWriter) { writeJSON(w, `{"jsonrpc":"2.0","id":"somebody else","result":{}}`) },
		"an empty stream": func(w http.ResponseWriter) { w.Header().Set("Content-Type", "text/event-stream") },
		"401":             func(w http.ResponseWriter) { http.Error(w, "who are you", http.StatusUnauthorized) },
		"400, id null": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusBadRequest)
			writeJSON(w, `{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no"}}`)
		},
		"500":       func(w http.ResponseWriter) { http.Error(w, "dead", http.StatusInternalServerError) },
		"a hang-up": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
		"a redirect": func(w http.ResponseWriter) {
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(http.StatusFound)
		},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			bad := entry{"type": "http", "url": serveHTTP(t, poisoned(newActor(role{Name: "bad"}), answer))}
			harmless(t, bad)
		})
	}
}

func writeJSON(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, text)
}

// poisoned serves the actor but for calls of the tool flood, which answer gives a body.
func poisoned(a *actor, answer func(w http.ResponseWriter)) http.Handler {
	h := a.Streamable()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if m, err := testkit.Parse(body); err == nil && m.Method == "tools/call" && testkit.GetString(m.Params, "name") == "flood" {
			answer(w)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		h.ServeHTTP(w, r)
	})
}

// TestEndlessPages: a server whose list never ends is capped, and nobody waits for it.
func TestEndlessPages(t *testing.T) {
	t.Parallel()
	for rule, cursor := range map[string]func(n int) string{
		"the same cursor again": func(int) string { return "again" },
		"always a new cursor":   func(n int) string { return fmt.Sprint(n) },
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			a := newActor(role{Name: "endless"})
			pages := 0
			usual := a.Server.Serve
			a.Server.Serve = func(c *testkit.Call) {
				if c.Method != "tools/list" {
					usual(c)
					return
				}
				a.mu.Lock()
				pages++
				n := pages
				a.mu.Unlock()
				c.Result(fmt.Sprintf(`{"tools":[{"name":"t%d","inputSchema":{"type":"object"}}],"nextCursor":%q}`, n, cursor(n)))
			}
			g := start(t, map[string]any{"endless": streamable(t, a), "good": stdio(t, role{Name: "good"})})
			c := connect(t, g, "/mcp")
			await(t, c, "good__mirror")
			call(t, c, "good__mirror", `{}`)
			asked := func() int {
				a.mu.Lock()
				defer a.mu.Unlock()
				return pages
			}
			// The count must come to rest: twice the same after at least a hundred calls elsewhere.
			testkit.Until(t, patience, "an end of the pages", func() bool {
				before := asked()
				for range 100 {
					call(t, c, "good__mirror", `{}`)
				}
				return asked() == before
			})
			t.Logf("%d pages were asked for", asked())
		})
	}
}

// TestReaderThatStops: a client that does not read its large answer blocks nobody, not even on the same server.
func TestReaderThatStops(t *testing.T) {
	t.Parallel()
	g := start(t, everyUpstream(t))
	c := connect(t, g, "/mcp")
	for _, upstream := range upstreamKinds {
		t.Run(upstream, func(t *testing.T) {
			await(t, c, upstream+"__canned")
			for range 3 {
				conn, err := (&net.Dialer{}).DialContext(deadline(t), "tcp", g.Addr())
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = conn.Close() }()
				_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
				_, err = io.WriteString(conn, rawRequest(http.MethodPost, "/mcp", g.Addr(),
					string(testkit.ToolCall("1", upstream+"__canned", `{"case":"ten megabytes"}`)), "Mcp-Session-Id: "+c.Session,
					"MCP-Protocol-Version: "+newest, "Content-Type: application/json", "Accept: application/json, text/event-stream"))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(conn, make([]byte, 100)); err != nil { // it has begun
					t.Fatal(err)
				}
			}
			for range 20 {
				call(t, c, upstream+"__mirror", `{}`)
			}
		})
	}
}

// TestSlowSenders: a client that does not finish its headers is cut within 15 s, and many of them delay nobody (S22).
func TestSlowSenders(t *testing.T) {
	t.Parallel()
	g := start(t, map[string]any{"stdio": stdio(t, role{Name: "stdio"})})
	begun := time.Now()
	conns := make([]net.Conn, 500)
	for i := range conns {
		conn, err := (&net.Dialer{}).DialContext(deadline(t), "tcp", g.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		conns[i] = conn
		if _, err := io.WriteString(conn, "POST /mcp HTTP/1.1\r\nHost: "+g.Addr()+"\r\nX-Slow: "); err != nil {
			t.Fatal(err)
		}
	}
	for range 50 {
		asked := time.Now()
		res, text := exchange(t, g, http.MethodGet, "/health/live", "", nil)
		if took := time.Since(asked); res.StatusCode != http.StatusOK || took > 2*time.Second {
			t.Errorf("/health/live: %s after %v: %s", res.Status, took, text)
		}
	}
	limit := begun.Add(15*time.Second + time.Second)
	for i, conn := range conns {
		_ = conn.SetReadDeadline(limit)
		text, err := io.ReadAll(conn)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("connection %d is still open after %v: %s", i, time.Since(begun), strings.TrimSpace(string(text)))
		}
	}
}
