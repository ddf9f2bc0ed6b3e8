package config

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

func (d *draft) takeURL(n node) {
	written, ok := n.raw()
	if !ok {
		return
	}
	text, _ := n.text()
	d.URL = Secret(text)
	d.hidePath = text != written
}

// ownedHeaders are set by the gateway for each request; a fixed value would break the protocol.
var ownedHeaders = []string{
	"Accept", "Connection", "Content-Length", "Content-Type", "Host", "Last-Event-Id", "Mcp-Method", "Mcp-Name",
	"Mcp-Protocol-Version", "Mcp-Session-Id", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

func (d *draft) takeHeaders(n node) {
	members, ok := n.members("is given twice")
	if !ok {
		return
	}
	d.Headers = make(map[string]Secret, len(members)) // as a whole: serverDefaults do not merge into headers
	for _, m := range members {
		value, ok := m.value()
		name := http.CanonicalHeaderKey(m.key)
		switch {
		case !ok:
		case slices.Contains(ownedHeaders, name):
			m.at.warn("is set by the gateway itself and has no effect here", "")
		case has(d.Headers, name):
			m.at.fail("is given twice (case does not matter)", "keep one of them")
		default:
			d.given[childPath("headers", name)] = m.node
			d.Headers[name] = Secret(value)
		}
	}
}

// oauthKeys are the keys of oauth.
var oauthKeys = map[string]func(*OAuth, node){
	"clientId":     func(o *OAuth, n node) { o.ClientID, _ = n.text() },
	"clientSecret": func(o *OAuth, n node) { s, _ := n.text(); o.ClientSecret = Secret(s) },
	"scopes":       (*OAuth).takeScopes,
	"autoRegister": func(o *OAuth, n node) { o.AutoRegister = pointer(n.boolean()) },
	"redirectUrl":  func(o *OAuth, n node) { o.RedirectURL, _ = n.text() },
}

func (d *draft) takeOAuth(n node) {
	members, ok := n.members("is given twice")
	if !ok {
		return
	}
	d.OAuth = &OAuth{}
	for _, m := range members {
		if take, known := oauthKeys[m.key]; known {
			take(d.OAuth, m.node)
		} else {
			m.unknown(slices.Collect(maps.Keys(oauthKeys)))
		}
	}
}

// takeScopes takes a list, or one text with spaces as OAuth itself writes it.
func (o *OAuth) takeScopes(n node) {
	if n.v.Value.Kind() == '"' {
		text, _ := n.text()
		o.Scopes = strings.Fields(text)
		return
	}
	elements, _ := n.elements()
	for _, e := range elements {
		if scope, ok := e.text(); ok {
			o.Scopes = append(o.Scopes, scope)
		}
	}
}
