package proxy

import (
	"encoding/json"

	"github.com/manifold-mcp/manifold/pkg/protocol"
)

// pageSize is how many items a page holds for clients that asked for pages (?pagination=true).
const pageSize = 100

// cursor is the position in one list of one view of one catalogue. Clients carry it sealed; to them it is opaque.
type cursor struct {
	Catalogue string `json:"c"`
	View      string `json:"v"`
	Kind      kind   `json:"k"`
	Offset    int    `json:"o"`
}

// purposes of sealed values.
const (
	sealSession = "session"
	sealCursor  = "cursor"
)

func (r *Router) sealCursor(c cursor) string {
	plain, _ := json.Marshal(c) // four plain fields cannot fail
	return r.keys.Seal(sealCursor, plain)
}

// openCursor checks that a cursor is ours and belongs to this list; data.reason is as in 1MCP, so that clients written for
// it start over.
func (r *Router) openCursor(sealed string, v *view, k kind) (int, *protocol.Error) {
	refuse := func(reason string) (int, *protocol.Error) {
		return 0, &protocol.Error{Code: protocol.CodeInvalidParams, Message: "Invalid capability pagination cursor: list again without a cursor",
			Data: []byte(`{"reason":"` + reason + `"}`)}
	}
	plain, err := r.keys.Open(sealCursor, sealed)
	var c cursor
	if err != nil || json.Unmarshal(plain, &c) != nil {
		return refuse("malformed")
	}
	switch {
	case c.Kind != k:
		return refuse("capability_kind_mismatch")
	case c.Catalogue != v.id:
		return refuse("stale_generation")
	case c.View != v.set():
		return refuse("filter_mismatch")
	case c.Offset < 0 || c.Offset >= len(v.list(k).items):
		return refuse("malformed")
	}
	return c.Offset, nil
}

// page gives the result of a list method: everything, or one page for clients that asked for pages or carry a cursor.
func (r *Router) page(v *view, k kind, sealed string, paged bool) ([]byte, *protocol.Error) {
	l := v.list(k)
	if sealed == "" && (!paged || len(l.items) <= pageSize) {
		return l.whole, nil
	}
	offset := 0
	if sealed != "" {
		var err *protocol.Error
		if offset, err = r.openCursor(sealed, v, k); err != nil {
			return nil, err
		}
	}
	end := min(offset+pageSize, len(l.items))
	next := ""
	if end < len(l.items) {
		next = r.sealCursor(cursor{Catalogue: v.id, View: v.set(), Kind: k, Offset: end})
	}
	return encodeList(k, l.items[offset:end], next), nil
}
