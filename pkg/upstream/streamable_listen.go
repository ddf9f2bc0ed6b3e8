package upstream

import (
	"errors"
	"net/http"
	"time"

	"github.com/manifold-mcp/manifold/pkg/wire"
)

// steadyStream is how long a standing stream must live to count as one that works even if it brings nothing.
const steadyStream = 10 * time.Second

// listen keeps the standing stream open until the connection ends or the server turns out to have none (2025-03-26
// transports, "Listening for Messages from the Server"). Nothing here fails a call: a server without the stream, or one
// that refuses it for now, still answers calls.
func (s *streamable) listen() {
	defer s.listening.Store(false)
	place := newCursor()
	opened := false
	for failures := 0; ; {
		resp, err := s.http.send(s.life, place.resume(s.requests.Load().listen), nil)
		switch {
		case err != nil:
			failures++
		case resp.StatusCode == http.StatusOK && isEventStream(resp.Header) && !packed(resp.Header):
			opened = true
			if s.hear(resp, &place) {
				failures = 0
			} else {
				failures++
			}
		case !s.refusedStream(resp, opened, &place):
			return
		default:
			failures++
		}
		if pause(s.life, place.wait(failures)) != nil {
			return
		}
	}
}

// refusedStream judges the refusal of the standing stream; false if it is final. Servers without the stream answer 405, or 404
// and worse; only of one that had it before does 404 mean that the session is lost.
func (s *streamable) refusedStream(resp *http.Response, opened bool, place *cursor) (again bool) {
	status := newStatusError(resp)
	place.hold = status.retryAfter
	if opened {
		if _, err := s.refusal(resp); errors.Is(err, errSessionGone) {
			return false
		}
	} else {
		discard(resp)
	}
	return passing(status.status)
}

// hear reads the standing stream until it ends; true if it was of use.
func (s *streamable) hear(resp *http.Response, place *cursor) bool {
	defer func() { _ = resp.Body.Close() }()
	began := time.Now()
	useful := false
	r := wire.NewEventReader(resp.Body, s.maxMessage)
	for {
		e, err := r.Next()
		if err != nil {
			return useful || time.Since(began) >= steadyStream
		}
		place.note(&e)
		if len(e.Data) == 0 || e.Name != "" && e.Name != "message" {
			continue
		}
		useful = true
		if _, err := s.message(nil, e.Data); err != nil {
			s.dropped.Add(1)
			s.log.Debug().Err(err).Msg("server sent something that is not JSON-RPC on its standing stream")
		}
	}
}
