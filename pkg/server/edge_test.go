package server

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"
)

// edge is a server with one handler on /mcp and its log.
type edge struct {
	*Server
	log  *lines
	hits int
}

// lines is a log that may be read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) all(t *testing.T) []map[string]any {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []map[string]any
	for line := range bytes.Lines(l.buf.Bytes()) {
		m := map[string]any{}
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		list = append(list, m)
	}
	return list
}

func newEdge(t *testing.T, cfg Config) *edge {
	t.Helper()
	e := &edge{log: &lines{}}
	s, err := New(cfg, zerolog.New(e.log))
	if err != nil {
		t.Fatal(err)
	}
	e.Server = s
	s.Mount("/mcp", []string{"GET", "POST", "DELETE"}, MCP, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.hits++
		_, _ = io.WriteString(w, "ok "+r.RemoteAddr)
	}))
	s.Mount("/health", []string{"GET", "HEAD"}, Health, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "fine")
	}))
	return e
}

// do sends one request; headers are "Name: value", where Host sets the host.
func (e *edge) do(t *testing.T, method, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	r.Host = "127.0.0.1:3050"
	r.RemoteAddr = "192.0.2.1:1234"
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		switch name {
		case "Host":
			r.Host = value
		case "Peer":
			r.RemoteAddr = value
		default:
			r.Header.Add(name, value)
		}
	}
	w := httptest.NewRecorder()
	e.Handler().ServeHTTP(w, r)
	return w
}

// code is the error code of an answer of the edge itself.
func code(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var body struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.Error.Message == "" || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("body %q of type %q is not an error: %v", w.Body, w.Header().Get("Content-Type"), err)
	}
	return body.Error.Code
}

func TestHostGuardAgainstRebinding(t *testing.T) {
	for _, c := range []struct {
		rule string
		cfg  Config
		host string
		want int
	}{
		{"loopback address with port", Config{}, "127.0.0.1:3050", 200},
		{"loopback name", Config{}, "localhost:3050", 200},
		{"loopback name in capitals, fully qualified", Config{}, "LocalHost.:3050", 200},
		{"loopback IPv6", Config{}, "[::1]:3050", 200},
		{"another loopback address", Config{}, "127.0.0.2", 200},
		{"name of the attacker", Config{}, "attacker.example", 403},
		{"name of the attacker that begins like ours", Config{}, "localhost.attacker.example:3050", 403},
		{"name of the attacker that ends like ours", Config{}, "evil-localhost", 403},
		{"another address although bound to loopback", Config{}, "10.0.0.5:3050", 403},
		{"userinfo is not a name", Config{}, "localhost@attacker.example", 403},
		{"health check of HTTP/1.0, without Host", Config{}, "", 200},
		{"health check by address, bound to all", Config{Host: "0.0.0.0"}, "10.0.0.5:3050", 200},
		{"health check by address, bound to all IPv6", Config{Host: "::"}, "[fd00::5]:3050", 200},
		{"name of the attacker, bound to all", Config{Host: "0.0.0.0"}, "attacker.example", 403},
		{"the name that is bound to", Config{Host: "gw.lan"}, "gw.lan:3050", 200},
		{"behind a proxy: host of the external URL", Config{ExternalURL: "https://mcp.example.com/x"}, "MCP.example.com", 200},
		{"allowed host", Config{AllowedHosts: []string{"manifold"}}, "manifold:3050", 200},
		{"allowed host on one port only", Config{AllowedHosts: []string{"manifold:81"}}, "manifold:82", 403},
		{"allowed domain", Config{AllowedHosts: []string{"*.example.com"}}, "a.b.example.com:443", 200},
		{"a domain does not allow itself", Config{AllowedHosts: []string{"*.example.com"}}, "example.com", 403},
		{"a domain does not allow what ends like it", Config{AllowedHosts: []string{"*.example.com"}}, "evilexample.com", 403},
		{"any host, if the operator says so", Config{AllowedHosts: []string{"*"}}, "attacker.example", 200},
	} {
		for _, method := range []string{"GET", "POST", "DELETE", "OPTIONS"} {
			e := newEdge(t, c.cfg)
			w := e.do(t, method, "/mcp", "Host: "+c.host)
			want := c.want
			if want == 200 && method == "OPTIONS" {
				want = 204
			}
			if w.Code != want {
				t.Errorf("%s: %s with Host %q: %d, want %d", c.rule, method, c.host, w.Code, want)
			}
			if c.want == 403 && (code(t, w) != "host_not_allowed" || e.hits != 0 || !strings.Contains(w.Body.String(), "--external-url")) {
				t.Errorf("%s: %s after %d hits", c.rule, w.Body, e.hits)
			}
		}
	}
}

