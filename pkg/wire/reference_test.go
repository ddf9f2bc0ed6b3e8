package wire

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The reference decides by way of encoding/json what Parse must decide by itself.

// refVerdict is what the reference finds wrong.
type refVerdict int

const (
	refFine refVerdict = iota
	refBadJSON
	refBadMessage
)

// refMessage returns the envelope's members and the verdict on raw.
func refMessage(raw []byte) (map[string]json.RawMessage, refVerdict) {
	if verdict := refStrict(raw); verdict != refFine {
		return nil, verdict
	}
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil || m == nil {
		return nil, refBadMessage
	}
	if refFolds(m, levelEnvelope) {
		return m, refBadMessage
	}
	isString := func(v json.RawMessage) bool { return len(v) > 0 && v[0] == '"' }
	var version string
	if !isString(m["jsonrpc"]) || json.Unmarshal(m["jsonrpc"], &version) != nil || version != "2.0" {
		return m, refBadMessage
	}
	id, hasID := m["id"]
	null := string(id) == "null"
	if hasID && !null && !isString(id) && id[0] != '-' && (id[0] < '0' || id[0] > '9') {
		return m, refBadMessage
	}
	_, hasResult := m["result"]
	_, hasError := m["error"]
	method, hasMethod := m["method"]
	params, hasParams := m["params"]
	switch {
	case hasMethod && (hasResult || hasError || !isString(method) || null),
		hasMethod && hasParams && params[0] != '{' && params[0] != '[',
		!hasMethod && hasResult == hasError,
		hasResult && (!hasID || null):
		return m, refBadMessage
	}
	return m, refFine
}

// refFolds tells whether an object, or one of those inside it that are looked at, has a key like a known one but for its case.
func refFolds(object map[string]json.RawMessage, l level) bool {
	for key, value := range object {
		for _, k := range known[l] {
			if key != k && strings.EqualFold(key, k) {
				return true
			}
		}
		var inner map[string]json.RawMessage
		if next := inside[l.find([]byte(key))]; next != levelNone && json.Unmarshal(value, &inner) == nil && refFolds(inner, next) {
			return true
		}
	}
	return false
}

// refStrict applies what goes beyond json.Valid: UTF-8, depth, and keys, in the order of the text where that matters.
func refStrict(raw []byte) refVerdict {
	if !json.Valid(raw) || !utf8.Valid(raw) {
		return refBadJSON
	}
	type object struct {
		array bool
		key   bool // a key comes next
		seen  map[string]bool
	}
	var stack []*object
	verdict := refFine
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	for {
		before := d.InputOffset()
		token, err := d.Token()
		if err == io.EOF {
			return verdict
		}
		if err != nil {
			return refBadJSON
		}
		var top *object
		if len(stack) > 0 {
			top = stack[len(stack)-1]
		}
		delim, isDelim := token.(json.Delim)
		switch {
		case isDelim && (delim == '}' || delim == ']'):
			stack = stack[:len(stack)-1]
			continue
		case top != nil && !top.array && top.key:
			text := raw[before:d.InputOffset()]
			text = text[bytes.IndexByte(text, '"'):]
			if refLoneSurrogate(text) {
				return refBadJSON
			}
			key := token.(string)
			if top.seen[key] && verdict == refFine {
				verdict = refBadMessage // unless bad JSON follows
			}
			top.seen[key] = true
			top.key = false
			continue
		}
		if top != nil {
			top.key = !top.array
		}
		if isDelim {
			stack = append(stack, &object{array: delim == '[', key: delim == '{', seen: map[string]bool{}})
			if len(stack) > MaxDepth {
				return refBadJSON
			}
		}
	}
}

// refLoneSurrogate reports whether a valid JSON string has a surrogate escape without its other half.
func refLoneSurrogate(quoted []byte) bool {
	var units []uint16 // zero for anything that is no \u escape
	for i := 0; i < len(quoted); i++ {
		unit := uint16(0)
		if quoted[i] == '\\' {
			i++
			if quoted[i] == 'u' {
				r, _ := hex4(quoted[i+1:])
				unit = uint16(r)
				i += 4
			}
		}
		units = append(units, unit)
	}
	for i := 0; i < len(units); i++ {
		if !utf16.IsSurrogate(rune(units[i])) {
			continue
		}
		if i+1 == len(units) || utf16.DecodeRune(rune(units[i]), rune(units[i+1])) == utf8.RuneError {
			return true
		}
		i++
	}
	return false
}
