package upstream

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manifold-mcp/manifold/pkg/config"
	"github.com/manifold-mcp/manifold/pkg/protocol"
)

// ledger notes the small requests that reach a server.
type ledger struct {
	mu   sync.Mutex
	list []string
}

func (l *ledger) note(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, s)
}

// taken gives what was noted since the last time.
func (l *ledger) taken() []string {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.list
	l.list = nil
	return list
}

// acceptSubscriptions makes a server accept subscriptions and levels.
func acceptSubscriptions(l *ledger) func(p *peer, m envelope) bool {
	return func(p *peer, m envelope) bool {
		switch m.Method {
		case protocol.ResourcesSubscribe, protocol.ResourcesUnsubscribe, protocol.LoggingSetLevel:
			if l != nil {
				var params struct{ URI, Level string }
				_ = json.Unmarshal(m.Params, &params)
				l.note(m.Method + " " + params.URI + params.Level)
			}
			p.reply(m.ID, `{"from":"server"}`)
			return true
		}
		return false
	}
}

func subscribeCall(t *testing.T, c *protocol.Client) *protocol.Call {
	return callOf(t, `{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"a:b"}}`, c, &tape{})
}

func unsubscribeCall(t *testing.T, c *protocol.Client) *protocol.Call {
	return callOf(t, `{"jsonrpc":"2.0","id":1,"method":"resources/unsubscribe","params":{"uri":"a:b"}}`, c, &tape{})
}

func loggingPeers(l *ledger) *memDialer {
	return &memDialer{peer: func(int, greeting) (*peer, error) {
		return &peer{handle: acceptSubscriptions(l), caps: `{"logging":{},"resources":{"subscribe":true}}`}, nil
	}}
}

func TestSubscriptionsAreCountedPerServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{}
		d := loggingPeers(l)
		u, heard := startUpstream(t, config.Server{}, Options{}, d)
		a, b := clientOf("a", 0), clientOf("b", 0)
		expect := func(step string, answer *protocol.Answer, err error, fromServer bool, want ...string) {
			t.Helper()
			if err != nil {
				t.Fatalf("%s: %v", step, err)
			}
			if got := answer.Message.Raw != nil; got != fromServer {
				t.Errorf("%s: answered by the server: %v", step, got)
			}
			answer.Close()
			if diff := cmp.Diff(want, l.taken()); diff != "" {
				t.Errorf("%s: %s", step, diff)
			}
		}
		ans, err := u.Subscribe(t.Context(), subscribeCall(t, a), "a:b")
		expect("the first asks the server", ans, err, true, "resources/subscribe a:b")
		ans, err = u.Subscribe(t.Context(), subscribeCall(t, b), "a:b")
		expect("the second does not", ans, err, false)
		d.peers[0].send(`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a:b"}}`)
		d.peers[0].send(`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a:other"}}`)
		synctest.Wait()
		if len(heard.updated) != 1 {
			t.Errorf("updates: %v", heard.updated)
		}
		ans, err = u.Unsubscribe(t.Context(), unsubscribeCall(t, a), "a:b")
		expect("one goes", ans, err, false)
		ans, err = u.Unsubscribe(t.Context(), unsubscribeCall(t, a), "a:b")
		expect("it goes again", ans, err, false)

		d.pipes[0].kill()
		for u.Status().Phase != PhaseReady || d.dials() < 2 {
			time.Sleep(time.Second) // fake time
		}
		expect("after a reconnect", &protocol.Answer{}, nil, false, "resources/subscribe a:b")
		ans, err = u.Unsubscribe(t.Context(), unsubscribeCall(t, b), "a:b")
		expect("the last one asks the server", ans, err, true, "resources/unsubscribe a:b")
		if len(u.subs.byURI) != 0 {
			t.Errorf("left: %v", u.subs.byURI)
		}
	})
}

func TestReleaseUnsubscribesWhatNobodyWants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{}
		u, _ := startUpstream(t, config.Server{}, Options{}, loggingPeers(l))
		for _, key := range []string{"a", "b"} {
			if _, err := u.Subscribe(t.Context(), subscribeCall(t, clientOf(key, 0)), "a:b"); err != nil {
				t.Fatal(err)
			}
		}
		l.taken()
		u.Release("a")
		if got := l.taken(); got != nil {
			t.Errorf("b still wants it, but %v", got)
		}
		u.Release("b")
		if diff := cmp.Diff([]string{"resources/unsubscribe a:b"}, l.taken()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestSubscribeThatTheServerRefusesIsNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, _ := startUpstream(t, config.Server{}, Options{}, &memDialer{}) // answers -32601
		for range 2 {
			a, err := u.Subscribe(t.Context(), subscribeCall(t, clientOf("a", 0)), "a:b")
			if err != nil || !a.Failed() {
				t.Errorf("%+v, %v", a, err)
			}
			a.Close()
		}
		if len(u.subs.byURI) != 0 {
			t.Errorf("left: %v", u.subs.byURI)
		}
	})
}

func TestSubscriptionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, _ := startUpstream(t, config.Server{}, Options{MaxSubscriptions: 2}, loggingPeers(nil))
		for i := range 3 {
			_, err := u.Subscribe(t.Context(), subscribeCall(t, clientOf("a", 0)), fmt.Sprint("u:", i))
			if errors.Is(err, protocol.ErrBusy) != (i == 2) {
				t.Errorf("%d: %v", i, err)
			}
		}
	})
}

func TestUpdatesOfPartsReachTheSubscribersOfTheWhole(t *testing.T) {
	s := newSubscriptions(10)
	for _, uri := range []string{"file:///dir", "file:///dir/", "file:///dirty"} {
		sub, err := s.take(t.Context(), uri, true)
		if err != nil {
			t.Fatal(err)
		}
		sub.keys[uri] = struct{}{}
		s.leave(uri, sub)
	}
	for _, tc := range []struct {
		uri  string
		want []string
	}{
		{"file:///dir", []string{"file:///dir"}},
		{"file:///dir/a", []string{"file:///dir", "file:///dir/"}},
		{"file:///dir#part", []string{"file:///dir"}},
		{"file:///di", nil},
		{"file:///dirt", nil},
	} {
		got := s.interested(tc.uri)
		slices.Sort(got)
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: %s", tc.uri, diff)
		}
	}
}

func TestSharedConnectionGetsTheLowestLevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{}
		d := loggingPeers(l)
		u, _ := startUpstream(t, config.Server{}, Options{}, d)
		set := func(key, level string, want ...string) {
			t.Helper()
			if err := u.SetLevel(t.Context(), key, level); err != nil {
				t.Errorf("%s %s: %v", key, level, err)
			}
			if diff := cmp.Diff(want, l.taken()); diff != "" {
				t.Errorf("%s %s: %s", key, level, diff)
			}
		}
		set("a", "warning", "logging/setLevel warning")
		set("b", "error")
		set("b", "debug", "logging/setLevel debug")
		set("b", "alert", "logging/setLevel warning")
		d.pipes[0].kill()
		for u.Status().Phase != PhaseReady || d.dials() < 2 {
			time.Sleep(time.Second) // fake time
		}
		if diff := cmp.Diff([]string{"logging/setLevel warning"}, l.taken()); diff != "" {
			t.Errorf("after a reconnect: %s", diff)
		}
		u.Release("a")
		if diff := cmp.Diff([]string{"logging/setLevel alert"}, l.taken()); diff != "" {
			t.Errorf("after a release: %s", diff)
		}
		var refused *protocol.Error
		if err := u.SetLevel(t.Context(), "a", "loud"); !errors.As(err, &refused) || refused.Code != protocol.CodeInvalidParams {
			t.Errorf("an unknown level: %v", err)
		}
	})
}

func TestServersWithoutLoggingAreNotAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{}
		d := &memDialer{peer: func(int, greeting) (*peer, error) { return &peer{handle: acceptSubscriptions(l)}, nil }}
		u, _ := startUpstream(t, config.Server{}, Options{}, d)
		if err := u.SetLevel(t.Context(), "a", "debug"); err != nil || l.taken() != nil {
			t.Errorf("%v", err)
		}
	})
}

func TestOwnConnectionRestoresLevelAndSubscriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{}
		d := loggingPeers(l)
		u, heard := startUpstream(t, config.Server{Isolation: config.IsolationSession}, Options{}, d)
		if _, err := u.Subscribe(t.Context(), subscribeCall(t, clientOf("a", 0)), "a:b"); err != nil {
			t.Fatal(err)
		}
		if err := u.SetLevel(t.Context(), "a", "info"); err != nil {
			t.Fatal(err)
		}
		l.taken()
		d.pipes[1].kill()
		synctest.Wait()
		for u.seats.live("a") == nil {
			time.Sleep(time.Second) // fake time
		}
		if diff := cmp.Diff([]string{"logging/setLevel info", "resources/subscribe a:b"}, l.taken()); diff != "" {
			t.Error(diff)
		}
		d.peers[2].send(`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a:b"}}`)
		synctest.Wait()
		if want := []string{`[a]{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a:b"}}`}; !slices.Equal(heard.updated, want) {
			t.Errorf("updates %q", heard.updated)
		}
		u.Release("a")
		synctest.Wait()
		if u.seats.find("a") != nil {
			t.Error("the connection outlives its client")
		}
	})
}
