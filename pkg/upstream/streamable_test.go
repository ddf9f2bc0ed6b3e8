package upstream

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// dialFake starts the server and connects to it.
func dialFake(t *testing.T, srv *webServer, o httpOptions) (conn, *webEvents) {
	t.Helper()
	noLeaks(t)
	srv.start(t)
	o.URL = srv.URL
	ev := newWebEvents()
	return dialWeb(t, o, ev), ev
}

// What a server may answer one call with, and what becomes of it.
func TestAnswers(t *testing.T) {
	json := func(status int, body string) func(w http.ResponseWriter, id string) {
		return func(w http.ResponseWriter, id string) { writeJSON(w, status, strings.ReplaceAll(body, "ID", id)) }
	}
	events := func(text string) func(w http.ResponseWriter, id string) {
		return func(w http.ResponseWriter, id string) { writeEvents(w, strings.ReplaceAll(text, "ID", id)) }
	}
	tests := []struct {
		rule string
		send func(w http.ResponseWriter, id string)
		want string // the answer under the id "x"
		err  error
	}{
		{"the id may come last", json(200, `{"result":{"a":18446744073709551615,"b":1.0},"jsonrpc":"2.0","id":ID}`), `{"result":{"a":18446744073709551615,"b":1.0},"jsonrpc":"2.0","id":"x"}`, nil},
		{"white space is kept", json(200, "{\n  \"jsonrpc\": \"2.0\",\n  \"id\": ID,\n  \"result\": { }\n}\n"), "{\n  \"jsonrpc\": \"2.0\",\n  \"id\": \"x\",\n  \"result\": { }\n}\n", nil},
		{"an event stream with CRLF", events("event: message\r\nid: 1\r\ndata: {\"jsonrpc\":\"2.0\",\r\ndata: \"id\":ID,\"result\":{}}\r\n\r\n"), "{\"jsonrpc\":\"2.0\",\n\"id\":\"x\",\"result\":{}}", nil},
		{"events of other names are skipped", events("event: ping\ndata: x\n\n: comment\n\n" + event(`{"jsonrpc":"2.0","id":ID,"result":{}}`)), `{"jsonrpc":"2.0","id":"x","result":{}}`, nil},
		{"a batch holds the answer (2025-03-26)", json(200, `[{"jsonrpc":"2.0","method":"notifications/message","params":{}},{"jsonrpc":"2.0","id":ID,"result":{}}]`), `{"jsonrpc":"2.0","id":"x","result":{}}`, nil},
		{"a batch in an event (2025-03-26)", events("data: " + `[{"jsonrpc":"2.0","id":ID,"result":{}}]` + "\n\n"), `{"jsonrpc":"2.0","id":"x","result":{}}`, nil},
		{"an error under the id is the answer whatever the status", json(400, `{"jsonrpc":"2.0","id":ID,"error":{"code":-32602,"message":"m"}}`), `{"jsonrpc":"2.0","id":"x","error":{"code":-32602,"message":"m"}}`, nil},
		{"404 with an error that is not about the session", json(404, `{"jsonrpc":"2.0","id":ID,"error":{"code":-32601,"message":"m"}}`), `{"jsonrpc":"2.0","id":"x","error":{"code":-32601,"message":"m"}}`, nil},
		{"400 with the id null is the answer (TypeScript SDK)", json(400, `{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Bad Request"}}`), `{"jsonrpc":"2.0","id":"x","error":{"code":-32000,"message":"Bad Request"}}`, nil},
		{"400 without an id is the answer", json(400, `{"jsonrpc":"2.0","error":{"code":-32700,"message":"m"}}`), `{"id":"x","jsonrpc":"2.0","error":{"code":-32700,"message":"m"}}`, nil},
		{"400 with an id made up is the answer (Python SDK)", json(406, `{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"Not Acceptable"}}`), `{"jsonrpc":"2.0","id":"x","error":{"code":-32600,"message":"Not Acceptable"}}`, nil},
		{"200 with an error without an id is the answer", json(200, `{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"m"}}`), `{"jsonrpc":"2.0","id":"x","error":{"code":1,"message":"m"}}`, nil},

		{"a second message after the answer is refused", json(200, `{"jsonrpc":"2.0","id":ID,"result":{}}{"jsonrpc":"2.0","id":ID,"result":{"evil":1}}`), "", protocol.ErrProtocol},
		{"a result under another id is refused", json(200, `{"jsonrpc":"2.0","id":999,"result":{}}`), "", protocol.ErrProtocol},
		{"an error under another id is refused", json(200, `{"jsonrpc":"2.0","id":999,"error":{"code":1,"message":"m"}}`), "", protocol.ErrProtocol},
		{"the id keeps its type", json(200, `{"jsonrpc":"2.0","id":"ID","result":{}}`), "", protocol.ErrProtocol},
		{"a result under another id in a stream is refused", events(event(`{"jsonrpc":"2.0","id":999,"result":{}}`)), "", protocol.ErrProtocol},
		{"a request is no answer", json(200, `{"jsonrpc":"2.0","id":ID,"method":"ping"}`), "", protocol.ErrProtocol},
		{"an empty body is no answer", json(200, ``), "", protocol.ErrProtocol},
		{"a batch without the answer", json(200, `[{"jsonrpc":"2.0","method":"notifications/message"}]`), "", protocol.ErrProtocol},
		{"garbage in a stream", events("data: hello\n\n"), "", protocol.ErrProtocol},
		{"202 without a standing stream is no answer", func(w http.ResponseWriter, _ string) { w.WriteHeader(202) }, "", protocol.ErrProtocol},
		{"a page of HTML is no answer", func(w http.ResponseWriter, id string) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = io.WriteString(w, textResult(id, "x"))
		}, "", protocol.ErrProtocol},
		{"a stream that ends without answer and event id is lost", events(event(`{"jsonrpc":"2.0","method":"notifications/message"}`)), "", protocol.ErrLost},
		{"an event beyond the limit", events("data: " + strings.Repeat("x", 200_000) + "\n\n"), "", protocol.ErrTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			srv := newWebServer()
			srv.call = func(w http.ResponseWriter, _ *http.Request, id string, _ wire.Message) { tt.send(w, id) }
			c, _ := dialFake(t, srv, httpOptions{MaxMessage: 100_000})
			s := c.(*streamable)
			for deadline := t.Context(); s.listening.Load() && deadline.Err() == nil; { // the 405 of the standing stream
				_ = pause(deadline, 1e6)
			}
			a, err := c.call(t.Context(), webCall(t, webEcho, nil))
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if err == nil {
				if got := answerText(t, a); got != tt.want {
					t.Errorf("answer %s\n  want %s", got, tt.want)
				}
			}
			if c.err() != nil {
				t.Errorf("one call ended the connection: %v", c.err())
			}
		})
	}
}

