package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// What comes on a call's own stream goes to that call, except what the gateway answers for as a whole.
func TestStreamNotifications(t *testing.T) {
	srv := newWebServer()
	srv.call = func(w http.ResponseWriter, _ *http.Request, id string, _ wire.Message) {
		note := func(method, params string) string {
			return event(`{"jsonrpc":"2.0","method":"` + method + `","params":` + params + `}`)
		}
		writeEvents(w,
			note(protocol.Progress, `{"progressToken":"`+id+`","progress":1}`),
			note(protocol.Progress, `{"progressToken":"foreign","progress":1}`),
			note(protocol.LogMessage, `{"level":"info","data":"log"}`),
			note(protocol.ToolsListChanged, `{}`),
			note(protocol.ResourcesUpdated, `{"uri":"file:///a"}`),
			note("notifications/future", `{"x":1}`),
			event(`{"jsonrpc":"2.0","id":"s1","method":"ping"}`),
			event(textResult(id, "ok")))
	}
	c, ev := dialFake(t, srv, httpOptions{})
	sink := &webSink{}
	a, err := c.call(t.Context(), webCall(t,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"n","_meta":{"progressToken":"mine"}}}`, sink))
	if err != nil {
		t.Fatal(err)
	}
	if got := answerText(t, a); got != textResult(`"x"`, "ok") {
		t.Errorf("answer %s", got)
	}
	want := []string{
		`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"mine","progress":1}}`,
		`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"log"}}`,
		`{"jsonrpc":"2.0","method":"notifications/future","params":{"x":1}}`,
	}
	if diff := cmp.Diff(want, sink.got()); diff != "" {
		t.Errorf("sink (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{protocol.ToolsListChanged}, ev.lists); diff != "" {
		t.Errorf("list changes: %s", diff)
	}
	if diff := cmp.Diff([]string{"file:///a"}, ev.uris); diff != "" {
		t.Errorf("updates: %s", diff)
	}
	srv.await(t, "the answer to the ping", posted(`{"jsonrpc":"2.0","id":"s1","result":{}}`))
}

// A request on a call's stream is put to that call's client; the answer goes back under the server's id.
func TestStreamAsk(t *testing.T) {
	tests := []struct {
		rule   string
		reply  func(ctx context.Context, req wire.Message) ([]byte, error)
		method string
		want   string // what the server gets
	}{
		{"an answer", func(context.Context, wire.Message) ([]byte, error) {
			return []byte(`{"result":{"role":"user"},"id":5,"jsonrpc":"2.0"}`), nil
		}, protocol.SamplingCreateMessage, `{"result":{"role":"user"},"id":"s1","jsonrpc":"2.0"}`},
		{"nobody to ask for a sample", nil, protocol.SamplingCreateMessage, `"id":"s1","error":{"code":-32601`},
		{"nobody to elicit from", nil, protocol.ElicitationCreate, `"id":"s1","result":{"action":"cancel"}`},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			srv := newWebServer()
			answered := make(chan struct{})
			srv.first = func(_ http.ResponseWriter, r *http.Request) bool { return false }
			srv.call = func(w http.ResponseWriter, _ *http.Request, id string, _ wire.Message) {
				writeEvents(w, event(`{"jsonrpc":"2.0","id":"s1","method":"`+tt.method+`","params":{}}`))
				<-answered
				writeEvents(w, event(textResult(id, "ok")))
			}
			c, ev := dialFake(t, srv, httpOptions{})
			done := make(chan error, 1)
			go func() {
				a, err := c.call(t.Context(), webCall(t, webEcho, &webSink{reply: tt.reply}))
				if err == nil {
					a.Close()
				}
				done <- err
			}()
			srv.await(t, "the client's answer", posted(tt.want))
			close(answered)
			if err := <-done; err != nil {
				t.Error(err)
			}
			if len(ev.asks) != 0 {
				t.Errorf("asked beside the call: %q", ev.asks)
			}
		})
	}
}

// A server may take its request back, by name or by answering the call: the client is told to stop, the server gets nothing.
func TestStreamAskTakenBack(t *testing.T) {
	for _, back := range []string{event(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"s1"}}`), ""} {
		srv := newWebServer()
		asked, stopped := make(chan struct{}), make(chan error, 1)
		srv.call = func(w http.ResponseWriter, _ *http.Request, id string, _ wire.Message) {
			writeEvents(w, event(`{"jsonrpc":"2.0","id":"s1","method":"elicitation/create","params":{}}`))
			<-asked
			writeEvents(w, back+event(textResult(id, "ok")))
		}
		c, _ := dialFake(t, srv, httpOptions{})
		sink := &webSink{reply: func(ctx context.Context, _ wire.Message) ([]byte, error) {
			close(asked)
			<-ctx.Done()
			stopped <- context.Cause(ctx)
			return nil, ctx.Err()
		}}
		a, err := c.call(t.Context(), webCall(t, webEcho, sink))
		if err != nil {
			t.Fatal(err)
		}
		a.Close()
		want := errAnswered
		if back != "" {
			want = errServerGaveUp
		}
		if got := <-stopped; !errors.Is(got, want) {
			t.Errorf("ask ended by %v, want %v", got, want)
		}
		c.close(t.Context())
		if n := len(srv.seen(posted(`"id":"s1"`))); back != "" && n != 0 {
			t.Errorf("%d answers to a cancelled request", n)
		}
	}
}

