package upstream

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/net/http/httpguts"

	"github.com/manifold-mcp/manifold/pkg/wire"
)

// httpOptions say how one server is reached over HTTP.
type httpOptions struct {
	// URL is the server's endpoint, http or https. Userinfo becomes an Authorization header.
	URL string
	// Headers go with every request. Those that belong to HTTP or to the transport itself (ownHeaders) are left out.
	Headers map[string]string
	// SSE says that the server speaks only HTTP+SSE (2024-11-05); otherwise that is found out when it is needed.
	SSE bool
	// Version of the gateway, for User-Agent; default "dev".
	Version string
	// MaxMessage bounds one server-sent event in bytes; default wire.MaxMessage (16 MiB).
	MaxMessage int
	// MaxAnswer bounds one JSON answer that is copied through in bytes; default 64 MiB.
	MaxAnswer int64
	Log       zerolog.Logger
}

const (
	defaultMaxAnswer = 64 << 20
	maxRedirects     = 3
	connectTimeout   = 10 * time.Second // TCP, and again TLS
	// postTimeout bounds a message that has no answer: the server only has to accept it.
	postTimeout = 30 * time.Second
)

func (o httpOptions) withDefaults() httpOptions {
	if o.Version == "" {
		o.Version = "dev"
	}
	o.MaxMessage = positive(o.MaxMessage, wire.MaxMessage)
	if o.MaxAnswer <= 0 {
		o.MaxAnswer = defaultMaxAnswer
	}
	return o
}

// ownHeaders are decided by HTTP or by the MCP transports and cannot be configured: many configurations carry Accept and
// Content-Type, which is harmless, so they are passed over in silence.
var ownHeaders = map[string]bool{
	"Accept": true, "Accept-Encoding": true, "Connection": true, "Content-Encoding": true, "Content-Length": true,
	"Content-Type": true, "Expect": true, "Keep-Alive": true, "Proxy-Connection": true, "Te": true, "Trailer": true,
	"Transfer-Encoding": true, "Upgrade": true,
	"Last-Event-Id": true, "Mcp-Protocol-Version": true, "Mcp-Session-Id": true,
	// With either of them net/http would send a POST again by itself.
	"Idempotency-Key": true, "X-Idempotency-Key": true,
}

// httpClient speaks HTTP with one server. It goes below http.Client on purpose: redirects are stricter here, and error texts
// do not contain the URL. It is safe for concurrent use.
type httpClient struct {
	transport *http.Transport
	lean      *lean // nil where only transport will do
	url       *url.URL
	host      string      // the Host header if it differs from the URL
	header    http.Header // goes with every request; never changed

	mu    sync.Mutex
	users int // connections that use the transport
}

// newHTTPClient checks the options. Its errors name the setting and never quote a header's value or the URL.
func newHTTPClient(o httpOptions) (*httpClient, error) {
	u, err := parseEndpoint(o.URL)
	if err != nil {
		return nil, err
	}
	h := &httpClient{transport: newTransport(), header: http.Header{"User-Agent": {"manifold/" + o.Version}}}
	if u.User != nil {
		password, _ := u.User.Password()
		token := base64.StdEncoding.EncodeToString([]byte(u.User.Username() + ":" + password))
		h.header.Set("Authorization", "Basic "+token)
		u.User = nil
	}
	h.url = u
	for name, value := range o.Headers {
		if !httpguts.ValidHeaderFieldName(name) {
			return nil, fmt.Errorf("headers: %q is not a valid header name", clip(name, 80))
		}
		if !httpguts.ValidHeaderFieldValue(value) {
			return nil, fmt.Errorf("headers.%s: value contains characters that are not allowed in a header (a line break?)", name)
		}
		switch key := http.CanonicalHeaderKey(name); {
		case key == "Host":
			h.host = value
		case !ownHeaders[key]:
			h.header.Set(key, value)
		}
	}
	h.lean = leanFor(u)
	return h, nil
}

// leanFor gives a lean client for a server that is reached directly over plain HTTP.
func leanFor(u *url.URL) *lean {
	if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u}); !hasLean || u.Scheme != "http" || proxy != nil || err != nil {
		return nil
	}
	return newLean(net.JoinHostPort(u.Hostname(), port(u)), newDialer())
}

