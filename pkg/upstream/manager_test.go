package upstream

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/manifold-mcp/manifold/pkg/config"
	"github.com/manifold-mcp/manifold/pkg/redact"
)

func TestManagerOneHungServerDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := &memDialer{peer: func(int, greeting) (*peer, error) {
			return &peer{handle: func(*peer, envelope) bool { return true }}, nil
		}}
		opts := Options{Starts: 2}.withDefaults()
		opts.Redact = redact.Text
		g := newGate(opts.Starts, opts.StartShare)
		set := &set{}
		for i := range 20 {
			d := &memDialer{}
			if i < 2 { // as many as there are slots
				d = hung
			}
			s := &config.Server{Name: fmt.Sprint(i), Isolation: config.IsolationAuto}
			set.all = append(set.all, newUpstream(s, d, opts, g, deaf{}, zerolog.Nop()))
		}
		m := &Manager{stopped: make(chan struct{})}
		m.set.Store(set)
		go func() { _ = m.Run(t.Context()) }()
		began := time.Now()
		for _, u := range m.Upstreams()[2:] {
			<-u.Settled()
			if st := u.Status(); st.Phase != PhaseReady {
				t.Errorf("%s: %+v", u.Name(), st)
			}
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("the others were ready after %v", took)
		}
		m.Close()
		m.Close()
	})
}

func TestManagerKeepsTheOrderAndLeavesOutDisabledServers(t *testing.T) {
	m := New([]config.Server{{Name: "b"}, {Name: "a"}, {Name: "c", Disabled: true}}, Options{}, deaf{}, zerolog.Nop())
	var names []string
	for _, u := range m.Upstreams() {
		names = append(names, u.Name())
		if u.Inventory() == nil || !u.Inventory().Stale || u.Status().State != StateDisconnected {
			t.Errorf("%s before Run: %+v %+v", u.Name(), u.Inventory(), u.Status())
		}
	}
	if diff := cmp.Diff([]string{"b", "a"}, names); diff != "" {
		t.Error(diff)
	}
	m.Close() // without Run
	if err := m.Run(t.Context()); err == nil {
		t.Error("Run after Close")
	}
}
