package proxy

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/manifold-mcp/manifold/pkg/filter"
	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// capabilities are what the gateway declares to legacy clients, whatever its servers can do now: servers come and go while
// a client's session stays, and a legacy session cannot be told of a new capability.
const capabilities = `{"completions":{},"logging":{},"prompts":{"listChanged":true},"resources":{"listChanged":true,"subscribe":true},"tools":{"listChanged":true}}`

// maxIntroduction bounds each of what a client says of itself, which its session keeps (bytes).
const maxIntroduction = 16 << 10

// ParseInitialize reads what a client says of itself in initialize.
func ParseInitialize(m *wire.Message) (protocol.Client, *protocol.Error) {
	refuse := func(format string, args ...any) (protocol.Client, *protocol.Error) {
		return protocol.Client{}, protocol.Errorf(protocol.CodeInvalidParams, format, args...)
	}
	at, ok := wire.Lookup(m.Raw, m.Params, "protocolVersion")
	if !ok {
		return refuse("params.protocolVersion is missing")
	}
	revision, ok := wire.Unquote(at.Of(m.Raw))
	if !ok {
		return refuse("params.protocolVersion must be a string")
	}
	c := protocol.Client{Revision: protocol.Negotiate(revision)}
	if at, ok := wire.Lookup(m.Raw, m.Params, "capabilities"); ok {
		if m.Raw[at.Start] != '{' {
			return refuse("params.capabilities must be an object")
		}
		if at.End-at.Start > maxIntroduction {
			return refuse("params.capabilities is larger than %d bytes", maxIntroduction)
		}
		c.RawCaps = append([]byte(nil), at.Of(m.Raw)...)
		c.Caps = parseCapabilities(m.Raw, at, c.Revision)
	}
	if at, ok := wire.Lookup(m.Raw, m.Params, "clientInfo"); ok {
		if m.Raw[at.Start] != '{' {
			return refuse("params.clientInfo must be an object")
		}
		if at.End-at.Start > maxIntroduction {
			return refuse("params.clientInfo is larger than %d bytes", maxIntroduction)
		}
		c.Info = append([]byte(nil), at.Of(m.Raw)...)
	}
	return c, nil
}

// parseCapabilities reads the known client capabilities. An elicitation object that names no mode means form (2025-11-25
// elicitation, "Capabilities"; the only mode of 2025-06-18).
func parseCapabilities(raw []byte, at wire.Span, revision string) protocol.Capability {
	var c protocol.Capability
	set := func(in wire.Span, key string, bit protocol.Capability) (wire.Span, bool) {
		v, ok := wire.Lookup(raw, in, key)
		if !ok || string(v.Of(raw)) == "null" || string(v.Of(raw)) == "false" {
			return wire.Span{}, false
		}
		c |= bit
		return v, raw[v.Start] == '{'
	}
	if v, ok := set(at, "sampling", protocol.CanSample); ok {
		set(v, "tools", protocol.CanSampleTools)
		set(v, "context", protocol.CanSampleContext)
	}
	if v, ok := set(at, "elicitation", 0); ok {
		_, url := set(v, "url", protocol.CanElicitURL)
		_, form := set(v, "form", protocol.CanElicitForm)
		if !url && !form || revision < protocol.Revision20251125 {
			c |= protocol.CanElicitForm
		}
	}
	if v, ok := set(at, "roots", protocol.CanRoots); ok {
		set(v, "listChanged", protocol.CanRootsChanged)
	}
	return c
}

// Welcome makes the result of initialize for a client that selected expr.
func (r *Router) Welcome(ctx context.Context, revision string, expr filter.Expr) []byte {
	r.awaitStart(ctx)
	b := []byte(`{"protocolVersion":`)
	b = wire.AppendQuote(b, revision)
	b = append(b, `,"capabilities":`+capabilities+`,"serverInfo":{"name":`...)
	b = wire.AppendQuote(b, r.opts.Name)
	b = append(b, `,"title":"Manifold","version":`...)
	b = wire.AppendQuote(b, r.opts.Version)
	b = append(b, '}')
	if text := r.view(expr).instructions(r.opts.Separator); text != "" {
		b = append(b, `,"instructions":`...)
		b = wire.AppendQuote(b, text)
	}
	return append(b, '}')
}

// maxInstructions bounds what one server may say to the model (bytes); the rest is cut with a mark.
const maxInstructions = 16 << 10

// instructions joins the servers' instructions, each in a block of its own. Text of a server is data here: it cannot close
// its block (threat S16), and the blocks of hidden servers are not there.
func (v *view) instructions(separator string) string {
	var blocks strings.Builder
	var only string
	n := 0
	for i, e := range v.entries {
		text := e.inv.Instructions
		if e.Instructions != nil {
			text = *e.Instructions
		}
		if !v.visible[i] || strings.TrimSpace(text) == "" {
			continue
		}
		n++
		if len(text) > maxInstructions {
			text = strings.ToValidUTF8(text[:maxInstructions], "") + "\n[cut by the gateway]"
		}
		only = text
		fmt.Fprintf(&blocks, "\n<server name=%q>\n%s\n</server>\n", e.Name(), fence.ReplaceAllString(text, "&lt;$1"))
	}
	switch {
	case n == 0:
		return ""
	case n == 1 && v.count == 1:
		return only
	}
	return "This endpoint joins several MCP servers. The name of a tool or prompt starts with its server's prefix and \"" + separator +
		"\". What the servers say of themselves:\n" + blocks.String()
}

var fence = regexp.MustCompile(`(?i)<(/?server)`)