// parseEndpoint parses a server's URL. url.Parse would quote it in its error, with whatever secret stands in it.
func parseEndpoint(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		if detail := (*url.Error)(nil); errors.As(err, &detail) {
			err = detail.Err
		}
		return nil, fmt.Errorf("url: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, errors.New("url: must be an absolute http or https URL")
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// newTransport is a transport for a gateway: many calls at once to one host, and answers that may take long. How long is
// for each call's context to say, so there is no timeout for headers here.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           newDialer().DialContext,
		ForceAttemptHTTP2:     true,
		HTTP2:                 &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
		TLSHandshakeTimeout:   connectTimeout,
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       90 * time.Second,
		ExpectContinueTimeout: time.Second,
		// An unpacked answer has no bound of its own, so none is asked for and none accepted.
		DisableCompression:     true,
		MaxResponseHeaderBytes: 256 << 10,
	}
}

func newDialer() *net.Dialer {
	return &net.Dialer{
		Timeout:         connectTimeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 15 * time.Second, Count: 4},
	}
}

// enter and leave count the connections that use the transport; the last one to leave closes its idle sockets.
func (h *httpClient) enter() {
	h.mu.Lock()
	h.users++
	h.mu.Unlock()
}

func (h *httpClient) leave() {
	h.mu.Lock()
	h.users--
	last := h.users == 0
	h.mu.Unlock()
	if last {
		h.transport.CloseIdleConnections()
		if h.lean != nil {
			h.lean.closeIdle()
		}
	}
}

// template makes a request that send copies; extra are further headers as name and value in turn. Nobody changes it
// afterwards, so requests at the same time share its header map.
func (h *httpClient) template(method string, u *url.URL, extra ...string) *http.Request {
	header := h.header.Clone()
	for i := 0; i+1 < len(extra); i += 2 {
		header.Set(extra[i], extra[i+1])
	}
	return &http.Request{
		Method: method, URL: u, Host: h.host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
}

// with gives a template one more header.
func with(tmpl *http.Request, name, value string) *http.Request {
	c := *tmpl
	c.Header = tmpl.Header.Clone()
	c.Header.Set(name, value)
	return &c
}

// send sends one request made from a template; p is its body or nil. Redirects within the origin are followed.
func (h *httpClient) send(ctx context.Context, tmpl *http.Request, p body) (*http.Response, error) {
	for hop := 0; ; hop++ {
		resp, err := h.pass(ctx, tmpl, p)
		if err != nil {
			return nil, err
		}
		to := redirect(tmpl, resp)
		if to == nil || hop == maxRedirects {
			return resp, nil
		}
		discard(resp)
		moved := *tmpl
		moved.URL = to
		tmpl = &moved
	}
}

// pass sends one request once. Nothing leaves the origin, so the lean client may take it if it is small.
func (h *httpClient) pass(ctx context.Context, tmpl *http.Request, p body) (*http.Response, error) {
	if small, ok := p.(plain); ok && h.lean != nil {
		resp, sent, err := h.lean.do(ctx, tmpl, small)
		return resp, unsentIf(!sent, err)
	}
	req := tmpl.WithContext(ctx)
	if p != nil {
		var err error
		if req.Body, err = p.open(); err != nil {
			return nil, err
		}
		req.GetBody = p.open
		req.ContentLength = p.size()
	}
	return h.transport.RoundTrip(req)
}

// redirect says where to follow a response to, or nil. A request with a body follows only what keeps its method and body
// (307, 308), and nothing leaves the origin: the configured headers are for that one alone.
func redirect(req *http.Request, resp *http.Response) *url.URL {
	switch resp.StatusCode {
	case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther:
		if req.Method != http.MethodGet {
			return nil
		}
	default:
		return nil
	}
	to, err := resp.Location()
	if err != nil || !sameOrigin(to, req.URL) {
		return nil
	}
	to.Fragment, to.RawFragment = "", ""
	return to
}

// sameOrigin compares scheme, host and port (RFC 6454 §4). A URL with userinfo is no place to go.
func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && a.User == nil && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "https" {
		return "443"
	}
	return "80"
}

// mediaType gives the media type of a Content-Type header without its parameters.
func mediaType(h http.Header) string {
	value, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.TrimSpace(value)
}

func isEventStream(h http.Header) bool { return strings.EqualFold(mediaType(h), "text/event-stream") }

func isJSON(h http.Header) bool {
	t := mediaType(h)
	return strings.EqualFold(t, "application/json") || len(t) > 5 && strings.EqualFold(t[len(t)-5:], "+json")
}

// packed tells whether a body is compressed although nobody asked for that.
func packed(h http.Header) bool {
	e := h.Get("Content-Encoding")
	return e != "" && !strings.EqualFold(e, "identity")
}

// discard ends a response whose body does not matter. A little is read so that the socket can serve again.
func discard(resp *http.Response) {
	if !isEventStream(resp.Header) {
		_, _ = io.CopyN(io.Discard, resp.Body, 4<<10)
	}
	_ = resp.Body.Close()
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
