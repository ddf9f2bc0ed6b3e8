package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// swapHandler is a server that can be replaced by another one while it listens.
type swapHandler struct{ now atomic.Pointer[http.Handler] }

func (s *swapHandler) set(h http.Handler) { s.now.Store(&h) }
func (s *swapHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	(*s.now.Load()).ServeHTTP(w, r)
}

func TestHTTPOptionsRefused(t *testing.T) {
	tests := []struct {
		rule    string
		options httpOptions
		want    string
	}{
		{"a URL is absolute", httpOptions{URL: "/mcp"}, "url: must be an absolute http or https URL"},
		{"other schemes are refused", httpOptions{URL: "file:///etc/passwd"}, "url: must be an absolute http or https URL"},
		{"a broken URL is not quoted", httpOptions{URL: "http://user:sesame@host:x/?token=sesame"}, "invalid port"},
		{"a line break in a value is refused and only the key is named",
			httpOptions{URL: "http://h/", Headers: map[string]string{"X-Key": "sesame\r\nX-Injected: 1"}}, "headers.X-Key"},
		{"a name is a token", httpOptions{URL: "http://h/", Headers: map[string]string{"X Key": "sesame"}}, "not a valid header name"},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			_, err := newHTTPDialer(tt.options)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "sesame") {
				t.Errorf("error quotes a secret: %v", err)
			}
		})
	}
}

// Every request carries the configured headers and nothing of the downstream client; the transport's own headers win.
func TestRequestHeaders(t *testing.T) {
	noLeaks(t)
	srv := newWebServer()
	srv.call = func(w http.ResponseWriter, _ *http.Request, id string, _ wire.Message) {
		writeJSON(w, 200, textResult(id, "ok"))
	}
	srv.start(t)
	c := dialWeb(t, httpOptions{
		URL: strings.Replace(srv.URL, "http://", "http://ada:sesame@", 1) + "/mcp?key=1#part", Version: "1.2",
		Headers: map[string]string{"x-api-key": "k", "accept": "text/plain", "Mcp-Session-Id": "forged", "Host": "other.example"},
	}, newWebEvents())
	a, err := c.call(t.Context(), webCall(t, webEcho, nil))
	if err != nil {
		t.Fatal(err)
	}
	a.Close()
	srv.await(t, "standing stream", func(r webRequest) bool { return r.method == http.MethodGet })
	c.close(t.Context())
	for _, r := range srv.seen(func(webRequest) bool { return true }) {
		want := map[string]string{
			"X-Api-Key": "k", "User-Agent": "manifold/1.2", "Authorization": "Basic YWRhOnNlc2FtZQ==",
			"Mcp-Session-Id": "session-1", "Mcp-Protocol-Version": "2025-11-25", "Accept-Encoding": "",
			"Accept": "application/json, text/event-stream",
		}
		if strings.Contains(r.body, "initialize\"") {
			want["Mcp-Session-Id"], want["Mcp-Protocol-Version"] = "", ""
		}
		if r.method != http.MethodPost {
			want["Accept"] = "text/event-stream"
		}
		for name, value := range want {
			if got := r.header.Get(name); got != value {
				t.Errorf("%s %.60s: %s is %q, want %q", r.method, r.body, name, got, value)
			}
		}
		if r.target != "/mcp?key=1" {
			t.Errorf("target %q", r.target)
		}
	}
	if n := len(srv.seen(func(r webRequest) bool { return r.method == http.MethodDelete })); n != 1 {
		t.Errorf("%d DELETE requests, want 1", n)
	}
}

