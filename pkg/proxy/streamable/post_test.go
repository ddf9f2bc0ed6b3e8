package streamable

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manifold-mcp/manifold/pkg/filter"
	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/proxy"
)

func say(s string) script {
	return func(context.Context, *protocol.Call) (*protocol.Answer, error) { return text(s), nil }
}

const (
	ping      = `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	pong      = `{"jsonrpc":"2.0","id":1,"result":{}}`
	initBody  = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}`
	notifBody = `{"jsonrpc":"2.0","method":"notifications/initialized"}`
)

func refusal(id string, code, message string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"error":{"code":` + code + `,"message":"` + message + `"}}`
}

func TestHTTPAnswers(t *testing.T) {
	g := start(t, options(), map[string]script{"t": say("hello")})
	session := g.initialize("2025-11-25")
	long := `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"` + strings.Repeat("x", 1<<20) + `"}}`
	answer := `{"jsonrpc":"2.0","id":"a","result":{"content":[{"type":"text","text":"hello"}]}}`
	tests := []struct {
		rule   string
		method string
		body   string
		header []string
		status int
		want   string
	}{
		{"a request in a session", "POST", call(`"a"`, "t"), []string{headerSession, session}, 200, answer},
		{"a request without a session works", "POST", call(`"a"`, "t"), nil, 200, answer},
		{"a notification", "POST", notifBody, []string{headerSession, session}, 202, ""},
		{"a response that nobody waits for", "POST", `{"jsonrpc":"2.0","id":1,"result":{}}`, []string{headerSession, session}, 202, ""},
		{"a session that is not ours", "POST", ping, []string{headerSession, "nope"}, 404, refusal("null", "-32600", "Session not found: initialize again")},
		{"a parameter of the media type does not matter", "POST", ping, []string{"Content-Type", "application/json; charset=utf-8"}, 200, pong},
		{"another media type", "POST", ping, []string{"Content-Type", "text/plain"}, 415, refusal("null", "-32600", "Content-Type must be application/json")},
		{"another Accept", "POST", ping, []string{"Accept", "text/html"}, 406, refusal("null", "-32600", "Accept must name application/json and text/event-stream")},
		{"no Accept gets JSON", "POST", ping, []string{"Accept", ""}, 200, pong},
		{"JSON alone", "POST", ping, []string{"Accept", "application/json"}, 200, pong},
		{"anything", "POST", ping, []string{"Accept", "*/*"}, 200, pong},
		{"every legacy revision in the header", "POST", ping, []string{headerRevision, "2024-11-05"}, 200, pong},
		{"a revision that does not exist", "POST", ping, []string{headerRevision, "2025-01-01"}, 400, refusal("null", "-32600", "MCP-Protocol-Version names a revision that this gateway does not speak")},
		{"a modern revision", "POST", ping, []string{headerRevision, "2026-07-28"}, 400,
			`{"jsonrpc":"2.0","id":null,"error":{"code":-32022,"message":"Unsupported protocol version","data":{"supported":["2024-11-05","2025-03-26","2025-06-18","2025-11-25"],"requested":"2026-07-28"}}}`},
		{"too large by its length", "POST", long, nil, 413, refusal("null", "-32600", "request body is larger than 1048576 bytes (--max-body-size)")},
		{"not JSON", "POST", `{"jsonrpc"`, nil, 400, ""},
		{"not a message, but with an id", "POST", `{"jsonrpc":"1.0","id":7,"method":"ping"}`, nil, 400, refusal("7", "-32600", `jsonrpc must be \"2.0\" at byte 11`)},
		{"keys twice", "POST", `{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}`, nil, 400, ""},
		{"initialize without a version", "POST", `{"jsonrpc":"2.0","id":5,"method":"initialize","params":{}}`, nil, 400, refusal("5", "-32602", "params.protocolVersion is missing")},
		{"a method of HTTP that is not ours", "PUT", "", nil, 405, refusal("null", "-32600", "use POST, GET or DELETE")},
		{"GET without a session", "GET", "", nil, 400, refusal("null", "-32600", "Mcp-Session-Id is missing: initialize first")},
		{"GET without SSE", "GET", "", []string{headerSession, session, "Accept", "application/json"}, 406, refusal("null", "-32600", "Accept must name text/event-stream")},
		{"GET in a session that is not ours", "GET", "", []string{headerSession, "nope"}, 404, refusal("null", "-32600", "Session not found: initialize again")},
		{"GET from a stream that is not kept", "GET", "", []string{headerSession, session, headerLastID, "abc.7-3"}, 400, refusal("null", "-32600", "Last-Event-ID names a stream that is not kept any more: send the request again")},
		{"DELETE without a session", "DELETE", "", nil, 400, refusal("null", "-32600", "Mcp-Session-Id is missing")},
		{"DELETE of a session that is not ours", "DELETE", "", []string{headerSession, "nope"}, 404, refusal("null", "-32600", "Session not found: initialize again")},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			res := g.do(t.Context(), tt.method, tt.body, tt.header...)
			body := read(t, res)
			if res.StatusCode != tt.status || tt.want != "" && body != tt.want {
				t.Errorf("got %s\n%s", res.Status, cmp.Diff(tt.want, body))
			}
			if body != "" && res.Header.Get("Content-Type") != "application/json" {
				t.Errorf("Content-Type is %s", res.Header.Get("Content-Type"))
			}
		})
	}
}

