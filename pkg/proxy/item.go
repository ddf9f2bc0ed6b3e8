package proxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/manifold-mcp/manifold/pkg/wire"
)

// kind is one of the four lists of the protocol.
type kind uint8

const (
	tools kind = iota
	prompts
	resources
	templates
	kinds
)

// shape says how a list and its items look on the wire.
type shape struct {
	method  string // that lists
	changed string // notification; templates share that of resources
	member  string // of the result
	key     string // member of an item that names it
	noun    string
	// types are members whose type every client checks; a wrong one makes clients refuse the whole list, so the item is left out.
	types map[string]byte // first byte of the JSON value: " { [
}

var shapes = [kinds]shape{
	tools: {method: "tools/list", changed: "notifications/tools/list_changed", member: "tools", key: "name", noun: "tool",
		types: map[string]byte{"name": '"', "title": '"', "description": '"', "inputSchema": '{', "outputSchema": '{', "annotations": '{', "icons": '[', "execution": '{', "_meta": '{'}},
	prompts: {method: "prompts/list", changed: "notifications/prompts/list_changed", member: "prompts", key: "name", noun: "prompt",
		types: map[string]byte{"name": '"', "title": '"', "description": '"', "arguments": '[', "icons": '[', "_meta": '{'}},
	resources: {method: "resources/list", changed: "notifications/resources/list_changed", member: "resources", key: "uri", noun: "resource",
		types: map[string]byte{"uri": '"', "name": '"', "title": '"', "description": '"', "mimeType": '"', "annotations": '{', "icons": '[', "_meta": '{'}},
	templates: {method: "resources/templates/list", changed: "notifications/resources/list_changed", member: "resourceTemplates", key: "uriTemplate", noun: "resource template",
		types: map[string]byte{"uriTemplate": '"', "name": '"', "title": '"', "description": '"', "mimeType": '"', "annotations": '{', "icons": '[', "_meta": '{'}},
}

// maxItem bounds one tool, prompt or resource in a list: larger ones would crowd out everything else (bytes).
const maxItem = 1 << 20

// check gives an item as clients may see it and the name it has, or what is wrong with it. A tool whose inputSchema lacks
// its type is mended, because strict clients refuse a whole list for it and nothing else is missing; what else was changed
// is in note.
func (s *shape) check(raw []byte) (item []byte, name, note string, err error) {
	if len(raw) > maxItem {
		return nil, name, "", fmt.Errorf("has %d bytes, more than %d", len(raw), maxItem)
	}
	if !utf8.Valid(raw) || !json.Valid(raw) {
		return nil, name, "", errors.New("is not valid JSON")
	}
	if raw = bytes.TrimSpace(raw); raw[0] != '{' {
		return nil, name, "", errors.New("is not an object")
	}
	if at, ok := wire.Lookup(raw, wire.Span{End: len(raw)}, s.key); ok {
		name, _ = wire.Unquote(at.Of(raw))
	}
	whole := wire.Span{End: len(raw)}
	found := make(map[string]wire.Span, len(s.types))
	for k, v := range wire.Members(raw, whole) {
		key, _ := wire.Unquote(k.Of(raw))
		want, known := s.types[key]
		if !known {
			continue
		}
		if _, twice := found[key]; twice {
			return nil, name, "", fmt.Errorf("has %q twice", key)
		}
		if raw[v.Start] != want {
			return nil, name, "", fmt.Errorf("has a %q of the wrong type", key)
		}
		found[key] = v
	}
	if _, ok := found[s.key]; !ok {
		return nil, name, "", fmt.Errorf("has no %q", s.key)
	}
	if name == "" {
		return nil, name, "", fmt.Errorf("has an empty %q", s.key)
	}
	if s.noun == "tool" {
		item, note, err := checkSchemas(raw, found["inputSchema"], found["outputSchema"])
		return item, name, note, err
	}
	return raw, name, "", nil
}

// checkSchemas holds the schemas of a tool to what the legacy revisions demand: objects whose type is "object". A tool
// works without its outputSchema, so one that is not like that is taken out.
func checkSchemas(raw []byte, in, out wire.Span) (item []byte, note string, err error) {
	if !in.Present() {
		return nil, "", fmt.Errorf("has no inputSchema")
	}
	switch t, ok := wire.Lookup(raw, in, "type"); {
	case ok && string(t.Of(raw)) != `"object"`:
		return nil, "", fmt.Errorf("has an inputSchema whose type is not \"object\"")
	case !ok:
		raw = wire.AppendSplice(nil, raw, wire.SetMember(raw, in, "type", []byte(`"object"`)))
	}
	if !out.Present() {
		return raw, "", nil
	}
	out, _ = wire.Lookup(raw, wire.Span{End: len(raw)}, "outputSchema") // the splice may have moved it
	if t, ok := wire.Lookup(raw, out, "type"); !ok || string(t.Of(raw)) != `"object"` {
		if del, ok := wire.DeleteMember(raw, wire.Span{End: len(raw)}, "outputSchema"); ok {
			return wire.AppendSplice(nil, raw, del), "has an outputSchema whose type is not \"object\"; it is served without it", nil
		}
	}
	return raw, "", nil
}