func TestRedirects(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("request left its origin: %s %s", r.Method, r.URL)
	}))
	t.Cleanup(other.Close)
	tests := []struct {
		rule   string
		status int
		to     string
		want   error // nil: served
	}{
		{"307 within the origin is followed with its body", 307, "/mcp/", nil},
		{"308 within the origin is followed with its body", 308, "/mcp/", nil},
		{"302 would lose the body and is not followed", 302, "/mcp/", protocol.ErrUnavailable},
		{"another origin gets nothing", 307, other.URL + "/mcp/?secret=sesame", protocol.ErrUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			noLeaks(t)
			srv := newWebServer()
			srv.first = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == "/mcp/" {
					return false
				}
				w.Header().Set("Location", tt.to)
				w.WriteHeader(tt.status)
				return true
			}
			srv.call = func(w http.ResponseWriter, _ *http.Request, id string, _ wire.Message) {
				writeJSON(w, 200, textResult(id, "ok"))
			}
			srv.start(t)
			d, err := newHTTPDialer(httpOptions{URL: srv.URL + "/mcp", Headers: map[string]string{"X-Key": "k"}})
			if err != nil {
				t.Fatal(err)
			}
			c, err := d.dial(t.Context(), webGreeting, newWebEvents())
			if !errors.Is(err, tt.want) {
				t.Fatalf("dial: %v, want %v", err, tt.want)
			}
			if err != nil {
				if strings.Contains(err.Error(), "sesame") {
					t.Errorf("error quotes a query: %v", err)
				}
				return
			}
			a, err := c.call(t.Context(), webCall(t, webEcho, nil))
			if err != nil {
				t.Fatal(err)
			}
			a.Close()
			c.close(t.Context())
			if n := len(srv.seen(func(r webRequest) bool { return r.target == "/mcp" })); n != 1 {
				t.Errorf("%d requests to the old address, want 1: the new one is remembered", n)
			}
		})
	}
}

// An error tells whether the server can have seen the message.
func TestFailurePhases(t *testing.T) {
	noLeaks(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := closed.Addr().String()
	_ = closed.Close()

	reset := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		socket, _, _ := w.(http.Hijacker).Hijack()
		_ = socket.(*net.TCPConn).SetLinger(0)
		_ = socket.Close()
	}))
	t.Cleanup(reset.Close)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)

	tests := []struct {
		rule, url string
		want      error
	}{
		{"refused: nothing was sent", "http://" + address, protocol.ErrUnavailable},
		{"no TLS on the other side: nothing was sent", strings.Replace(plain.URL, "http", "https", 1), protocol.ErrUnavailable},
		{"reset after the request: lost", reset.URL, protocol.ErrLost},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			h, err := newHTTPClient(httpOptions{URL: tt.url}.withDefaults())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(h.transport.CloseIdleConnections)
			p := newBody(pooled(webEcho))
			_, err = h.send(t.Context(), h.template(http.MethodPost, h.url), p)
			if err == nil {
				t.Fatal("no error")
			}
			if err = transportError(err, p.abort()); !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
}

