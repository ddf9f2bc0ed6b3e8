package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/manifold-mcp/manifold/internal/testkit"
)

// TestBatches: 2025-03-26 clients may send batches and get one answer per request; later revisions have none.
func TestBatches(t *testing.T) {
	t.Parallel()
	g := start(t, map[string]any{"stdio": stdio(t, role{Name: "stdio"}), "streamable": streamable(t, newActor(role{Name: "streamable"}))},
		"--max-batch", "10")
	old := connectAs(t, g, "/mcp", testkit.Greeting{Version: "2025-03-26"}, nil)
	await(t, old, "stdio__mirror", "streamable__mirror")
	batch := func(messages ...[]byte) []byte {
		return append(append([]byte{'['}, bytes.Join(messages, []byte(","))...), ']')
	}
	post := func(t *testing.T, c *testkit.Streamable, body []byte) (*http.Response, []json.RawMessage, string) {
		t.Helper()
		res, err := c.Post(deadline(t), body)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		var answers []json.RawMessage
		if strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
			events := testkit.NewEvents(bytes.NewReader(text))
			for ev, err := events.Next(); err == nil; ev, err = events.Next() {
				if m, err := testkit.Parse(ev.Data); len(ev.Data) > 0 && err == nil && m.IsResponse() {
					answers = append(answers, ev.Data)
				}
			}
		} else {
			_ = json.Unmarshal(text, &answers)
		}
		return res, answers, string(text)
	}

	t.Run("requests and notifications", func(t *testing.T) {
		for _, meta := range []string{``, `,"_meta":{"progressToken":"t"}`} {
			res, answers, text := post(t, old, batch(
				testkit.Request("1", "ping", ""),
				testkit.Notification("notifications/roots/list_changed", ""),
				testkit.Request(`"two"`, "tools/call", `{"name":"stdio__progress","arguments":{"n":1,"nonce":"a"}`+meta+`}`),
				testkit.Request("3", "tools/call", `{"name":"streamable__progress","arguments":{"n":1,"nonce":"b"}`+meta+`}`),
				testkit.Request("4", "no/such/method", ""),
			))
			if res.StatusCode != http.StatusOK || len(answers) != 4 {
				t.Fatalf("%s with %d answers, want 200 with 4: %s", res.Status, len(answers), text)
			}
			byID := map[string]json.RawMessage{}
			for _, a := range answers {
				byID[string(testkit.Get(a, "id"))] = a
			}
			if said(testkit.Get(byID[`"two"`], "result")) != "a" || said(testkit.Get(byID["3"], "result")) != "b" ||
				testkit.Get(byID["1"], "result") == nil || testkit.GetInt(byID["4"], "error", "code") != -32601 {
				t.Errorf("wrong answers: %s", text)
			}
		}
	})
	t.Run("notifications only", func(t *testing.T) {
		if res, _, text := post(t, old, batch(testkit.Notification("notifications/roots/list_changed", ""))); res.StatusCode != http.StatusAccepted || text != "" {
			t.Errorf("%s %s, want 202 and nothing", res.Status, text)
		}
	})
	many := slices.Repeat([][]byte{testkit.Request("1", "ping", "")}, 11)
	for rule, body := range map[string][]byte{
		"more than the limit":   batch(many...),
		"empty":                 batch(),
		"with initialize":       batch(testkit.Request("1", "initialize", `{"protocolVersion":"2025-03-26","capabilities":{}}`)),
		"of something else":     []byte(`[1]`),
		"in a batch":            []byte(`[[` + string(testkit.Request("1", "ping", "")) + `]]`),
		"with a duplicate key":  []byte(`[{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}]`),
		"with trailing garbage": append(batch(testkit.Request("1", "ping", "")), '{'),
	} {
		t.Run("refused/"+rule, func(t *testing.T) {
			res, answers, text := post(t, old, body)
			// JSON-RPC 2.0 §6 answers a batch of things that are no requests by as many errors.
			onlyErrors := len(answers) > 0 && !slices.ContainsFunc(answers, func(a json.RawMessage) bool { return testkit.Get(a, "error") == nil })
			if res.StatusCode/100 != 4 && !onlyErrors {
				t.Errorf("%s, want 4xx or errors alone: %s", res.Status, text)
			}
			if rule == "more than the limit" && (!strings.Contains(text, "10") || !strings.Contains(text, "--max-batch")) {
				t.Errorf("the error names neither the limit nor its setting: %s", text)
			}
		})
	}
	for _, version := range []string{"2025-06-18", "2025-11-25"} {
		t.Run("refused in "+version, func(t *testing.T) {
			c := connectAs(t, g, "/mcp", testkit.Greeting{Version: version}, nil)
			if res, _, text := post(t, c, batch(testkit.Request("1", "ping", ""))); res.StatusCode != http.StatusBadRequest {
				t.Errorf("%s, want 400: %s", res.Status, text)
			}
		})
	}
}

