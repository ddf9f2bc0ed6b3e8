package streamable

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/manifold-mcp/manifold/pkg/protocol"
	"github.com/manifold-mcp/manifold/pkg/proxy/stream"
)

// get opens the standing stream of a session, or goes on with one that the client lost (Last-Event-ID).
func (e *Edge) get(w http.ResponseWriter, r *http.Request) {
	if _, sse := accepts(r); !sse {
		fail(http.StatusNotAcceptable, protocol.CodeInvalidRequest, "Accept must name text/event-stream").write(w)
		return
	}
	s, f := e.session(r)
	if f == nil && s == nil {
		f = fail(http.StatusBadRequest, protocol.CodeInvalidRequest, "Mcp-Session-Id is missing: initialize first")
	}
	if f != nil {
		f.write(w)
		return
	}
	if !e.admit() {
		fail(http.StatusServiceUnavailable, protocol.CodeInternal, "too many open streams (--max-streams)").write(w)
		return
	}
	defer e.leave()
	c := conversationOf(s)
	id, after := splitEventID(r.Header.Get(headerLastID))
	log := c.standing
	switch lost := c.find(id); {
	case lost != nil:
		log = lost.log
		defer c.linger(lost, e.opts.Linger)
	case id == c.epoch+".0":
	case id == "" || strings.HasSuffix(id, ".0"): // a standing stream of an earlier run: its past is gone
		after = log.Undelivered()
	default:
		fail(http.StatusBadRequest, protocol.CodeInvalidRequest, "Last-Event-ID names a stream that is not kept any more: send the request again").write(w)
		return
	}
	stream.SetHeaders(w.Header())
	w.WriteHeader(http.StatusOK)
	_ = log.Serve(r.Context(), w, e.opts.Timing, after) // however it ended, the client has the next word
	s.Touch()
}

// splitEventID takes an event id apart into that of its stream and its number.
func splitEventID(id string) (streamID string, n uint64) {
	i := strings.LastIndexByte(id, '-')
	if i < 0 {
		return "", 0
	}
	n, err := strconv.ParseUint(id[i+1:], 10, 64)
	if err != nil {
		return "", 0
	}
	return id[:i], n
}

// delete ends a session for good.
func (e *Edge) delete(w http.ResponseWriter, r *http.Request) {
	s, f := e.session(r)
	if f == nil && s == nil {
		f = fail(http.StatusBadRequest, protocol.CodeInvalidRequest, "Mcp-Session-Id is missing")
	}
	if f != nil {
		f.write(w)
		return
	}
	e.router.Sessions().End(s)
	w.WriteHeader(http.StatusOK)
}