func TestStatusErrors(t *testing.T) {
	tests := []struct {
		rule   string
		status int
		header [2]string
		body   string
		want   error
		after  time.Duration
	}{
		{"401 wants a login", 401, [2]string{"WWW-Authenticate", `Bearer realm="sesame"`}, "", protocol.ErrUnavailable, 0},
		{"401 outranks an error in the body", 401, [2]string{}, `{"jsonrpc":"2.0","id":2,"error":{"code":-1,"message":"m"}}`, protocol.ErrUnavailable, 0},
		{"403 wants a login", 403, [2]string{}, "", protocol.ErrUnavailable, 0},
		{"429 is busy and says until when", 429, [2]string{"Retry-After", "7"}, "", protocol.ErrBusy, 7 * time.Second},
		{"503 is not available", 503, [2]string{"Retry-After", "99999"}, "", protocol.ErrUnavailable, time.Hour},
		{"502 may have reached the server", 502, [2]string{}, "<html>", protocol.ErrLost, 0},
		{"500 is no answer", 500, [2]string{}, "panic", protocol.ErrProtocol, 0},
		{"413 is no answer", 413, [2]string{}, "", protocol.ErrProtocol, 0},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			noLeaks(t)
			srv := newWebServer()
			srv.call = func(w http.ResponseWriter, _ *http.Request, _ string, _ wire.Message) {
				if tt.header[0] != "" {
					w.Header().Set(tt.header[0], tt.header[1])
				}
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			}
			srv.start(t)
			c := dialWeb(t, httpOptions{URL: srv.URL}, newWebEvents())
			_, err := c.call(t.Context(), webCall(t, webEcho, nil))
			var status *statusError
			if !errors.Is(err, tt.want) || !errors.As(err, &status) || status.status != tt.status || status.retryAfter != tt.after {
				t.Fatalf("error %#v, want %v", err, tt.want)
			}
			if strings.Contains(err.Error(), "sesame") {
				t.Errorf("error quotes a header: %v", err)
			}
			if tt.header[0] == "WWW-Authenticate" && len(status.challenges) != 1 {
				t.Errorf("challenges %q", status.challenges)
			}
			if c.err() != nil {
				t.Errorf("one refused call ended the connection: %v", c.err())
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "-5": 0, "12": 12 * time.Second, "86400": time.Hour, "soon": 0,
		"Fri, 02 Jan 2026 03:04:35 GMT": 30 * time.Second, "Fri, 02 Jan 2026 03:04:00 GMT": 0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

// A body can be read again after a failure, is not given back while it is being read, and is dead after abort.
func TestPost(t *testing.T) {
	buf := wire.GetBuffer()
	buf.B = append(buf.B, "message"...)
	p := newPost(buf)
	first, _ := p.open()
	b := make([]byte, 4)
	if n, err := first.Read(b); n != 4 || err != nil || string(b) != "mess" {
		t.Fatalf("read %d %v %q", n, err, b)
	}
	second, err := p.open()
	if err != nil {
		t.Fatal(err)
	}
	if p.read {
		t.Error("a pass that has not begun counts as sent")
	}
	p.release()
	if n, err := second.Read(b); n != 4 || err != nil {
		t.Errorf("reader was cut off by release: %d %v", n, err)
	}
	_, _ = first.Close(), first.Close()
	if p.buf == nil {
		t.Error("given back while a reader is open")
	}
	if _, err := first.Read(b); err == nil {
		t.Error("read after close")
	}
	_ = second.Close()
	if p.buf != nil {
		t.Error("not given back")
	}
	if _, err := p.open(); err == nil {
		t.Error("opened after the end")
	}

	p = newPost(pooled("message"))
	r, _ := p.open()
	if p.abort() {
		t.Error("abort counts unread bytes as sent")
	}
	if n, err := r.Read(b); n != 0 || err == nil {
		t.Error("bytes went out after abort")
	}
}

func pooled(text string) *wire.Buffer {
	buf := wire.GetBuffer()
	buf.B = append(buf.B, text...)
	return buf
}

// A small body goes out together with its headers: one write, one packet. net/http does that for readers that it knows.
func TestSmallBodyIsOneWrite(t *testing.T) {
	for _, size := range []int{1, maxPlain, maxPlain + 1} {
		b := newBody(pooled(strings.Repeat("x", size)))
		r, err := b.open()
		if err != nil {
			t.Fatal(err)
		}
		_, known := r.(interface {
			WriteTo(io.Writer) (int64, error)
		}) // io.NopCloser of a bytes.Reader has it, a postReader must not
		if known != (size <= maxPlain) {
			t.Errorf("%d bytes: in memory %t", size, known)
		}
		if got, _ := io.ReadAll(r); len(got) != size {
			t.Errorf("%d bytes: read %d", size, len(got))
		}
	}
}

// An unreachable server makes dial fail when the context ends, not later.
func TestDialEndsWithContext(t *testing.T) {
	noLeaks(t)
	srv := newWebServer()
	release := make(chan struct{})
	srv.first = func(http.ResponseWriter, *http.Request) bool { <-release; return true }
	srv.start(t)
	t.Cleanup(func() { close(release) })
	for _, old := range []bool{false, true} {
		d, err := newHTTPDialer(httpOptions{URL: srv.URL, SSE: old})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, protocol.ErrTimeout)
		_, err = d.dial(ctx, webGreeting, newWebEvents())
		cancel()
		if !errors.Is(err, protocol.ErrTimeout) {
			t.Errorf("SSE %v: %v, want ErrTimeout", old, err)
		}
	}
}

func TestSameOrigin(t *testing.T) {
	tests := []struct {
		a, b string
		want bool
	}{
		{"http://host/a", "http://HOST:80/b?c", true},
		{"https://host:443/", "https://host/", true},
		{"http://[::1]:80/", "http://[::1]/", true},
		{"https://host/", "http://host/", false},
		{"http://host:81/", "http://host/", false},
		{"http://host.evil.example/", "http://host/", false},
		{"http://host@evil.example/", "http://host/", false},
		{"http://user@host/", "http://host/", false},
	}
	for _, tt := range tests {
		a, _ := url.Parse(tt.a)
		b, _ := url.Parse(tt.b)
		if got := sameOrigin(a, b); got != tt.want {
			t.Errorf("%s and %s: %v", tt.a, tt.b, got)
		}
	}
}

// A socket serves call after call, also when the answer is an event stream and the caller's context ends with the call.
func TestSocketIsReused(t *testing.T) {
	noLeaks(t)
	returned := make(chan struct{}, 1)
	srv := newWebServer()
	srv.call = func(w http.ResponseWriter, r *http.Request, id string, m wire.Message) {
		if m.MethodName() == protocol.Ping {
			writeJSON(w, 200, textResult(id, "ok"))
			return
		}
		writeEvents(w, event(textResult(id, "ok")))
		<-returned // the stream ends only when the answer is in use
	}
	var sockets atomic.Int32
	srv.Server = httptest.NewUnstartedServer(srv)
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			sockets.Add(1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	c := dialWeb(t, httpOptions{URL: srv.URL}, newWebEvents())
	for range 20 {
		for _, raw := range []string{webEcho, `{"jsonrpc":"2.0","id":1,"method":"ping"}`} {
			ctx, cancel := context.WithCancel(t.Context())
			a, err := c.call(ctx, webCall(t, raw, nil))
			if err != nil {
				t.Fatal(err)
			}
			cancel()
			a.Close()
			if raw != webEcho { // by now the end of the first context has had time to do its harm
				returned <- struct{}{}
			}
		}
	}
	if n := sockets.Load(); n > 12 { // the standing stream, and a few calls that came before an end of stream was read
		t.Errorf("%d sockets for 40 calls", n)
	}
}

// The same over HTTP/2, where bodies are read and closed by other goroutines.
func TestHTTP2(t *testing.T) {
	noLeaks(t)
	srv := newWebServer()
	srv.call = func(w http.ResponseWriter, r *http.Request, id string, m wire.Message) {
		if r.ProtoMajor != 2 {
			t.Errorf("spoken: %s", r.Proto)
		}
		arg, _ := wire.Lookup(m.Raw, m.Params, "arguments")
		writeEvents(w, event(`{"jsonrpc":"2.0","id":`+id+`,"result":`+string(arg.Of(m.Raw))+`}`))
	}
	srv.Server = httptest.NewUnstartedServer(srv)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	d, err := newHTTPDialer(httpOptions{URL: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	d.http.transport.TLSClientConfig = srv.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	c, err := d.dial(t.Context(), webGreeting, newWebEvents())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.close(context.Background()) })
	failed := make(chan error, 50)
	for i := range cap(failed) {
		go func() {
			arg := fmt.Sprintf(`"%d%s"`, i, strings.Repeat("x", 20_000))
			a, err := c.call(t.Context(), webCall(t, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":`+arg+`}}`, nil))
			if err == nil {
				if got := answerText(t, a); got != `{"jsonrpc":"2.0","id":"x","result":`+arg+`}` {
					err = fmt.Errorf("call %d got %.60s", i, got)
				}
			}
			failed <- err
		}()
	}
	for range cap(failed) {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}
