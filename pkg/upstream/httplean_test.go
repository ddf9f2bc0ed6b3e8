package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// leanServer is a TCP server that answers each connection by a script.
func leanServer(t *testing.T, serve func(n int, c net.Conn)) *lean {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for n := 1; ; n++ {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go serve(n, c)
		}
	}()
	l := newLean(ln.Addr().String(), newDialer())
	t.Cleanup(l.closeIdle)
	return l
}

func leanRequest(t *testing.T) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, "http://example.test/mcp?x=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Key", "v")
	return r
}

// readRequest takes one request off a connection, as far as its body of n bytes.
func readRequest(c net.Conn, n int) string {
	var got []byte
	b := make([]byte, 4096)
	for !strings.Contains(string(got), "\r\n\r\n") || len(got)-strings.Index(string(got), "\r\n\r\n")-4 < n {
		k, err := c.Read(b)
		if err != nil {
			return string(got)
		}
		got = append(got, b[:k]...)
	}
	return string(got)
}

const leanOK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

func leanText(t *testing.T, l *lean, r *http.Request) (string, error) {
	t.Helper()
	resp, _, err := l.do(t.Context(), r, []byte("body"))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func TestLeanWritesOneRequestAndReusesItsConnection(t *testing.T) {
	var conns atomic.Int64
	heard := make(chan string, 4)
	l := leanServer(t, func(n int, c net.Conn) {
		conns.Store(int64(n))
		for {
			got := readRequest(c, 4)
			if got == "" {
				return
			}
			heard <- got
			_, _ = io.WriteString(c, leanOK)
		}
	})
	for range 3 {
		if got, err := leanText(t, l, leanRequest(t)); got != "ok" || err != nil {
			t.Fatalf("%q, %v", got, err)
		}
		want := "POST /mcp?x=1 HTTP/1.1\r\nHost: example.test\r\nX-Key: v\r\nContent-Length: 4\r\n\r\nbody"
		if got := <-heard; got != want {
			t.Fatalf("sent %q, want %q", got, want)
		}
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// A connection that the server has closed meanwhile is not used, and one that it will close is not kept.
func TestLeanNoticesClosedConnections(t *testing.T) {
	for name, answer := range map[string]string{
		"closed without a word":    leanOK,
		"announced":                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.0":                 "HTTP/1.0 200 OK\r\n\r\nok",
		"bytes behind the answer":  leanOK + "HTTP/1.1 200 OK\r\n",
		"interim responses before": "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + leanOK,
	} {
		t.Run(name, func(t *testing.T) {
			closed := make(chan struct{}, 8)
			l := leanServer(t, func(_ int, c net.Conn) {
				readRequest(c, 4)
				_, _ = io.WriteString(c, answer)
				_ = c.Close()
				closed <- struct{}{}
			})
			for range 3 {
				if got, err := leanText(t, l, leanRequest(t)); got != "ok" || err != nil {
					t.Fatalf("%q, %v", got, err)
				}
				<-closed
			}
		})
	}
}

func TestLeanFailures(t *testing.T) {
	for name, tt := range map[string]struct {
		answer string
		says   string
	}{
		"no answer":          {"", "unexpected EOF"},
		"not HTTP":           {"SSH-2.0-x\r\n\r\n", "malformed"},
		"endless header":     {"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", maxResponseHead+1), "header of the answer is larger"},
		"endless interim":    {strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 20), "interim"},
		"answer broken off":  {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", "unexpected EOF"},
		"broken chunked end": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			l := leanServer(t, func(_ int, c net.Conn) {
				readRequest(c, 4)
				_, _ = io.WriteString(c, tt.answer)
				_ = c.Close()
			})
			if _, err := leanText(t, l, leanRequest(t)); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v, want %q", err, tt.says)
			}
			if len(l.idle) != 0 {
				t.Error("the connection was kept")
			}
		})
	}
}

// The end of a call's context ends a blocked request, before the head of the answer and in the middle of its body.
func TestLeanEndsWithItsContext(t *testing.T) {
	for name, answer := range map[string]string{"before the answer": "", "in the answer": "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"} {
		t.Run(name, func(t *testing.T) {
			answered := make(chan struct{})
			l := leanServer(t, func(_ int, c net.Conn) {
				readRequest(c, 4)
				_, _ = io.WriteString(c, answer)
				close(answered)
				_, _ = io.Copy(io.Discard, c)
			})
			why := errors.New("enough")
			ctx, cancel := context.WithCancelCause(t.Context())
			go func() { <-answered; cancel(why) }()
			resp, sent, err := l.do(ctx, leanRequest(t), []byte("body"))
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
			} else if !sent || !errors.Is(err, why) {
				t.Errorf("sent %t, %v", sent, err)
			}
			if err == nil {
				t.Error("no error")
			}
			if len(l.idle) != 0 {
				t.Error("the connection was kept")
			}
		})
	}
}

func TestLeanIdleConnectionsAreClosed(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	t.Cleanup(srv.Close)
	l := newLean(srv.Listener.Addr().String(), newDialer())
	if _, err := leanText(t, l, leanRequest(t)); err != nil {
		t.Fatal(err)
	}
	if len(l.idle) != 1 {
		t.Fatalf("%d idle, want 1", len(l.idle))
	}
	l.mu.Lock()
	l.idle[0].since = time.Now().Add(-2 * leanIdle)
	l.mu.Unlock()
	l.reap()
	if len(l.idle) != 0 {
		t.Error("kept beyond its time")
	}
}
