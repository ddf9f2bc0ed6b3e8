package testkit

import (
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// reach connects a client to the server over a transport.
func reach(t *testing.T, s *Server, transport string, handle Handler) Conn {
	t.Helper()
	var c Conn
	switch transport {
	case "stdio":
		inR, inW := io.Pipe()
		outR, outW := io.Pipe()
		served := make(chan error, 1)
		go func() {
			err := s.Stdio(inR, outW)
			_ = outW.Close()
			served <- err
		}()
		c = NewStdio(outR, inW, handle)
		t.Cleanup(func() {
			c.Close()
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
	case "sse":
		srv := httptest.NewServer(s.SSE())
		t.Cleanup(srv.Close)
		var err error
		if c, err = DialSSE(t.Context(), srv.URL+"/sse", handle, nil); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
	case "streamable":
		srv := httptest.NewServer(s.Streamable())
		t.Cleanup(srv.Close)
		c = NewStreamable(srv.URL, handle)
	}
	if _, err := Shake(t.Context(), c, Greeting{Version: "2025-11-25"}); err != nil {
		t.Fatal(err)
	}
	return c
}

// answering is a server that does what the method says.
func answering() *Server {
	return &Server{Serve: func(c *Call) {
		switch c.Method {
		case "initialize":
			c.Result(`{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"x","version":"1"}}`)
		case "ask":
			m, err := c.Ask("roots/list", `{}`)
			if err == nil {
				c.Result(string(m.Result))
			}
		case "tell":
			c.Notify(Notification("notifications/progress", `{"progress":1}`))
			c.Result(`{}`)
		case "wait":
			<-c.Context().Done()
			if c.Cancelled() {
				c.Peer.Notify(Notification("notifications/message", `{"data":"cancelled"}`))
			}
		default:
			c.Respond(c.Refuse(-32601, "no"))
		}
	}}
}

func TestServersAndClients(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"stdio", "sse", "streamable"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			told := make(chan string, 4)
			c := reach(t, answering(), transport, func(m Message) []byte {
				if m.IsRequest() {
					return m.Reply(`{"roots":[1.0]}`)
				}
				told <- m.Method
				return nil
			})
			if m, err := c.Do(t.Context(), Request("1.50", "ask", "")); err != nil || string(m.Result) != `{"roots":[1.0]}` || string(m.ID) != "1.50" {
				t.Errorf("ask: %s (%v)", m.Raw, err)
			}
			if _, err := c.Do(t.Context(), Request(`"t"`, "tell", "{}")); err != nil {
				t.Error(err)
			}
			if got := <-told; got != "notifications/progress" {
				t.Errorf("told %s", got)
			}
			if m, err := c.Do(t.Context(), Request("3", "nonsense", "")); err != nil || GetInt(m.Error, "code") != -32601 {
				t.Errorf("nonsense: %s (%v)", m.Raw, err)
			}
		})
	}
}

func TestCancelledCallsAreTakenBack(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"stdio", "sse", "streamable"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			told := make(chan string, 1)
			handle := func(m Message) []byte {
				told <- GetString(m.Params, "data")
				return nil
			}
			c := reach(t, answering(), transport, handle)
			if s, ok := c.(*Streamable); ok {
				stream, err := s.Listen(t.Context(), "")
				if err != nil {
					t.Fatal(err)
				}
				defer stream.Close()
				go func() {
					if m, _, err := stream.NextMessage(); err == nil {
						handle(m)
					}
				}()
			}
			ctx, giveUp := context.WithTimeout(t.Context(), 10*time.Second)
			defer giveUp()
			done := make(chan struct{})
			go func() {
				defer close(done)
				_, _ = c.Do(ctx, Request("9", "wait", ""))
			}()
			// Until the request is in, the cancellation finds nothing and is repeated.
			Until(t, 10*time.Second, "the cancellation", func() bool {
				if err := c.Send(ctx, Notification("notifications/cancelled", `{"requestId":9}`)); err != nil {
					t.Error(err)
				}
				select {
				case got := <-told:
					return got == "cancelled"
				default:
					return false
				}
			})
			giveUp()
			<-done
		})
	}
}

func TestStreamableRefusesWrongAnswers(t *testing.T) {
	t.Parallel()
	s := answering()
	usual := s.Serve
	s.Serve = func(c *Call) {
		if c.Method == "initialize" {
			usual(c)
			return
		}
		c.Respond([]byte(`{"jsonrpc":"2.0","id":"another","result":{}}`))
	}
	for _, stream := range []bool{false, true} {
		s.AlwaysStream = stream
		c := reach(t, s, "streamable", nil)
		if m, err := c.Do(t.Context(), Request("1", "x", "")); err == nil || !strings.Contains(err.Error(), "another") {
			t.Errorf("stream %t: took %s for the answer (%v)", stream, m.Raw, err)
		}
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	value := []byte(`{"a":{"b":[1,2],"n":7,"s":"x"}}`)
	have := fmt.Sprintln(string(Get(value, "a", "b")), GetInt(value, "a", "n"), GetString(value, "a", "s"), Get(value, "a", "z") == nil, len(Items(value, "a", "b")))
	if want := "[1,2] 7 x true 2\n"; have != want {
		t.Errorf("have %s, want %s", have, want)
	}
}