// A server closes the stream before the answer and says when to come back: the wait is the server's, the rest comes by GET
// with the last event id, and the client is told once.
func TestStreamPolling(t *testing.T) {
	srv := newWebServer()
	srv.call = func(w http.ResponseWriter, _ *http.Request, _ string, _ wire.Message) {
		writeEvents(w, "id: e1\nretry: 500\ndata:\n\n")
	}
	var closed time.Time
	waits := make(chan time.Duration, 10)
	srv.listen = func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("Last-Event-ID") {
		case "e1":
			waits <- time.Since(closed)
			writeEvents(w, "id: e2\nretry: 60\ndata:\n\n")
		case "e2":
			writeEvents(w, "id: e3\n"+event(`{"jsonrpc":"2.0","id":900,"result":{}}`), "id: e4\n"+event(textResult("2", "ok")))
		default:
			w.WriteHeader(http.StatusMethodNotAllowed)
		}
	}
	c, _ := dialFake(t, srv, httpOptions{})
	sink := &webSink{}
	closed = time.Now()
	a, err := c.call(t.Context(), webCall(t, webEcho, sink))
	if err != nil {
		t.Fatal(err)
	}
	if got := answerText(t, a); got != textResult(`"x"`, "ok") {
		t.Errorf("answer %s", got)
	}
	if wait := <-waits; wait < 500*time.Millisecond {
		t.Errorf("came back after %v, want 500 ms", wait)
	}
	if diff := cmp.Diff([]time.Duration{500 * time.Millisecond}, sink.detached); diff != "" {
		t.Errorf("detached (-want +got):\n%s", diff)
	}
}

// A stream that cannot be taken up again loses the call; it was accepted, so nobody may send it again.
func TestStreamResumeRefused(t *testing.T) {
	for _, status := range []int{404, 405} {
		srv := newWebServer()
		srv.call = func(w http.ResponseWriter, _ *http.Request, _ string, _ wire.Message) {
			writeEvents(w, "id: e1\nretry: 60\ndata:\n\n")
		}
		srv.listen = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
		c, _ := dialFake(t, srv, httpOptions{})
		_, err := c.call(t.Context(), webCall(t, webEcho, nil))
		if !errors.Is(err, protocol.ErrLost) || reopens(err) {
			t.Errorf("HTTP %d: %v, want ErrLost", status, err)
		}
		if gone := reopens(c.err()); gone != (status == 404) {
			t.Errorf("HTTP %d: connection %v", status, c.err())
		}
	}
}

