package proxy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/manifold-mcp/manifold/pkg/protocol"
)

func sessionsOf(t *testing.T, key byte, limits SessionLimits, release func(*Session)) *Sessions {
	t.Helper()
	if release == nil {
		release = func(*Session) {}
	}
	return newSessions(keyring(t, key), limits, release)
}

var limits = SessionLimits{MaxAge: time.Hour, Idle: 10 * time.Minute, Max: 100}

func TestSessionsTravelInTheirIDs(t *testing.T) {
	client := protocol.Client{Principal: "ann", Revision: "2025-06-18", Caps: protocol.CanRoots | protocol.CanSample,
		RawCaps: []byte(`{"roots":{},"x":18446744073709551615}`), Info: []byte(`{"name":"c","version":"1"}`)}
	s := sessionsOf(t, 1, limits, nil).New(client, expr(t, "web+!db"), true)
	if strings.ContainsFunc(s.ID, func(r rune) bool { return r < 0x21 || r > 0x7e }) {
		t.Errorf("the id is not visible ASCII: %q", s.ID)
	}
	again := sessionsOf(t, 1, limits, nil)
	got, err := again.Get(s.ID, "ann")
	if err != nil {
		t.Fatal(err)
	}
	want, have := *s.Client(), *got.Client()
	want.Peer, have.Peer = nil, nil
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
	if got.Filter.String() != s.Filter.String() || !got.Paged || got.Created.Unix() != s.Created.Unix() {
		t.Errorf("got %v %v %v", got.Filter, got.Paged, got.Created)
	}
	if got.Client().Peer != protocol.Peer(got) || again.ByKey(want.Key) != got {
		t.Error("the revived session is not its client's peer, or is not found by its key")
	}
	if twice, _ := again.Get(s.ID, "ann"); twice != got || again.Count() != 1 {
		t.Error("the second Get made another session")
	}
	zero := sessionsOf(t, 1, limits, nil).New(protocol.Client{}, expr(t, ""), false)
	if got, err := again.Get(zero.ID, ""); err != nil || !got.Filter.IsZero() || got.Paged {
		t.Errorf("a session without anything: %v", err)
	}
}

func TestLargeClientsStillFitAHeader(t *testing.T) {
	big := []byte(`{"x":"` + strings.Repeat("y", 100_000) + `"}`)
	s := sessionsOf(t, 1, limits, nil).New(protocol.Client{Caps: protocol.CanSample, RawCaps: big, Info: big}, expr(t, ""), false)
	if len(s.ID) > 2048 {
		t.Errorf("the id has %d bytes", len(s.ID))
	}
	if len(s.Client().RawCaps) != len(big) {
		t.Error("the live session lost what its client said")
	}
	got, err := sessionsOf(t, 1, limits, nil).Get(s.ID, "")
	if err != nil || got.Client().Caps != protocol.CanSample || got.Client().RawCaps != nil {
		t.Errorf("revived: %v", err)
	}
}

func TestSessionsThatAreNotFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		home := sessionsOf(t, 1, limits, nil)
		s := home.New(protocol.Client{Principal: "ann"}, expr(t, ""), false)
		ended := home.New(protocol.Client{Principal: "ann"}, expr(t, ""), false)
		home.End(ended)
		garbage := home.keys.Seal(sealSession, []byte(`not json`))
		badFilter := home.keys.Seal(sealSession, fmt.Appendf(nil, `{"k":"x","t":%d,"p":"ann","f":"(("}`, time.Now().Unix()))
		tests := []struct{ rule, id, principal string }{
			{"garbage", "abc", "ann"},
			{"empty", "", "ann"},
			{"altered", s.ID[:len(s.ID)-2] + "AA", "ann"},
			{"sealed for another purpose", home.keys.Seal(sealCursor, []byte(`{}`)), "ann"},
			{"sealed by somebody else", sessionsOf(t, 2, limits, nil).New(protocol.Client{Principal: "ann"}, expr(t, ""), false).ID, "ann"},
			{"of another principal", s.ID, "bob"},
			{"of nobody", s.ID, ""},
			{"ended by its client", ended.ID, "ann"},
			{"sealed garbage", garbage, "ann"},
			{"with a filter that does not parse", badFilter, "ann"},
		}
		for _, tt := range tests {
			for where, ss := range map[string]*Sessions{"live": home, "revived": sessionsOf(t, 1, limits, nil)} {
				if where == "revived" && tt.id == ended.ID {
					continue // nothing tells another replica
				}
				if _, err := ss.Get(tt.id, tt.principal); !errors.Is(err, ErrNoSession) {
					t.Errorf("%s, %s: %v", tt.rule, where, err)
				}
			}
		}
		after(limits.MaxAge + time.Second)
		for where, ss := range map[string]*Sessions{"live": home, "revived": sessionsOf(t, 1, limits, nil)} {
			if _, err := ss.Get(s.ID, "ann"); !errors.Is(err, ErrNoSession) {
				t.Errorf("expired, %s: %v", where, err)
			}
		}
	})
}

