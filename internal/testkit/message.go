package testkit

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// Message is one JSON-RPC message with the bytes of its members exactly as they stood.
type Message struct {
	Raw    []byte          `json:"-"`
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

// Parse reads a message. The bytes are kept, not copied.
func Parse(raw []byte) (Message, error) {
	m := Message{Raw: raw}
	if err := json.Unmarshal(raw, &m); err != nil {
		return m, fmt.Errorf("not a JSON-RPC message: %w: %.200q", err, raw)
	}
	return m, nil
}

// IsRequest tells a request from notifications and responses.
func (m Message) IsRequest() bool { return m.Method != "" && m.ID != nil }

// IsNotification tells a notification from requests and responses.
func (m Message) IsNotification() bool { return m.Method != "" && m.ID == nil }

// IsResponse tells a response from requests and notifications.
func (m Message) IsResponse() bool { return m.Method == "" }

// Reply makes the response to the request m with the given result, a JSON value.
func (m Message) Reply(result string) []byte {
	return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, result)
}

// Refuse makes the error response to the request m.
func (m Message) Refuse(code int, text string) []byte {
	return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"error":{"code":%d,"message":%s}}`, m.ID, code, Quote(text))
}

// Get gives the value found by walking down the keys from the given value; nil if it is not there.
func Get(value json.RawMessage, keys ...string) json.RawMessage {
	for _, key := range keys {
		var members map[string]json.RawMessage
		if json.Unmarshal(value, &members) != nil {
			return nil
		}
		value = members[key]
	}
	return value
}

// GetString gives the string found by walking down the keys; empty if it is not there or not a string.
func GetString(value json.RawMessage, keys ...string) string {
	var s string
	_ = json.Unmarshal(Get(value, keys...), &s)
	return s
}

// GetInt gives the whole number found by walking down the keys; zero if it is not there or not one.
func GetInt(value json.RawMessage, keys ...string) int {
	n, _ := strconv.Atoi(string(Get(value, keys...)))
	return n
}

// Items gives the elements of the array found by walking down the keys.
func Items(value json.RawMessage, keys ...string) []json.RawMessage {
	var items []json.RawMessage
	_ = json.Unmarshal(Get(value, keys...), &items)
	return items
}

// Quote writes s as a JSON string.
func Quote(s string) string {
	text, _ := json.Marshal(s)
	return string(text)
}

// Request writes a request; params may be empty.
func Request(id, method, params string) []byte {
	if params == "" {
		return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"method":%s}`, id, Quote(method))
	}
	return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"method":%s,"params":%s}`, id, Quote(method), params)
}

// Notification writes a notification; params may be empty.
func Notification(method, params string) []byte {
	if params == "" {
		return fmt.Appendf(nil, `{"jsonrpc":"2.0","method":%s}`, Quote(method))
	}
	return fmt.Appendf(nil, `{"jsonrpc":"2.0","method":%s,"params":%s}`, Quote(method), params)
}

// ToolCall writes a tools/call request.
func ToolCall(id, tool, arguments string) []byte {
	return Request(id, "tools/call", fmt.Sprintf(`{"name":%s,"arguments":%s}`, Quote(tool), arguments))
}
