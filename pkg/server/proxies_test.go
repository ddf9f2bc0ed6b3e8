package server

import (
	"strings"
	"testing"
)

func TestClientAddressFromTrustedProxiesOnly(t *testing.T) {
	for _, c := range []struct {
		rule, trust, peer string
		headers           []string
		want              string
	}{
		{"no proxy", "loopback", "192.0.2.1:5", nil, "192.0.2.1:5"},
		{"a client that claims to be a proxy", "loopback", "192.0.2.1:5", []string{"X-Forwarded-For: 198.51.100.7"}, "192.0.2.1:5"},
		{"a proxy on this machine", "loopback", "127.0.0.1:5", []string{"X-Forwarded-For: 198.51.100.7"}, "198.51.100.7:0"},
		{"the left end is the client's own word", "loopback", "127.0.0.1:5", []string{"X-Forwarded-For: 8.8.8.8, 198.51.100.7"}, "198.51.100.7:0"},
		{"two lines are one list", "loopback", "127.0.0.1:5", []string{"X-Forwarded-For: 8.8.8.8", "X-Forwarded-For: 198.51.100.7"}, "198.51.100.7:0"},
		{"two proxies", "10.0.0.0/8, loopback", "127.0.0.1:5", []string{"X-Forwarded-For: 198.51.100.7, 10.1.2.3"}, "198.51.100.7:0"},
		{"a port, as ALB writes it", "loopback", "127.0.0.1:5", []string{"X-Forwarded-For: 198.51.100.7:4711"}, "198.51.100.7:0"},
		{"IPv6 with brackets and port", "loopback", "[::1]:5", []string{"X-Forwarded-For: [2001:db8::1]:4711"}, "[2001:db8::1]:0"},
		{"IPv6 with brackets", "loopback", "[::1]:5", []string{"X-Forwarded-For: [2001:db8::1]"}, "[2001:db8::1]:0"},
		{"IPv4 in IPv6", "loopback", "127.0.0.1:5", []string{"X-Forwarded-For: ::ffff:198.51.100.7"}, "198.51.100.7:0"},
		{"junk at the right end: nothing left of it counts", "loopback", "127.0.0.1:5", []string{"X-Forwarded-For: 198.51.100.7, junk"}, "127.0.0.1:5"},
		{"junk behind a second proxy: that proxy counts", "loopback,10.0.0.1", "127.0.0.1:5", []string{"X-Forwarded-For: 8.8.8.8, junk, 10.0.0.1"}, "10.0.0.1:0"},
		{"X-Real-IP is never read", "loopback", "127.0.0.1:5", []string{"X-Real-IP: 8.8.8.8", "CF-Connecting-IP: 8.8.8.8", "Forwarded: for=8.8.8.8", "X-Forwarded-For: junk"}, "127.0.0.1:5"},
		{"trust true: the left end", "true", "203.0.113.9:5", []string{"X-Forwarded-For: 8.8.8.8, 198.51.100.7"}, "8.8.8.8:0"},
		{"trust false", "false", "127.0.0.1:5", []string{"X-Forwarded-For: 8.8.8.8"}, "127.0.0.1:5"},
		{"uniquelocal", "uniquelocal", "172.20.0.1:5", []string{"X-Forwarded-For: 198.51.100.7"}, "198.51.100.7:0"},
		{"linklocal with a zone", "linklocal", "[fe80::1%eth0]:5", []string{"X-Forwarded-For: 198.51.100.7"}, "198.51.100.7:0"},
		{"an endless list is read to its limit", "true", "127.0.0.1:5", []string{"X-Forwarded-For: 8.8.8.8," + strings.Repeat("10.0.0.1,", 100) + "10.0.0.2"}, "10.0.0.1:0"},
		{"an empty header", "loopback", "127.0.0.1:5", []string{"X-Forwarded-For: "}, "127.0.0.1:5"},
	} {
		e := newEdge(t, Config{TrustProxy: c.trust})
		w := e.do(t, "GET", "/mcp", append(c.headers, "Peer: "+c.peer)...)
		if got := w.Body.String(); got != "ok "+c.want {
			t.Errorf("%s: %q, want %q", c.rule, got, c.want)
		}
	}
}

func TestWithoutProxyNobodyIsTrustedByDefault(t *testing.T) {
	for _, c := range []struct {
		rule string
		cfg  Config
		want string
	}{
		{"nothing tells of a proxy", Config{}, "127.0.0.1:5"},
		{"an external URL tells of one on this machine", Config{ExternalURL: "https://x.example"}, "8.8.8.8:0"},
		{"so do allowed hosts", Config{AllowedHosts: []string{"x.example"}}, "8.8.8.8:0"},
	} {
		w := newEdge(t, c.cfg).do(t, "GET", "/mcp", "Peer: 127.0.0.1:5", "X-Forwarded-For: 8.8.8.8")
		if got := w.Body.String(); got != "ok "+c.want {
			t.Errorf("%s: %q", c.rule, got)
		}
	}
}

func FuzzForwardedFor(f *testing.F) {
	f.Add("1.2.3.4, [::1]:5,junk,,")
	f.Add(" ,\t,::ffff:1.2.3.4%x")
	trust, err := ParseTrust("true")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, value string) {
		r := newRequest(value)
		trust.resolve(r)
		if limitKey(MCP, r.RemoteAddr) == "mcp:unknown" {
			t.Fatalf("%q leads to the address %q", value, r.RemoteAddr)
		}
	})
}
