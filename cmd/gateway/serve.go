package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/manifold-mcp/manifold/pkg/config"
	"github.com/manifold-mcp/manifold/pkg/proxy"
	"github.com/manifold-mcp/manifold/pkg/proxy/stdio"
	"github.com/manifold-mcp/manifold/pkg/state"
	"github.com/manifold-mcp/manifold/pkg/upstream"
)

// serve runs the gateway until ctx ends: load, build from the leaves to the edge, listen, serve, stop in reverse.
func (p *program) serve(c *cobra.Command, _ []string) error {
	opts, warnings, err := p.options()
	if err != nil {
		return err
	}
	log, closeLog, err := p.logger(opts)
	if err != nil {
		return err
	}
	defer closeLog()
	logReport(log, warnings)
	g, err := p.build(opts, log)
	if err != nil {
		return err
	}
	ctx := c.Context()
	if opts.Transport == config.TransportStdio {
		err = g.serveStdio(ctx, p)
	} else {
		err = g.serveHTTP(ctx)
	}
	log.Info().AnErr("cause", context.Cause(ctx)).Msg("stopped")
	return err
}

// gateway is everything that serves, built and not yet running.
type gateway struct {
	opts    config.Options
	log     zerolog.Logger
	file    *config.File
	presets presets
	router  *proxy.Router
	manager *upstream.Manager
	started time.Time
}

// build loads the configuration and makes the gateway from it.
func (p *program) build(opts config.Options, log zerolog.Logger) (*gateway, error) {
	file, report, err := opts.LoadFile(p.env)
	if err != nil {
		return nil, usageError{err}
	}
	logReport(log, report)
	found, err := p.loadPresets(opts, log)
	if err != nil {
		return nil, err
	}
	if err := state.OpenDir(opts.StateDir); err != nil {
		return nil, err
	}
	keys, err := p.keyring(opts)
	if err != nil {
		return nil, err
	}
	g := &gateway{opts: opts, log: log, file: file, presets: found, started: time.Now()}
	g.router = proxy.NewRouter(routerOptions(opts), keys, component(log, "router"))
	g.manager = upstream.New(file.Servers, upstreamOptions(opts, file, p.environ), g.router, log)
	g.router.SetServers(views(file, g.manager))
	return g, nil
}

func component(log zerolog.Logger, name string) zerolog.Logger {
	return log.With().Str("component", name).Logger()
}

// background runs what both transports need, until ctx ends: the router's housekeeping and the servers.
func (g *gateway) background(ctx context.Context, group *errgroup.Group) {
	group.Go(func() error { return g.router.Run(ctx) })
	group.Go(func() error { return g.manager.Run(ctx) })
}

// serveStdio serves the one client on standard input and output. When it leaves, everything ends.
func (g *gateway) serveStdio(ctx context.Context, p *program) error {
	expr, err := g.presets.selection(g.opts)
	if err != nil {
		return usageError{err}
	}
	behind, stop := context.WithCancel(context.WithoutCancel(ctx))
	var group errgroup.Group
	g.background(behind, &group)
	g.log.Info().Str("transport", "stdio").Int("servers", len(g.file.Enabled())).Msg("serving")
	err = stdio.Serve(ctx, g.router, p.stdin, p.stdout, stdio.Options{
		MaxMessage: int(g.opts.MaxMessage), MaxCalls: maxCalls, Filter: expr, Paged: g.opts.Pagination,
	})
	stop()
	return errors.Join(err, group.Wait())
}

// serveHTTP listens at once and lets the servers start behind the listener. When ctx ends the listener is drained first and
// the servers stop last, so that calls in flight can finish.
func (g *gateway) serveHTTP(ctx context.Context) error {
	edge, err := g.edge()
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", g.opts.Address())
	if err != nil {
		return fmt.Errorf("listen on %s: %w (choose another with --port)", g.opts.Address(), err)
	}
	behind, stop := context.WithCancel(context.WithoutCancel(ctx))
	var group errgroup.Group
	g.background(behind, &group)
	g.log.Info().Str("transport", "http").Str("address", "http://"+listener.Addr().String()+"/mcp").
		Int("servers", len(g.file.Enabled())).Str("version", version).Msg("serving")
	err = edge.Run(ctx, listener)
	stop()
	return errors.Join(err, group.Wait())
}
