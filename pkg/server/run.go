package server

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// lastMoment is what requests get to notice that everything ends, before their connections are closed.
const lastMoment = time.Second

// Run serves ln until ctx ends and the server has drained, or until Close. It closes ln. It may be called for several
// listeners, and drains all of them alike. The error is nil after an orderly end, also if requests had to be cut.
func (s *Server) Run(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{
		Handler:           s.engine,
		ReadHeaderTimeout: s.cfg.ReadHeaderTimeout,
		IdleTimeout:       s.cfg.IdleTimeout,
		MaxHeaderBytes:    s.cfg.MaxHeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return s.all },
		// net/http writes of broken handshakes and requests, with addresses, as text of its own.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	// Shutdown waits for requests but does not tell them; an open stream would hold it for its whole time.
	srv.RegisterOnShutdown(func() { s.stopStreams(ErrDraining) })
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	s.log.Info().Str("address", ln.Addr().String()).Msg("listening")

	select {
	case err := <-served:
		_ = srv.Close()
		return err
	case <-ctx.Done():
	case <-s.closed:
	}
	s.drain(srv)
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// drain stops a listener in steps, each of which Close cuts short.
func (s *Server) drain(srv *http.Server) {
	s.draining.Store(true)
	s.log.Info().Dur("delay_ms", s.cfg.DrainDelay).Dur("grace_ms", s.cfg.Grace).Msg("draining")
	if s.cfg.DrainDelay > 0 {
		delay := time.NewTimer(s.cfg.DrainDelay)
		defer delay.Stop()
		select {
		case <-delay.C:
		case <-s.closed:
		}
	}
	if s.shutdown(srv, s.cfg.Grace, s.closed) {
		return
	}
	cut := s.inFlight.Load()
	s.stopAll(ErrDraining)
	if !s.shutdown(srv, lastMoment, nil) {
		_ = srv.Close()
	}
	s.log.Warn().Int64("requests", cut).Msg("requests were cut")
}

// shutdown waits for requests to end, and tells whether all did.
func (s *Server) shutdown(srv *http.Server, within time.Duration, hurry <-chan struct{}) bool {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	over := make(chan struct{})
	defer close(over)
	go func() {
		select {
		case <-hurry:
			cancel()
		case <-over:
		}
	}()
	return srv.Shutdown(ctx) == nil
}

// Close ends the server at once: requests in flight are told and then cut. It does not wait; Run does.
func (s *Server) Close() {
	s.draining.Store(true)
	s.closeOnce.Do(func() { close(s.closed) })
}
