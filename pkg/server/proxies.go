package server

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// Trust is the set of proxies whose X-Forwarded-For is believed.
type Trust struct{ nets []netip.Prefix }

var trustNames = map[string][]string{
	"true":        {"0.0.0.0/0", "::/0"},
	"false":       {},
	"loopback":    {"127.0.0.0/8", "::1/128"},
	"linklocal":   {"169.254.0.0/16", "fe80::/10"},
	"uniquelocal": {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"},
}

// ParseTrust reads --trust-proxy: true, false, or a comma-separated list of loopback, linklocal, uniquelocal, addresses and
// CIDR ranges. Empty means loopback. "true" believes whoever connects, and is for a gateway that only proxies can reach.
func ParseTrust(s string) (Trust, error) {
	if strings.TrimSpace(s) == "" {
		s = "loopback"
	}
	var t Trust
	for item := range strings.SplitSeq(s, ",") {
		item = strings.ToLower(strings.TrimSpace(item))
		list, named := trustNames[item]
		if !named {
			list = []string{item}
		}
		for _, text := range list {
			p, err := parsePrefix(text)
			if err != nil {
				return Trust{}, fmt.Errorf("trust-proxy: %q is not true, false, loopback, linklocal, uniquelocal, an address or a CIDR range", item)
			}
			t.nets = append(t.nets, p)
		}
	}
	return t, nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		return p.Masked(), err
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	a = a.Unmap().WithZone("")
	return netip.PrefixFrom(a, a.BitLen()), nil
}

func (t Trust) has(a netip.Addr) bool {
	for _, n := range t.nets {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// maxHops bounds how much of X-Forwarded-For is read.
const maxHops = 32

// resolve sets r.RemoteAddr to the address of the client, and tells whether a trusted proxy brought the request. Only
// X-Forwarded-For is read, from its right end, which the proxy next to us wrote, as far as the writers are trusted; the
// first address that is none of ours is the client. An entry that is not an address ends the chain: who wrote what stands
// left of it cannot be known.
func (t Trust) resolve(r *http.Request) (fromProxy bool) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	client := peer.Addr().Unmap().WithZone("")
	if !t.has(client) {
		return false
	}
	values := r.Header["X-Forwarded-For"]
	hops := 0
	for i := len(values) - 1; i >= 0; i-- {
		for rest := values[i]; rest != "" && hops < maxHops; hops++ {
			cut := strings.LastIndexByte(rest, ',')
			a, ok := parseHop(rest[cut+1:])
			rest = rest[:max(cut, 0)]
			if ok {
				client = a
			}
			if !ok || !t.has(a) {
				i, hops = 0, maxHops
				break
			}
		}
	}
	if client != peer.Addr() {
		r.RemoteAddr = netip.AddrPortFrom(client, 0).String()
	}
	return true
}

// parseHop reads an address as proxies write it: plain, with a port (ALB), in brackets.
func parseHop(s string) (netip.Addr, bool) {
	s = strings.Trim(s, " \t")
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Unmap().WithZone(""), true
	}
	if a, err := netip.ParseAddrPort(s); err == nil {
		return a.Addr().Unmap().WithZone(""), true
	}
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		if a, err := netip.ParseAddr(s[1 : len(s)-1]); err == nil {
			return a.WithZone(""), true
		}
	}
	return netip.Addr{}, false
}