func TestOriginGuardOnEveryMethodAndRoute(t *testing.T) {
	loopback, all := Config{}, Config{Host: "0.0.0.0"}
	app := Config{AllowedOrigins: []string{"https://App.example.com:443/"}}
	for _, c := range []struct {
		rule, origin, host string
		cfg                Config
		ok                 bool
	}{
		{"a page of this machine", "http://localhost:6274", "127.0.0.1:3050", loopback, true},
		{"a page of this machine over IPv6", "http://[::1]:80", "localhost:3050", loopback, true},
		{"a page of somewhere else", "https://evil.example", "127.0.0.1:3050", loopback, false},
		{"a page without an origin", "null", "127.0.0.1:3050", loopback, false},
		{"an empty origin", "", "127.0.0.1:3050", loopback, false},
		{"a page of a browser extension", "chrome-extension://abc", "127.0.0.1:3050", loopback, false},
		{"an origin that begins like this machine", "http://localhost.evil.example", "127.0.0.1:3050", loopback, false},
		{"an origin that hides in userinfo", "http://localhost@evil.example", "127.0.0.1:3050", loopback, false},
		{"an origin with a path is none", "http://localhost/x", "127.0.0.1:3050", loopback, false},
		{"the gateway's own page", "http://10.0.0.5:3050", "10.0.0.5:3050", all, true},
		{"a page of the same address on another port", "http://10.0.0.5:8080", "10.0.0.5:3050", all, false},
		{"a page of the caller's machine on a remote gateway", "http://localhost:6274", "10.0.0.5:3050", all, false},
		{"a page of this machine on a gateway bound to all", "http://localhost:6274", "localhost:3050", all, true},
		{"the external URL", "https://mcp.example.com", "mcp.example.com", Config{ExternalURL: "https://mcp.example.com/base"}, true},
		{"the external URL by another scheme", "gopher://mcp.example.com", "mcp.example.com", Config{ExternalURL: "https://mcp.example.com"}, false},
		{"an allowed origin", "https://app.example.com", "127.0.0.1:3050", app, true},
		{"an allowed origin on another port", "https://app.example.com:8443", "127.0.0.1:3050", app, false},
		{"any origin, if the operator says so", "https://evil.example", "127.0.0.1:3050", Config{AllowedOrigins: []string{"*"}}, true},
		{"no page even then", "null", "127.0.0.1:3050", Config{AllowedOrigins: []string{"*"}}, false},
	} {
		for _, method := range []string{"GET", "POST", "DELETE", "OPTIONS", "PUT"} {
			for _, path := range []string{"/mcp", "/mcp/", "/nowhere"} {
				e := newEdge(t, c.cfg)
				w := e.do(t, method, path, "Host: "+c.host, "Origin: "+c.origin)
				echo := w.Header().Get("Access-Control-Allow-Origin")
				if forbidden := w.Code == 403; forbidden == c.ok || c.ok != (echo == c.origin && echo != "") {
					t.Errorf("%s: %s %s from %q: %d, allow-origin %q", c.rule, method, path, c.origin, w.Code, echo)
				}
				if !c.ok && (e.hits != 0 || code(t, w) != "origin_not_allowed") {
					t.Errorf("%s: refused, after %d hits, with %s", c.rule, e.hits, w.Body)
				}
				if c.ok && w.Header().Get("Vary") == "" {
					t.Errorf("%s: no Vary", c.rule)
				}
				if w.Header().Get("Access-Control-Allow-Credentials") != "" {
					t.Errorf("%s: credentials allowed", c.rule)
				}
			}
		}
	}
	e := newEdge(t, loopback)
	if w := e.do(t, "POST", "/mcp", "Origin: http://localhost", "Origin: https://evil.example"); w.Code != 403 {
		t.Errorf("two origins: %d", w.Code)
	}
}

func TestPreflight(t *testing.T) {
	e := newEdge(t, Config{})
	w := e.do(t, "OPTIONS", "/mcp", "Origin: http://localhost:6274", "Access-Control-Request-Method: POST",
		"Access-Control-Request-Headers: content-type, mcp-param-region, x-evil, mcp-param-, MCP-Param-\"x")
	if w.Code != 204 || e.hits != 0 || w.Body.Len() != 0 {
		t.Errorf("%d after %d hits: %s", w.Code, e.hits, w.Body)
	}
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin":  "http://localhost:6274",
		"Access-Control-Allow-Methods": "GET, POST, DELETE, OPTIONS",
		"Access-Control-Allow-Headers": corsHeaders + ", mcp-param-region",
		"Vary":                         "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	w = e.do(t, "GET", "/mcp", "Origin: http://localhost:6274")
	if got := w.Header().Get("Access-Control-Expose-Headers"); !strings.Contains(got, "Mcp-Session-Id") || !strings.Contains(got, "WWW-Authenticate") {
		t.Errorf("exposed: %q", got)
	}
	w = e.do(t, "OPTIONS", "/mcp", "Origin: https://evil.example", "Access-Control-Request-Method: POST")
	if w.Code != 403 || w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("preflight of an evil page: %d %v", w.Code, w.Header())
	}
}

