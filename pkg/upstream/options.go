package upstream

import (
	"os"
	"time"

	"github.com/manifold-mcp/manifold/pkg/wire"
)

// Options are what the gateway decides for all its upstreams. The zero value of a field means its default; no zero means
// "without a limit".
type Options struct {
	// Version of the gateway, told to servers in clientInfo; default "dev".
	Version string
	// Environ is the gateway's own environment, from which a server's is picked; default os.Environ().
	Environ []string
	// Redact cleans a text (stderr lines, causes of errors) before it is kept or logged, after it has been cleaned of what looks
	// like a secret and of the server's own secrets; may be nil.
	Redact func(string) string
	// Guard is the command line of a program that calls RunGuardian: its path, absolute, and its arguments. It is started before
	// the first stdio server, and ends the servers' processes with all that these have started when the gateway is killed. Empty
	// means none; Windows needs none.
	Guard []string
	// MaxMessage bounds one message of a server in bytes; default wire.MaxMessage (16 MiB).
	MaxMessage int
	// CallLimit ends a call however much progress it reports; default 10 minutes.
	CallLimit time.Duration
	// Starts bounds how many servers are being started at the same moment; default 16.
	Starts int
	// StartShare is how long a start may keep others waiting: after that it goes on beside the bound; default 1 second.
	StartShare time.Duration
	// MaxConnections bounds the connections that clients have of their own to one server; default 64.
	MaxConnections int
	// IdleConnection closes a client's own connection after that long without calls and subscriptions; default 10 minutes.
	IdleConnection time.Duration
	// MaxSubscriptions bounds the resources subscribed at one server; default 10,000.
	MaxSubscriptions int
}

// withDefaults fills in what was left out.
func (o Options) withDefaults() Options {
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	o.MaxMessage = positive(o.MaxMessage, wire.MaxMessage)
	o.CallLimit = positive(o.CallLimit, 10*time.Minute)
	o.Starts = positive(o.Starts, 16)
	o.StartShare = positive(o.StartShare, time.Second)
	o.MaxConnections = positive(o.MaxConnections, 64)
	o.IdleConnection = positive(o.IdleConnection, 10*time.Minute)
	o.MaxSubscriptions = positive(o.MaxSubscriptions, 10_000)
	return o
}

func positive[T int | time.Duration](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}
