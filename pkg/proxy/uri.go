package proxy

import (
	"slices"
	"strings"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// maxOwners bounds how many servers are tried for a URI that nobody lists.
const maxOwners = 16

// owners gives who may have a URI, likeliest first: the one that lists it; or the one whose wrapping it carries; or those
// whose templates it matches; or those that list URIs with the same scheme and authority, and then the others that have
// resources.
func (v *view) owners(public string) []*target {
	if t := v.find(resources, public); t != nil {
		return []*target{t}
	}
	for i, e := range v.entries {
		if own := e.unwrapURI(public); own != public && v.visible[i] {
			return []*target{uriTarget(e, public, own)}
		}
	}
	var all []*target
	for _, p := range v.patterns {
		has := func(t *target) bool { return t.entry == p.entry }
		if v.visible[p.entry.index] && len(all) < maxOwners && !slices.ContainsFunc(all, has) && p.re.MatchString(public) {
			all = append(all, uriTarget(p.entry, public, public))
		}
	}
	if all != nil {
		return all
	}
	return v.guess(public)
}

func (v *view) guess(public string) []*target {
	var near, far []*target
	for i, e := range v.entries {
		if !v.visible[i] || e.inv.Has&protocol.HasResources == 0 {
			continue
		}
		t := uriTarget(e, public, public)
		if e.knowsOrigin(origin(public)) {
			near = append(near, t)
		} else {
			far = append(far, t)
		}
	}
	all := append(near, far...)
	return all[:min(len(all), maxOwners)]
}

// origin is a URI up to its path: scheme and authority.
func origin(uri string) string {
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok {
		scheme, _, _ = strings.Cut(uri, ":")
		return scheme
	}
	authority, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + authority
}

func (e *entry) knowsOrigin(o string) bool {
	for _, items := range [][][]byte{e.inv.Resources, e.inv.Templates} {
		for _, raw := range items {
			for _, key := range []string{"uri", "uriTemplate"} {
				if at, ok := wire.Lookup(raw, wire.Span{End: len(raw)}, key); ok {
					if uri, _ := wire.Unquote(at.Of(raw)); origin(uri) == o {
						return true
					}
				}
			}
		}
	}
	return false
}

func uriTarget(e *entry, public, own string) *target {
	t := &target{entry: e, public: public, own: own}
	if own != public {
		t.ownJSON = wire.AppendQuote(nil, own)
	}
	return t
}

// publicURI gives the form in which a URI of this server leads clients back to it: the URI itself, unless that would lead
// to another server.
func (e *entry) publicURI(own string) string {
	if public, ok := e.wrapped[own]; ok {
		return public
	}
	if t := e.in.index[resources][own]; t != nil {
		if t.entry == e {
			return own
		}
		return wrapURI(e.Name(), own)
	}
	for _, p := range e.in.patterns {
		if p.re.MatchString(own) {
			if p.entry == e {
				return own
			}
			return wrapURI(e.Name(), own)
		}
	}
	return own
}

// publish puts public URIs in the place of the server's own, wherever results carry URIs that a client may use again:
// contents[].uri, content[].uri, content[].resource.uri and the same under messages[].content. It runs only for servers
// that have wrapped URIs.
func (e *entry) publish(a *protocol.Answer) (*protocol.Answer, error) {
	if a == nil || a.Stream != nil || !a.Message.Result.Present() {
		return a, nil
	}
	m := a.Message
	var edits []wire.Edit
	for _, list := range []string{"contents", "content", "messages"} {
		arr, ok := wire.Lookup(m.Raw, m.Result, list)
		if !ok || m.Raw[arr.Start] != '[' {
			continue
		}
		for item := range wire.Elements(m.Raw, arr) {
			edits = e.publishIn(edits, m.Raw, item, 3)
		}
	}
	if edits == nil {
		return a, nil
	}
	raw := wire.AppendSplice(nil, m.Raw, edits...)
	a.Close()
	spliced, err := wire.Skim(raw)
	if err != nil {
		return nil, protocol.ErrProtocol
	}
	return &protocol.Answer{Message: spliced}, nil
}

// publishIn collects the edits of one object and of its members content and resource.
func (e *entry) publishIn(edits []wire.Edit, raw []byte, at wire.Span, depth int) []wire.Edit {
	if depth == 0 || !at.Present() || raw[at.Start] != '{' {
		return edits
	}
	for k, v := range wire.Members(raw, at) {
		switch key, _ := wire.Unquote(k.Of(raw)); key {
		case "uri":
			own, _ := wire.Unquote(v.Of(raw))
			if public := e.publicURI(own); public != own {
				edits = append(edits, wire.Edit{At: v, With: wire.AppendQuote(nil, public)})
			}
		case "content", "resource":
			edits = e.publishIn(edits, raw, v, depth-1)
		}
	}
	return edits
}
