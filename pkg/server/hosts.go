package server

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"
)

// hostList says which Host headers are good. A page whose own name was made to resolve to this machine (DNS rebinding)
// cannot hide that name.
type hostList struct {
	any      bool
	anyIP    bool            // an address in Host cannot come from rebinding, and health checks of balancers send it
	names    map[string]bool // "name" or "name:port", in small letters
	suffixes []string        // ".domain"
}

func newHostList(c *Config) (hostList, error) {
	l := hostList{names: map[string]bool{"localhost": true, "127.0.0.1": true, "[::1]": true}}
	switch bindOf(c.Host) {
	case bindAll:
		l.anyIP = true
	case bindOne:
		l.anyIP = true
		l.names[bracket(strings.ToLower(c.Host))] = true
	case bindLoopback:
		l.names[bracket(strings.ToLower(c.Host))] = true
	}
	var errs []error
	if c.ExternalURL != "" {
		u, err := externalURL(c.ExternalURL)
		if err != nil {
			errs = append(errs, err)
		} else {
			l.names[bracket(strings.ToLower(u.Hostname()))] = true
		}
	}
	for _, h := range c.AllowedHosts {
		h = strings.ToLower(strings.TrimSpace(h))
		switch {
		case h == "*":
			l.any = true
		case strings.HasPrefix(h, "*.") && !strings.ContainsAny(h[1:], "*/"):
			l.suffixes = append(l.suffixes, h[1:])
		case h == "" || strings.ContainsAny(h, "*/ @"):
			errs = append(errs, fmt.Errorf(`allowed-hosts: %q is not "name", "name:port", "*.domain" or "*"`, h))
		default:
			l.names[bracket(h)] = true
		}
	}
	return l, errors.Join(errs...)
}

func externalURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return nil, fmt.Errorf("external-url: not an http or https URL with a host and without a password")
	}
	return u, nil
}

// bracket writes an IPv6 address as it stands in a Host header.
func bracket(host string) string {
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		return "[" + host + "]"
	}
	return host
}

// allows judges a Host header. An empty one passes: no browser sends that, and HTTP/1.0 health checks do.
func (l *hostList) allows(host string) bool {
	if host == "" || l.any {
		return true
	}
	host = strings.ToLower(host)
	name := strings.TrimSuffix(hostname(host), ".")
	if l.names[name] || l.names[host] {
		return true
	}
	for _, suffix := range l.suffixes {
		if strings.HasSuffix(name, suffix) && len(name) > len(suffix) {
			return true
		}
	}
	if a, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return l.anyIP || a.Unmap().IsLoopback()
	}
	return false
}

// hostname cuts the port off; an IPv6 address keeps its brackets.
func hostname(host string) string {
	if end := strings.LastIndexByte(host, ']'); end >= 0 {
		return host[:end+1]
	}
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		return host[:i]
	}
	return host
}

// isLoopbackName tells whether a name or address, with or without brackets, is this machine and nobody else.
func isLoopbackName(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

func (s *Server) hostGuard(c *gin.Context) {
	if !s.set.hosts.allows(c.Request.Host) {
		refuse(c, http.StatusForbidden, "host_not_allowed",
			"This Host is not one of the gateway's. Behind a proxy, set --external-url to the public address or add the name to --allowed-hosts.")
	}
}
