package upstream

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// oldServer speaks HTTP+SSE by hand: handle gets every message and writes to the stream.
type oldServer struct {
	endpoint string // what the endpoint event says; default "/messages?id=1"
	post     int    // status of POSTs; default 202
	handle   func(stream chan<- string, m wire.Message)
}

func (o oldServer) start(t *testing.T) *webServer {
	t.Helper()
	stream := make(chan string, 100)
	srv := newWebServer()
	srv.listen = func(w http.ResponseWriter, r *http.Request) {
		at := o.endpoint
		if at == "" {
			at = "/messages?id=1"
		}
		writeEvents(w, ": hello\n\n", "event: endpoint\ndata: "+strings.ReplaceAll(at, "SELF", srv.URL)+"\n\n")
		for {
			select {
			case e, ok := <-stream:
				if !ok {
					return
				}
				writeEvents(w, e)
			case <-r.Context().Done():
				return
			}
		}
	}
	srv.first = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		if r.URL.Path != "/messages" {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return true
		}
		all := srv.seen(posted(""))
		body := all[len(all)-1].body
		m, _ := wire.Parse([]byte(body))
		switch {
		case m.MethodName() == protocol.Initialize:
			stream <- event(`{"jsonrpc":"2.0","id":` + string(m.ID.Of(m.Raw)) + `,"result":` + strings.Replace(webHello, "2025-11-25", "2024-11-05", 1) + `}`)
		case m.Kind == wire.Request && o.post == 0:
			o.handle(stream, m)
		}
		if o.post != 0 && m.Kind == wire.Request && m.MethodName() != protocol.Initialize {
			w.WriteHeader(o.post)
			return true
		}
		w.WriteHeader(http.StatusAccepted)
		return true
	}
	return srv.start(t)
}

func TestOldTransport(t *testing.T) {
	for _, endpoint := range []string{"/messages?id=1", "messages?id=1", "SELF/messages?id=1"} {
		noLeaks(t)
		srv := oldServer{endpoint: endpoint, handle: func(stream chan<- string, m wire.Message) {
			stream <- event(textResult(string(m.ID.Of(m.Raw)), "ok"))
		}}.start(t)
		c := dialWeb(t, httpOptions{URL: srv.URL + "/sse", SSE: true, Headers: map[string]string{"X-Key": "k"}}, newWebEvents())
		if got := c.hello().revision; got != protocol.Revision20241105 {
			t.Errorf("revision %q", got)
		}
		a, err := c.call(t.Context(), webCall(t, webEcho, nil))
		if err != nil {
			t.Fatal(err)
		}
		if got := answerText(t, a); got != textResult(`"x"`, "ok") {
			t.Errorf("answer %s", got)
		}
		for _, r := range srv.seen(func(webRequest) bool { return true }) {
			if r.header.Get("X-Key") != "k" {
				t.Errorf("%s %s without the configured header", r.method, r.target)
			}
		}
		c.close(t.Context())
	}
}

// The server names the address of its POSTs, but not on another origin: they carry the configured headers.
func TestOldTransportForeignEndpoint(t *testing.T) {
	noLeaks(t)
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("request left its origin: %s %s", r.Method, r.URL)
	}))
	t.Cleanup(other.Close)
	for _, endpoint := range []string{other.URL + "/messages", "//evil.example/messages", "http://u:p@" + strings.TrimPrefix(other.URL, "http://"), "javascript:alert(1)"} {
		srv := oldServer{endpoint: endpoint}.start(t)
		d, err := newHTTPDialer(httpOptions{URL: srv.URL, SSE: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.dial(t.Context(), webGreeting, newWebEvents()); !errors.Is(err, protocol.ErrProtocol) {
			t.Errorf("endpoint %s: %v", endpoint, err)
		}
	}
}

// The stream is the connection: when it ends, everything in flight is lost.
func TestOldTransportStreamEnds(t *testing.T) {
	noLeaks(t)
	srv := oldServer{handle: func(stream chan<- string, _ wire.Message) { close(stream) }}.start(t)
	c := dialWeb(t, httpOptions{URL: srv.URL, SSE: true}, newWebEvents())
	if _, err := c.call(t.Context(), webCall(t, webEcho, nil)); !errors.Is(err, protocol.ErrLost) {
		t.Errorf("call: %v, want ErrLost", err)
	}
	<-c.done()
	if !errors.Is(c.err(), protocol.ErrLost) {
		t.Errorf("connection ended with %v", c.err())
	}
}

// A POST to a forgotten session was refused unseen and ends the connection; other statuses concern their message alone.
func TestOldTransportPostRefused(t *testing.T) {
	for status, gone := range map[int]bool{404: true, 500: false} {
		noLeaks(t)
		srv := oldServer{post: status}.start(t)
		c := dialWeb(t, httpOptions{URL: srv.URL, SSE: true}, newWebEvents())
		_, err := c.call(t.Context(), webCall(t, webEcho, nil))
		if err == nil || reopens(err) != gone {
			t.Errorf("HTTP %d: %v", status, err)
		}
		if gone {
			<-c.done()
			if !reopens(c.err()) {
				t.Errorf("HTTP %d: connection ended with %v", status, c.err())
			}
		} else if c.err() != nil {
			t.Errorf("HTTP %d ended the connection: %v", status, c.err())
		}
		c.close(t.Context())
	}
}

// A server that refuses the POST of initialize is tried with HTTP+SSE, and that is remembered until it stops working.
func TestTransportIsFoundOut(t *testing.T) {
	noLeaks(t)
	old := oldServer{handle: func(stream chan<- string, m wire.Message) {
		stream <- event(textResult(string(m.ID.Of(m.Raw)), "old"))
	}}.start(t)
	modern := newWebServer()
	modern.call = func(w http.ResponseWriter, _ *http.Request, id string, _ wire.Message) {
		writeJSON(w, 200, textResult(id, "new"))
	}
	handler := &swapHandler{}
	handler.set(old)
	front := httptest.NewServer(handler)
	t.Cleanup(front.Close)
	d, err := newHTTPDialer(httpOptions{URL: front.URL})
	if err != nil {
		t.Fatal(err)
	}
	probes := func() int {
		return len(old.seen(func(r webRequest) bool { return r.method == http.MethodPost && r.target == "/" }))
	}
	for _, want := range []string{"old", "old", "new"} {
		if want == "new" {
			handler.set(modern)
		}
		c, err := d.dial(t.Context(), webGreeting, newWebEvents())
		if err != nil {
			t.Fatalf("%s: %v", want, err)
		}
		a, err := c.call(t.Context(), webCall(t, webEcho, nil))
		if err != nil {
			t.Fatalf("%s: %v", want, err)
		}
		if got := answerText(t, a); got != textResult(`"x"`, want) {
			t.Errorf("answer %s, want %s", got, want)
		}
		c.close(t.Context())
		if n := probes(); n != 1 {
			t.Errorf("%d probes of the old server, want 1", n)
		}
	}
}

// A server that speaks neither is reported with what it said to the newer transport.
func TestNeitherTransport(t *testing.T) {
	noLeaks(t)
	srv := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(srv.Close)
	d, err := newHTTPDialer(httpOptions{URL: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.dial(t.Context(), webGreeting, newWebEvents())
	var status *statusError
	if !errors.As(err, &status) || status.status != 404 || !strings.Contains(err.Error(), "tried as HTTP+SSE") {
		t.Errorf("error %v", err)
	}
}
