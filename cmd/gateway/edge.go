package main

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/ulule/limiter/v3"

	"github.com/manifold-mcp/manifold/pkg/config"
	"github.com/manifold-mcp/manifold/pkg/proxy/sse"
	"github.com/manifold-mcp/manifold/pkg/proxy/streamable"
	"github.com/manifold-mcp/manifold/pkg/redact"
	"github.com/manifold-mcp/manifold/pkg/server"
)

// edge makes the HTTP server with everything mounted.
func (g *gateway) edge() (*server.Server, error) {
	cfg, err := serverConfig(g.opts)
	if err != nil {
		return nil, usageError{err}
	}
	s, err := server.New(cfg, g.log)
	if err != nil {
		return nil, usageError{err}
	}
	fallback, err := g.presets.selection(g.opts)
	if err != nil {
		return nil, usageError{err}
	}
	mcp := streamable.New(g.router, streamable.Options{
		MaxBody: g.opts.MaxBody, MaxBatch: g.opts.MaxBatch, MaxStreams: int64(g.opts.MaxStreams),
		Silence: g.opts.SilentCall, Linger: linger, Timing: timing(g.opts),
		Preset: g.presets.find, Default: fallback, Paged: g.opts.Pagination,
	})
	s.Mount("/mcp", []string{http.MethodPost, http.MethodDelete}, server.MCP, mcp)
	s.Mount("/mcp", []string{http.MethodGet}, server.Stream, mcp)
	old := sse.New(g.router, sse.Options{
		MaxBody: g.opts.MaxBody, MaxStreams: int64(g.opts.MaxStreams), MaxCalls: maxCalls,
		Messages: messagesPath, Timing: timing(g.opts),
		Preset: g.presets.find, Default: fallback, Paged: g.opts.Pagination,
	})
	s.Mount("/sse", []string{http.MethodGet}, server.Stream, http.HandlerFunc(old.Stream))
	s.Mount(messagesPath, []string{http.MethodPost}, server.MCP, http.HandlerFunc(old.Message))
	return s, g.mountHealth(s)
}

const messagesPath = "/messages"

func serverConfig(opts config.Options) (server.Config, error) {
	limits := map[server.RouteClass]server.Limit{}
	if opts.MCPRateLimit == "" {
		limits[server.MCP] = server.Limit{Unlimited: true}
	} else {
		rate, err := limiter.NewRateFromFormatted(opts.MCPRateLimit)
		if err != nil {
			return server.Config{}, fmt.Errorf("--mcp-rate-limit: %w", err)
		}
		limits[server.MCP] = server.Limit{Max: rate.Limit, Period: rate.Period}
	}
	limits[server.Stream] = limits[server.MCP]
	return server.Config{
		Host: opts.Host, ExternalURL: opts.ExternalURL, AllowedHosts: opts.AllowedHosts, AllowedOrigins: opts.AllowedOrigins,
		TrustProxy: trust(opts), Limits: limits, MaxHeaderBytes: int(opts.MaxHeader),
		DrainDelay: opts.DrainDelay, Grace: opts.Grace, Redact: redact.Text,
	}, nil
}

// trust writes the networks of trusted proxies as the server reads them; empty leaves the choice to it.
func trust(opts config.Options) string {
	switch {
	case opts.TrustAuto:
		return ""
	case len(opts.TrustProxy) == 0:
		return "false"
	}
	var list []string
	for _, p := range opts.TrustProxy {
		list = append(list, p.String())
	}
	return strings.Join(list, ",")
}
