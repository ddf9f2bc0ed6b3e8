package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// manyTools is how many tools the server at /many has.
const manyTools = 10_000

// upstream is an MCP server that does no work: streamable HTTP of 2025-11-25 without sessions and without a standing
// stream, whose answers are prepared. /mcp has one tool, /many has manyTools.
type upstream struct {
	mu       sync.Mutex
	payloads map[int][]byte
	many     []byte
}

func newUpstream() *upstream {
	var many strings.Builder
	many.WriteString(`,"result":{"tools":[`)
	for i := range manyTools {
		if i > 0 {
			many.WriteByte(',')
		}
		fmt.Fprintf(&many, `{"name":"tool_%05d","description":"The tool of that number, which does what such tools do",`+
			`"inputSchema":{"type":"object","properties":{"path":{"type":"string"}},"required":["path"]}}`, i)
	}
	many.WriteString(`]}}`)
	return &upstream{payloads: map[int][]byte{}, many: []byte(many.String())}
}

// after gives what follows key in the body, up to the end of a JSON scalar.
func after(body []byte, key string) []byte {
	at := bytes.Index(body, []byte(key))
	if at < 0 {
		return nil
	}
	rest := body[at+len(key):]
	if end := bytes.IndexAny(rest, ",}"); end >= 0 {
		rest = rest[:end]
	}
	return rest
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	id := after(body, `"id":`)
	if id == nil {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	var rest []byte
	switch method := string(after(body, `"method":`)); method {
	case `"tools/call"`:
		rest = u.payload(after(body, `"size":`))
	case `"initialize"`:
		rest = []byte(`,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"canned","version":"1"}}}`)
	case `"tools/list"`:
		rest = []byte(`,"result":{"tools":[{"name":"canned","inputSchema":{"type":"object"}}]}}`)
		if r.URL.Path == "/many" {
			rest = u.many
		}
	case `"ping"`:
		rest = []byte(`,"result":{}}`)
	default:
		rest = []byte(`,"error":{"code":-32601,"message":"no such method"}}`)
	}
	const head = `{"jsonrpc":"2.0","id":`
	w.Header()["Content-Type"] = []string{"application/json"}
	w.Header()["Content-Length"] = []string{strconv.Itoa(len(head) + len(id) + len(rest))}
	_, _ = io.WriteString(w, head)
	_, _ = w.Write(id)
	_, _ = w.Write(rest)
}

// payload gives what follows the id in an answer of that size.
func (u *upstream) payload(size []byte) []byte {
	n, _ := strconv.Atoi(string(size))
	u.mu.Lock()
	defer u.mu.Unlock()
	p := u.payloads[n]
	if p == nil {
		p = fmt.Appendf(nil, `,"result":{"content":[{"type":"text","text":"%s"}]}}`, strings.Repeat("All work and no play. ", n/22+1)[:n])
		u.payloads[n] = p
	}
	return p
}
