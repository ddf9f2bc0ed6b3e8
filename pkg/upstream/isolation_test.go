package upstream

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/manifold-mcp/manifold/pkg/config"
	"github.com/manifold-mcp/manifold/pkg/protocol"
)

func clientOf(key string, caps protocol.Capability) *protocol.Client {
	return &protocol.Client{Key: key, Caps: caps, RawCaps: []byte(`{"of":"` + key + `"}`), Info: []byte(`{"name":"` + key + `"}`)}
}

func yes(context.Context, string) (string, error) {
	return `{"jsonrpc":"2.0","id":0,"result":{"ok":true}}`, nil
}

func TestSessionIsolationGivesEachClientItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &memDialer{}
		u, _ := startUpstream(t, config.Server{Isolation: config.IsolationSession}, Options{}, d)
		for _, key := range []string{"a", "b", "a", ""} {
			if _, err := callUpstream(t, u, plainCall, clientOf(key, 0), &tape{}); err != nil {
				t.Fatal(err)
			}
		}
		if got := d.dials(); got != 3 {
			t.Fatalf("%d connections, want the shared one and two", got)
		}
		if g := d.greetings[1]; string(g.capabilities) != `{"of":"a"}` || string(g.info) != `{"name":"a"}` {
			t.Errorf("greeting of a's connection: %s %s", g.capabilities, g.info)
		}
	})
}

func TestOwnConnectionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, _ := startUpstream(t, config.Server{Isolation: config.IsolationSession}, Options{MaxConnections: 2}, &memDialer{})
		for _, key := range []string{"a", "b"} {
			if _, err := callUpstream(t, u, plainCall, clientOf(key, 0), &tape{}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := callUpstream(t, u, plainCall, clientOf("c", 0), &tape{}); !errors.Is(err, protocol.ErrBusy) {
			t.Errorf("one too many: %v", err)
		}
		u.Release("a")
		if _, err := callUpstream(t, u, plainCall, clientOf("c", 0), &tape{}); err != nil {
			t.Errorf("after a release: %v", err)
		}
	})
}

func TestOwnConnectionsAreClosedWhenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &memDialer{peer: func(int, greeting) (*peer, error) { return &peer{handle: acceptSubscriptions(nil)}, nil }}
		u, _ := startUpstream(t, config.Server{Isolation: config.IsolationSession}, Options{}, d)
		for _, key := range []string{"idle", "subscribed"} {
			if _, err := callUpstream(t, u, plainCall, clientOf(key, 0), &tape{}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := u.Subscribe(t.Context(), subscribeCall(t, clientOf("subscribed", 0)), "a:b"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(9 * time.Minute) // fake time
		if u.seats.live("idle") == nil {
			t.Error("closed too early")
		}
		time.Sleep(5 * time.Minute) // fake time
		if u.seats.find("idle") != nil {
			t.Error("an idle connection lives on")
		}
		if u.seats.live("subscribed") == nil {
			t.Error("a connection with a subscription was closed")
		}
	})
}

func TestOwnConnectionIsNotDialledForADeadServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &memDialer{peer: func(n int, _ greeting) (*peer, error) { return nil, errors.New("down") }}
		u, _ := startUpstream(t, config.Server{Isolation: config.IsolationSession}, Options{}, d)
		if _, err := callUpstream(t, u, plainCall, clientOf("a", 0), &tape{}); !errors.Is(err, protocol.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
		if got := d.dials(); got != 1 {
			t.Errorf("%d dials", got)
		}
	})
}

func TestOwnConnectionThatFailsIsNotDialledByEachCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &memDialer{peer: func(n int, _ greeting) (*peer, error) {
			if n > 1 {
				return nil, errors.New("no")
			}
			return &peer{}, nil
		}}
		u, _ := startUpstream(t, config.Server{Isolation: config.IsolationSession}, Options{}, d)
		for range 50 {
			if _, err := callUpstream(t, u, plainCall, clientOf("a", 0), &tape{}); !errors.Is(err, protocol.ErrUnavailable) {
				t.Fatalf("got %v", err)
			}
		}
		if got := d.dials(); got != 2 {
			t.Errorf("%d dials, want the shared one and one", got)
		}
	})
}

func TestOwnConnectionTakesNotificationsOfItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := map[int]int{}
		d := &memDialer{peer: func(n int, _ greeting) (*peer, error) {
			return &peer{handle: func(_ *peer, m envelope) bool {
				if m.Method == protocol.RootsListChanged {
					got[n]++
				}
				return false
			}}, nil
		}}
		u, _ := startUpstream(t, config.Server{Isolation: config.IsolationSession}, Options{}, d)
		msg := []byte(`{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}`)
		a := clientOf("a", 0)
		if err := u.Notify(t.Context(), a, msg); err != nil { // no connection yet: nobody to tell
			t.Error(err)
		}
		if _, err := callUpstream(t, u, plainCall, a, &tape{}); err != nil {
			t.Fatal(err)
		}
		if err := u.Notify(t.Context(), a, msg); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if got[1] != 0 || got[2] != 1 {
			t.Errorf("connections were told %v", got)
		}
	})
}

func TestOwnConnectionAsksItsClientAlsoBetweenCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &memDialer{}
		u, _ := startUpstream(t, config.Server{Isolation: config.IsolationSession}, Options{}, d)
		a := clientOf("a", protocol.CanRoots)
		peer := &tape{answer: yes}
		a.Peer = peer
		if _, err := callUpstream(t, u, plainCall, a, &tape{}); err != nil {
			t.Fatal(err)
		}
		if got := <-d.peers[1].ask(protocol.RootsList, `{}`); string(got.Result) != `{"ok":true}` {
			t.Errorf("roots: %s %s", got.Result, got.Error)
		}
		if got := <-d.peers[1].ask(protocol.SamplingCreateMessage, `{}`); got.Error == nil {
			t.Errorf("a client that cannot sample was asked: %s", got.Result)
		}
		d.peers[1].send(`{"jsonrpc":"2.0","method":"notifications/message","params":{"data":1}}`)
		synctest.Wait()
		if got := peer.notes(); got != `{"jsonrpc":"2.0","method":"notifications/message","params":{"data":1}}` {
			t.Errorf("a log message between calls: %q", got)
		}
	})
}

func TestAskNeedsTheCapabilityOfTheClient(t *testing.T) {
	for _, tc := range []struct {
		method, params string
		caps           protocol.Capability
		asked          bool
	}{
		{protocol.SamplingCreateMessage, `{}`, protocol.CanSample, true},
		{protocol.SamplingCreateMessage, `{}`, protocol.CanRoots | protocol.CanElicitForm, false},
		{protocol.RootsList, `{}`, protocol.CanRoots, true},
		{protocol.RootsList, `{}`, 0, false},
		{protocol.ElicitationCreate, `{"message":"m"}`, protocol.CanElicitForm, true},
		{protocol.ElicitationCreate, `{"mode":"form"}`, protocol.CanElicitURL, false},
		{protocol.ElicitationCreate, `{"mode":"url"}`, protocol.CanElicitURL, true},
		{protocol.ElicitationCreate, `{"mode":"url"}`, protocol.CanElicitForm, false},
		{"made/up", `{}`, 0, true},
	} {
		t.Run(fmt.Sprint(tc.method, tc.params, tc.caps), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &memDialer{peer: askingPeer(tc.method, tc.params)}
				u, _ := startUpstream(t, config.Server{Isolation: config.IsolationShared}, Options{}, d)
				sink := &tape{answer: yes}
				got, err := callUpstream(t, u, plainCall, clientOf("a", tc.caps), sink)
				if err != nil {
					t.Fatal(err)
				}
				if (got == `{"answer":{"ok":true}}`) != tc.asked || (sink.questions() != "") != tc.asked {
					t.Errorf("got %s, asked %q", got, sink.questions())
				}
			})
		})
	}
}

func TestSharedConnectionNeverGuessesWhoIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &memDialer{peer: func(int, greeting) (*peer, error) {
			return &peer{handle: func(_ *peer, m envelope) bool { return m.Method == protocol.ToolsCall }}, nil
		}}
		u, _ := startUpstream(t, config.Server{Isolation: config.IsolationShared}, Options{}, d)
		sinks := []*tape{{answer: yes}, {answer: yes}}
		for i, key := range []string{"a", "b"} {
			c := clientOf(key, protocol.CanRoots)
			go func() { _, _ = u.Call(t.Context(), callOf(t, plainCall, c, sinks[i])) }()
		}
		synctest.Wait()
		if got := <-d.peers[0].ask(protocol.RootsList, `{}`); got.Error == nil {
			t.Errorf("answered %s", got.Result)
		}
		if sinks[0].questions()+sinks[1].questions() != "" {
			t.Error("somebody was asked")
		}
	})
}

func TestAutoIsolationRemembersThatAServerAsksBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &memDialer{peer: askingPeer(protocol.RootsList, `{}`)}
		u, _ := startUpstream(t, config.Server{Isolation: config.IsolationAuto}, Options{}, d)
		able, unable := clientOf("able", protocol.CanRoots), clientOf("unable", protocol.CanSample)
		for i, want := range []int{1, 2, 2} { // the first call shares; from then on whoever can answer is alone
			got, err := callUpstream(t, u, plainCall, able, &tape{answer: yes})
			if err != nil || got != `{"answer":{"ok":true}}` {
				t.Fatalf("call %d: %s, %v", i, got, err)
			}
			if n := d.dials(); n != want {
				t.Errorf("%d connections after call %d, want %d", n, i, want)
			}
		}
		if got, err := callUpstream(t, u, plainCall, unable, &tape{answer: yes}); err != nil || got != `{"refused":true}` {
			t.Errorf("%s, %v", got, err)
		}
		if n := d.dials(); n != 2 {
			t.Errorf("a client that cannot answer got connection %d", n)
		}
	})
}

func TestAutoIsolationRemembersAnAskBetweenCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &memDialer{}
		u, _ := startUpstream(t, config.Server{Isolation: config.IsolationAuto}, Options{}, d)
		if got := <-d.peers[0].ask(protocol.RootsList, `{}`); got.Error == nil {
			t.Errorf("answered %s", got.Result)
		}
		if _, err := callUpstream(t, u, plainCall, clientOf("a", protocol.CanRoots), &tape{}); err != nil {
			t.Fatal(err)
		}
		if n := d.dials(); n != 2 {
			t.Errorf("%d connections, want 2", n)
		}
	})
}

func TestSixtyFourClientsOfTheirOwnNeverMix(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &memDialer{peer: askingPeer(protocol.SamplingCreateMessage, `{}`)}
		u, _ := startUpstream(t, config.Server{Isolation: config.IsolationSession}, Options{}, d)
		errs := make(chan error, 64)
		for i := range 64 {
			key := fmt.Sprint("client-", i)
			go func() {
				sink := &tape{answer: func(context.Context, string) (string, error) {
					time.Sleep(time.Second) // fake time
					return `{"jsonrpc":"2.0","id":0,"result":"` + key + `"}`, nil
				}}
				got, err := callUpstream(t, u, plainCall, clientOf(key, protocol.CanSample), sink)
				if err == nil && got != `{"answer":"`+key+`"}` {
					err = fmt.Errorf("%s got %s", key, got)
				}
				errs <- err
			}()
		}
		for range 64 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestRunEndsAllOwnConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &memDialer{}
		s := config.Server{Name: "x", Isolation: config.IsolationSession}
		opts := Options{}.withDefaults()
		opts.Redact = func(s string) string { return s }
		u := newUpstream(&s, d, opts, newGate(1, time.Second), deaf{}, zerolog.Nop())
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); _ = u.Run(ctx) }()
		<-u.Settled()
		if _, err := callUpstream(t, u, plainCall, clientOf("a", 0), &tape{}); err != nil {
			t.Fatal(err)
		}
		cancel()
		<-ended
		for i, p := range d.pipes {
			select {
			case <-p.closed:
			default:
				t.Errorf("connection %d lives on", i)
			}
		}
		if _, err := callUpstream(t, u, plainCall, clientOf("b", 0), &tape{}); !errors.Is(err, protocol.ErrUnavailable) {
			t.Errorf("call after the end: %v", err)
		}
	})
}