func TestRoutingTraps(t *testing.T) {
	e := newEdge(t, Config{})
	for _, c := range []struct {
		rule, method, path string
		want               int
		allow              string
	}{
		{"a slash at the end is no redirect", "POST", "/mcp/", 200, ""},
		{"a wrong method is 405 and names the right ones", "PUT", "/mcp", 405, "GET, POST, DELETE, OPTIONS"},
		{"HEAD is served where it is mounted", "HEAD", "/health", 200, ""},
		{"HEAD is 405 elsewhere", "HEAD", "/mcp", 405, "GET, POST, DELETE, OPTIONS"},
		{"OPTIONS names the methods", "OPTIONS", "/mcp", 204, "DELETE, GET, OPTIONS, POST"},
		{"what is not mounted is 404", "GET", "/debug/pprof/", 404, ""},
		{"another case is another path", "GET", "/MCP", 404, ""},
		{"two slashes are no redirect off-site", "GET", "//evil.example", 404, ""},
		{"dots are not resolved", "GET", "/x/../mcp", 404, ""},
	} {
		w := e.do(t, c.method, c.path)
		if w.Code != c.want {
			t.Errorf("%s: %s %s is %d, want %d", c.rule, c.method, c.path, w.Code, c.want)
		}
		if w.Header().Get("Location") != "" {
			t.Errorf("%s: redirected to %q", c.rule, w.Header().Get("Location"))
		}
		if got := w.Header().Get("Allow"); !sameList(got, c.allow) {
			t.Errorf("%s: Allow is %q, want %q", c.rule, got, c.allow)
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: no nosniff", c.rule)
		}
		if strings.Contains(w.Body.String(), strings.Trim(c.path, "/")) && c.want == 404 {
			t.Errorf("%s: the path is echoed: %s", c.rule, w.Body)
		}
	}
	w := e.do(t, "GET", "/<script>")
	if code(t, w) != "not_found" || strings.Contains(w.Body.String(), "script") {
		t.Errorf("404 is %s", w.Body)
	}
}

func sameList(a, b string) bool {
	x, y := map[string]bool{}, map[string]bool{}
	for s := range strings.SplitSeq(a, ", ") {
		x[s] = true
	}
	for s := range strings.SplitSeq(b, ", ") {
		y[s] = true
	}
	if len(x) != len(y) {
		return false
	}
	for s := range x {
		if !y[s] {
			return false
		}
	}
	return true
}

func TestPathParametersArriveDecoded(t *testing.T) {
	e := newEdge(t, Config{})
	var got string
	e.Mount("/health/mcp/:server", []string{"GET"}, Health, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = r.PathValue("server")
	}))
	for path, want := range map[string]string{"/health/mcp/a%2Fb": "a/b", "/health/mcp/a+b%20c": "a+b c", "/health/mcp/plain/": "plain"} {
		if w := e.do(t, "GET", path); w.Code != 200 || got != want {
			t.Errorf("%s: %d, %q, want %q", path, w.Code, got, want)
		}
	}
}

func TestCompressedBodyIsRefused(t *testing.T) {
	e := newEdge(t, Config{})
	if w := e.do(t, "POST", "/mcp", "Content-Encoding: gzip"); w.Code != 415 || code(t, w) != "encoding_not_supported" || e.hits != 0 {
		t.Errorf("gzip: %d %s after %d hits", w.Code, w.Body, e.hits)
	}
	if w := e.do(t, "POST", "/mcp", "Content-Encoding: identity"); w.Code != 200 {
		t.Errorf("identity: %d", w.Code)
	}
}

func TestSettingsThatAreNotValid(t *testing.T) {
	_, err := New(Config{
		TrustProxy: "nginx", ExternalURL: "mcp.example.com", AllowedHosts: []string{"https://x", "ok"}, AllowedOrigins: []string{"x.example"},
		Limits: map[RouteClass]Limit{MCP: {}},
	}, zerolog.Nop())
	want := `trust-proxy: "nginx" is not true, false, loopback, linklocal, uniquelocal, an address or a CIDR range
external-url: not an http or https URL with a host and without a password
allowed-hosts: "https://x" is not "name", "name:port", "*.domain" or "*"
allowed-origins: "x.example" is not an origin such as "https://app.example.com", or "*"
rate limit of mcp: 0 requests in 0s: give at least 1 request and 1 s, or set Unlimited`
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}
