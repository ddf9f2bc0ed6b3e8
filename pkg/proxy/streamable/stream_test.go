package streamable

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/manifold-mcp/manifold/pkg/protocol"
)

const done = `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"done"}]}}`

// asks is a script that asks its client and answers with what it said.
func asks(ctx context.Context, c *protocol.Call) (*protocol.Answer, error) {
	raw, err := c.Sink.Ask(ctx, mustSkim(sampling))
	if err != nil {
		return nil, err
	}
	return text(string(raw)), nil
}

// steps is a script that notifies once per value it gets, detaches for a negative one, and ends with the channel.
func steps(ch <-chan int) script {
	return func(ctx context.Context, c *protocol.Call) (*protocol.Answer, error) {
		for {
			select {
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			case n, more := <-ch:
				switch {
				case !more:
					return text("done"), nil
				case n < 0:
					c.Sink.Detach(time.Duration(-n) * time.Millisecond)
				default:
					c.Sink.Notify(notification(string('0' + rune(n))))
				}
			}
		}
	}
}

func TestNotificationsMakeAStream(t *testing.T) {
	ch := make(chan int)
	g := start(t, options(), map[string]script{"t": steps(ch)})
	for _, revision := range []string{"", "2025-03-26", "2025-11-25"} {
		session := ""
		if revision != "" {
			session = g.initialize(revision)
		}
		ch2 := ch
		go func() { ch2 <- 1; ch2 <- 2 }()
		s := stream_(t, g.post(call("1", "t"), headerSession, session))
		if revision == "2025-11-25" {
			if ev := s.next(); len(ev.Data) != 0 || !ev.HasID || ev.Retry >= 0 {
				t.Errorf("want an event with an id alone first, got %+v", ev)
			}
		}
		ev := s.want(string(notification("1")), string(notification("2")))
		if ev.HasID != (session != "") {
			t.Errorf("%q: event has an id: %v", revision, ev.HasID)
		}
		close(ch)
		s.want(done)
		s.end()
		ch = make(chan int)
		g = start(t, options(), map[string]script{"t": steps(ch)})
	}
}

func TestAsksGoOverTheCallsStream(t *testing.T) {
	g := start(t, options(), map[string]script{"t": asks})
	session, other := g.initialize("2025-06-18"), g.initialize("2025-06-18")
	s := stream_(t, g.post(call("1", "t"), headerSession, session))
	question := mustSkim(string(s.next().Data))
	id := string(question.ID.Of(question.Raw))
	if question.MethodName() != protocol.SamplingCreateMessage || id == `"up-7"` {
		t.Errorf("asked %s", question.Raw)
	}
	reply := `{"jsonrpc":"2.0","id":` + id + `,"result":{"role":"assistant"}}`
	for _, from := range []string{other, session} {
		if res := g.post(reply, headerSession, from); res.StatusCode != http.StatusAccepted {
			t.Errorf("the answer was answered by %s", res.Status)
		}
	}
	if got := string(s.next().Data); !strings.Contains(got, `\"role\":\"assistant\"`) {
		t.Errorf("got %s", got)
	}
	s.end()
	if body := read(t, g.post(call("1", "t"))); !strings.Contains(body, `"error"`) {
		t.Errorf("without a session nobody can be asked: %s", body)
	}
}

func TestSilenceMakesAStream(t *testing.T) {
	opts := options()
	opts.Silence, opts.Timing.KeepAlive = 5*time.Millisecond, 5*time.Millisecond
	ch := make(chan int)
	g := start(t, opts, map[string]script{"t": steps(ch)})
	res := g.post(call("1", "t"))
	three := make([]byte, 12)
	if _, err := io.ReadFull(res.Body, three); err != nil || string(three) != ": \n\n: \n\n: \n\n" {
		t.Errorf("got %q, %v; want comments", three, err)
	}
	close(ch)
	s := stream_(t, res)
	s.want(done)
	s.end()
}