func TestChunkedBodyTooLarge(t *testing.T) {
	g := start(t, options(), nil)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url, io.MultiReader(strings.NewReader(strings.Repeat(" ", 1<<20)), strings.NewReader(ping)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", both)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body := read(t, res); res.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(body, "--max-body-size") {
		t.Errorf("got %s %s", res.Status, body)
	}
}

func TestSessionLife(t *testing.T) {
	opts := options()
	opts.Default, _ = filter.ParseExpr("web")
	g := start(t, opts, map[string]script{"t": say("hello")})
	first := g.initialize("2025-06-18")

	res := g.post(initBody, headerSession, "stale")
	if second := res.Header.Get(headerSession); res.StatusCode != 200 || second == "" || second == first {
		t.Errorf("initialize with a stale session id: %s, session %q", res.Status, second)
	}
	read(t, res)

	again := start(t, opts, map[string]script{"t": say("again")}) // as after a restart: same key, empty memory
	if body := read(t, again.post(call("1", "t"), headerSession, first)); !strings.Contains(body, "again") {
		t.Errorf("after a restart: %s", body)
	}

	if res := g.do(t.Context(), http.MethodDelete, "", headerSession, first); res.StatusCode != http.StatusOK {
		t.Errorf("DELETE: %s", res.Status)
	}
	for _, method := range []string{"POST", "GET", "DELETE"} {
		if res := g.do(t.Context(), method, ping, headerSession, first); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s after DELETE: %s", method, res.Status)
		}
	}
}

func TestPrincipalsDoNotShareSessions(t *testing.T) {
	opts := options()
	opts.Principal = func(r *http.Request) string { return r.Header.Get("X-User") }
	g := start(t, opts, nil)
	res := g.post(initBody, "X-User", "ann")
	read(t, res)
	session := res.Header.Get(headerSession)
	for user, status := range map[string]int{"ann": 200, "bob": 404, "": 404} {
		if res := g.post(ping, headerSession, session, "X-User", user); res.StatusCode != status {
			t.Errorf("%q: %s", user, res.Status)
		}
	}
}

