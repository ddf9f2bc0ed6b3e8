package server

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gin-gonic/gin"
	"github.com/rs/zerolog"
)

// ErrDraining is the cause with which requests end that the server stops.
var ErrDraining = errors.New("the gateway is shutting down")

// Server is the HTTP edge.
type Server struct {
	cfg    Config
	set    settings
	log    zerolog.Logger
	engine *gin.Engine
	limits *limiters

	routes   map[string]RouteClass // by gin's pattern, for the access line
	ids      requestIDs
	inFlight atomic.Int64
	draining atomic.Bool

	streams     context.Context // ends when streams must
	stopStreams context.CancelCauseFunc
	all         context.Context // ends when everything must
	stopAll     context.CancelCauseFunc
	closed      chan struct{}
	closeOnce   sync.Once
}

// New makes a server without routes. An error names every setting that is not valid.
func New(cfg Config, log zerolog.Logger) (*Server, error) {
	set, err := cfg.prepare()
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, set: set, log: log.With().Str("component", "server").Logger(),
		routes: map[string]RouteClass{}, closed: make(chan struct{}),
	}
	s.ids.init()
	s.limits = newLimiters(set.limits, cfg.LimitStore, s.log)
	s.all, s.stopAll = context.WithCancelCause(context.Background())
	s.streams, s.stopStreams = context.WithCancelCause(s.all)
	s.engine = s.newEngine()
	return s, nil
}

// newEngine sets gin up without those of its defaults that are traps: trust in every proxy, redirects, 404 for a wrong
// method, contexts that never end, its own logger (which writes queries) and recovery (which does not abort).
func (s *Server) newEngine() *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	_ = e.SetTrustedProxies(nil) // cannot fail without entries
	e.ForwardedByClientIP = false
	e.RemoteIPHeaders = nil
	e.RedirectTrailingSlash = false
	e.RedirectFixedPath = false
	e.HandleMethodNotAllowed = true
	e.UseRawPath = true
	e.UnescapePathValues = false
	e.ContextWithFallback = true
	e.Use(s.access, s.recovery, s.hostGuard, s.originGuard, encodingGuard, s.bodyDeadline)
	e.NoRoute(s.limit(Other), func(c *gin.Context) {
		refuse(c, http.StatusNotFound, "not_found", "There is nothing at this address.")
	})
	e.NoMethod(s.limit(Other), func(c *gin.Context) {
		refuse(c, http.StatusMethodNotAllowed, "method_not_allowed", "This address does not take this method; the Allow header lists those it takes.")
	})
	return e
}

// Mount serves path with h for the given methods, with and without a slash at its end, and answers OPTIONS there. HEAD is
// served only if listed. A path may have parameters as gin writes them (/health/mcp/:server); h reads them with
// Request.PathValue. Routes of class [Stream] get a context that ends when streams must. Mount panics, as gin does, if the
// route exists already.
func (s *Server) Mount(path string, methods []string, class RouteClass, h http.Handler) {
	paths := []string{path}
	if twin := strings.TrimSuffix(path, "/"); !strings.Contains(path, "*") && twin != "" {
		paths = []string{twin, twin + "/"}
	}
	handle := wrap(h)
	if class == Stream {
		handle = s.endWithStreams(handle)
	}
	for _, p := range paths {
		if _, known := s.routes[p]; !known {
			s.engine.OPTIONS(p, s.limit(class), s.options(p))
			s.routes[p] = class
		}
		for _, m := range methods {
			if m != http.MethodOptions {
				s.engine.Handle(m, p, s.limit(class), handle)
			}
		}
	}
}

// Handler gives the whole edge as a handler, for tests and for listeners of other kinds.
func (s *Server) Handler() http.Handler { return s.engine }

// Draining tells whether the server has been told to stop; readiness answers no from then on.
func (s *Server) Draining() bool { return s.draining.Load() }

// Streams ends, with [ErrDraining] as its cause, when streams must end so that the server can stop.
func (s *Server) Streams() context.Context { return s.streams }

// RequestID gives the id under which a request is logged.
func RequestID(r *http.Request) string { return r.Header.Get(requestIDHeader) }

// wrap makes a gin handler of h, with gin's parameters as path values.
func wrap(h http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		for _, p := range c.Params {
			value, err := url.PathUnescape(p.Value)
			if err != nil {
				refuse(c, http.StatusBadRequest, "bad_path", "The address is not valid.")
				return
			}
			c.Request.SetPathValue(p.Key, value)
		}
		h.ServeHTTP(c.Writer, c.Request)
	}
}

// endWithStreams gives a request a context that ends with the streams of the server.
func (s *Server) endWithStreams(next gin.HandlerFunc) gin.HandlerFunc {
	return func(c *gin.Context) {
		ctx, cancel := context.WithCancelCause(c.Request.Context())
		defer cancel(nil)
		stop := context.AfterFunc(s.streams, func() { cancel(context.Cause(s.streams)) })
		defer stop()
		c.Request = c.Request.WithContext(ctx)
		next(c)
	}
}

// options answers OPTIONS that are not a preflight.
func (s *Server) options(path string) gin.HandlerFunc {
	return func(c *gin.Context) {
		var allow []string
		for _, r := range s.engine.Routes() {
			if r.Path == path {
				allow = append(allow, r.Method)
			}
		}
		slices.Sort(allow)
		c.Header("Allow", strings.Join(allow, ", "))
		c.AbortWithStatus(http.StatusNoContent)
	}
}
