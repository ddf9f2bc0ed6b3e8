package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/manifold-mcp/manifold/pkg/protocol"
)

// httpDialer makes connections to one server over HTTP and finds out which of the two HTTP transports it speaks.
type httpDialer struct {
	options httpOptions
	http    *httpClient
	// old remembers that the server turned out to speak HTTP+SSE only.
	old atomic.Bool
}

// newHTTPDialer checks the options. Its errors name the setting and never quote a header's value or the URL.
func newHTTPDialer(o httpOptions) (*httpDialer, error) {
	o = o.withDefaults()
	h, err := newHTTPClient(o)
	if err != nil {
		return nil, err
	}
	return &httpDialer{options: o, http: h}, nil
}

// dial implements dialer.
func (d *httpDialer) dial(ctx context.Context, g greeting, ev events) (conn, error) {
	if d.options.SSE {
		return d.dialOld(ctx, g, ev)
	}
	if d.old.Load() {
		c, err := d.dialOld(ctx, g, ev)
		if !refused(err) {
			return c, err
		}
		d.old.Store(false) // the server has changed: it may speak the newer transport by now
	}
	s, err := dialStreamable(ctx, d.http, d.options, g, ev)
	if err == nil {
		return s, nil
	}
	if !refused(err) {
		return nil, err
	}
	c, oldErr := d.dialOld(ctx, g, ev)
	if oldErr != nil {
		return nil, fmt.Errorf("%w; tried as HTTP+SSE: %w", err, oldErr)
	}
	d.old.Store(true)
	return c, nil
}

func (d *httpDialer) dialOld(ctx context.Context, g greeting, ev events) (conn, error) {
	p, err := dialSSE(ctx, d.http, d.options.MaxMessage)
	if err != nil {
		return nil, err
	}
	m, err := dialMux(ctx, p, g, ev, d.options.Log)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// refused tells whether a server refused initialize in the way of one that does not speak this transport (transports,
// "Backwards Compatibility": any 4xx in 2025-03-26; 400, 404 and 405 in 2025-11-25).
func refused(err error) bool {
	status := (*statusError)(nil)
	if !errors.As(err, &status) {
		return false
	}
	switch status.status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotAcceptable,
		http.StatusUnsupportedMediaType, http.StatusNotImplemented:
		return true
	}
	return false
}

// reopens tells whether err lets the same message be sent again on a new connection: the server refused it unseen because
// the session was gone.
func reopens(err error) bool {
	return errors.Is(err, errSessionGone) && errors.Is(err, protocol.ErrUnavailable)
}

var _ dialer = (*httpDialer)(nil)