func TestStandingStream(t *testing.T) {
	g := start(t, options(), map[string]script{"t": say("x")})
	session := g.initialize("2025-06-18")
	live, err := g.router.Sessions().Get(session, "")
	if err != nil {
		t.Fatal(err)
	}
	live.Notify([]byte("0")) // nobody reads yet
	first := stream_(t, g.do(t.Context(), http.MethodGet, "", headerSession, session))
	first.want("0")
	live.Notify([]byte("1"))
	last := first.want("1")

	second := stream_(t, g.do(t.Context(), http.MethodGet, "", headerSession, session))
	first.end() // taken over
	live.Notify([]byte("2"))
	second.want("2")

	third := stream_(t, g.do(t.Context(), http.MethodGet, "", headerSession, session, headerLastID, last.ID))
	third.want("2")
	fourth := stream_(t, g.do(t.Context(), http.MethodGet, "", headerSession, session, headerLastID, "EARLIER.0-17"))
	live.Notify([]byte("3"))
	fourth.want("3") // of an earlier run nothing is left, but the stream goes on

	asked := make(chan string, 1)
	go func() {
		raw, _ := live.Ask(t.Context(), mustSkim(sampling))
		asked <- string(raw)
	}()
	q := mustSkim(string(fourth.next().Data))
	read(t, g.post(`{"jsonrpc":"2.0","id":`+string(q.ID.Of(q.Raw))+`,"result":{}}`, headerSession, session))
	if got := <-asked; !strings.Contains(got, `"result":{}`) {
		t.Errorf("asked on the standing stream: %s", got)
	}

	read(t, g.do(t.Context(), http.MethodDelete, "", headerSession, session))
	fourth.end()
}

func TestStreamsAreResumed(t *testing.T) {
	ch := make(chan int)
	g := start(t, options(), map[string]script{"t": steps(ch)})
	session := g.initialize("2025-11-25")
	go func() { ch <- 1 }()
	ctx, leave := context.WithCancel(t.Context())
	s := stream_(t, g.do(ctx, http.MethodPost, call("1", "t"), headerSession, session))
	s.next()
	first := s.want(string(notification("1")))
	ch <- 2
	s.want(string(notification("2")))
	leave() // mid-call
	until(t, "the stream to be left", func() bool { return g.edge.streams.Load() == 0 })
	ch <- 3
	s = stream_(t, g.do(t.Context(), http.MethodGet, "", headerSession, session, headerLastID, first.ID))
	s.want(string(notification("2")), string(notification("3")))
	close(ch)
	s.want(done)
	s.end()
	// Its last bytes may have been lost.
	s = stream_(t, g.do(t.Context(), http.MethodGet, "", headerSession, session, headerLastID, first.ID))
	s.want(string(notification("2")), string(notification("3")), done)
	s.end()
	if res := g.do(t.Context(), http.MethodGet, "", headerSession, g.initialize("2025-11-25"), headerLastID, first.ID); res.StatusCode != http.StatusBadRequest {
		t.Errorf("another session resumed it: %s", res.Status)
	}
}

func TestDetach(t *testing.T) {
	for rule, before := range map[string][]int{"at once": {}, "later": {1}} {
		t.Run(rule, func(t *testing.T) {
			ch := make(chan int)
			g := start(t, options(), map[string]script{"t": steps(ch)})
			session := g.initialize("2025-11-25")
			go func() {
				for _, n := range before {
					ch <- n
				}
				ch <- -1500
			}()
			s := stream_(t, g.post(call("1", "t"), headerSession, session))
			ev := s.next()
			for _, n := range before {
				s.want(string(notification(string('0' + rune(n)))))
				ev = s.next()
			}
			if len(ev.Data) != 0 || !ev.HasID || ev.Retry != 1500*time.Millisecond {
				t.Errorf("got %+v, want an id and when to come back", ev)
			}
			s.end()
			ch <- 2
			close(ch)
			s = stream_(t, g.do(t.Context(), http.MethodGet, "", headerSession, session, headerLastID, ev.ID))
			s.want(string(notification("2")), done)
			s.end()
		})
	}
	// Who cannot come back keeps its stream: beyond the bound of streams, and in revisions that do not know it.
	var hung calls
	ch := make(chan int)
	opts := options()
	opts.MaxStreams = maxResumable + 1
	g := start(t, opts, map[string]script{"t": steps(ch), "hang": hung.hang(true)})
	session := g.initialize("2025-11-25")
	for range maxResumable {
		stream_(t, g.post(call("1", "hang"), headerSession, session)).next()
	}
	go func() { ch <- -1; ch <- 1; close(ch) }()
	s := stream_(t, g.post(call("1", "t"), headerSession, session))
	s.want(string(notification("1")), done)
	s.end()
	read(t, g.do(t.Context(), http.MethodDelete, "", headerSession, session))
	until(t, "the calls' end", func() bool { return hung.cancelled.Load() == maxResumable })
	for _, revision := range []string{"", "2025-06-18"} {
		ch := make(chan int)
		g := start(t, options(), map[string]script{"t": steps(ch)})
		session := ""
		if revision != "" {
			session = g.initialize(revision)
		}
		go func() { ch <- -1; ch <- 1; ch <- -1; close(ch) }()
		s := stream_(t, g.post(call("1", "t"), headerSession, session))
		s.want(string(notification("1")), done)
		s.end()
	}
}

