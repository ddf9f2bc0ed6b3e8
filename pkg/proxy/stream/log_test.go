package stream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var timing = Timing{KeepAlive: 15 * time.Second, Write: time.Second}

// response is a client's end of a stream.
type response struct {
	mu     sync.Mutex
	text   strings.Builder
	broken error
	block  chan struct{} // if set, writes wait for it
}

func (*response) Header() http.Header { return http.Header{} }
func (*response) WriteHeader(int)     {}
func (*response) Flush()              {}

func (r *response) Write(p []byte) (int, error) {
	if r.block != nil {
		<-r.block
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken != nil {
		return 0, r.broken
	}
	return r.text.Write(p)
}

// data lists the data of the events so far, and the comments as ":".
func (r *response) data() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for line := range strings.Lines(r.text.String()) {
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			out = append(out, strings.TrimSpace(data))
		}
	}
	return strings.Join(out, " ")
}

func (r *response) raw() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// serve reads a log in the background.
func serve(ctx context.Context, l *Log, after uint64) (*response, <-chan error) {
	w := &response{}
	done := make(chan error, 1)
	go func() { done <- l.Serve(ctx, w, timing, after) }()
	synctest.Wait()
	return w, done
}

func send(l *Log, from, to int) {
	for i := from; i <= to; i++ {
		l.Send(fmt.Append(nil, i))
	}
}

func TestOrderAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New("s.1")
		send(l, 1, 2)
		w, done := serve(t.Context(), l, 0)
		if w.data() != "1 2" {
			t.Errorf("before the reader came: %s", w.data())
		}
		send(l, 3, 3)
		synctest.Wait()
		if !l.Finish([]byte("4")) || l.Finish([]byte("5")) || l.Send([]byte("6")) || l.Answer([]byte("7")) {
			t.Error("a finished log took more")
		}
		if err := <-done; err != nil || w.data() != "1 2 3 4" {
			t.Errorf("%s, %v", w.data(), err)
		}
		if want := ": \n\nid: s.1-1\ndata: 1\n\n"; !strings.HasPrefix(w.raw(), want) {
			t.Errorf("begins with %q, want %q", w.raw()[:len(want)], want)
		}
		if size, delivered := l.Size(); !delivered || size == 0 || !l.Closed() || l.Attached() {
			t.Errorf("size %d, delivered %v", size, delivered)
		}
	})
}

func TestResumeFromAnyEvent(t *testing.T) {
	for after := range uint64(12) {
		synctest.Test(t, func(t *testing.T) {
			l := New("s.1")
			send(l, 1, 5)
			w, done := serve(t.Context(), l, after)
			send(l, 6, 6)
			l.Close()
			if err := <-done; err != nil {
				t.Error(err)
			}
			want := strings.Fields("1 2 3 4 5 6")
			if got := w.data(); got != strings.Join(want[min(after, 5):], " ") {
				t.Errorf("after %d: %s", after, got)
			}
			if l.Undelivered() != 6 {
				t.Errorf("after %d: undelivered from %d", after, l.Undelivered())
			}
		})
	}
}

func TestALaterReaderTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New("s.1")
		first, left := serve(t.Context(), l, 0)
		send(l, 1, 1)
		synctest.Wait()
		second, done := serve(t.Context(), l, 0)
		if err := <-left; err != nil {
			t.Errorf("the first reader: %v", err)
		}
		send(l, 2, 2)
		l.Close()
		if err := <-done; err != nil {
			t.Errorf("the second reader: %v", err)
		}
		if first.data() != "1" || second.data() != "1 2" {
			t.Errorf("first %s, second %s", first.data(), second.data())
		}
	})
}

func TestHangUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New("s.1")
		w, left := serve(t.Context(), l, 0)
		send(l, 1, 1)
		l.HangUp()
		if err := <-left; err != nil || w.data() != "1" || l.Closed() {
			t.Errorf("%s, %v", w.data(), err)
		}
		send(l, 2, 2)
		w, left = serve(t.Context(), l, l.Undelivered())
		select {
		case err := <-left:
			t.Fatal(err, "the next reader was hung up, too")
		default:
		}
		l.Close()
		if err := <-left; err != nil || w.data() != "2" {
			t.Error(w.data())
		}
	})
	// A server may close its stream before the handler has come to read ours.
	synctest.Test(t, func(t *testing.T) {
		l := New("s.1")
		l.Prime(3 * time.Second)
		l.HangUp()
		w, left := serve(t.Context(), l, 0)
		if err := <-left; err != nil || w.raw() != ": \n\nid: s.1-1\nretry: 3000\ndata: \n\n" {
			t.Errorf("%q, %v", w.raw(), err)
		}
	})
}

func TestKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New("")
		w, done := serve(t.Context(), l, 0)
		if w.raw() != ": \n\n" {
			t.Errorf("the first bytes are %q", w.raw())
		}
		time.Sleep(2*timing.KeepAlive + time.Second) //nolint:forbidigo // the time of a synctest bubble
		synctest.Wait()
		if n := strings.Count(w.raw(), ": \n\n"); n != 3 {
			t.Errorf("%d comments after two periods", n)
		}
		l.Close()
		if err := <-done; err != nil {
			t.Errorf("the second reader: %v", err)
		}
	})
}

func TestReadersThatAreGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New("s.1")
		why := errors.New("gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		_, done := serve(ctx, l, 0)
		if !l.Attached() {
			t.Error("not attached")
		}
		cancel(why)
		if err := <-done; !errors.Is(err, why) || l.Attached() {
			t.Errorf("context: %v", err)
		}
		w := &response{broken: why}
		if err := l.Serve(t.Context(), w, timing, 0); !errors.Is(err, why) || l.Attached() {
			t.Errorf("write: %v", err)
		}
	})
}

func TestBounds(t *testing.T) {
	tests := []struct {
		rule    string
		log     *Log
		fill    func(l *Log)
		want    string
		dropped uint64
	}{
		{"the oldest messages go first", Bounded("", 3, 1000), func(l *Log) { send(l, 1, 5) }, "3 4 5", 2},
		{"by bytes as well", Bounded("", 100, 50), func(l *Log) { send(l, 1, 9) }, "5 6 7 8 9", 4},
		{"one that is larger than all stands alone", Bounded("", 100, 50), func(l *Log) { send(l, 1, 2); l.Send([]byte(strings.Repeat("x", 99))) }, strings.Repeat("x", 99), 2},
		{"answers stay", Bounded("", 3, 1000), func(l *Log) {
			send(l, 1, 1)
			for _, a := range []string{"a", "b", "c", "d"} {
				l.Answer([]byte(a))
			}
			send(l, 2, 5)
			l.Answer([]byte("e"))
		}, "a b c d e", 5},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tt.fill(tt.log)
				w, done := serve(t.Context(), tt.log, 0)
				tt.log.Close()
				<-done
				if w.data() != tt.want || tt.log.Dropped() != tt.dropped {
					t.Errorf("got %s, dropped %d; want %s, %d", w.data(), tt.log.Dropped(), tt.want, tt.dropped)
				}
			})
		})
	}
}

func TestWhatWasReadIsNotDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Bounded("s.1", 3, 1000)
		_, done := serve(t.Context(), l, 0)
		for i := range 20 {
			l.Answer(fmt.Append(nil, i))
			synctest.Wait()
		}
		if l.Dropped() != 0 || len(l.events) != 3 {
			t.Errorf("dropped %d, kept %d", l.Dropped(), len(l.events))
		}
		l.Close()
		if err := <-done; err != nil {
			t.Errorf("the second reader: %v", err)
		}
	})
}

// A log that nobody can resume must not keep what it has sent.
func TestOnlyResumableLogsKeep(t *testing.T) {
	for id, want := range map[string]bool{"": false, "s.1": true} {
		synctest.Test(t, func(t *testing.T) {
			l := New(id)
			w, done := serve(t.Context(), l, 0)
			send(l, 1, 10)
			synctest.Wait()
			if size, _ := l.Size(); (size > 0) != want {
				t.Errorf("id %q keeps %d bytes", id, size)
			}
			if strings.Contains(w.raw(), "id:") != want {
				t.Errorf("id %q: %q", id, w.raw())
			}
			l.Close()
			<-done
		})
	}
}

// Answers wait for a client that reads slowly, and are neither lost nor piled up.
func TestDeliverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Bounded("", 100, 50)
		w := &response{block: make(chan struct{})}
		left := make(chan error, 1)
		go func() { left <- l.Serve(t.Context(), w, timing, 0) }()
		synctest.Wait()
		results := make(chan bool, 20)
		for i := range 20 {
			go func() { results <- l.Deliver(t.Context(), fmt.Append(nil, "answer", i)) }()
		}
		synctest.Wait()
		if n := len(results); n == 0 || n > 5 {
			t.Errorf("%d of 20 were taken by a log of 50 bytes that nobody reads", n)
		}
		close(w.block)
		synctest.Wait()
		for range 20 {
			if !<-results {
				t.Error("an answer was lost")
			}
		}
		if got := len(strings.Fields(w.data())); got != 20 {
			t.Errorf("%d answers arrived", got)
		}
		l.Close()
		<-left
	})
	synctest.Test(t, func(t *testing.T) { // nobody reads: ctx and Close end the wait
		l := Bounded("", 100, 1)
		l.Answer([]byte("full"))
		ctx, cancel := context.WithCancel(t.Context())
		results := make(chan bool)
		go func() { results <- l.Deliver(ctx, []byte("x")) }()
		synctest.Wait()
		cancel()
		if <-results {
			t.Error("delivered after ctx had ended")
		}
		go func() { results <- l.Deliver(t.Context(), []byte("x")) }()
		synctest.Wait()
		l.Close()
		if <-results {
			t.Error("delivered to a closed log")
		}
	})
}

func TestNamedEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New("")
		l.SendNamed("endpoint", []byte("/messages?a=b\nc"))
		l.Finish([]byte("{\n}"))
		w, done := serve(t.Context(), l, 0)
		<-done
		if want := ": \n\nevent: endpoint\ndata: /messages?a=b\ndata: c\n\ndata: {\ndata: }\n\n"; w.raw() != want {
			t.Errorf("got %q, want %q", w.raw(), want)
		}
	})
}
