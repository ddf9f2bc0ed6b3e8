package server

import (
	"crypto/rand"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/rs/zerolog"
)

const requestIDHeader = "X-Request-Id"

// access writes one line per request, after it has ended in whatever way, and settles who asks: from here on
// Request.RemoteAddr is the client's address. The line has no query, which may hold secrets, and for what is not mounted no path.
func (s *Server) access(c *gin.Context) {
	start := time.Now()
	s.inFlight.Add(1)
	r := c.Request
	fromProxy := s.set.proxies.resolve(r)
	id := s.ids.next()
	if fromProxy {
		if given := r.Header.Get(requestIDHeader); isRequestID(given) {
			id = given
		}
	}
	// Handlers read it from the request; a client's own is overwritten.
	value := []string{id}
	r.Header[requestIDHeader] = value
	h := c.Writer.Header()
	h[requestIDHeader] = value
	h["X-Content-Type-Options"] = noSniff
	defer func() {
		s.inFlight.Add(-1)
		s.logAccess(c, id, start)
	}()
	c.Next()
}

func (s *Server) logAccess(c *gin.Context, id string, start time.Time) {
	route := c.FullPath()
	var e *zerolog.Event
	if s.routes[route].quiet() {
		e = s.log.Debug()
	} else {
		e = s.log.Info()
	}
	if route == "" {
		route = "none"
	}
	e.Str("request_id", id).
		Str("method", methodName(c.Request.Method)).
		Str("route", route).
		Int("status", c.Writer.Status()).
		Int("bytes", max(c.Writer.Size(), 0)).
		Dur("duration_ms", time.Since(start)).
		Str("client_ip", hostOf(c.Request.RemoteAddr)).
		Msg("request")
}

// methodName keeps a method that a client made up from growing the log.
func methodName(m string) string {
	if len(m) > 16 {
		return "other"
	}
	return m
}

// hostOf gives the address without its port, without allocating.
func hostOf(addr string) string {
	if i := strings.LastIndexByte(addr, ':'); i >= 0 {
		addr = addr[:i]
	}
	return strings.Trim(addr, "[]")
}

// requestIDs are unique within a process by a counter, and between processes by a random beginning.
type requestIDs struct {
	prefix string
	count  atomic.Uint64
}

func (g *requestIDs) init() { g.prefix = strings.ToLower(rand.Text()[:8]) + "-" }

func (g *requestIDs) next() string {
	var buf [32]byte
	return string(strconv.AppendUint(append(buf[:0], g.prefix...), g.count.Add(1), 36))
}

// isRequestID tells whether an id that a trusted proxy gave can be logged and sent on.
func isRequestID(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}