func TestEndCancelsWhatIsInFlight(t *testing.T) {
	released := 0
	ss := sessionsOf(t, 1, limits, func(*Session) { released++ })
	s := ss.New(protocol.Client{}, expr(t, ""), false)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer s.begin([]byte("1"), cancel)()
	ss.End(s)
	ss.End(s)
	if !errors.Is(context.Cause(ctx), ErrSessionEnded) || !errors.Is(context.Cause(s.Context()), ErrSessionEnded) {
		t.Errorf("call: %v, session: %v", context.Cause(ctx), context.Cause(s.Context()))
	}
	if released != 1 || ss.Count() != 0 || ss.ByKey(s.Client().Key) != nil {
		t.Errorf("released %d times, %d live", released, ss.Count())
	}
}

func TestRoomIsMadeByTheIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		released := map[*Session]bool{}
		ss := sessionsOf(t, 1, SessionLimits{MaxAge: time.Hour, Idle: time.Hour, Max: 3}, func(s *Session) { released[s] = true })
		standing := ss.New(protocol.Client{}, expr(t, ""), false)
		standing.Stand(&box{})
		after(time.Second)
		calling := ss.New(protocol.Client{}, expr(t, ""), false)
		done := calling.begin([]byte("1"), func(error) {})
		after(time.Second)
		idle := ss.New(protocol.Client{}, expr(t, ""), false)
		after(time.Second)
		last := ss.New(protocol.Client{}, expr(t, ""), false)
		if !released[idle] || len(released) != 1 || ss.Count() != 3 {
			t.Errorf("released the wrong ones: %d, %d live", len(released), ss.Count())
		}
		done()
		after(time.Second)
		ss.New(protocol.Client{}, expr(t, ""), false)
		if !released[calling] || released[last] || released[standing] {
			t.Error("the longest unused one makes room when its call has ended")
		}
		if got, err := ss.Get(idle.ID, ""); err != nil || got == idle {
			t.Errorf("who made room comes back: %v", err)
		}
	})
}

func TestIdleSessionsAreSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, f := server("web", protocol.Inventory{})
		r := NewRouter(Options{Sessions: SessionLimits{MaxAge: 3 * time.Hour, Idle: 10 * time.Minute, Max: 10}}, keyring(t, 1), zerolog.Nop())
		r.SetServers([]*Server{a})
		run(t, r)
		idle := r.Sessions().New(protocol.Client{}, expr(t, ""), false)
		used := r.Sessions().New(protocol.Client{}, expr(t, ""), false)
		standing, _ := join(r, expr(t, ""), protocol.Client{})
		for range 5 {
			after(5 * time.Minute)
			if _, err := r.Sessions().Get(used.ID, ""); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := f.noted(), "release "+idle.Client().Key; got != want || r.Sessions().Count() != 2 {
			t.Errorf("servers heard %q, want %q; %d live", got, want, r.Sessions().Count())
		}
		// A client whose transport stands may stay longer than an id is accepted.
		after(4 * time.Hour)
		if r.Sessions().Count() != 1 || standing.Context().Err() != nil {
			t.Errorf("%d live, the standing one: %v", r.Sessions().Count(), standing.Context().Err())
		}
		if _, err := r.Sessions().Get(standing.ID, ""); err != nil {
			t.Errorf("the standing one is not found any more: %v", err)
		}
	})
}

func TestRunEndsAllSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := router(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		s, _ := join(r, expr(t, ""), protocol.Client{})
		cancel()
		if err := <-done; err != nil || s.Context().Err() == nil || r.Sessions().Count() != 0 {
			t.Errorf("got %v, session %v", err, s.Context().Err())
		}
	})
}

// The memory of ended sessions is bounded, and forgets those first that could not come back anyway.
func TestEndedSessionsAreForgotten(t *testing.T) {
	ss := sessionsOf(t, 1, limits, nil)
	old, fresh := time.Now().Add(-2*limits.MaxAge), time.Now()
	for i := range maxEnded {
		created := fresh
		if i%2 == 0 {
			created = old
		}
		ss.ended[fmt.Sprint(i)] = created
	}
	ss.End(ss.New(protocol.Client{}, expr(t, ""), false))
	if len(ss.ended) != maxEnded/2+1 {
		t.Errorf("%d are remembered", len(ss.ended))
	}
	for i := range maxEnded {
		ss.ended[fmt.Sprint("x", i)] = fresh
	}
	ss.End(ss.New(protocol.Client{}, expr(t, ""), false))
	if len(ss.ended) > maxEnded {
		t.Errorf("%d are remembered", len(ss.ended))
	}
}
