package server

import (
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/rs/zerolog"
	"github.com/ulule/limiter/v3"
)

// limiters count the requests of each class and client.
type limiters struct {
	byClass [classes]*classLimiter
	log     zerolog.Logger
}

type classLimiter struct {
	class  RouteClass
	limit  Limit
	shared *limiter.Limiter // nil: only this process counts
	local  *limiter.Limiter
	max    []string // the limit as a header
	policy []string
}

func newLimiters(limits [classes]Limit, shared limiter.Store, log zerolog.Logger) *limiters {
	l := &limiters{log: log}
	for class, lim := range limits {
		if lim.Unlimited {
			continue
		}
		rate := limiter.Rate{Formatted: RouteClass(class).String(), Period: lim.Period, Limit: lim.Max}
		text := strconv.FormatInt(lim.Max, 10)
		cl := &classLimiter{
			class: RouteClass(class), limit: lim, local: limiter.New(newStore(lim.Period), rate),
			max: []string{text}, policy: []string{text + ";w=" + strconv.FormatInt(int64(lim.Period/time.Second), 10)},
		}
		if shared != nil {
			cl.shared = limiter.New(shared, rate)
		}
		l.byClass[class] = cl
	}
	return l
}

// limit is the guard of a class.
func (s *Server) limit(class RouteClass) gin.HandlerFunc {
	cl := s.limits.byClass[class]
	if cl == nil {
		return func(*gin.Context) {}
	}
	return func(c *gin.Context) {
		state, err := s.limits.count(c, cl)
		if err != nil {
			refuse(c, http.StatusServiceUnavailable, "rate_limit_unavailable", "Requests cannot be counted at the moment, and this address is not served uncounted. Try again later.")
			return
		}
		if class == MCP && !state.Reached { // seven headers would cost a call more than its routing, and no MCP client reads them
			return
		}
		after := max(state.Reset-time.Now().Unix(), 1)
		cl.headers(c.Writer.Header(), &state, after)
		if state.Reached {
			c.Writer.Header()["Retry-After"] = []string{strconv.FormatInt(after, 10)}
			refuse(c, http.StatusTooManyRequests, "rate_limited", "Too many requests of class "+class.String()+" from this client: the RateLimit-Policy header has the limit, Retry-After the time to wait.")
		}
	}
}

// count counts a request. If the shared store fails, the class decides whether this process counts alone.
func (l *limiters) count(c *gin.Context, cl *classLimiter) (limiter.Context, error) {
	key := limitKey(cl.class, c.Request.RemoteAddr)
	if cl.shared == nil {
		return cl.local.Get(c, key)
	}
	state, err := cl.shared.Get(c.Request.Context(), key)
	if err == nil {
		return state, nil
	}
	l.log.Warn().Str("class", cl.class.String()).Bool("fail_closed", cl.limit.FailClosed).Str("error_type", errorType(err)).Msg("rate limit store failed")
	if cl.limit.FailClosed {
		return limiter.Context{}, err
	}
	return cl.local.Get(c, key)
}

// headers tells the client where it stands, by the names of the limiter library and by those of the IETF draft that 1MCP
// uses (draft-ietf-httpapi-ratelimit-headers-06: Reset in seconds from now).
func (cl *classLimiter) headers(h http.Header, state *limiter.Context, after int64) {
	text := &[3]string{strconv.FormatInt(state.Remaining, 10), strconv.FormatInt(state.Reset, 10), strconv.FormatInt(after, 10)}
	h["X-Ratelimit-Limit"] = cl.max
	h["X-Ratelimit-Remaining"] = text[0:1:1]
	h["X-Ratelimit-Reset"] = text[1:2:2]
	h["Ratelimit-Policy"] = cl.policy
	h["Ratelimit-Limit"] = cl.max
	h["Ratelimit-Remaining"] = text[0:1:1]
	h["Ratelimit-Reset"] = text[2:3:3]
}

// limitKey is the class and the client: an IPv4 address, or the /64 of an IPv6 address, of which a client has the whole.
func limitKey(class RouteClass, remote string) string {
	var buf [64]byte
	b := append(buf[:0], classNames[class]...)
	b = append(b, ':')
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return string(append(b, "unknown"...))
	}
	a := peer.Addr().Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return string(p.AppendTo(b))
		}
	}
	return string(a.AppendTo(b))
}
