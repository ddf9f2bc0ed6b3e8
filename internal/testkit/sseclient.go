package testkit

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
)

// SSE is a client of the HTTP+SSE transport (2024-11-05): everything comes on one GET stream, everything goes by POST.
type SSE struct {
	*mux
	http     *http.Client
	endpoint string
	cancel   context.CancelFunc
	header   http.Header
}

// DialSSE opens the stream and waits for the endpoint event. The connection lives until Close.
func DialSSE(ctx context.Context, address string, handle Handler, header http.Header) (*SSE, error) {
	base, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel) // until the endpoint is known
	defer stop()
	req, err := http.NewRequestWithContext(life, http.MethodGet, address, nil)
	if err != nil {
		cancel()
		return nil, err
	}
	req.Header = header.Clone()
	if req.Header == nil {
		req.Header = http.Header{}
	}
	req.Header.Set("Accept", "text/event-stream")
	c := &SSE{http: sharedHTTP, cancel: cancel, header: header}
	res, err := c.http.Do(req)
	if err != nil {
		cancel()
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 4<<10))
		_ = res.Body.Close()
		cancel()
		return nil, fmt.Errorf("GET %s: %s: %s", base.Path, res.Status, text)
	}
	events := NewEvents(res.Body)
	ev, err := events.Next()
	for err == nil && ev.Comment {
		ev, err = events.Next()
	}
	if err != nil || ev.Name != "endpoint" {
		_ = res.Body.Close()
		cancel()
		return nil, fmt.Errorf("first event is %+v (%w), want the endpoint", ev, err)
	}
	target, err := base.Parse(string(ev.Data))
	if err != nil {
		_ = res.Body.Close()
		cancel()
		return nil, err
	}
	c.endpoint = target.String()
	c.mux = newMux(handle, c.Send)
	go func() {
		defer func() { _ = res.Body.Close() }()
		for {
			ev, err := events.Next()
			if err != nil {
				c.end(fmt.Errorf("stream: %w", err))
				return
			}
			if !ev.Comment && len(ev.Data) > 0 {
				c.take(ev.Data)
			}
		}
	}()
	return c, nil
}

// Endpoint is the address that messages are posted to.
func (c *SSE) Endpoint() string { return c.endpoint }

// Ended is closed when the stream has ended.
func (c *SSE) Ended() <-chan struct{} { return c.ended }

// Do implements [Conn].
func (c *SSE) Do(ctx context.Context, raw []byte) (Message, error) { return c.do(ctx, raw) }

// Send implements [Conn].
func (c *SSE) Send(ctx context.Context, raw []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	maps.Copy(req.Header, c.header)
	req.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("POST: %s: %s", res.Status, text)
	}
	return nil
}

// Close cuts the stream.
func (c *SSE) Close() {
	c.end(errClosed)
	c.cancel()
}