// What tells that the session is lost: only then may the call be sent again.
func TestSessionGone(t *testing.T) {
	tests := []struct {
		rule   string
		status int
		body   string
		gone   bool
	}{
		{"404 without a body", 404, "", true},
		{"404 in plain text (Go SDK)", 404, "session not found", true},
		{"404 with the id null (TypeScript SDK)", 404, `{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}`, true},
		{"404 with an id made up (Python SDK)", 404, `{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"Session has been terminated"}}`, true},
		{"404 under the request's id", 404, `{"jsonrpc":"2.0","id":2,"error":{"code":-32001,"message":"unknown"}}`, true},
		{"400 that names the session", 400, `{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Bad Request: No valid session ID provided"}}`, true},
		{"400 from a server that awaits initialize", 400, `{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Bad Request: Server not initialized"}}`, true},
		{"400 in plain text", 400, "Invalid session", true},
		{"400 about something else", 400, "bad json", false},
		{"400 of a method that speaks of sessions", 400, `{"jsonrpc":"2.0","id":2,"error":{"code":-32602,"message":"no such session"}}`, false},
		{"404 of a method", 404, `{"jsonrpc":"2.0","id":2,"error":{"code":-32601,"message":"no such method"}}`, false},
		{"500 that names the session", 500, "session store is down", false},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			srv := newWebServer()
			srv.call = func(w http.ResponseWriter, _ *http.Request, _ string, _ wire.Message) {
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}
			c, _ := dialFake(t, srv, httpOptions{})
			_, err := c.call(t.Context(), webCall(t, webEcho, nil))
			if reopens(err) != tt.gone {
				t.Errorf("call: %v", err)
			}
			if ended := c.err() != nil; ended != tt.gone {
				t.Errorf("connection ended: %v", c.err())
			}
			c.close(t.Context())
			deletes := srv.seen(func(r webRequest) bool { return r.method == http.MethodDelete })
			if (len(deletes) == 0) != tt.gone {
				t.Errorf("%d DELETE requests", len(deletes))
			}
		})
	}
	t.Run("without a session there is none to lose", func(t *testing.T) {
		srv := newWebServer()
		srv.session = ""
		srv.call = func(w http.ResponseWriter, _ *http.Request, _ string, _ wire.Message) { w.WriteHeader(404) }
		c, _ := dialFake(t, srv, httpOptions{})
		if _, err := c.call(t.Context(), webCall(t, webEcho, nil)); reopens(err) || !errors.Is(err, protocol.ErrUnavailable) {
			t.Errorf("call: %v", err)
		}
		if c.err() != nil {
			t.Errorf("connection ended: %v", c.err())
		}
	})
}