// TestForeignSitesAreRefused: a wrong Origin or Host is answered 403 for every method, before anything else is looked at
// (2025-11-25 transports, "Security Warning"; security-reliability S6, S7).
func TestForeignSitesAreRefused(t *testing.T) {
	t.Parallel()
	g := start(t, map[string]any{"stdio": stdio(t, role{Name: "stdio"})})
	c := connect(t, g, "/mcp")
	_, port, _ := net.SplitHostPort(g.Addr())
	session := http.Header{"Mcp-Session-Id": {c.Session}, "Mcp-Protocol-Version": {newest}}
	targets := []struct{ method, path, body string }{
		{http.MethodPost, "/mcp", string(testkit.Request("1", "ping", ""))},
		{http.MethodGet, "/mcp", ""},
		{http.MethodDelete, "/mcp", ""},
		{http.MethodOptions, "/mcp", ""},
		{http.MethodGet, "/sse", ""},
		{http.MethodOptions, "/sse", ""},
		{http.MethodPost, "/messages", string(testkit.Request("1", "ping", ""))},
		{http.MethodOptions, "/messages", ""},
	}
	for _, target := range targets {
		for _, bad := range []struct{ header, value string }{
			{"Origin", "https://evil.example"},
			{"Origin", "null"},
			{"Origin", "http://127.0.0.1.evil.example:" + port},
			{"Origin", "http://localhost@evil.example"},
			{"Origin", "file://"},
			{"Host", "attacker.example"},
			{"Host", "attacker.example:" + port},
			{"Host", "127.0.0.1.nip.io:" + port},
			{"Host", "localhost.evil.example"},
		} {
			h := session.Clone()
			h.Set(bad.header, bad.value)
			res, text := exchange(t, g, target.method, target.path, target.body, h)
			if res.StatusCode != http.StatusForbidden {
				t.Errorf("%s %s with %s: %s gave %s, want 403: %s", target.method, target.path, bad.header, bad.value, res.Status, text)
			}
			if allow := res.Header.Get("Access-Control-Allow-Origin"); allow != "" {
				t.Errorf("%s %s with %s: %s is allowed for %s", target.method, target.path, bad.header, bad.value, allow)
			}
		}
	}
	for _, good := range []struct{ header, value string }{
		{"Origin", g.URL("")}, {"Origin", "http://localhost:" + port}, {"Host", "localhost:" + port}, {"Host", "[::1]:" + port},
	} {
		h := session.Clone()
		h.Set(good.header, good.value)
		if res, text := exchange(t, g, http.MethodPost, "/mcp", string(testkit.Request("1", "ping", "")), h); res.StatusCode != http.StatusOK {
			t.Errorf("%s: %s gave %s, want 200: %s", good.header, good.value, res.Status, text)
		}
	}
	do(t, c, testkit.Request("1", "ping", "")) // and no DELETE had an effect
}

