package server

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/ulule/limiter/v3"
)

// Config is what the edge needs to know. Zero durations and sizes mean the defaults, never "unlimited".
type Config struct {
	// Host is the address or name that the listener is bound to; it decides which Host headers are good. "" is 127.0.0.1.
	Host string
	// ExternalURL is where clients reach the gateway from outside, such as https://mcp.example.com; its host and origin are allowed.
	ExternalURL string
	// AllowedHosts are further good Host headers: "name", "name:port", "*.domain", or "*" for any.
	AllowedHosts []string
	// AllowedOrigins are further origins whose pages may call: "https://app.example.com", or "*" for any.
	AllowedOrigins []string
	// TrustProxy says whose X-Forwarded-For is believed; see ParseTrust. "" is loopback if ExternalURL or AllowedHosts tell
	// that there is a proxy, and nobody otherwise: then every process of this machine could pick its own address.
	TrustProxy string

	// Limits replaces the default rate limit of a class.
	Limits map[RouteClass]Limit
	// LimitStore counts in place of memory, for several replicas. Should it fail, the class decides; see Limit.
	LimitStore limiter.Store

	ReadHeaderTimeout time.Duration // 10 s: the whole header must have come
	BodyTimeout       time.Duration // 60 s: the whole body must have come
	IdleTimeout       time.Duration // 120 s: longer than the 60 s of most load balancers
	MaxHeaderBytes    int           // 64 KiB
	// DrainDelay is how long the server goes on as before after its context has ended, while readiness already says no. 0 is none.
	DrainDelay time.Duration
	// Grace is how long calls in flight may take to end after that: 25 s.
	Grace time.Duration

	// Redact cleans the text of a panic for the log; without it only its type is logged.
	Redact func(string) string
}

// settings are a Config made ready to use.
type settings struct {
	hosts   hostList
	origins originList
	proxies Trust
	limits  [classes]Limit
}

// prepare fills in defaults and reads what is text. All problems are reported at once.
func (c *Config) prepare() (settings, error) {
	if c.Host == "" {
		c.Host = "127.0.0.1"
	}
	setDefault(&c.ReadHeaderTimeout, 10*time.Second)
	setDefault(&c.BodyTimeout, time.Minute)
	setDefault(&c.IdleTimeout, 2*time.Minute)
	setDefault(&c.MaxHeaderBytes, 64<<10)
	setDefault(&c.Grace, 25*time.Second)

	var s settings
	var errs [4]error
	if c.TrustProxy == "" && c.ExternalURL == "" && len(c.AllowedHosts) == 0 {
		c.TrustProxy = "false"
	}
	s.proxies, errs[0] = ParseTrust(c.TrustProxy)
	s.hosts, errs[1] = newHostList(c)
	s.origins, errs[2] = newOriginList(c)
	s.limits, errs[3] = newLimits(c.Limits)
	return s, errors.Join(errs[:]...)
}

func setDefault[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// bind is what a listen address says about who can reach it.
type bind uint8

const (
	bindLoopback bind = iota
	bindOne           // one address or name
	bindAll           // every address of the machine
)

func bindOf(host string) bind {
	if isLoopbackName(host) {
		return bindLoopback
	}
	if a, err := netip.ParseAddr(host); err == nil && a.IsUnspecified() {
		return bindAll
	}
	return bindOne
}

func newLimits(over map[RouteClass]Limit) ([classes]Limit, error) {
	limits := defaultLimits
	for class, l := range over {
		switch {
		case class >= classes:
			return limits, fmt.Errorf("rate limit of an unknown class %d", class)
		case !l.Unlimited && (l.Max < 1 || l.Period < time.Second):
			return limits, fmt.Errorf("rate limit of %s: %d requests in %s: give at least 1 request and 1 s, or set Unlimited", class, l.Max, l.Period)
		}
		limits[class] = l
	}
	return limits, nil
}