// A large answer is copied through unchanged, with and without Content-Length, and its rest is not read before.
func TestLargeAnswer(t *testing.T) {
	text := strings.Repeat("0123456789", 1<<20)
	for _, length := range []bool{true, false} {
		t.Run(fmt.Sprintf("Content-Length %v", length), func(t *testing.T) {
			srv := newWebServer()
			srv.call = func(w http.ResponseWriter, _ *http.Request, id string, _ wire.Message) {
				body := textResult(id, text)
				if length {
					w.Header().Set("Content-Length", strconv.Itoa(len(body)))
				}
				writeJSON(w, 200, body)
			}
			c, _ := dialFake(t, srv, httpOptions{})
			a, err := c.call(t.Context(), webCall(t, webEcho, nil))
			if err != nil {
				t.Fatal(err)
			}
			if a.Stream == nil {
				t.Fatal("held whole")
			}
			if got, want := answerText(t, a), textResult(`"x"`, text); got != want {
				t.Errorf("%d bytes, want %d equal ones", len(got), len(want))
			}
		})
	}
	for _, length := range []bool{true, false} {
		t.Run(fmt.Sprintf("beyond the limit, Content-Length %v", length), func(t *testing.T) {
			srv := newWebServer()
			srv.call = func(w http.ResponseWriter, _ *http.Request, id string, _ wire.Message) {
				body := textResult(id, text)
				if length {
					w.Header().Set("Content-Length", strconv.Itoa(len(body)))
				}
				writeJSON(w, 200, body)
			}
			c, _ := dialFake(t, srv, httpOptions{MaxAnswer: 1 << 20})
			a, err := c.call(t.Context(), webCall(t, webEcho, nil))
			if err == nil {
				_, err = io.Copy(io.Discard, a.Stream)
				a.Close()
			}
			if !errors.Is(err, protocol.ErrTooLarge) {
				t.Errorf("error %v, want ErrTooLarge", err)
			}
		})
	}
}

// A packed answer is refused without unpacking it: 300 kB can be 300 MB.
func TestGzipBomb(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	zeros := make([]byte, 1<<20)
	for range 64 {
		_, _ = z.Write(zeros)
	}
	_ = z.Close()
	srv := newWebServer()
	srv.call = func(w http.ResponseWriter, r *http.Request, _ string, _ wire.Message) {
		if r.Header.Get("Accept-Encoding") != "" {
			t.Error("packing was asked for")
		}
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(bomb.Bytes())
	}
	c, _ := dialFake(t, srv, httpOptions{})
	if _, err := c.call(t.Context(), webCall(t, webEcho, nil)); !errors.Is(err, protocol.ErrProtocol) {
		t.Errorf("error %v, want ErrProtocol", err)
	}
}

