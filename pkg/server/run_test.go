package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// serve runs the edge on a free port of the loopback until stop, which waits for it.
func (e *edge) serve(t *testing.T) (url string, stop func()) {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx, ln) }()
	stopped := false
	return "http://" + ln.Addr().String(), func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

// mountStream mounts an SSE stream that ends when its context does, and tells why on ended.
func (e *edge) mountStream(path string, class RouteClass) (ended chan error) {
	ended = make(chan error, 1)
	e.Mount(path, []string{"GET"}, class, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, ": hello\n\n")
		if err := http.NewResponseController(w).Flush(); err != nil {
			ended <- err
			return
		}
		<-r.Context().Done()
		ended <- context.Cause(r.Context())
	}))
	return ended
}

func open(t *testing.T, url string) *bufio.Reader {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	r := bufio.NewReader(resp.Body)
	if line, err := r.ReadString('\n'); err != nil || line != ": hello\n" {
		t.Fatalf("stream begins with %q, %v", line, err)
	}
	return r
}

// TestDrainEndsStreams is F11: Shutdown alone waits for an open stream until its deadline.
func TestDrainEndsStreams(t *testing.T) {
	e := newEdge(t, Config{Grace: time.Minute})
	ended := e.mountStream("/stream", Stream)
	url, stop := e.serve(t)
	stream := open(t, url+"/stream")
	start := time.Now()
	stop()
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("the drain took %v", took)
	}
	if err := <-ended; !errors.Is(err, ErrDraining) {
		t.Errorf("the stream ended with %v", err)
	}
	if rest, err := io.ReadAll(stream); err != nil || string(rest) != "\n" {
		t.Errorf("the client sees %q, %v: not an orderly end", rest, err)
	}
	if !e.Draining() {
		t.Error("not draining")
	}
}

// TestDrainStepByStep runs in a bubble over a listener in memory, so that its seconds take none.
func TestDrainStepByStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge(t, Config{DrainDelay: 5 * time.Second, Grace: 20 * time.Second})
		begun, finish := make(chan struct{}), make(chan struct{})
		e.Mount("/slow", []string{"GET"}, MCP, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(begun)
			select {
			case <-finish:
				_, _ = io.WriteString(w, "done")
			case <-r.Context().Done():
				_, _ = io.WriteString(w, "cut")
			}
		}))
		ln := newPipeListener()
		client := &http.Client{Transport: &http.Transport{DialContext: ln.dial, DisableKeepAlives: true}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx, ln) }()
		answer := make(chan string, 1)
		go func() { answer <- get(client, "/slow") }()
		<-begun
		cancel()
		synctest.Wait()
		if !e.Draining() {
			t.Error("not draining at once")
		}
		if got := get(client, "/health"); got != "200 fine" {
			t.Errorf("during the delay: %s", got)
		}
		time.Sleep(6 * time.Second) // fake time
		if e.Streams().Err() == nil {
			t.Error("streams go on after the delay")
		}
		if got := get(client, "/health"); !strings.Contains(got, "closed") {
			t.Errorf("after the delay: %s", got)
		}
		time.Sleep(10 * time.Second) // fake time, within the grace
		close(finish)
		if got := <-answer; got != "200 done" {
			t.Errorf("a call in flight: %s", got)
		}
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestGraceEnds(t *testing.T) {
	for _, c := range []struct {
		rule  string
		close bool
		min   time.Duration
		max   time.Duration
	}{
		{"after the grace", false, 20 * time.Second, 22 * time.Second},
		{"at once on Close", true, 0, 2 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			e := newEdge(t, Config{Grace: 20 * time.Second})
			ended := e.mountStream("/call", MCP) // like a call that goes on: it does not end with the streams
			ln := newPipeListener()
			client := &http.Client{Transport: &http.Transport{DialContext: ln.dial, DisableKeepAlives: true}}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- e.Run(ctx, ln) }()
			answer := make(chan string, 1)
			go func() { answer <- get(client, "/call") }()
			synctest.Wait()
			start := time.Now()
			cancel()
			if c.close {
				e.Close()
				e.Close() // may be called again
			}
			if err := <-done; err != nil {
				t.Errorf("%s: Run: %v", c.rule, err)
			}
			if took := time.Since(start); took < c.min || took > c.max {
				t.Errorf("%s: took %v", c.rule, took)
			}
			if err := <-ended; !errors.Is(err, ErrDraining) {
				t.Errorf("%s: the call ended with %v", c.rule, err)
			}
			<-answer
			cut := false
			for _, l := range e.log.all(t) {
				cut = cut || l["message"] == "requests were cut" && l["requests"] == 1.0
			}
			if !cut {
				t.Errorf("%s: no word in the log about the cut", c.rule)
			}
		})
	}
}

