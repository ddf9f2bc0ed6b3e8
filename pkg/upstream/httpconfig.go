package upstream

import (
	"context"

	"github.com/rs/zerolog"

	"github.com/manifold-mcp/manifold/pkg/config"
)

// newStreamableDialer makes the dialer of a server that is configured as http. If the server turns out to speak only HTTP+SSE,
// that is used.
func newStreamableDialer(s config.Server, opts Options, log zerolog.Logger) dialer {
	return configuredDialer(s, opts, log, func(*httpDialer) {})
}

// newSSEDialer makes the dialer of a server that is configured as sse. If that was only guessed from the URL, the server may
// still turn out to speak streamable HTTP.
func newSSEDialer(s config.Server, opts Options, log zerolog.Logger) dialer {
	return configuredDialer(s, opts, log, func(d *httpDialer) {
		d.options.SSE = !s.TransportInferred
		d.old.Store(true)
	})
}

func configuredDialer(s config.Server, opts Options, log zerolog.Logger, adjust func(*httpDialer)) dialer {
	headers := make(map[string]string, len(s.Headers))
	for name, value := range s.Headers {
		headers[name] = value.Reveal()
	}
	d, err := newHTTPDialer(httpOptions{
		URL: s.URL.Reveal(), Headers: headers, Version: opts.Version, MaxMessage: opts.MaxMessage, Log: log,
	})
	if err != nil {
		return unusable{err} // the configuration should have found it; the upstream shows it as the reason
	}
	adjust(d)
	return d
}

// unusable is the dialer of a server whose settings cannot work.
type unusable struct{ err error }

func (u unusable) dial(context.Context, greeting, events) (conn, error) { return nil, u.err }