// TestMalformedBodies: what cannot be read in one way only is refused before anybody acts on it (security-reliability S12, S21).
func TestMalformedBodies(t *testing.T) {
	t.Parallel()
	g := start(t, map[string]any{"stdio": stdio(t, role{Name: "stdio"})})
	c := connect(t, g, "/mcp")
	await(t, c, "stdio__mirror")
	for rule, body := range map[string]string{
		"duplicate name":                      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"stdio__mirror","name":"other"}}`,
		"duplicate name by an escape":         `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"stdio__mirror","\u006eame":"other"}}`,
		"duplicate method":                    `{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}`,
		"duplicate id":                        `{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}`,
		"duplicate params":                    `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"},"params":{"name":"b"}}`,
		"duplicate key deep in arguments":     `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"stdio__mirror","arguments":{"a":[{"x":1,"x":2}]}}}`,
		"depth bomb of arrays":                `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`,
		"depth bomb of objects":               `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":` + strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000) + `}`,
		"unclosed depth bomb":                 strings.Repeat("[", 1_000_000),
		"trailing object":                     `{"jsonrpc":"2.0","id":1,"method":"ping"}{"jsonrpc":"2.0","id":2,"method":"tools/list"}`,
		"trailing garbage":                    `{"jsonrpc":"2.0","id":1,"method":"ping"}x`,
		"invalid UTF-8":                       "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"\xff\"}}",
		"a byte order mark":                   "\ufeff" + `{"jsonrpc":"2.0","id":1,"method":"ping"}`,
		"a comment":                           `{"jsonrpc":"2.0",/* hello */"id":1,"method":"ping"}`,
		"a trailing comma":                    `{"jsonrpc":"2.0","id":1,"method":"ping",}`,
		"NaN":                                 `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"n":NaN}}`,
		"a leading zero":                      `{"jsonrpc":"2.0","id":01,"method":"ping"}`,
		"no version":                          `{"id":1,"method":"ping"}`,
		"another version":                     `{"jsonrpc":"1.0","id":1,"method":"ping"}`,
		"an object as id":                     `{"jsonrpc":"2.0","id":{},"method":"ping"}`,
		"a method that is no string":          `{"jsonrpc":"2.0","id":1,"method":1}`,
		"a name in another case":              `{"jsonrpc":"2.0","ID":1,"Method":"ping"}`,
		"a second name in another case":       `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"stdio__mirror","Name":"nobody"}}`,
		"nothing":                             ``,
		"white space":                         "  \n",
		"a string":                            `"ping"`,
		"a response with result and error":    `{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}`,
		"a raw control character in a string": "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"pi\nng\"}",
	} {
		t.Run(rule, func(t *testing.T) {
			res, err := c.Post(deadline(t), []byte(body))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = res.Body.Close() }()
			text, _ := io.ReadAll(io.LimitReader(res.Body, 4<<10))
			if res.StatusCode != http.StatusBadRequest {
				t.Errorf("%s, want 400: %s", res.Status, text)
			}
			if code := testkit.GetInt(text, "error", "code"); code != -32700 && code != -32600 {
				t.Errorf("want the JSON-RPC error -32700 or -32600, got %s", text)
			}
		})
	}
	do(t, c, testkit.Request("1", "ping", ""))
}

// TestLargeBodies: a body over the limit is answered 413 at once, with the limit and its setting.
func TestLargeBodies(t *testing.T) {
	t.Parallel()
	g := start(t, map[string]any{"stdio": stdio(t, role{Name: "stdio"})}, "--max-body-size", "1MiB")
	c := connect(t, g, "/mcp")
	await(t, c, "stdio__mirror")
	fits := `{"text":"` + strings.Repeat("x", 1<<20-400) + `"}`
	call(t, c, "stdio__mirror", fits)
	const size = 64 << 20
	for rule, framing := range map[string]string{
		"with its length": fmt.Sprintf("Content-Length: %d", size),
		"chunked":         "Transfer-Encoding: chunked",
	} {
		t.Run(rule, func(t *testing.T) {
			res, text := pour(t, g, size, framing, "Mcp-Session-Id: "+c.Session)
			if res.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(text, "1048576") && !strings.Contains(text, "1 MiB") ||
				!strings.Contains(text, "--max-body-size") {
				t.Errorf("%s %s, want 413 with the limit and --max-body-size", res.Status, text)
			}
		})
	}
	t.Run("by HTTP+SSE", func(t *testing.T) {
		s := connectSSE(t, g, "/sse", testkit.Greeting{Version: newest}, nil)
		err := s.Send(deadline(t), testkit.ToolCall("1", "stdio__mirror", `{"text":"`+strings.Repeat("x", 1<<20)+`"}`))
		if err == nil || !strings.Contains(err.Error(), "413") {
			t.Errorf("want 413, got %v", err)
		}
	})
}