func TestClientsThatLeave(t *testing.T) {
	tests := []struct {
		rule      string
		session   bool
		notify    bool
		linger    time.Duration
		cancelled bool
	}{
		{"a silent call without a session is cancelled at once", false, false, time.Hour, true},
		{"a silent call in a session, too", true, false, time.Hour, true},
		{"a stream that nobody can come back to, too", false, true, time.Hour, true},
		{"a stream that can be resumed goes on", true, true, time.Hour, false},
		{"until its time is over", true, true, time.Millisecond, true},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			var c calls
			opts := options()
			opts.Linger = tt.linger
			g := start(t, opts, map[string]script{"t": c.hang(tt.notify)})
			session := ""
			if tt.session {
				session = g.initialize("2025-06-18")
			}
			ctx, leave := context.WithCancel(t.Context())
			if tt.notify {
				s := stream_(t, g.do(ctx, http.MethodPost, call("1", "t"), headerSession, session))
				s.want(string(notification("1")))
			} else {
				req, _ := http.NewRequestWithContext(ctx, http.MethodPost, g.url, bytes.NewReader([]byte(call("1", "t"))))
				req.Header.Set("Content-Type", "application/json")
				req.Header.Set("Accept", both)
				if tt.session {
					req.Header.Set(headerSession, session)
				}
				go func() {
					if res, err := http.DefaultClient.Do(req); err == nil {
						_ = res.Body.Close()
					}
				}()
				until(t, "the call", func() bool { return c.started.Load() == 1 })
			}
			leave()
			until(t, "the stream to be left", func() bool { return g.edge.streams.Load() == 0 })
			if !tt.cancelled {
				if c.cancelled.Load() != 0 {
					t.Error("the call was cancelled")
				}
				read(t, g.do(t.Context(), http.MethodDelete, "", headerSession, session)) // ends it for good
			}
			until(t, "the call's end", func() bool { return c.cancelled.Load() == 1 })
		})
	}
}

// What a call still sends after its client has left must not count as a stream for ever, nor stay open.
func TestCallsThatOutliveTheirClient(t *testing.T) {
	var c calls
	closed := make(chan struct{})
	g := start(t, options(), map[string]script{"t": func(ctx context.Context, call *protocol.Call) (*protocol.Answer, error) {
		c.started.Add(1)
		<-ctx.Done()
		call.Sink.Notify(notification("1"))
		return &protocol.Answer{Stream: &broken{strings.NewReader(""), closed}}, nil
	}})
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		until(t, "the call", func() bool { return c.started.Load() == 1 })
		leave()
	}()
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost, g.url, strings.NewReader(call("1", "t")))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", both)
	if res, err := http.DefaultClient.Do(req); err == nil {
		_ = res.Body.Close()
		t.Error("answered")
	}
	<-closed
	if n := g.edge.streams.Load(); n != 0 {
		t.Errorf("%d streams are counted", n)
	}
}

