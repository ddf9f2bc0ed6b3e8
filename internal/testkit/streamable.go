package testkit

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"
)

// sharedHTTP keeps enough idle connections for a hundred clients of one gateway. It never unpacks: what came is what is seen.
var sharedHTTP = &http.Client{Transport: &http.Transport{
	MaxIdleConnsPerHost: 256, DisableCompression: true, IdleConnTimeout: 30 * time.Second,
}}

// Streamable is a client of the streamable HTTP transport (2025-03-26 to 2025-11-25). Its fields are set before use;
// Session and Version are set by a successful initialize.
type Streamable struct {
	URL     string
	Session string
	Version string
	// Header is sent with every request.
	Header http.Header
	// Handle takes what comes on the stream of a call before its answer; may be nil.
	Handle Handler

	mu    sync.Mutex
	asked sync.WaitGroup
}

// NewStreamable makes a client of the given address.
func NewStreamable(url string, handle Handler) *Streamable {
	return &Streamable{URL: url, Handle: handle}
}

// Connect makes a client of the given address and initialises it.
func Connect(ctx context.Context, url string, g Greeting, handle Handler) (*Streamable, error) {
	c := NewStreamable(url, handle)
	_, err := Shake(ctx, c, g)
	return c, err
}

func (c *Streamable) request(ctx context.Context, method string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.URL, body)
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, c.Header)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.Session != "" {
		req.Header.Set("Mcp-Session-Id", c.Session)
	}
	if c.Version != "" {
		req.Header.Set("MCP-Protocol-Version", c.Version)
	}
	return req, nil
}

// Post posts the body as it is. The caller closes the response.
func (c *Streamable) Post(ctx context.Context, body []byte) (*http.Response, error) {
	req, err := c.request(ctx, http.MethodPost, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	return sharedHTTP.Do(req)
}

// Do implements [Conn]. An answer with a status other than 200 is an error unless it holds a JSON-RPC response.
func (c *Streamable) Do(ctx context.Context, raw []byte) (Message, error) {
	want, err := Parse(raw)
	if err != nil {
		return want, err
	}
	res, err := c.Post(ctx, raw)
	if err != nil {
		return Message{}, err
	}
	defer func() { _ = res.Body.Close() }()
	m, err := c.answer(res, want)
	if err == nil && want.Method == "initialize" && m.Result != nil {
		c.mu.Lock()
		c.Session = res.Header.Get("Mcp-Session-Id")
		c.Version = GetString(m.Result, "protocolVersion")
		c.mu.Unlock()
	}
	return m, err
}

// answer reads the response to the request, as JSON or as a stream.
func (c *Streamable) answer(res *http.Response, want Message) (Message, error) {
	kind, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	switch kind {
	case "application/json":
		text, err := io.ReadAll(res.Body)
		if err != nil {
			return Message{}, fmt.Errorf("%s, body cut: %w", res.Status, err)
		}
		m, err := Parse(text)
		if err == nil && !bytes.Equal(m.ID, want.ID) {
			err = fmt.Errorf("%s: the answer to %s has the id %s: %.200s", res.Status, want.ID, m.ID, text)
		}
		return m, err
	case "text/event-stream":
		return c.follow(NewEvents(res.Body), want)
	}
	text, _ := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	return Message{}, fmt.Errorf("%s (%s): %s", res.Status, kind, text)
}

// follow reads a stream up to the response that is waited for.
func (c *Streamable) follow(events *Events, want Message) (Message, error) {
	for {
		ev, err := events.Next()
		if err != nil {
			return Message{}, fmt.Errorf("stream ended before the answer: %w", err)
		}
		if ev.Comment || len(ev.Data) == 0 {
			continue
		}
		m, err := Parse(ev.Data)
		if err != nil {
			return m, err
		}
		if !m.IsResponse() {
			serve(&c.asked, c.Handle, m, c.Send)
			continue
		}
		if !bytes.Equal(m.ID, want.ID) {
			return m, fmt.Errorf("the stream of %s answers %s", want.ID, m.ID)
		}
		return m, nil
	}
}

// Send implements [Conn].
func (c *Streamable) Send(ctx context.Context, raw []byte) error {
	res, err := c.Post(ctx, raw)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	if res.StatusCode != http.StatusAccepted {
		return fmt.Errorf("want 202 for a notification or response, got %s: %s", res.Status, text)
	}
	return nil
}

// Delete ends the session and gives the status.
func (c *Streamable) Delete(ctx context.Context) (int, error) {
	req, err := c.request(ctx, http.MethodDelete, nil)
	if err != nil {
		return 0, err
	}
	res, err := sharedHTTP.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

// Close implements [Conn]; there is nothing to close but what the shared HTTP client keeps.
func (c *Streamable) Close() {}

// Stream is an open stream of events.
type Stream struct {
	*Events
	Response *http.Response
	cancel   context.CancelFunc
}

// Close cuts the connection under the stream.
func (s *Stream) Close() {
	s.cancel()
	_ = s.Response.Body.Close()
}

// Listen opens the GET stream, after the given event when resuming. It fails on a status other than 200.
func (c *Streamable) Listen(ctx context.Context, lastEventID string) (*Stream, error) {
	return c.stream(ctx, http.MethodGet, nil, lastEventID)
}

// Open posts a request and gives its stream, for a caller that reads it event by event. It fails if the answer is no stream.
func (c *Streamable) Open(ctx context.Context, raw []byte) (*Stream, error) {
	return c.stream(ctx, http.MethodPost, raw, "")
}

func (c *Streamable) stream(ctx context.Context, method string, body []byte, lastEventID string) (*Stream, error) {
	ctx, cancel := context.WithCancel(ctx)
	req, err := c.request(ctx, method, bytes.NewReader(body))
	if err != nil {
		cancel()
		return nil, err
	}
	req.Header.Set("Accept", "text/event-stream")
	if method == http.MethodPost {
		req.Header.Set("Accept", "application/json, text/event-stream")
		req.Header.Set("Content-Type", "application/json")
	}
	if lastEventID != "" {
		req.Header.Set("Last-Event-ID", lastEventID)
	}
	res, err := sharedHTTP.Do(req)
	if err != nil {
		cancel()
		return nil, err
	}
	if kind := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || !strings.HasPrefix(kind, "text/event-stream") {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 4<<10))
		_ = res.Body.Close()
		cancel()
		return nil, fmt.Errorf("%s: want a stream, got %s (%s): %s", method, res.Status, kind, text)
	}
	return &Stream{Events: NewEvents(res.Body), Response: res, cancel: cancel}, nil
}

// NextMessage skips comments and empty events and gives the next message with the id of its event.
func (s *Stream) NextMessage() (Message, string, error) {
	for {
		ev, err := s.Next()
		if err != nil {
			return Message{}, "", err
		}
		if ev.Comment || len(ev.Data) == 0 {
			continue
		}
		m, err := Parse(ev.Data)
		return m, ev.ID, err
	}
}
