package server

import "time"

// RouteClass groups routes that are limited, logged and drained alike. Each class has a budget of its own.
type RouteClass uint8

// The classes.
const (
	Other   RouteClass = iota // what is not mounted
	MCP                       // requests to MCP endpoints; they may finish during a drain
	Stream                    // listening streams (GET /mcp, GET /sse); their context ends when a drain begins to stop
	Health                    // full health reports
	Probe                     // liveness and readiness: never refused for their rate, or a balancer would take the gateway out
	OAuth                     // both roles of OAuth; refused when requests cannot be counted
	Console                   // the console and its API
	Metrics                   // for scrapers
	classes
)

var classNames = [classes]string{"other", "mcp", "stream", "health", "probe", "oauth", "console", "metrics"}

func (c RouteClass) String() string {
	if c < classes {
		return classNames[c]
	}
	return "invalid"
}

// quiet classes are logged at debug level.
func (c RouteClass) quiet() bool { return c == Health || c == Probe || c == Metrics }

// Limit is how many requests one client (an IPv4 address or an IPv6 /64) may make in a fixed window.
type Limit struct {
	Max    int64
	Period time.Duration
	// Unlimited says that there is deliberately no limit; Max and Period are ignored.
	Unlimited bool
	// FailClosed answers 503 when the store cannot count. Otherwise this process counts by itself until it can again.
	FailClosed bool
}

var defaultLimits = [classes]Limit{
	Other:   {Max: 600, Period: time.Minute},
	MCP:     {Max: 60_000, Period: time.Minute},
	Stream:  {Max: 600, Period: time.Minute},
	Health:  {Max: 200, Period: 5 * time.Minute}, // as 1MCP
	Probe:   {Unlimited: true},
	OAuth:   {Max: 100, Period: 15 * time.Minute, FailClosed: true}, // as 1MCP
	Console: {Max: 600, Period: time.Minute},
	Metrics: {Max: 600, Period: time.Minute},
}