func TestSelection(t *testing.T) {
	opts := options()
	opts.Preset = func(name string) (filter.Expr, bool) {
		e, err := filter.ParseExpr("other")
		return e, err == nil && name == "dev"
	}
	g := start(t, opts, map[string]script{"t": say("hello")})
	base := g.url
	for query, want := range map[string]string{
		"?tags=web":      `"name":"t"`,
		"?tags=other":    `"tools":[]`,
		"?preset=dev":    `"tools":[]`,
		"?preset=nope":   `-32602`,
		"?filter=((":     `-32602`,
		"?unknown=1":     `"name":"t"`,
		"?pagination=no": `"name":"t"`,
	} {
		g.url = base + "/" + query
		if body := read(t, g.post(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)); !strings.Contains(body, want) {
			t.Errorf("%s without a session: %s", query, body)
		}
		res := g.post(initBody)
		if body := read(t, res); (res.StatusCode == http.StatusBadRequest) != (want == "-32602") {
			t.Errorf("%s initialize: %s %s", query, res.Status, body)
			continue
		}
		g.url = base // the session keeps what was selected
		if s := res.Header.Get(headerSession); s != "" {
			if body := read(t, g.post(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, headerSession, s)); !strings.Contains(body, want) {
				t.Errorf("%s in its session: %s", query, body)
			}
		}
	}
}

func TestBatches(t *testing.T) {
	g := start(t, options(), map[string]script{"a": say("A"), "b": say("B"), "noisy": func(_ context.Context, c *protocol.Call) (*protocol.Answer, error) {
		c.Sink.Notify(notification("1"))
		return text("N"), nil
	}, "large": func(context.Context, *protocol.Call) (*protocol.Answer, error) {
		return &protocol.Answer{Stream: io.NopCloser(strings.NewReader(`{"jsonrpc":"2.0","id":1,"result":"large"}`))}, nil
	}})
	old, new_ := g.initialize("2025-03-26"), g.initialize("2025-06-18")
	tests := []struct {
		rule, body, session string
		status              int
		want                []string
	}{
		{"each request is answered", `[` + call("1", "a") + `,` + call("2", "b") + `]`, old, 200, []string{`[{`, `"id":1,"result":{"content":[{"type":"text","text":"A"}]}`, `"id":2,`, `}]`}},
		{"one alone is an array, too", `[` + call("1", "a") + `]`, old, 200, []string{`[{"jsonrpc":"2.0","id":1,`}},
		{"a large answer is put in whole", `[` + call("9", "large") + `,` + ping + `]`, old, 200, []string{`{"jsonrpc":"2.0","id":9,"result":"large"}`, pong}},
		{"notifications and responses alone", `[` + notifBody + `,{"jsonrpc":"2.0","id":1,"result":{}}]`, old, 202, nil},
		{"mixed", `[` + notifBody + `,` + ping + `]`, old, 200, []string{`[` + pong + `]`}},
		{"what is no message is answered beside the others", `[1,{"jsonrpc":"2.0","id":8},` + ping + `]`, old, 200, []string{pong, `"id":null,"error":{"code":-32600`, `"id":8,"error":{"code":-32600`}},
		{"even alone", `[1]`, old, 200, []string{`[{"jsonrpc":"2.0","id":null,"error":{"code":-32600`}},
		{"without a session the revision is assumed", `[` + ping + `]`, "", 200, []string{`[` + pong + `]`}},
		{"empty", `[]`, old, 400, []string{`-32600`}},
		{"too many", `[` + ping + strings.Repeat(`,`+ping, 5) + `]`, old, 413, []string{`a batch may hold 5 messages (--max-batch)`}},
		{"not JSON", `[` + ping, old, 400, []string{`-32700`}},
		{"initialize is no part of a batch", `[` + initBody + `]`, old, 400, []string{`initialize must not be part of a batch`}},
		{"of another revision", `[` + ping + `]`, new_, 400, []string{`batches belong to revision 2025-03-26 only`}},
		{"in a session that is not ours", `[` + ping + `]`, "nope", 404, []string{`Session not found`}},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			res := g.post(tt.body, headerSession, tt.session)
			body := read(t, res)
			if res.StatusCode != tt.status {
				t.Errorf("got %s %s", res.Status, body)
			}
			for _, part := range tt.want {
				if !strings.Contains(body, part) {
					t.Errorf("%s lacks %s", body, part)
				}
			}
		})
	}
	s := stream_(t, g.post(`[`+call("1", "noisy")+`,7,`+call("2", "noisy")+`]`, headerSession, old))
	var got []string
	for range 5 {
		got = append(got, string(s.next().Data))
	}
	s.end()
	all := strings.Join(got, "\n")
	for _, part := range []string{`"id":1,"result"`, `"id":2,"result"`, `"id":null,"error"`} {
		if strings.Count(all, part) != 1 {
			t.Errorf("a batch with notifications: %s lacks %s", all, part)
		}
	}
}

