package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/manifold-mcp/manifold/internal/testkit"
)

// report asks an actor what it heard and which of its calls were taken back.
func report(t *testing.T, c testkit.Conn, server string) (heard, cancelled []string) {
	t.Helper()
	r := call(t, c, server+"__report", `{}`)
	for member, into := range map[string]*[]string{"heard": &heard, "cancelled": &cancelled} {
		if err := json.Unmarshal(testkit.Get(r, member), into); err != nil {
			t.Fatal(err)
		}
	}
	return heard, cancelled
}

// awaitCancelled waits until the actor has taken back the call with that id of its own, and checks that it was told so
// by the id that it knows.
func awaitCancelled(t *testing.T, c testkit.Conn, server, id string) {
	t.Helper()
	testkit.Until(t, patience, "the cancellation of "+id+" at "+server, func() bool {
		_, cancelled := report(t, c, server)
		return slices.Contains(cancelled, id)
	})
	heard, _ := report(t, c, server)
	told := slices.IndexFunc(heard, func(raw string) bool {
		m, err := testkit.Parse([]byte(raw))
		return err == nil && m.Method == "notifications/cancelled" && string(testkit.Get(m.Params, "requestId")) == id
	})
	if told < 0 {
		t.Errorf("%s was not told to cancel %s; it heard %s", server, id, heard)
	}
}

// TestCancellationReachesTheServer: a client's notifications/cancelled arrives with the id that the server knows, and
// only the call that was meant ends.
func TestCancellationReachesTheServer(t *testing.T) {
	t.Parallel()
	everyClient(t, func(t *testing.T, client string, c testkit.Conn) {
		for _, upstream := range upstreamKinds {
			t.Run(upstream, func(t *testing.T) {
				key := client + " cancels"
				ctx, giveUp := context.WithCancel(deadline(t))
				defer giveUp()
				cancelled, other := make(chan struct{}), make(chan string, 1)
				go func() {
					defer close(cancelled)
					_, _ = c.Do(ctx, testkit.ToolCall(`"id"`, upstream+"__hold", `{"key":`+testkit.Quote(key)+`}`))
				}()
				go func() {
					m, err := c.Do(ctx, testkit.ToolCall(`"id not"`, upstream+"__hold", `{"key":`+testkit.Quote(key+" not")+`}`))
					if err != nil {
						other <- err.Error()
						return
					}
					other <- said(m.Result)
				}()
				id := awaitHolding(t, c, upstream, key)
				awaitHolding(t, c, upstream, key+" not")
				if err := c.Send(ctx, testkit.Notification("notifications/cancelled", `{"requestId":"id","reason":"changed my mind"}`)); err != nil {
					t.Fatal(err)
				}
				awaitCancelled(t, c, upstream, id)
				release(t, c, upstream, key+" not")
				if text := <-other; text != "released" {
					t.Errorf("the call that was not cancelled ended as %q", text)
				}
				giveUp() // a cancelled request need not be answered
				<-cancelled
			})
		}
	})
}

// TestNobodyCancelsForeignCalls: the same id in another session cancels nothing.
func TestNobodyCancelsForeignCalls(t *testing.T) {
	t.Parallel()
	g := start(t, map[string]any{"stdio": stdio(t, role{Name: "stdio"})})
	alice, mallory := connect(t, g, "/mcp"), connect(t, g, "/mcp")
	await(t, alice, "stdio__hold")
	got := make(chan string, 1)
	go func() {
		m, _ := alice.Do(t.Context(), testkit.ToolCall("1", "stdio__hold", `{"key":"alice"}`))
		got <- said(m.Result)
	}()
	id := awaitHolding(t, alice, "stdio", "alice")
	for _, foreign := range []string{"1", id} {
		if err := mallory.Send(deadline(t), testkit.Notification("notifications/cancelled", `{"requestId":`+foreign+`}`)); err != nil {
			t.Fatal(err)
		}
	}
	do(t, mallory, testkit.ToolCall("2", "stdio__mirror", `{}`))
	release(t, alice, "stdio", "alice")
	if text := <-got; text != "released" {
		t.Errorf("alice's call ended as %q, want it untouched", text)
	}
}

// TestResetOfAWaitingClientCancels: a client whose answer is still to be plain JSON, and whose connection is reset, cannot
// come back for it, so the server is told to stop.
func TestResetOfAWaitingClientCancels(t *testing.T) {
	t.Parallel()
	g := start(t, everyUpstream(t))
	c := connect(t, g, "/mcp")
	for _, upstream := range upstreamKinds {
		t.Run(upstream, func(t *testing.T) {
			await(t, c, upstream+"__hold")
			conn, err := (&net.Dialer{}).DialContext(deadline(t), "tcp", g.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			body := testkit.ToolCall("1", upstream+"__hold", `{"key":"reset"}`)
			req := rawRequest(http.MethodPost, "/mcp", g.Addr(), string(body), "Mcp-Session-Id: "+c.Session,
				"MCP-Protocol-Version: "+newest, "Content-Type: application/json", "Accept: application/json, text/event-stream")
			if _, err := conn.Write([]byte(req)); err != nil {
				t.Fatal(err)
			}
			id := awaitHolding(t, c, upstream, "reset")
			if err := conn.(*net.TCPConn).SetLinger(0); err != nil { // close by RST
				t.Fatal(err)
			}
			_ = conn.Close()
			awaitCancelled(t, c, upstream, id)
		})
	}
}

// rawRequest writes an HTTP/1.1 request with exactly these header lines.
func rawRequest(method, target, host, body string, header ...string) string {
	lines := append([]string{method + " " + target + " HTTP/1.1", "Host: " + host}, header...)
	if body != "" {
		lines = append(lines, fmt.Sprintf("Content-Length: %d", len(body)))
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}
