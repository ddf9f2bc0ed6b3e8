package main

import (
	"net/http"

	"github.com/manifold-mcp/manifold/pkg/health"
	"github.com/manifold-mcp/manifold/pkg/server"
	"github.com/manifold-mcp/manifold/pkg/upstream"
)

// mountHealth serves the health reports.
func (g *gateway) mountHealth(s *server.Server) error {
	level, err := health.ParseLevel(g.opts.HealthInfoLevel)
	if err != nil {
		return usageError{err}
	}
	source := health.SourceFunc(func() health.Snapshot { return g.snapshot(s.Draining()) })
	reports := health.New(source, health.Options{Level: level, Version: version, Start: g.started})
	for _, r := range reports.Routes() {
		class := server.Health
		if r.Probe {
			class = server.Probe
		}
		s.Mount(r.Path, []string{http.MethodGet, http.MethodHead}, class, r.Handler)
	}
	return nil
}

// snapshot is the state of the servers as the health reports tell it.
func (g *gateway) snapshot(draining bool) health.Snapshot {
	enabled := g.file.Enabled()
	snap := health.Snapshot{
		Draining: draining,
		Configuration: health.Configuration{
			Loaded: true, ServerCount: len(g.file.Servers), EnabledCount: len(enabled),
			DisabledCount: len(g.file.Servers) - len(enabled), Transport: "http",
			AuthEnabled: false, // whatever --enable-auth says: this version does not check tokens
		},
	}
	for _, s := range enabled {
		u, ok := g.manager.Upstream(s.Name)
		if !ok {
			continue
		}
		st := u.Status()
		snap.Servers = append(snap.Servers, health.Server{
			Name: s.Name, Status: healthStatus[st.State], Healthy: st.State == upstream.StateConnected,
			LastConnected: st.LastConnected, LastError: lastError(st), Tags: s.Tags,
		})
	}
	return snap
}

var healthStatus = map[upstream.State]health.Status{
	upstream.StateConnected:     health.Connected,
	upstream.StateError:         health.Failed,
	upstream.StateDisconnected:  health.Disconnected,
	upstream.StateAwaitingOAuth: health.AwaitingOAuth,
}

// lastError is the canned sentence of the reason and, where it says more, the redacted cause.
func lastError(st upstream.Status) string {
	if st.State == upstream.StateConnected || st.Reason == "" {
		return ""
	}
	return st.Reason.Sentence()
}
