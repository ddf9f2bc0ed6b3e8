package upstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/manifold-mcp/manifold/pkg/config"
	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/redact"
)

// memDialer connects to peers in memory.
type memDialer struct {
	// peer makes the server of the n-th connection (from 1); nil is one that says no more than it must.
	peer func(n int, g greeting) (*peer, error)

	mu        sync.Mutex
	greetings []greeting
	times     []time.Time
	peers     []*peer
	pipes     []*memPipe
}

func (d *memDialer) dial(ctx context.Context, g greeting, ev events) (conn, error) {
	d.mu.Lock()
	d.greetings = append(d.greetings, g)
	d.times = append(d.times, time.Now())
	n := len(d.greetings)
	d.mu.Unlock()
	p := &peer{}
	if d.peer != nil {
		var err error
		if p, err = d.peer(n, g); err != nil {
			return nil, err
		}
	}
	pipe := newMemPipe(p)
	d.mu.Lock()
	d.peers = append(d.peers, p)
	d.pipes = append(d.pipes, pipe)
	d.mu.Unlock()
	return dialMux(ctx, pipe, g, ev, zerolog.Nop())
}

func (d *memDialer) dials() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.greetings)
}

// listening is a Listener that keeps what it hears.
type listening struct {
	mu      sync.Mutex
	changed int
	updated []string
	strays  []string
}

func (l *listening) Changed(string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changed++
}

func (l *listening) changes() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

func (l *listening) Updated(_ string, clients []string, msg []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.updated = append(l.updated, fmt.Sprint(clients, string(msg)))
}

func (l *listening) Stray(_, method string, _ []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.strays = append(l.strays, method)
}

// startUpstream runs an upstream until the test's end, and waits until it has settled.
func startUpstream(t *testing.T, s config.Server, opts Options, d dialer) (*Upstream, *listening) {
	t.Helper()
	if s.Name == "" {
		s.Name = "test"
	}
	if s.Isolation == "" {
		s.Isolation = config.IsolationAuto
	}
	opts = opts.withDefaults()
	opts.Redact = redact.Text
	l := &listening{}
	u := newUpstream(&s, d, opts, newGate(opts.Starts, opts.StartShare), l, zerolog.Nop())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := u.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		if got := u.Status().Phase; got != PhaseIdle {
			t.Errorf("phase after the end: %s", got)
		}
	})
	<-u.Settled()
	return u, l
}

func callUpstream(t *testing.T, u *Upstream, raw string, c *protocol.Client, sink protocol.Sink) (string, error) {
	t.Helper()
	a, err := u.Call(t.Context(), callOf(t, raw, c, sink))
	if err != nil {
		return "", err
	}
	defer a.Close()
	if a.Message.Error.Present() {
		return string(a.Message.Error.Of(a.Message.Raw)), nil
	}
	if a.Message.Raw == nil {
		return string(a.Result), nil
	}
	return string(a.Message.Result.Of(a.Message.Raw)), nil
}

func TestUpstreamBecomesReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &memDialer{}
		u, l := startUpstream(t, config.Server{}, Options{Version: "9.9"}, d)
		st := u.Status()
		want := Status{Name: "test", Phase: PhaseReady, State: StateConnected, Since: st.Since, LastConnected: st.LastConnected}
		if diff := cmp.Diff(want, st); diff != "" || st.LastConnected.IsZero() {
			t.Errorf("status %s", diff)
		}
		inv := u.Inventory()
		if len(inv.Tools) != 1 || inv.Stale || inv.Instructions != "be kind" || inv.Has != protocol.HasTools {
			t.Errorf("inventory %+v", inv)
		}
		if n := l.changes(); n != 1 {
			t.Errorf("Changed %d times", n)
		}
		if got := string(d.greetings[0].info); got != `{"name":"manifold","version":"9.9"}` {
			t.Errorf("clientInfo %s", got)
		}
		if got := string(d.greetings[0].capabilities); got != sharedCapabilities {
			t.Errorf("capabilities %s", got)
		}
		if got, err := callUpstream(t, u, plainCall, nil, &tape{}); err != nil || !strings.Contains(got, "echo") {
			t.Errorf("call: %s, %v", got, err)
		}
	})
}

func TestUpstreamBacksOffBetweenFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &memDialer{peer: func(n int, _ greeting) (*peer, error) {
			if n <= 10 {
				return nil, redact.WithCode(errors.New("refused by 10.0.0.7 password=hunter2secret"), redact.ConnectRefused)
			}
			return &peer{}, nil
		}}
		u, _ := startUpstream(t, config.Server{}, Options{}, d)
		synctest.Wait()
		st := u.Status()
		if st.Phase != PhaseBackoff || st.State != StateError || st.Reason != redact.ConnectRefused || st.Attempts != 1 || st.NextRetry.IsZero() {
			t.Errorf("status %+v", st)
		}
		if strings.Contains(st.Text, "hunter2secret") || strings.Contains(st.Text, "10.0.0.7") {
			t.Errorf("text %q", st.Text)
		}
		if _, err := callUpstream(t, u, plainCall, nil, &tape{}); !errors.Is(err, protocol.ErrUnavailable) || !strings.Contains(err.Error(), "connect_refused") {
			t.Errorf("call: %v", err)
		}
		for u.Status().Phase != PhaseReady {
			time.Sleep(time.Second) // fake time
		}
		ceiling := time.Second
		for i := 1; i < len(d.times); i++ {
			if wait := d.times[i].Sub(d.times[i-1]); wait < backoffMin || wait > ceiling {
				t.Errorf("wait %d was %v, want at most %v", i, wait, ceiling)
			}
			ceiling = min(2*ceiling, backoffMax)
		}
	})
}

func TestBackoffStartsOverAfterStableTime(t *testing.T) {
	b := &backoff{}
	for range 100 {
		if d := b.next(); d > backoffMax {
			t.Fatalf("waits %v", d)
		}
	}
	b.lasted(stableAfter - 1)
	if b.failures != 100 {
		t.Errorf("a short connection reset the count")
	}
	b.lasted(stableAfter)
	if d := b.next(); d > backoffFirst {
		t.Errorf("waits %v after a stable time", d)
	}
}

func TestUpstreamKeepsItsListsOverALoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &memDialer{}
		u, l := startUpstream(t, config.Server{}, Options{}, d)
		d.pipes[0].kill()
		synctest.Wait()
		if inv := u.Inventory(); !inv.Stale || len(inv.Tools) != 1 {
			t.Errorf("inventory %+v", inv)
		}
		if st := u.Status(); st.Phase != PhaseBackoff || st.Reason != redact.Disconnected || st.LastConnected.IsZero() {
			t.Errorf("status %+v", st)
		}
		if n := l.changes(); n != 2 {
			t.Errorf("Changed %d times", n)
		}
		time.Sleep(backoffFirst) // fake time
		synctest.Wait()
		if inv := u.Inventory(); inv.Stale || u.Status().Phase != PhaseReady || u.Status().Reason != redact.None {
			t.Errorf("inventory %+v, status %+v", inv, u.Status())
		}
	})
}

func TestUpstreamThatNeverAnswersTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &memDialer{peer: func(int, greeting) (*peer, error) {
			return &peer{handle: func(*peer, envelope) bool { return true }}, nil
		}}
		began := time.Now()
		u, _ := startUpstream(t, config.Server{ConnectionTimeout: 7 * time.Second}, Options{}, d)
		synctest.Wait()
		if took := time.Since(began); took != 7*time.Second {
			t.Errorf("settled after %v", took)
		}
		if st := u.Status(); st.Reason != redact.Timeout || st.State != StateError {
			t.Errorf("status %+v", st)
		}
	})
}