// A connection that breaks inside an answer loses that call and no other.
func TestResetInAnswer(t *testing.T) {
	for _, body := range []string{
		"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"jsonrpc\":",
		"Content-Type: text/event-stream\r\n\r\ndata: {}",
	} {
		srv := newWebServer()
		broken := false
		srv.call = func(w http.ResponseWriter, _ *http.Request, id string, _ wire.Message) {
			if broken {
				writeJSON(w, 200, textResult(id, "ok"))
				return
			}
			broken = true
			socket, _, _ := w.(http.Hijacker).Hijack()
			_, _ = io.WriteString(socket, "HTTP/1.1 200 OK\r\n"+body)
			_ = socket.(*net.TCPConn).SetLinger(0)
			_ = socket.Close()
		}
		c, _ := dialFake(t, srv, httpOptions{})
		if _, err := c.call(t.Context(), webCall(t, webEcho, nil)); !errors.Is(err, protocol.ErrLost) {
			t.Errorf("error %v, want ErrLost", err)
		}
		a, err := c.call(t.Context(), webCall(t, webEcho, nil))
		if err != nil {
			t.Fatalf("next call: %v", err)
		}
		a.Close()
	}
}

// When the caller's context ends, its cause is returned at once and the server is told; initialize is never cancelled.
func TestCancelled(t *testing.T) {
	srv := newWebServer()
	gone := make(chan struct{})
	srv.call = func(_ http.ResponseWriter, r *http.Request, _ string, _ wire.Message) {
		<-r.Context().Done()
		close(gone)
	}
	c, _ := dialFake(t, srv, httpOptions{})
	ctx, cancel := context.WithCancelCause(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := c.call(ctx, webCall(t, webEcho, nil))
		failed <- err
	}()
	call := srv.await(t, "the call", posted("tools/call"))
	cancel(protocol.ErrTimeout)
	if err := <-failed; !errors.Is(err, protocol.ErrTimeout) {
		t.Errorf("error %v, want the context's cause", err)
	}
	<-gone
	m, _ := wire.Parse([]byte(call.body))
	told := srv.await(t, "the cancellation", posted(protocol.Cancelled))
	n, _ := wire.Parse([]byte(told.body))
	if diff := cmp.Diff(string(m.ID.Of(m.Raw)), string(n.RequestID.Of(n.Raw))); diff != "" {
		t.Errorf("cancelled another request: %s", diff)
	}
}

// close fails what is in flight with ErrLost and leaves nothing behind (noLeaks).
func TestCloseWithCallsInFlight(t *testing.T) {
	srv := newWebServer()
	srv.listen = func(w http.ResponseWriter, r *http.Request) { writeEvents(w, ": hello\n\n"); <-r.Context().Done() }
	srv.call = func(w http.ResponseWriter, r *http.Request, id string, _ wire.Message) {
		if id == "2" {
			writeEvents(w, ": no answer yet\n\n")
		}
		<-r.Context().Done()
	}
	c, _ := dialFake(t, srv, httpOptions{})
	failed := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := c.call(t.Context(), webCall(t, webEcho, nil))
			failed <- err
		}()
	}
	for _, id := range []string{`"id":2,`, `"id":3,`} {
		srv.await(t, "call "+id, posted(id))
	}
	c.close(t.Context())
	for range 2 {
		if err := <-failed; !errors.Is(err, protocol.ErrLost) {
			t.Errorf("error %v, want ErrLost", err)
		}
	}
	if _, err := c.call(t.Context(), webCall(t, webEcho, nil)); !errors.Is(err, protocol.ErrUnavailable) {
		t.Errorf("call after close: %v", err)
	}
	if err := c.notify(t.Context(), []byte(initialized)); !errors.Is(err, protocol.ErrUnavailable) {
		t.Errorf("notify after close: %v", err)
	}
}

// A session id goes into every request, so only visible ASCII of a sane length is taken.
func TestSessionIDRefused(t *testing.T) {
	noLeaks(t)
	for _, id := range []string{"two words", "snow\u2603man", strings.Repeat("x", maxSession+1)} {
		srv := newWebServer()
		srv.session = id
		srv.start(t)
		d, err := newHTTPDialer(httpOptions{URL: srv.URL})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.dial(t.Context(), webGreeting, newWebEvents()); !errors.Is(err, protocol.ErrProtocol) {
			t.Errorf("session %.20q: %v", id, err)
		}
	}
}