// Some servers accept a request, or end its stream, and answer on the standing stream.
func TestAnswerOnStandingStream(t *testing.T) {
	for name, begin := range map[string]func(w http.ResponseWriter){
		"accepted with 202":   func(w http.ResponseWriter) { w.WriteHeader(http.StatusAccepted) },
		"stream stays silent": func(w http.ResponseWriter) { writeEvents(w, ": wait\n\n") },
		"stream to be resumed": func(w http.ResponseWriter) {
			writeEvents(w, "id: e1\nretry: 86400000\ndata:\n\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv := newWebServer()
			ids := make(chan string, 1)
			srv.listen = func(w http.ResponseWriter, r *http.Request) {
				writeEvents(w, ": hello\n\n")
				select {
				case id := <-ids:
					writeEvents(w, event(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":`+id+`,"progress":1}}`),
						event(textResult(id, "late")))
					<-r.Context().Done()
				case <-r.Context().Done():
				}
			}
			srv.call = func(w http.ResponseWriter, r *http.Request, id string, _ wire.Message) {
				begin(w)
				ids <- id
				if name == "stream stays silent" {
					<-r.Context().Done()
				}
			}
			c, _ := dialFake(t, srv, httpOptions{})
			srv.await(t, "standing stream", func(r webRequest) bool { return r.method == http.MethodGet })
			sink := &webSink{}
			a, err := c.call(t.Context(), webCall(t,
				`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"n","_meta":{"progressToken":5}}}`, sink))
			if err != nil {
				t.Fatal(err)
			}
			if got := answerText(t, a); got != textResult(`"x"`, "late") {
				t.Errorf("answer %s", got)
			}
			if got := sink.got(); len(got) != 1 || !strings.Contains(got[0], `"progressToken":5,`) {
				t.Errorf("progress %q", got)
			}
		})
	}
}

// The standing stream is taken up again where it ended, its messages go to the upstream, and garbage on it hurts nobody.
func TestStandingStream(t *testing.T) {
	srv := newWebServer()
	srv.listen = func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("Last-Event-ID") {
		case "":
			writeEvents(w, "retry: 60\n\n", "data: garbage\n\n", "id: g1\n"+event(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`))
		case "g1":
			writeEvents(w,
				event(`{"jsonrpc":"2.0","method":"notifications/message","params":{"data":1}}`),
				event(`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"u:1"}}`),
				event(`{"jsonrpc":"2.0","id":1,"method":"roots/list"}`))
			<-r.Context().Done()
		}
	}
	c, ev := dialFake(t, srv, httpOptions{})
	ev.await(t, "everything arrived", func() bool {
		return len(ev.lists) == 1 && len(ev.strays) == 1 && len(ev.uris) == 1 && len(ev.asks) == 1
	})
	srv.await(t, "refusal of roots/list", posted(`"id":1,"error":{"code":-32601`))
	if c.err() != nil {
		t.Error(c.err())
	}
}

// A standing stream that comes back with 404 tells that the server has forgotten the session, before any call runs into it.
func TestStandingStreamTellsOfLostSession(t *testing.T) {
	srv := newWebServer()
	n := 0
	srv.listen = func(w http.ResponseWriter, _ *http.Request) {
		if n++; n > 1 {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		writeEvents(w, "retry: 60\n\n")
	}
	c, _ := dialFake(t, srv, httpOptions{})
	select {
	case <-c.done():
	case <-time.After(10 * time.Second):
		t.Fatal("connection did not end")
	}
	if !reopens(c.err()) {
		t.Errorf("ended with %v", c.err())
	}
}

func TestCursorWait(t *testing.T) {
	c := newCursor()
	if got := c.wait(0); got != defaultRetry {
		t.Errorf("default %v", got)
	}
	for ms, want := range map[int]time.Duration{0: minRetry, 500: 500 * time.Millisecond, 120_000: 2 * time.Minute} {
		c.note(&wire.Event{Retry: time.Duration(ms) * time.Millisecond})
		if got := c.wait(0); got != want {
			t.Errorf("retry %d: %v, want %v", ms, got, want)
		}
		for failures := 1; failures < 100; failures++ {
			if got := c.wait(failures); got < want || got > max(maxBackoff, want) {
				t.Errorf("retry %d after %d failures: %v", ms, failures, got)
			}
		}
	}
	c.hold = 5 * time.Minute
	if got := c.wait(0); got != 5*time.Minute {
		t.Errorf("Retry-After not kept: %v", got)
	}
	if got := c.wait(0); got == 5*time.Minute {
		t.Error("Retry-After kept for ever")
	}
	if c.note(&wire.Event{Retry: -1, HasID: true, ID: "bad\x01id"}) || c.id != "" {
		t.Error("an id that cannot go into a header was taken")
	}
}

// A hundred calls at once, same client id and progress token: every answer and notification goes to its asker.
func TestManyCallsAtOnce(t *testing.T) {
	srv := newWebServer()
	srv.call = func(w http.ResponseWriter, _ *http.Request, id string, m wire.Message) {
		arg, _ := wire.Lookup(m.Raw, m.Params, "arguments")
		writeEvents(w,
			event(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":`+id+`,"message":`+string(arg.Of(m.Raw))+`}}`),
			event(`{"jsonrpc":"2.0","id":`+id+`,"result":`+string(arg.Of(m.Raw))+`}`))
	}
	c, _ := dialFake(t, srv, httpOptions{})
	failed := make(chan error, 100)
	for i := range 100 {
		go func() {
			sink := &webSink{}
			a, err := c.call(t.Context(), webCall(t, fmt.Sprintf(
				`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{"progressToken":1},"arguments":"call %d"}}`, i), sink))
			if err == nil {
				got := answerText(t, a)
				if want := fmt.Sprintf(`{"jsonrpc":"2.0","id":"x","result":"call %d"}`, i); got != want {
					err = fmt.Errorf("answer %s, want %s", got, want)
				}
				want := []string{fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"message":"call %d"}}`, i)}
				if diff := cmp.Diff(want, sink.got()); diff != "" {
					err = errors.New(diff)
				}
			}
			failed <- err
		}()
	}
	for range 100 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}