// pour posts so many bytes without waiting for leave, as many clients do, and gives the answer, which must come within 2 s
// however much is still to be sent.
func pour(t *testing.T, g *testkit.Gateway, size int, header ...string) (*http.Response, string) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(deadline(t), "tcp", g.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	header = append(header, "Content-Type: application/json", "Accept: application/json, text/event-stream")
	if _, err := io.WriteString(conn, rawRequest(http.MethodPost, "/mcp", g.Addr(), "", header...)); err != nil {
		t.Fatal(err)
	}
	go func() { // until the agent hangs up
		block := bytes.Repeat([]byte(" "), 1<<20)
		for range size / len(block) {
			if strings.HasPrefix(header[0], "Transfer") {
				_, _ = fmt.Fprintf(conn, "%x\r\n%s\r\n", len(block), block)
			} else {
				_, _ = conn.Write(block)
			}
		}
	}()
	within := 2 * time.Second
	if testkit.RaceEnabled {
		within = 15 * time.Second
	}
	_ = conn.SetReadDeadline(time.Now().Add(within))
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 4<<10)) // the connection may be reset behind it
	return res, string(text)
}

// TestWrongMediaTypes: what is not JSON, or packed, is not read; what cannot be accepted is not sent.
func TestWrongMediaTypes(t *testing.T) {
	t.Parallel()
	g := start(t, map[string]any{"stdio": stdio(t, role{Name: "stdio"})})
	c := connect(t, g, "/mcp")
	ping := string(testkit.Request("1", "ping", ""))
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = io.WriteString(z, ping)
	_ = z.Close()
	for _, row := range []struct {
		rule, body string
		header     http.Header
		want       []int
	}{
		{"text", ping, http.Header{"Content-Type": {"text/plain"}}, []int{415}},
		{"a form", ping, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, []int{415}},
		{"no type", ping, http.Header{"Content-Type": nil}, []int{415}},
		{"with a charset", ping, http.Header{"Content-Type": {"application/json; charset=utf-8"}}, []int{200}},
		{"packed", packed.String(), http.Header{"Content-Encoding": {"gzip"}}, []int{400, 415}},
		{"accepts pictures only", ping, http.Header{"Accept": {"image/png"}}, []int{406}},
		{"an unknown revision", ping, http.Header{"Mcp-Protocol-Version": {"2019-01-01"}}, []int{400}},
	} {
		h := row.header.Clone()
		h.Set("Mcp-Session-Id", c.Session)
		if res, text := exchange(t, g, http.MethodPost, "/mcp", row.body, h); !slices.Contains(row.want, res.StatusCode) {
			t.Errorf("%s: %s, want %v: %s", row.rule, res.Status, row.want, text)
		}
	}
	if res, _ := exchange(t, g, http.MethodPut, "/mcp", ping, nil); res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("PUT: %s, want 405", res.Status)
	}
}

// TestClientsSecretsStayHere: what a client authenticates with never reaches a server (security-reliability S2).
func TestClientsSecretsStayHere(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen []http.Header
	record := func(h http.Handler) string {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			seen = append(seen, r.Header.Clone())
			mu.Unlock()
			h.ServeHTTP(w, r)
		}))
		t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
		return srv.URL
	}
	g := start(t, map[string]any{
		"streamable": entry{"type": "http", "url": record(newActor(role{Name: "streamable"}).Streamable()) + "/mcp", "headers": map[string]string{"X-Own": "of the server"}},
		"sse":        entry{"type": "sse", "url": record(newActor(role{Name: "sse"}).SSE()) + "/sse"},
	})
	c := testkit.NewStreamable(g.URL("/mcp"), nil)
	secrets := http.Header{
		"Authorization": {"Bearer client-secret"}, "Cookie": {"sid=client-secret"}, "X-Api-Key": {"client-secret"},
		"Proxy-Authorization": {"Basic client-secret"}, "X-Forwarded-For": {"198.51.100.7"},
	}
	c.Header = secrets
	if _, err := testkit.Shake(deadline(t), c, testkit.Greeting{Version: newest}); err != nil {
		t.Fatal(err)
	}
	await(t, c, "streamable__mirror", "sse__mirror")
	call(t, c, "streamable__mirror", `{}`)
	call(t, c, "sse__mirror", `{}`)
	mu.Lock()
	defer mu.Unlock()
	own := false
	for _, h := range seen {
		own = own || h.Get("X-Own") != ""
		text := fmt.Sprint(h)
		for _, secret := range []string{"client-secret", "198.51.100.7", c.Session} {
			if strings.Contains(text, secret) {
				t.Errorf("a server saw %s", text)
			}
		}
	}
	if !own {
		t.Error("the headers of the configuration did not reach the server")
	}
}
