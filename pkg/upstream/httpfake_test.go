package upstream

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// webServer is a server over HTTP that answers the handshake itself and leaves the rest to fields. It records everything.
type webServer struct {
	*httptest.Server
	session string // given out with initialize
	// call answers a request that is not initialize; id is its raw id.
	call func(w http.ResponseWriter, r *http.Request, id string, m wire.Message)
	// listen serves GET; nil answers 405.
	listen http.HandlerFunc
	// first sees every request; true means that it has answered.
	first func(w http.ResponseWriter, r *http.Request) bool

	mu       sync.Mutex
	requests []webRequest
	arrived  chan struct{} // a token for each recorded request
}

type webRequest struct {
	method, target string
	header         http.Header
	body           string
}

// newWebServer makes a server that is started by start.
func newWebServer() *webServer {
	return &webServer{session: "session-1", arrived: make(chan struct{}, 1000)}
}

func (s *webServer) start(t testing.TB) *webServer {
	t.Helper()
	s.Server = httptest.NewServer(s)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

const webHello = `{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"web","version":"1"}}`

func (s *webServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.requests = append(s.requests, webRequest{r.Method, r.URL.RequestURI(), r.Header.Clone(), string(body)})
	s.mu.Unlock()
	s.arrived <- struct{}{}
	if s.first != nil && s.first(w, r) {
		return
	}
	switch {
	case r.Method == http.MethodGet && s.listen != nil:
		s.listen(w, r)
		return
	case r.Method == http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
		return
	case r.Method != http.MethodPost:
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	m, err := wire.Parse(body)
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	case m.Kind != wire.Request:
		w.WriteHeader(http.StatusAccepted)
	case m.MethodName() == protocol.Initialize:
		if s.session != "" {
			w.Header().Set("Mcp-Session-Id", s.session)
		}
		writeJSON(w, 200, fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID.Of(body), webHello))
	default:
		s.call(w, r, string(m.ID.Of(body)), m)
	}
}

// seen gives the recorded requests for which keep says so.
func (s *webServer) seen(keep func(webRequest) bool) []webRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []webRequest
	for _, r := range s.requests {
		if keep(r) {
			list = append(list, r)
		}
	}
	return list
}

// await waits until a request for which keep says so has been recorded.
func (s *webServer) await(t *testing.T, what string, keep func(webRequest) bool) webRequest {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		if list := s.seen(keep); len(list) > 0 {
			return list[0]
		}
		select {
		case <-s.arrived:
		case <-deadline:
			t.Fatalf("no request seen: %s", what)
		}
	}
}

// posted selects POSTs whose body contains text.
func posted(text string) func(webRequest) bool {
	return func(r webRequest) bool { return r.method == http.MethodPost && strings.Contains(r.body, text) }
}

func writeJSON(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// writeEvents starts or continues an event stream.
func writeEvents(w http.ResponseWriter, events ...string) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "text/event-stream")
	}
	for _, e := range events {
		_, _ = io.WriteString(w, e)
	}
	w.(http.Flusher).Flush()
}

// event is one server-sent event with a message.
func event(message string) string { return "event: message\ndata: " + message + "\n\n" }

func textResult(id, text string) string {
	quoted, _ := json.Marshal(text)
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":%s}]}}`, id, quoted)
}

// dialWeb opens a connection that the test closes at its end, after which all its goroutines must be gone.
func dialWeb(t *testing.T, o httpOptions, ev *webEvents) conn {
	t.Helper()
	o.Log = zerolog.Nop()
	d, err := newHTTPDialer(o)
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.dial(t.Context(), webGreeting, ev)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { c.close(context.Background()) })
	return c
}

var webGreeting = greeting{capabilities: []byte(`{"sampling":{},"elicitation":{},"roots":{}}`), info: []byte(`{"name":"manifold","version":"test"}`)}

// noLeaks fails the test if goroutines remain when everything registered after it has been cleaned up.
func noLeaks(t *testing.T) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		deadline := time.Now().Add(5 * time.Second)
		for runtime.NumGoroutine() > before {
			if time.Now().After(deadline) {
				buf := make([]byte, 1<<20)
				t.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
				return
			}
			runtime.Gosched()
		}
	})
}

// webEvents records what a connection receives outside of any call.
type webEvents struct {
	mu      sync.Mutex
	lists   []string
	uris    []string
	strays  []string
	asks    []string
	flights []int // calls in flight at each ask
	reply   func(ctx context.Context, a *ask) ([]byte, error)
	changed chan struct{}
}

func newWebEvents() *webEvents { return &webEvents{changed: make(chan struct{}, 1000)} }

func (e *webEvents) note(to *[]string, text string) {
	e.mu.Lock()
	*to = append(*to, text)
	e.mu.Unlock()
	e.changed <- struct{}{}
}

func (e *webEvents) listChanged(method string)       { e.note(&e.lists, method) }
func (e *webEvents) updated(uri string, _ []byte)    { e.note(&e.uris, uri) }
func (e *webEvents) stray(method string, msg []byte) { e.note(&e.strays, method+" "+string(msg)) }

func (e *webEvents) ask(ctx context.Context, a *ask) ([]byte, error) {
	e.mu.Lock()
	e.flights = append(e.flights, len(a.inFlight))
	e.mu.Unlock()
	e.note(&e.asks, a.msg.MethodName())
	if e.reply == nil {
		return nil, protocol.ErrRefused
	}
	return e.reply(ctx, a)
}

// await waits until cond holds.
func (e *webEvents) await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		e.mu.Lock()
		ok := cond()
		e.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-e.changed:
		case <-deadline:
			t.Fatalf("did not happen: %s", what)
		}
	}
}

// webSink records what precedes an answer.
type webSink struct {
	mu       sync.Mutex
	messages []string
	detached []time.Duration
	reply    func(ctx context.Context, req wire.Message) ([]byte, error)
}

func (s *webSink) Notify(msg []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = append(s.messages, string(msg))
}

func (s *webSink) Detach(retry time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.detached = append(s.detached, retry)
}

func (s *webSink) Ask(ctx context.Context, req wire.Message) ([]byte, error) {
	if s.reply == nil {
		return nil, protocol.ErrRefused
	}
	return s.reply(ctx, req)
}

func (s *webSink) got() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

// webCall makes a client's call out of a raw request.
func webCall(t testing.TB, raw string, sink protocol.Sink) *protocol.Call {
	t.Helper()
	m, err := wire.Parse([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	if sink == nil {
		sink = &webSink{}
	}
	return &protocol.Call{Message: m, Method: m.MethodName(), Client: &protocol.Client{Key: "client"}, Sink: sink}
}

const webEcho = `{"jsonrpc":"2.0","id":"abc","method":"tools/call","params":{"name":"echo","arguments":{"text":"hi"}}}`

// answerText reads an answer of any form under the id "x" and frees it.
func answerText(t testing.TB, a *protocol.Answer) string {
	t.Helper()
	defer a.Close()
	if a.Stream == nil {
		return string(a.Append(nil, []byte(`"x"`)))
	}
	var b strings.Builder
	if _, err := wire.RelayResponse(&b, a.Stream, []byte(`"x"`), make([]byte, 32<<10)); err != nil {
		t.Fatalf("relay: %v", err)
	}
	return b.String()
}
