package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// ssePipe carries messages over HTTP+SSE (2024-11-05): one GET stream on which everything comes, and a POST per message to the
// address that the stream's first event names. It ends with its stream; there is nothing to take up again.
type ssePipe struct {
	http   *httpClient
	post   *http.Request // template for the server's endpoint
	resp   *http.Response
	reader *wire.EventReader

	life    context.Context // ends the stream and all sends
	end     context.CancelCauseFunc
	closing sync.Once
}

// maxPrologue bounds the events before the endpoint.
const maxPrologue = 16

// dialSSE opens the stream and waits for the endpoint event.
func dialSSE(ctx context.Context, h *httpClient, maxMessage int) (*ssePipe, error) {
	p := &ssePipe{http: h}
	p.life, p.end = context.WithCancelCause(context.Background())
	stop := context.AfterFunc(ctx, func() { p.end(context.Cause(ctx)) })
	h.enter()
	err := p.open(maxMessage)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		p.close(ctx)
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	return p, nil
}

func (p *ssePipe) open(maxMessage int) error {
	resp, err := p.http.send(p.life, p.http.template(http.MethodGet, p.http.url, "Accept", "text/event-stream"), nil)
	if err != nil {
		return transportError(err, false)
	}
	p.resp = resp
	switch {
	case resp.StatusCode != http.StatusOK:
		return newStatusError(resp)
	case packed(resp.Header) || !isEventStream(resp.Header):
		return fmt.Errorf("%w: not an event stream but %q", protocol.ErrProtocol, clip(mediaType(resp.Header), 80))
	}
	p.reader = wire.NewEventReader(resp.Body, maxMessage)
	for range maxPrologue {
		e, err := p.reader.Next()
		if err != nil {
			return fmt.Errorf("%w: event stream ended before its endpoint event: %w", protocol.ErrUnavailable, err)
		}
		if e.Name != "endpoint" {
			continue
		}
		to, err := endpoint(resp.Request.URL, string(e.Data))
		if err != nil {
			return err
		}
		p.post = p.http.template(http.MethodPost, to, "Content-Type", "application/json", "Accept", "application/json, text/event-stream")
		return nil
	}
	return fmt.Errorf("%w: no endpoint event", protocol.ErrProtocol)
}

// endpoint resolves the address of an endpoint event. It must have the stream's own origin: the configured headers, which
// may hold secrets, are for that one alone.
func endpoint(stream *url.URL, raw string) (*url.URL, error) {
	ref, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: endpoint event is no URL", protocol.ErrProtocol)
	}
	to := stream.ResolveReference(ref)
	if !sameOrigin(to, stream) {
		return nil, fmt.Errorf("%w: endpoint event leads to another origin (%s)", protocol.ErrProtocol, clip(to.Scheme+"://"+to.Host, 200))
	}
	to.Fragment, to.RawFragment = "", ""
	return to, nil
}

// send implements pipe. It may be called by several goroutines at once.
func (p *ssePipe) send(ctx context.Context, msg []byte) error {
	if p.life.Err() != nil {
		return fmt.Errorf("%w: %w", protocol.ErrUnavailable, context.Cause(p.life))
	}
	caller := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(p.life, func() { cancel(context.Cause(p.life)) })()
	body := plain(bytes.Clone(msg))
	resp, err := p.http.send(ctx, p.post, body)
	if err != nil {
		sent := body.abort()
		if caller.Err() != nil {
			return context.Cause(caller)
		}
		return transportError(err, sent)
	}
	body.release()
	defer discard(resp)
	switch {
	case resp.StatusCode/100 == 2:
		return nil
	case resp.StatusCode == http.StatusNotFound, resp.StatusCode == http.StatusGone:
		// The session lives in the endpoint's address, so this one is lost, whatever the stream looks like.
		err := fmt.Errorf("%w (HTTP %d)", errSessionGone, resp.StatusCode)
		p.end(err)
		return err
	}
	return newStatusError(resp)
}

// recv implements pipe.
func (p *ssePipe) recv() ([]byte, error) {
	for {
		e, err := p.reader.Next()
		if err != nil {
			if p.life.Err() != nil {
				err = context.Cause(p.life)
			}
			if !errors.Is(err, protocol.ErrUnavailable) {
				err = fmt.Errorf("%w: event stream ended: %w", protocol.ErrLost, err)
			}
			return nil, err
		}
		if len(e.Data) > 0 && (e.Name == "" || e.Name == "message") {
			return e.Data, nil
		}
	}
}

// close implements pipe.
func (p *ssePipe) close(context.Context) {
	p.closing.Do(func() {
		p.end(errConnClosed)
		if p.resp != nil {
			_ = p.resp.Body.Close()
		}
		p.http.leave()
	})
}

var _ pipe = (*ssePipe)(nil)