func TestCancelledByNotification(t *testing.T) {
	var c calls
	g := start(t, options(), map[string]script{"t": c.hang(true)})
	session := g.initialize("2025-06-18")
	s := stream_(t, g.post(call(`"x"`, "t"), headerSession, session))
	s.want(string(notification("1")))
	read(t, g.post(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"x"}}`, headerSession, session))
	s.want(refusal(`"x"`, "-32603", "request was cancelled"))
	s.end()
}

func TestMaxStreams(t *testing.T) {
	ch := make(chan int)
	opts := options()
	opts.MaxStreams = 1
	g := start(t, opts, map[string]script{"t": steps(ch), "quiet": say("q")})
	session := g.initialize("2025-06-18")
	s := stream_(t, g.do(t.Context(), http.MethodGet, "", headerSession, session))
	res := g.do(t.Context(), http.MethodGet, "", headerSession, g.initialize("2025-06-18"))
	if body := read(t, res); res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || !strings.Contains(body, "--max-streams") {
		t.Errorf("got %s %s", res.Status, body)
	}
	go func() { ch <- 1; close(ch) }()
	if body := read(t, g.post(call("1", "t"), headerSession, session)); body != done { // still answered, without a stream
		t.Errorf("got %s", body)
	}
	s.want(string(notification("1"))) // and what it had to say comes on the one that there is
	only := stream_(t, g.post(call("1", "quiet"), "Accept", "text/event-stream"))
	only.want(`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"q"}]}}`)
}

// The streams of one session are bounded, whatever its client does.
func TestKeptStreamsAreBounded(t *testing.T) {
	noisy := func(size int) script {
		return func(_ context.Context, c *protocol.Call) (*protocol.Answer, error) {
			c.Sink.Notify(notification("1"))
			return text(strings.Repeat("x", size)), nil
		}
	}
	var hung calls
	g := start(t, options(), map[string]script{"small": noisy(1), "large": noisy(100 << 10), "huge": noisy(maxDelivered), "hang": hung.hang(true)})
	kept := func(session string) (n, size int) {
		live, _ := g.router.Sessions().Get(session, "")
		c := conversationOf(live)
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, e := range c.streams {
			s, _ := e.log.Size()
			size += s
		}
		return len(c.streams), size
	}
	run := func(session, tool string, times int) {
		for range times {
			read(t, g.post(call("1", tool), headerSession, session))
		}
		until(t, "the handlers' end", func() bool { return g.edge.streams.Load() == 0 })
	}
	session := g.initialize("2025-06-18")
	run(session, "small", maxResumable+10)
	if n, _ := kept(session); n != maxResumable {
		t.Errorf("%d small streams are kept", n)
	}
	session = g.initialize("2025-06-18")
	run(session, "large", 5)
	if n, size := kept(session); n != 2 || size > maxDelivered {
		t.Errorf("%d large streams are kept, %d bytes", n, size)
	}
	run(session, "huge", 1)
	if _, size := kept(session); size > maxDelivered {
		t.Errorf("%d bytes are kept", size)
	}

	session = g.initialize("2025-06-18")
	ctx, leave := context.WithCancel(t.Context())
	opts := options()
	for range opts.MaxStreams - 5 {
		stream_(t, g.do(ctx, http.MethodPost, call("1", "hang"), headerSession, session)).next()
	}
	leave()
	until(t, "all to be left", func() bool { return g.edge.streams.Load() == 0 })
	ctx, leave = context.WithCancel(t.Context())
	for range 30 {
		stream_(t, g.do(ctx, http.MethodPost, call("1", "hang"), headerSession, session)).next()
	}
	if n, _ := kept(session); n != maxResumable {
		t.Errorf("%d streams are open", n)
	}
	leave()
	until(t, "those beyond the bound to be cancelled", func() bool { return hung.cancelled.Load() == opts.MaxStreams-5+30-maxResumable })
	read(t, g.do(t.Context(), http.MethodDelete, "", headerSession, session))
	until(t, "the others' end", func() bool { return hung.cancelled.Load() == opts.MaxStreams-5+30 })
}
