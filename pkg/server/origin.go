package server

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"
)

// originList says which web pages may call. The specification wants every other Origin refused on every connection
// (2025-11-25 transports, "Security Warning"; 2026-07-28 streamable HTTP, "Security"), and not only for methods that write.
type originList struct {
	any      bool
	loopback bool            // pages of this machine, on any port
	exact    map[string]bool // scheme://host[:port] in small letters, without default ports
}

func newOriginList(c *Config) (originList, error) {
	l := originList{loopback: bindOf(c.Host) == bindLoopback, exact: map[string]bool{}}
	if u, err := externalURL(c.ExternalURL); err == nil { // an error is reported with the hosts
		o, _ := normalOrigin(u.Scheme + "://" + u.Host)
		l.exact[o] = true
	}
	var errs []error
	for _, text := range c.AllowedOrigins {
		if text = strings.TrimSpace(text); text == "*" {
			l.any = true
			continue
		}
		o, ok := normalOrigin(text)
		if !ok {
			errs = append(errs, fmt.Errorf(`allowed-origins: %q is not an origin such as "https://app.example.com", or "*"`, text))
			continue
		}
		l.exact[o] = true
	}
	return l, errors.Join(errs...)
}

// normalOrigin gives an origin in the form in which browsers send it.
func normalOrigin(s string) (string, bool) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Host == "" || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery {
		return "", false
	}
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return u.Scheme + "://" + host, true
}

// allows judges an Origin header; host is the request's own Host, which has been judged before.
func (l *originList) allows(origin, host string) bool {
	o, ok := normalOrigin(origin)
	if !ok {
		return false // "null" among others
	}
	if l.any || l.exact[o] {
		return true
	}
	scheme, at, _ := strings.Cut(o, "://")
	if scheme != "http" && scheme != "https" {
		return false
	}
	if isLoopbackName(hostname(at)) {
		return l.loopback || isLoopbackName(hostname(host))
	}
	own, ok := normalOrigin(scheme + "://" + host)
	return ok && own == o
}

// originGuard refuses pages that may not call, answers preflights of those that may, and marks answers as theirs to read.
// There are never credentials: no cookie of the gateway is meant for another origin.
func (s *Server) originGuard(c *gin.Context) {
	origins := c.Request.Header["Origin"]
	if len(origins) == 0 {
		return
	}
	if len(origins) > 1 || !s.set.origins.allows(origins[0], c.Request.Host) {
		refuse(c, http.StatusForbidden, "origin_not_allowed",
			"Pages of this Origin may not call the gateway. Add it to --allowed-origins if they should.")
		return
	}
	h := c.Writer.Header()
	h["Access-Control-Allow-Origin"] = []string{origins[0]}
	h["Vary"] = varyOrigin
	if c.Request.Method != http.MethodOptions || c.Request.Header.Get("Access-Control-Request-Method") == "" {
		h["Access-Control-Expose-Headers"] = exposed
		return
	}
	h["Vary"] = varyPreflight
	h["Access-Control-Allow-Methods"] = corsMethods
	h["Access-Control-Allow-Headers"] = []string{allowedHeaders(c.Request.Header.Values("Access-Control-Request-Headers"))}
	h["Access-Control-Max-Age"] = corsAge
	c.AbortWithStatus(http.StatusNoContent)
	c.Writer.WriteHeaderNow()
}

const corsHeaders = "Content-Type, Accept, Authorization, Mcp-Session-Id, MCP-Protocol-Version, Last-Event-ID, Mcp-Method, Mcp-Name"

var (
	varyOrigin    = []string{"Origin"}
	varyPreflight = []string{"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"}
	exposed       = []string{"Mcp-Session-Id, WWW-Authenticate, Retry-After, X-Request-Id"}
	corsMethods   = []string{"GET, POST, DELETE, OPTIONS"}
	corsAge       = []string{"600"}
)

// allowedHeaders lists the headers that a page may send: the fixed ones, and those that it asks for whose names begin with
// Mcp-Param- (2026-07-28 streamable HTTP, x-mcp-header), which cannot be listed beforehand.
func allowedHeaders(asked []string) string {
	list := corsHeaders
	for _, value := range asked {
		for name := range strings.SplitSeq(value, ",") {
			name = strings.TrimSpace(name)
			if len(name) > len("mcp-param-") && len(name) <= 128 && strings.EqualFold(name[:len("mcp-param-")], "mcp-param-") && isToken(name) && len(list) < 4096 {
				list += ", " + name
			}
		}
	}
	return list
}

// isToken tells whether s is a token of RFC 9110 §5.6.2.
func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"(),/:;<=>?@[\\]{}", c) >= 0 {
			return false
		}
	}
	return s != ""
}