// TestHandlerThatIgnoresItsContextCannotHoldTheServer: the last moment ends, too.
func TestHandlerThatIgnoresItsContextCannotHoldTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge(t, Config{Grace: time.Second})
		stuck := make(chan struct{})
		e.Mount("/stuck", []string{"GET"}, MCP, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stuck }))
		ln := newPipeListener()
		client := &http.Client{Transport: &http.Transport{DialContext: ln.dial, DisableKeepAlives: true}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx, ln) }()
		answer := make(chan string, 1)
		go func() { answer <- get(client, "/stuck") }()
		synctest.Wait()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		close(stuck)
		<-answer
	})
}

func TestSlowHeaderSlowBodyAndIdleConnectionsEnd(t *testing.T) {
	for _, c := range []struct {
		rule, send string
		drip       string
		within     time.Duration
	}{
		{"slow header", "POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-A: ", "a", 15 * time.Second},
		{"slow body", "POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n", "a", 65 * time.Second},
		{"slow body that nobody reads", "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n", "a", 65 * time.Second},
		{"idle after a request", "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", "", 125 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			e := newEdge(t, Config{})
			e.Mount("/read", []string{"POST"}, MCP, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if _, err := io.ReadAll(r.Body); err == nil {
					t.Errorf("%s: the body came whole", c.rule)
				}
			}))
			ln := newPipeListener()
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- e.Run(ctx, ln) }()
			conn, err := ln.dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			over := make(chan time.Duration, 1)
			go func() {
				_, _ = io.Copy(io.Discard, conn)
				over <- time.Since(start)
			}()
			_, err = io.WriteString(conn, c.send)
			for err == nil && c.drip != "" {
				time.Sleep(2 * time.Second) // fake time
				_, err = io.WriteString(conn, c.drip)
			}
			if took := <-over; took > c.within {
				t.Errorf("%s: closed after %v", c.rule, took)
			}
			_ = conn.Close()
			cancel()
			<-done
		})
	}
}

// TestBodyDeadlineDoesNotEndWhatFollows: the deadline of the body is lifted when it has come, for a stream may follow.
func TestBodyDeadlineDoesNotEndWhatFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge(t, Config{BodyTimeout: time.Second})
		e.Mount("/call", []string{"POST"}, MCP, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body)
			select {
			case <-time.After(10 * time.Second):
				_, _ = io.WriteString(w, "late")
			case <-r.Context().Done():
				_, _ = io.WriteString(w, "cut")
			}
		}))
		ln := newPipeListener()
		client := &http.Client{Transport: &http.Transport{DialContext: ln.dial, DisableKeepAlives: true}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx, ln) }()
		resp, err := client.Post("http://localhost/call", "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || string(body) != "late" {
			t.Errorf("%q, %v", body, err)
		}
		cancel()
		<-done
	})
}

func get(client *http.Client, path string) string {
	resp, err := client.Get("http://localhost" + path)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(resp.StatusCode, " ", string(body))
}

// pipeListener is a listener in memory.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipeListener() *pipeListener {
	return &pipeListener{make(chan net.Conn), make(chan struct{})}
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
