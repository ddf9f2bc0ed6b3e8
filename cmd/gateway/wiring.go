package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/rs/zerolog"

	"github.com/manifold-mcp/manifold/pkg/config"
	"github.com/manifold-mcp/manifold/pkg/filter"
	"github.com/manifold-mcp/manifold/pkg/proxy"
	"github.com/manifold-mcp/manifold/pkg/proxy/stream"
	"github.com/manifold-mcp/manifold/pkg/redact"
	"github.com/manifold-mcp/manifold/pkg/state"
	"github.com/manifold-mcp/manifold/pkg/upstream"
)

const (
	// maxCalls bounds the requests in flight of a client whose transport does not bound them (HTTP+SSE, stdio).
	maxCalls = 256
	// sessionAge is how long a session id is accepted; it is 1MCP's --session-ttl.
	sessionAge = 24 * time.Hour
	// writeTimeout is how long one write to a client may take before it is given up (security-reliability: slow readers).
	writeTimeout = 30 * time.Second
	// linger is how long a call waits for a client that lost its stream.
	linger = time.Minute
)

// logger makes the one logger of the process. On the stdio transport standard output belongs to the protocol, so logs go
// to standard error always.
func (p *program) logger(opts config.Options) (zerolog.Logger, func(), error) {
	level, err := zerolog.ParseLevel(opts.LogLevel)
	if err != nil {
		return zerolog.Nop(), nil, usageError{err}
	}
	zerolog.TimeFieldFormat = time.RFC3339Nano
	var out io.Writer = p.stderr
	closer := func() {}
	if opts.LogFile != "" {
		f, err := os.OpenFile(opts.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return zerolog.Nop(), nil, usageError{fmt.Errorf("open log file: %w", err)}
		}
		out, closer = f, func() { _ = f.Close() }
	} else if f, ok := p.stderr.(*os.File); ok && isTerminal(f) {
		out = zerolog.ConsoleWriter{Out: p.stderr, TimeFormat: time.TimeOnly, NoColor: os.Getenv("NO_COLOR") != ""}
	}
	return zerolog.New(out).Level(level).With().Timestamp().Logger(), closer, nil
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// logReport writes what is wrong with the configuration and does not stop the gateway.
func logReport(log zerolog.Logger, report config.Report) {
	for _, p := range report {
		event := log.Warn()
		if p.Severity == config.Error {
			event = log.Error()
		}
		event.Str("path", p.Path).Int("line", p.Line).Str("problem", p.Message).Str("cure", p.Cure).Msg("configuration")
	}
}

// keyring takes the key from where the operator put it, or from the state folder.
func (p *program) keyring(opts config.Options) (*state.Keyring, error) {
	switch {
	case opts.Key != "":
		ring, err := state.ParseKeyring(opts.Key.Reveal())
		if err != nil {
			return nil, usageError{fmt.Errorf("ONE_MCP_KEY: %w", err)}
		}
		return ring, nil
	case opts.KeyFile != "":
		ring, err := state.LoadKeyring(opts.KeyFile)
		if err != nil {
			return nil, usageError{err}
		}
		return ring, nil
	}
	return state.MakeKeyring(opts.StateDir)
}

func routerOptions(opts config.Options) proxy.Options {
	return proxy.Options{
		Name: "manifold", Version: version, Separator: opts.Separator, StartupWait: opts.StartupWait,
		Sessions: proxy.SessionLimits{MaxAge: sessionAge, Idle: opts.SessionIdle, Max: opts.MaxSessions},
	}
}

func upstreamOptions(opts config.Options, file *config.File, environ []string) upstream.Options {
	return upstream.Options{
		Version: version, Environ: environ, Redact: redact.NewRedactor(file.Secrets()...).Text, MaxMessage: int(opts.MaxMessage),
		Guard: guardLine(),
	}
}

// views joins each server's connection with how clients see it.
func views(file *config.File, manager *upstream.Manager) []*proxy.Server {
	var out []*proxy.Server
	for _, s := range file.Enabled() {
		u, ok := manager.Upstream(s.Name)
		if !ok {
			continue
		}
		prefix := s.Name
		if s.Prefix != nil {
			prefix = *s.Prefix
		}
		out = append(out, &proxy.Server{
			Upstream: u, Prefix: prefix, Tags: s.Tags, DisabledTools: s.DisabledTools,
			Descriptions: s.ToolDescriptionOverrides, Instructions: s.InstructionOverride,
		})
	}
	return out
}

func timing(opts config.Options) stream.Timing {
	return stream.Timing{KeepAlive: opts.KeepAlive, Write: writeTimeout}
}

// presets are the named filters of presets.json.
type presets map[string]filter.Expr

func (p *program) loadPresets(opts config.Options, log zerolog.Logger) (presets, error) {
	found, report, err := config.LoadPresets(opts.PresetsPath(), p.env)
	if err != nil {
		return nil, usageError{err}
	}
	logReport(log, report)
	out := presets{}
	for _, preset := range found {
		expr, err := filter.ParsePreset(preset.Query, preset.Strategy)
		if err != nil {
			log.Error().Str("preset", preset.Name).Err(err).Msg("preset is left out")
			continue
		}
		out[preset.Name] = expr
	}
	return out, nil
}

func (p presets) find(name string) (filter.Expr, bool) {
	expr, ok := p[name]
	return expr, ok
}

// selection is the filter for clients that select nothing themselves.
func (p presets) selection(opts config.Options) (filter.Expr, error) {
	switch {
	case opts.Preset != "":
		expr, ok := p.find(opts.Preset)
		if !ok {
			return expr, fmt.Errorf("preset %q is not in %s", opts.Preset, opts.PresetsPath())
		}
		return expr, nil
	case opts.Filter != "":
		expr, err := filter.ParseFilter(opts.Filter)
		if err != nil {
			return expr, fmt.Errorf("--filter: %w", err)
		}
		return expr, nil
	}
	return filter.Expr{}, nil
}
