package upstream

import (
	"context"
	"fmt"
	"strings"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/wire"
)

// initialized is the notification that ends the handshake (lifecycle, "Initialization").
const initialized = `{"jsonrpc":"2.0","method":"` + protocol.Initialized + `"}`

// maxServerText bounds what is quoted of a server's own words in an error, in bytes.
const maxServerText = 300

// appendInitialize appends the initialize request of a greeting with the given raw id.
func appendInitialize(dst []byte, id string, g greeting) []byte {
	dst = append(dst, `{"jsonrpc":"2.0","id":`...)
	dst = append(dst, id...)
	dst = append(dst, `,"method":"`+protocol.Initialize+`","params":{"protocolVersion":"`+protocol.NewestLegacy+`","capabilities":`...)
	dst = append(dst, g.capabilities...)
	dst = append(dst, `,"clientInfo":`...)
	dst = append(dst, g.info...)
	return append(dst, "}}"...)
}

// parseHello reads the answer to initialize. The hello keeps none of the message's bytes. An error answer, an answer that is
// no InitializeResult, and a revision that the gateway does not speak are protocol.ErrProtocol.
func parseHello(m *wire.Message) (*hello, error) {
	if m.Error.Present() {
		return nil, fmt.Errorf("%w: initialize refused: %s", protocol.ErrProtocol, errorText(m))
	}
	if m.Kind != wire.Response || !m.Result.Present() || m.Raw[m.Result.Start] != '{' {
		return nil, fmt.Errorf("%w: answer to initialize is no result object", protocol.ErrProtocol)
	}
	h := &hello{}
	for key, val := range wire.Members(m.Raw, m.Result) {
		name, _ := wire.Unquote(key.Of(m.Raw))
		raw := val.Of(m.Raw)
		switch name {
		case "protocolVersion":
			h.revision, _ = wire.Unquote(raw)
		case "capabilities":
			h.capabilities = cloneObject(raw)
		case "serverInfo":
			h.info = cloneObject(raw)
		case "instructions":
			h.instructions, _ = wire.Unquote(raw)
		}
	}
	if !protocol.IsLegacy(h.revision) {
		return nil, fmt.Errorf("%w: server answered protocol revision %q, which is none of %s",
			protocol.ErrProtocol, clip(h.revision, 40), strings.Join(protocol.Legacy, ", "))
	}
	h.has = declared(h.capabilities)
	return h, nil
}

// declared reads a server's capabilities object (2025-11-25 schema, ServerCapabilities).
func declared(caps []byte) protocol.ServerCapability {
	var has protocol.ServerCapability
	if caps == nil {
		return 0
	}
	all := wire.Span{End: len(caps)}
	for key, val := range wire.Members(caps, all) {
		if raw := val.Of(caps); len(raw) == 0 || raw[0] != '{' && string(raw) != "true" {
			continue // null and false are how some servers say "no"
		}
		switch name, _ := wire.Unquote(key.Of(caps)); name {
		case "tools":
			has |= protocol.HasTools
		case "prompts":
			has |= protocol.HasPrompts
		case "resources":
			has |= protocol.HasResources
			if s, ok := wire.Lookup(caps, val, "subscribe"); ok && string(s.Of(caps)) == "true" {
				has |= protocol.HasSubscribe
			}
		case "completions":
			has |= protocol.HasCompletions
		case "logging":
			has |= protocol.HasLogging
		}
	}
	return has
}

// handshake opens a connection on a mux that is already reading.
func (m *mux) handshake(ctx context.Context, g greeting) error {
	c := ownCall(appendInitialize(nil, "0", g))
	a, err := m.call(ctx, c)
	if err != nil {
		return fmt.Errorf("initialize: %w", err)
	}
	defer a.Close()
	h, err := parseHello(&a.Message)
	if err != nil {
		return err
	}
	m.greeted.Store(h)
	if err := m.notify(ctx, []byte(initialized)); err != nil {
		return fmt.Errorf("%s: %w", protocol.Initialized, err)
	}
	return nil
}

// errorText quotes the error of a response for the log: its code and the beginning of its message.
func errorText(m *wire.Message) string {
	var code, text string
	if s, ok := wire.Lookup(m.Raw, m.Error, "code"); ok {
		code = clip(string(s.Of(m.Raw)), 20)
	}
	if s, ok := wire.Lookup(m.Raw, m.Error, "message"); ok {
		text, _ = wire.Unquote(s.Of(m.Raw))
	}
	return fmt.Sprintf("%s (%s)", clip(text, maxServerText), code)
}

// clip cuts a text to n bytes at a rune's border.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// cloneObject copies a JSON object; anything else becomes nil.
func cloneObject(raw []byte) []byte {
	if len(raw) == 0 || raw[0] != '{' {
		return nil
	}
	return append([]byte(nil), raw...)
}