// broken is an upstream's answer that breaks in the middle.
type broken struct {
	io.Reader
	closed chan struct{}
}

func (b *broken) Close() error { close(b.closed); return nil }

func TestLargeAnswersAreCopiedThrough(t *testing.T) {
	payload := strings.Repeat("x", 8<<20)
	closed := make(chan struct{})
	whole := func(context.Context, *protocol.Call) (*protocol.Answer, error) {
		return &protocol.Answer{Stream: &broken{strings.NewReader(`{"jsonrpc":"2.0","result":{"t":"` + payload + `"},"id":99}`), closed}}, nil
	}
	part := func(n int) script {
		return func(context.Context, *protocol.Call) (*protocol.Answer, error) {
			return &protocol.Answer{Stream: &broken{io.MultiReader(strings.NewReader(`{"jsonrpc":"2.0","id":99,"result":{"t":"`+payload[:n]), errReader{}), make(chan struct{})}}, nil
		}
	}
	nothing := func(context.Context, *protocol.Call) (*protocol.Answer, error) {
		return &protocol.Answer{Stream: &broken{errReader{}, make(chan struct{})}}, nil
	}
	g := start(t, options(), map[string]script{"whole": whole, "middle": part(4 << 20), "nothing": nothing})
	if body := read(t, g.post(call(`"é"`, "whole"))); body != `{"jsonrpc":"2.0","result":{"t":"`+payload+`"},"id":"é"}` {
		t.Errorf("got %d bytes: %.100s", len(body), body)
	}
	<-closed
	res := g.post(call("1", "middle"))
	if b, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("an answer that broke in the middle looks whole: %d bytes", len(b))
	}
	if body := read(t, g.post(call("1", "nothing"))); body != refusal("1", "-32603", "the server's answer could not be read") {
		t.Errorf("an answer that broke before anything was sent: %.200s", body)
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

func TestClientsThatTakeOneKind(t *testing.T) {
	noisy := func(ctx context.Context, c *protocol.Call) (*protocol.Answer, error) {
		c.Sink.Notify(notification("1"))
		if _, err := c.Sink.Ask(ctx, mustSkim(sampling)); !errors.Is(err, protocol.ErrRefused) {
			return text("was asked"), nil
		}
		return text("done"), nil
	}
	opts := options()
	opts.Silence = time.Millisecond
	g := start(t, opts, map[string]script{"noisy": noisy, "quiet": say("q")})
	session := g.initialize("2025-06-18")
	for _, header := range [][]string{{"Accept", "application/json"}, {"Accept", "application/json", headerSession, session}} {
		if body := read(t, g.post(call("1", "noisy"), header...)); !strings.HasPrefix(body, `{`) || !strings.Contains(body, "done") {
			t.Errorf("JSON alone, %v: %s", header, body)
		}
	}
	sse := []string{"Accept", "text/event-stream"}
	s := stream_(t, g.post(call("1", "quiet"), append(sse, headerSession, session)...))
	s.want(`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"q"}]}}`)
	s.end()
	s = stream_(t, g.post(initBody, sse...))
	if ev := s.next(); !strings.Contains(string(ev.Data), "serverInfo") {
		t.Errorf("initialize: %s", ev.Data)
	}
	s.end()
}

var _ proxy.Standing = (*conversation)(nil)

// A query that cannot be read must not be dropped, and its filter with it.
func TestUnreadableQueriesAreRefused(t *testing.T) {
	e := New(nil, options())
	for _, query := range []string{"tags=web;x", "tags=web%zz", "tags=web%"} {
		r := httptest.NewRequest(http.MethodPost, "/mcp", nil)
		r.URL.RawQuery = query
		if _, _, f := e.selection(r); f == nil || f.status != http.StatusBadRequest {
			t.Errorf("?%s: %+v", query, f)
		}
	}
}
